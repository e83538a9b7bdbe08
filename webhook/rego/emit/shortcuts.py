"""Common builtins written in place.

A shortcut handles the types that policies use nearly always and leaves the rest to the builtin itself, so that
there is one definition of what it does. Arguments come as operands and as Python expressions without side effects.
Knows nothing of statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from webhook.rego import ir
from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.builtins.formatting import parse_format
from webhook.rego.builtins.regex import matcher
from webhook.rego.emit import expressions
from webhook.rego.emit.expressions import Condition, condition
from webhook.rego.emit.unit import Unit
from webhook.rego.values import RegoSet, Value

_Operands: TypeAlias = Sequence[ir.Operand]
_Codes: TypeAlias = Sequence[str]


def test(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> Condition | None:
    """Give the conditions for a call that is made for its truth, if there are some that cannot fail."""
    if not unit.options.inline:
        return None
    if unit.options.strict_builtin_errors and name not in _TOTAL:
        return None
    shortcut = _TESTS.get(name)
    return shortcut(unit, name, operands, codes) if shortcut else None


def value(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> str:
    """Give the expression of a builtin's result; it may raise what the builtin raises."""
    shortcut = _VALUES.get(name) if unit.options.inline else None
    written = shortcut(unit, operands, codes) if shortcut else None
    if written is not None:
        return f"{written} else {call(unit, name, codes)}"
    if unit.options.inline and name == "regex.match" and (bound := _bound_pattern(unit, operands[0])):
        return f"{bound}({codes[1]})"
    return call(unit, name, codes)


def call(unit: Unit, name: str, codes: _Codes) -> str:
    """Give the call of a builtin that needs no context."""
    return f"{unit.builtin(name)}({', '.join(codes)})"


def text(unit: Unit, template: str, operands: _Operands, codes: _Codes) -> str | None:
    """Give a conditional expression without its `else` for a format; None where the format is too special."""
    form = parse_format(template)
    if form.directives is None or len(form.directives) != len(codes):
        return None
    pieces: list[str] = []
    conditions: dict[str, None] = {}
    arguments = zip(operands, codes, strict=True)
    for part in form.parts:
        if isinstance(part, str):
            pieces.append(part.replace("{", "{{").replace("}", "}}"))
            continue
        operand, code = next(arguments)
        if (
            part.verb not in _PLAIN_VERBS
            or part.flags
            or part.width is not None
            or part.precision is not None
        ):
            return None
        if isinstance(operand, ir.Constant):
            code = unit.intern("K", operand.value)  # a literal cannot stand within the quotes
        pieces.append(f"{{{code}}}")
        conditions[_PLAIN_VERBS[part.verb].format(code)] = None
    return f"f{''.join(pieces)!r} if {' and '.join(conditions)}" if conditions else None


_PLAIN_VERBS: Final = {
    "d": "{0}.__class__ is int",
    "s": "{0}.__class__ is str",
    "v": "({0}.__class__ is str or {0}.__class__ is int)",
}
"""Directives that Python's own conversion writes, and for which types."""


def _bound_pattern(unit: Unit, pattern: ir.Operand) -> str | None:
    """Give a name for the matcher of a constant pattern."""
    if not isinstance(pattern, ir.Constant) or type(pattern.value) is not str:
        return None
    try:
        return unit.intern("M", matcher(pattern.value))
    except BuiltinError:
        return None


