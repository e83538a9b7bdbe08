"""Objects as wholes: `object.*`."""

from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import OperandError, wrong_element, wrong_type
from webhook.rego.builtins.signatures import ANY, ARRAY, OBJECT, SET, ArrayOf, OneOf
from webhook.rego.values import UNDEFINED, RegoObject, RegoSet, equal, key_of, lookup, value_of


def get(source: Any, path: Any, default: Any) -> Any:
    """Give the value at a key, or at the end of an array of keys, else the default."""
    if type(source) is not dict:
        raise wrong_type(1, source, "object")
    if type(path) is str:
        return source.get(path, default)
    if type(path) is not list:
        return source.get(key_of(path), default)
    found: Any = source
    for key in path:
        found = lookup(found, key)
        if found is UNDEFINED:
            return default
    return found


def keys(source: Any) -> RegoSet:
    """Give an object's keys."""
    if type(source) is not dict:
        raise wrong_type(1, source, "object")
    return RegoSet(map(value_of, source))


def remove(source: Any, names: Any) -> RegoObject:
    """Give an object without the named keys."""
    if type(source) is not dict:
        raise wrong_type(1, source, "object")
    unwanted = _keys(names)
    return {key: value for key, value in source.items() if key not in unwanted}


def keep(source: Any, names: Any) -> RegoObject:
    """Give an object with only the named keys."""
    if type(source) is not dict:
        raise wrong_type(1, source, "object")
    wanted = _keys(names)
    return {key: value for key, value in source.items() if key in wanted}


def _keys(names: Any) -> set[Any]:
    kind = type(names)
    if kind is dict:
        return set(names)
    if kind is list or kind is RegoSet:
        return set(map(key_of, names))
    raise wrong_type(2, names, "object", "set", "array")


def unite(first: Any, second: Any) -> RegoObject:
    """Merge two objects, objects within them too; elsewhere the second one's value wins."""
    if type(first) is not dict:
        raise wrong_type(1, first, "object")
    if type(second) is not dict:
        raise wrong_type(2, second, "object")
    return _Union().of(first, second)


def unite_all(objects: Any) -> RegoObject:
    """Merge an array of objects from left to right."""
    if type(objects) is not list:
        raise wrong_type(1, objects, "array")
    result: RegoObject = {}
    for source in reversed(objects):
        if type(source) is not dict:
            raise wrong_element(1, objects, source, "object")
    for source in objects:
        # Identities last as long as what they identify: the parts of one round are gone in the next.
        _Union().insert(result, source)
    return result


class _Union:
    """Merges objects, two parts that meet again but once: they may share without end."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], RegoObject] = {}

    def of(self, first: RegoObject, second: RegoObject) -> RegoObject:
        """Give a new object with the entries of both."""
        pair = (id(first), id(second))
        if pair not in self._known:
            self._known[pair] = result = dict(first)
            self.insert(result, second)
        return self._known[pair]

    def insert(self, target: RegoObject, source: RegoObject) -> None:
        """Insert the entries of an object into a new one."""
        for key, value in source.items():
            present = target.get(key)
            if type(present) is dict and type(value) is dict:
                target[key] = self.of(present, value)
            else:
                target[key] = value


def is_subset(whole: Any, part: Any) -> bool:
    """Say whether `part` is within `whole`: objects recursively, sets by element, arrays as a run of elements."""
    kinds = (type(whole), type(part))
    if kinds == (dict, dict):
        return _object_within(whole, part)
    if kinds == (RegoSet, RegoSet):
        return all(element in whole for element in part)
    if kinds == (list, list):
        return _run_within(whole, part)
    if kinds == (list, RegoSet):
        return _elements_within(whole, part)
    raise OperandError("both arguments object.subset must be of the same type or array and set")


def _object_within(whole: RegoObject, part: RegoObject) -> bool:
    for key, value in part.items():
        present = whole.get(key, UNDEFINED)
        if present is UNDEFINED:
            return False
        if equal(present, value):
            continue
        kind = type(value)
        if kind is not type(present) or kind not in (dict, list, RegoSet) or not is_subset(present, value):
            return False
    return True


def _run_within(whole: list[Any], part: list[Any]) -> bool:
    width = len(part)
    return any(equal(whole[start : start + width], part) for start in range(len(whole) - width + 1))


def _elements_within(whole: list[Any], part: RegoSet) -> bool:
    """Count as OPA does: an element found twice counts twice, and nothing is within an empty array."""
    missing = len(part)
    for element in whole:
        if element in part:
            missing -= 1
        if missing == 0:
            return True
    return False


_KEYS = OneOf((ARRAY, SET, OBJECT))
_COLLECTION = OneOf((OBJECT, SET, ARRAY))

BUILTINS: tuple[Builtin, ...] = (
    declare("object.get", {"object": OBJECT, "key": ANY, "default": ANY}, {"value": ANY}, get),
    declare("object.keys", {"object": OBJECT}, {"value": SET}, keys),
    declare("object.remove", {"object": OBJECT, "keys": _KEYS}, {"output": ANY}, remove),
    declare("object.filter", {"object": OBJECT, "keys": _KEYS}, {"filtered": ANY}, keep),
    declare("object.union", {"a": OBJECT, "b": OBJECT}, {"output": ANY}, unite),
    declare("object.union_n", {"objects": ArrayOf(OBJECT)}, {"output": ANY}, unite_all),
    declare("object.subset", {"super": _COLLECTION, "sub": _COLLECTION}, {"result": ANY}, is_subset),
)
