"""Three-way merge of objects that were patched separately, and the JSONPatch from one object to another.

Merging results instead of operations makes the order of policies irrelevant wherever they agree, lets two
policies both create a missing parent, and makes a conflict what it is: one place, two different values.

Values are compared by type too, since Python's `True == 1` is no JSON equality. Objects patched by
`apply_patch` share what they did not change, so most comparisons end at identity.
"""

from typing import Any, Final, final

from webhook.admission.errors import PatchConflictError
from webhook.admission.patch import Operations
from webhook.admission.path import FieldPath, render_pointer


@final
class _Missing:
    """The type of `_MISSING`, a key that an object does not have."""


_MISSING: Final = _Missing()


def merge_objects(base: Any, first: Any, second: Any) -> Any:
    """Merge what `first` and `second` each changed of `base`.

    Objects merge key by key. Lists merge element by element, and what both appended is kept in that order;
    a list that one of them shortened or reordered merges only with an unchanged one.

    Raises:
        PatchConflictError: both changed one place, differently.

    """
    return _merge(base, first, second, ())


def diff_objects(base: Any, changed: Any) -> Operations:
    """Give the JSONPatch that turns `base` into `changed`; empty where they are equal."""
    operations: list[dict[str, Any]] = []
    _diff(base, changed, (), operations)
    return tuple(operations)


def same(first: Any, second: Any) -> bool:
    """Tell whether two JSON values are equal, types included."""
    if first is second:
        return True
    if type(first) is not type(second):
        return False
    if type(first) is dict:
        return first.keys() == second.keys() and all(same(value, second[key]) for key, value in first.items())
    if type(first) is list:
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def _merge(base: Any, first: Any, second: Any, path: FieldPath) -> Any:
    if same(base, second) or same(first, second):
        return first
    if same(base, first):
        return second
    if type(first) is dict and type(second) is dict:
        return _merge_dicts(base if type(base) is dict else {}, first, second, path)
    if type(base) is list and type(first) is list and type(second) is list:
        return _merge_lists(base, first, second, path)
    raise PatchConflictError(render_pointer(path))


def _merge_dicts(
    base: dict[str, Any], first: dict[str, Any], second: dict[str, Any], path: FieldPath
) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in dict.fromkeys((*base, *first, *second)):
        value = _merge(
            base.get(key, _MISSING), first.get(key, _MISSING), second.get(key, _MISSING), (*path, key)
        )
        if value is not _MISSING:
            merged[key] = value
    return merged


def _merge_lists(base: list[Any], first: list[Any], second: list[Any], path: FieldPath) -> list[Any]:
    size = len(base)
    if not (_keeps_places(base, first) and _keeps_places(base, second)):
        raise PatchConflictError(render_pointer(path))
    merged = [_merge(base[i], first[i], second[i], (*path, i)) for i in range(size)]
    appended = first[size:]
    return [*merged, *appended, *(item for item in second[size:] if not any(same(item, x) for x in appended))]


def _keeps_places(base: list[Any], changed: list[Any]) -> bool:
    """Tell whether every element of `base` still stands at its index, by its name if it has one.

    Without names an insertion in the middle looks like a change of every element after it.
    """
    if len(changed) < len(base):
        return False
    return all(map(_is_same_element, base, changed))


def _is_same_element(base: Any, changed: Any) -> bool:
    if type(base) is dict and type(changed) is dict:
        return same(base.get("name"), changed.get("name"))
    return True


def _diff(base: Any, changed: Any, path: FieldPath, operations: list[dict[str, Any]]) -> None:
    if base is changed:
        return
    if type(base) is dict and type(changed) is dict:
        _diff_dicts(base, changed, path, operations)
    elif type(base) is list and type(changed) is list:
        _diff_lists(base, changed, path, operations)
    elif not same(base, changed):
        operations.append({"op": "replace", "path": render_pointer(path), "value": changed})


def _diff_dicts(
    base: dict[str, Any], changed: dict[str, Any], path: FieldPath, operations: list[dict[str, Any]]
) -> None:
    for key, value in base.items():
        if key in changed:
            _diff(value, changed[key], (*path, key), operations)
        else:
            operations.append({"op": "remove", "path": render_pointer((*path, key))})
    for key, value in changed.items():
        if key not in base:
            operations.append({"op": "add", "path": render_pointer((*path, key)), "value": value})


def _diff_lists(
    base: list[Any], changed: list[Any], path: FieldPath, operations: list[dict[str, Any]]
) -> None:
    for index, (old, new) in enumerate(zip(base, changed, strict=False)):
        _diff(old, new, (*path, index), operations)
    # From the end, so that no removal moves what the next one means.
    surplus = range(len(base) - 1, len(changed) - 1, -1)
    operations.extend({"op": "remove", "path": render_pointer((*path, index))} for index in surplus)
    end = render_pointer((*path, "-"))
    operations.extend({"op": "add", "path": end, "value": item} for item in changed[len(base) :])