def _equality(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> Condition:
    same = expressions.equality(unit, operands[0], codes[0], operands[1], codes[1])
    return Condition(same.fails, same.holds) if name == "neq" else same


_SIGNS: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def _ordering(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> Condition:
    left, right = codes
    integers = [
        f"{code}.__class__ is int"
        for code, operand in zip(codes, operands, strict=True)
        if not isinstance(operand, ir.Constant)
    ]
    if not integers or not all(
        type(operand.value) is int for operand in operands if isinstance(operand, ir.Constant)
    ):
        holds = call(unit, name, codes)
    else:
        holds = f"({left} {_SIGNS[name]} {right} if {' and '.join(integers)} else {call(unit, name, codes)})"
    return Condition(holds, f"not {holds}")


def _prefix(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> Condition | None:
    del unit, name
    subject, part = codes
    known = _constant_text(operands[1])
    if isinstance(operands[0], ir.Constant) or known is None:
        return None
    head = f"{subject}[:{len(known)}]"
    return Condition(
        f"{subject}.__class__ is str and {head} == {part}",
        f"{subject}.__class__ is not str or {head} != {part}",
    )


def _suffix(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> Condition | None:
    del unit, name
    subject, part = codes
    known = _constant_text(operands[1])
    if isinstance(operands[0], ir.Constant) or not known:
        return None
    tail = f"{subject}[-{len(known)}:]"
    return Condition(
        f"{subject}.__class__ is str and {tail} == {part}",
        f"{subject}.__class__ is not str or {tail} != {part}",
    )


def _infix(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> Condition | None:
    del unit, name
    if isinstance(operands[0], ir.Constant) or _constant_text(operands[1]) is None:
        return None
    subject, part = codes
    return Condition(
        f"{subject}.__class__ is str and {part} in {subject}",
        f"{subject}.__class__ is not str or {part} not in {subject}",
    )


def _constant_text(operand: ir.Operand) -> str | None:
    is_text = isinstance(operand, ir.Constant) and type(operand.value) is str
    return operand.value if is_text else None  # type: ignore[union-attr]


def _membership(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> Condition | None:
    if isinstance(operands[0], ir.Constant):
        return None
    element, collection = codes
    is_text = f"{element}.__class__ is str"
    if isinstance(operands[1], ir.Constant):
        texts = _texts(operands[1].value)
        if texts is None:
            return None
        table = unit.intern("K", texts)
        return Condition(
            f"{is_text} and {element} in {table}",
            f"{element}.__class__ is not str or {element} not in {table}",
        )
    # Of a text, Python's `in` and Rego's agree.
    found = f"{element} in {collection} if {is_text} and {collection}.__class__ is list"
    return condition(f"{found} else {call(unit, name, codes)}")


def _texts(collection: Value) -> frozenset[str] | None:
    """Give the elements of a collection of texts only."""
    if type(collection) not in {list, RegoSet} or not all(type(element) is str for element in collection):
        return None
    return frozenset(collection)


def _type_check(*kinds: str) -> Callable[[Unit, str, _Operands, _Codes], Condition]:
    def write(unit: Unit, name: str, operands: _Operands, codes: _Codes) -> Condition:
        del name
        (code,) = codes
        if isinstance(operands[0], ir.Constant):
            code = unit.intern("K", operands[0].value)
        return Condition(
            " or ".join(f"{code}.__class__ is {kind}" for kind in kinds),
            " and ".join(f"{code}.__class__ is not {kind}" for kind in kinds),
        )

    return write


_TESTS: Final[Mapping[str, Callable[[Unit, str, _Operands, _Codes], Condition | None]]] = {
    "contains": _infix,
    "endswith": _suffix,
    "equal": _equality,
    "gt": _ordering,
    "gte": _ordering,
    "internal.member_2": _membership,
    "is_array": _type_check("list"),
    "is_boolean": _type_check("bool"),
    "is_number": _type_check("int", "float"),
    "is_object": _type_check("dict"),
    "is_set": _type_check("RegoSet"),
    "is_string": _type_check("str"),
    "lt": _ordering,
    "lte": _ordering,
    "neq": _equality,
    "startswith": _prefix,
}
_TOTAL: Final = frozenset({"equal", "gt", "gte", "internal.member_2", "lt", "lte", "neq"})
"""Builtins that take every value, so that there is no failure to report."""


def _count(_unit: Unit, operands: _Operands, codes: _Codes) -> str | None:
    return (
        None if isinstance(operands[0], ir.Constant) else f"len({codes[0]}) if {codes[0]}.__class__ is list"
    )


def _object_get(_unit: Unit, operands: _Operands, codes: _Codes) -> str | None:
    if isinstance(operands[0], ir.Constant) or _constant_text(operands[1]) is None:
        return None
    source, key, default = codes
    return f"{source}.get({key}, {default}) if {source}.__class__ is dict"


def _sum(sign: str) -> Callable[[Unit, _Operands, _Codes], str | None]:
    def write(_unit: Unit, operands: _Operands, codes: _Codes) -> str | None:
        checks = []
        for operand, code in zip(operands, codes, strict=True):
            if not isinstance(operand, ir.Constant):
                checks.append(f"{code}.__class__ is int")
            elif type(operand.value) is not int:
                return None
        return f"{codes[0]} {sign} {codes[1]} if {' and '.join(checks)}" if checks else None

    return write


_VALUES: Final[Mapping[str, Callable[[Unit, _Operands, _Codes], str | None]]] = {
    "count": _count,
    "minus": _sum("-"),
    "object.get": _object_get,
    "plus": _sum("+"),
}
