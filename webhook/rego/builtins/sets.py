"""Sets as wholes: `&`, `|`, union and intersection. Difference is `minus`, among the numbers."""

from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import limit_items, wrong_type
from webhook.rego.builtins.signatures import SET, SetOf
from webhook.rego.values import RegoSet


def intersect(left: Any, right: Any) -> RegoSet:
    """Give the elements that both sets have."""
    _check(left, right)
    if not left.composites:
        return _of_scalars({key: value for key, value in left.scalars.items() if key in right.scalars})
    return RegoSet(element for element in left if element in right)


def unite(left: Any, right: Any) -> RegoSet:
    """Give the elements that either set has."""
    _check(left, right)
    limit_items(len(left) + len(right))
    if not left.composites and not right.composites:
        return _of_scalars(right.scalars | left.scalars)
    return RegoSet([*left, *right])


def subtract(left: Any, right: Any) -> RegoSet:
    """Give the elements of the first set that the second one does not have."""
    _check(left, right)
    return difference(left, right)


def difference(left: RegoSet, right: RegoSet) -> RegoSet:
    """Give the elements of the first set that the second one does not have."""
    if not left.composites:
        return _of_scalars({key: value for key, value in left.scalars.items() if key not in right.scalars})
    return RegoSet(element for element in left if element not in right)


def _of_scalars(scalars: dict[Any, Any]) -> RegoSet:
    """Make a set of scalars by their keys, without looking at each again."""
    result = RegoSet()
    result.scalars = scalars
    return result


def intersection(sets: Any) -> RegoSet:
    """Give the elements that every set has; nothing has none."""
    first, *others = _members(sets) or [RegoSet()]
    return RegoSet(element for element in first if all(element in other for other in others))


def union(sets: Any) -> RegoSet:
    """Give the elements of all sets."""
    members = _members(sets)
    limit_items(sum(map(len, members)))
    return RegoSet(element for member in members for element in member)


def _check(left: Any, right: Any) -> None:
    if type(left) is not RegoSet:
        raise wrong_type(1, left, "set")
    if type(right) is not RegoSet:
        raise wrong_type(2, right, "set")


def _members(sets: Any) -> list[RegoSet]:
    if type(sets) is not RegoSet:
        raise wrong_type(1, sets, "set")
    members = list(sets)
    for member in members:
        if type(member) is not RegoSet:
            raise wrong_type(1, member, "set")
    return members


_SETS = {"xs": SetOf(SET)}

BUILTINS: tuple[Builtin, ...] = (
    declare("and", {"x": SET, "y": SET}, {"z": SET}, intersect, infix="&"),
    declare("or", {"x": SET, "y": SET}, {"z": SET}, unite, infix="|"),
    declare("set_diff", (SET, SET), SET, subtract, deprecated=True),
    declare("intersection", _SETS, {"y": SET}, intersection),
    declare("union", _SETS, {"y": SET}, union),
)
