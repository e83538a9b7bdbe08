"""What is computed over a whole collection: count, sum, product, extremes, order, `any` and `all`."""

import functools
from collections.abc import Callable
from typing import Any

from webhook.rego.builtins.arithmetic import is_number, multiply, plus
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import wrong_element, wrong_type
from webhook.rego.builtins.signatures import (
    ANY,
    ARRAY,
    BOOLEAN,
    NUMBER,
    OBJECT,
    SET,
    STRING,
    ArrayOf,
    OneOf,
    SetOf,
)
from webhook.rego.values import UNDEFINED, RegoSet, compare, ordered

_COUNTED = frozenset((list, dict, str, RegoSet))
_STEPS_BETWEEN_CHECKS = 200
"""Numbers added or multiplied between two looks at the clock: they may have thousands of digits."""
_COMPARED_BETWEEN_CHECKS = 1_000
"""Elements of which the greatest or least is found between two looks at the clock."""
_order = functools.cmp_to_key(compare)


def count(collection: Any) -> int:
    """Count elements, keys or characters."""
    if type(collection) in _COUNTED:
        return len(collection)
    raise wrong_type(1, collection, "array", "object", "set", "string")


def total(context: EvaluationContext, collection: Any) -> int | float:
    """Add up numbers; nothing adds up to 0."""
    return _fold(context, collection, plus, 0)


def product(context: EvaluationContext, collection: Any) -> int | float:
    """Multiply numbers; the product of nothing is 1."""
    return _fold(context, collection, multiply, 1)


def _fold(
    context: EvaluationContext, collection: Any, step: Callable[[Any, Any], int | float], start: int
) -> int | float:
    result: int | float = start
    for index, element in enumerate(_elements(collection)):
        if index % _STEPS_BETWEEN_CHECKS == _STEPS_BETWEEN_CHECKS - 1:
            context.check()
        if not is_number(element):
            raise wrong_element(1, collection, element, "number")
        result = step(result, element)
    return result


def maximum(context: EvaluationContext, collection: Any) -> Any:
    """Give the last element in OPA's order; undefined when there is none."""
    return _extreme(context, collection, max)


def minimum(context: EvaluationContext, collection: Any) -> Any:
    """Give the first element in OPA's order; undefined when there is none."""
    return _extreme(context, collection, min)


def _extreme(context: EvaluationContext, collection: Any, choose: Callable[..., Any]) -> Any:
    elements = _elements(collection)
    if not elements:
        return UNDEFINED
    kinds = set(map(type, elements))
    if kinds <= {str} or kinds <= {int, float}:
        return choose(elements)
    found: list[Any] = []
    for start in range(0, len(elements), _COMPARED_BETWEEN_CHECKS):
        if start:
            context.check()
        found.append(choose(elements[start : start + _COMPARED_BETWEEN_CHECKS], key=_order))
    return choose(found, key=_order)


def sort(context: EvaluationContext, collection: Any) -> list[Any]:
    """Put the elements of an array or set in OPA's order."""
    return ordered(_elements(collection), context.check)


def every_true(collection: Any) -> bool:
    """Say whether all elements are true."""
    return all(element is True for element in _elements(collection, "array", "set"))


def some_true(collection: Any) -> bool:
    """Say whether an element is true."""
    return any(element is True for element in _elements(collection, "array", "set"))


def _elements(collection: Any, *expected: str) -> list[Any]:
    kind = type(collection)
    if kind is list:
        elements: list[Any] = collection
        return elements
    if kind is RegoSet:
        return list(collection)
    raise wrong_type(1, collection, *(expected or ("set", "array")))


_ELEMENTS = OneOf((SET, ARRAY))
_NUMBERS = OneOf((SetOf(NUMBER), ArrayOf(NUMBER)))

BUILTINS: tuple[Builtin, ...] = (
    declare("count", {"collection": OneOf((SET, ARRAY, OBJECT, STRING))}, {"n": NUMBER}, count),
    declare("sum", {"collection": _NUMBERS}, {"n": NUMBER}, total, needs_context=True),
    declare("product", {"collection": _NUMBERS}, {"n": NUMBER}, product, needs_context=True),
    declare("max", {"collection": _ELEMENTS}, {"n": ANY}, maximum, needs_context=True),
    declare("min", {"collection": _ELEMENTS}, {"n": ANY}, minimum, needs_context=True),
    declare("sort", {"collection": _ELEMENTS}, {"n": ARRAY}, sort, needs_context=True),
    declare("all", (_ELEMENTS,), BOOLEAN, every_true, deprecated=True),
    declare("any", (_ELEMENTS,), BOOLEAN, some_true, deprecated=True),
)
