"""Comparison and membership: the operators `=`, `==`, `!=`, `<`, `<=`, `>`, `>=` and `in`."""

from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.signatures import ANY, BOOLEAN
from webhook.rego.values import UNDEFINED, RegoSet, compare, equal, lookup


def is_equal(left: Any, right: Any) -> bool:
    """Say whether two values are equal."""
    return equal(left, right)


def is_unequal(left: Any, right: Any) -> bool:
    """Say whether two values differ."""
    return not equal(left, right)


def is_less(left: Any, right: Any) -> bool:
    """Say whether `left` comes before `right` in OPA's order."""
    return compare(left, right) < 0


def is_less_or_equal(left: Any, right: Any) -> bool:
    """Say whether `left` does not come after `right` in OPA's order."""
    return compare(left, right) <= 0


def is_greater(left: Any, right: Any) -> bool:
    """Say whether `left` comes after `right` in OPA's order."""
    return compare(left, right) > 0


def is_greater_or_equal(left: Any, right: Any) -> bool:
    """Say whether `left` does not come before `right` in OPA's order."""
    return compare(left, right) >= 0


_SCALARS = frozenset({str, int, float, bool, type(None)})
"""Of other values Python's equality may take for ever: their parts may share without end."""


def is_member(element: Any, collection: Any) -> bool:
    """Say whether a collection has the element; nothing is a member of a scalar."""
    kind = type(collection)
    if kind is RegoSet:
        return element in collection
    if kind is not list and kind is not dict:
        return False
    values = collection if kind is list else collection.values()
    if type(element) in _SCALARS:
        # Python's equality takes more for equal, and finds it faster: for text it is all that is needed.
        if element not in values:
            return False
        if type(element) is str:
            return True
    return any(equal(element, other) for other in values)


def is_entry(key: Any, element: Any, collection: Any) -> bool:
    """Say whether a collection has the element at the key; a set's keys are its elements."""
    found = lookup(collection, key)
    return found is not UNDEFINED and equal(found, element)


_BOTH = {"x": ANY, "y": ANY}
_RESULT = {"result": BOOLEAN}

BUILTINS: tuple[Builtin, ...] = (
    declare("eq", (ANY, ANY), BOOLEAN, is_equal, infix="="),
    declare("assign", (ANY, ANY), BOOLEAN, is_equal, infix=":="),
    declare("equal", _BOTH, _RESULT, is_equal, infix="=="),
    declare("neq", _BOTH, _RESULT, is_unequal, infix="!="),
    declare("lt", _BOTH, _RESULT, is_less, infix="<"),
    declare("lte", _BOTH, _RESULT, is_less_or_equal, infix="<="),
    declare("gt", _BOTH, _RESULT, is_greater, infix=">"),
    declare("gte", _BOTH, _RESULT, is_greater_or_equal, infix=">="),
    declare("internal.member_2", (ANY, ANY), BOOLEAN, is_member, infix="in"),
    declare("internal.member_3", (ANY, ANY, ANY), BOOLEAN, is_entry, infix="in"),
)
