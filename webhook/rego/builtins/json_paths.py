"""Parts of documents by path: `json.filter`, `json.remove` and `json.patch`.

A path is an array of keys, or text with keys between slashes in which `~1` stands for a slash and `~0` for a tilde.
"""

from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import LimitError, OperandError, limit_items, wrong_type
from webhook.rego.builtins.signatures import ANY, ARRAY, OBJECT, STRING, ArrayOf, ObjectOf, OneOf, SetOf
from webhook.rego.values import UNDEFINED, RegoObject, RegoSet, equal, key_of, lookup, type_name

_MAX_OPERATIONS = 10_000
"""Most operations of a patch: each copies what it changes."""

Tree = dict[Any, Any]
"""Paths that share their beginnings: each key leads to a further tree, or to None where a path ends."""


def select(document: Any, paths: Any) -> Any:
    """Give an object with only what the paths lead to."""
    if type(document) is not dict:
        raise wrong_type(1, document, "object")
    return _select(document, _tree(paths))


def remove(document: Any, paths: Any) -> Any:
    """Give an object without what the paths lead to."""
    if type(document) is not dict:
        raise wrong_type(1, document, "object")
    return _remove(document, _tree(paths))


def _select(document: Any, tree: Tree | None) -> Any:
    if tree is None:
        return document
    kind = type(document)
    if kind is dict:
        return {key: _select(document[key], branch) for key, branch in tree.items() if key in document}
    if kind is list:
        positions = [(index, str(index)) for index in range(len(document))]
        return [_select(document[index], tree[key]) for index, key in positions if key in tree]
    if kind is RegoSet:
        found = [(element, key_of(element)) for element in document]
        return RegoSet(_select(element, tree[key]) for element, key in found if key in tree)
    return document


def _remove(document: Any, tree: Tree) -> Any:
    """Leave out what the tree's paths end at; array positions are text in it."""
    kind = type(document)
    if kind is dict:
        kept = ((key, _branch_removed(value, tree, key)) for key, value in document.items())
        return {key: value for key, value in kept if value is not UNDEFINED}
    if kind is list:
        elements = (_branch_removed(value, tree, str(index)) for index, value in enumerate(document))
        return [value for value in elements if value is not UNDEFINED]
    if kind is RegoSet:
        elements = (_branch_removed(value, tree, key_of(value)) for value in document)
        return RegoSet(value for value in elements if value is not UNDEFINED)
    return document


def _branch_removed(value: Any, tree: Tree, key: Any) -> Any:
    if key not in tree:
        return value
    branch = tree[key]
    return UNDEFINED if branch is None else _remove(value, branch)


def _tree(paths: Any) -> Tree:
    if type(paths) is not list and type(paths) is not RegoSet:
        raise wrong_type(2, paths, "set", "array")
    root: Tree = {}
    for path in map(parse_path, paths):
        if path:
            _plant(root, [key_of(key) for key in path])
    return root


def _plant(root: Tree, path: list[Any]) -> None:
    """Add one path; a shorter one that ends on its way already covers it."""
    node = root
    for key in path[:-1]:
        following = node.setdefault(key, {})
        if following is None:
            return
        node = following
    node[path[-1]] = None


def parse_path(path: Any) -> list[Any]:
    """Split a path into its keys.

    Raises:
        OperandError: it is neither text nor an array.

    """
    if type(path) is list:
        keys: list[Any] = path
        return keys
    if type(path) is not str:
        raise OperandError(
            "operand 2 must be one of {set, array} containing string paths or array of path segments but got "
            + type_name(path)
        )
    if not path:
        return []
    return [part.replace("~1", "/").replace("~0", "~") for part in path.lstrip("/").split("/")]


class _PatchError(Exception):
    """A patch that does not apply: the call is undefined, in strict evaluation too."""


def patch(document: Any, operations: Any) -> Any:
    """Apply JSON Patch operations (RFC 6902), sets included; undefined when one does not apply."""
    if type(operations) is not list:
        raise wrong_type(2, operations, "array")
    if len(operations) > _MAX_OPERATIONS:
        raise LimitError(f"json.patch: more than {_MAX_OPERATIONS} operations")
    try:
        for operation in operations:
            document = _apply(document, operation)
    except (_PatchError, OperandError):
        return UNDEFINED
    return document


def _apply(document: Any, operation: Any) -> Any:
    if type(operation) is not dict:
        raise _PatchError
    path = parse_path(_attribute(operation, "path"))
    match _attribute(operation, "op"):
        case "add":
            return _insert(document, path, _attribute(operation, "value"))
        case "remove":
            return _delete(document, path)
        case "replace":
            value = _attribute(operation, "value")
            return _insert(_delete(document, path), path, value)
        case "move":
            source = parse_path(_attribute(operation, "from"))
            return _insert(_delete(document, source), path, _find(document, source))
        case "copy":
            return _insert(document, path, _find(document, parse_path(_attribute(operation, "from"))))
        case "test":
            if equal(_find(document, path), _attribute(operation, "value")):
                return document
    raise _PatchError


def _attribute(operation: RegoObject, name: str) -> Any:
    if name not in operation:
        raise _PatchError
    return operation[name]


def _find(document: Any, path: list[Any]) -> Any:
    for key in path:
        document = lookup(document, _index(document, key) if type(document) is list else key)
    if document is UNDEFINED:
        raise _PatchError
    return document


def _insert(document: Any, path: list[Any], value: Any) -> Any:
    """Give a copy with the value at the path; only the containers along the path are copied."""
    if not path:
        return value
    if len(path) > 1:
        return _within(document, path, lambda child: _insert(child, path[1:], value))
    key = path[0]
    kind = type(document)
    if kind is dict:
        return {**document, key_of(key): value}
    if kind is list:
        index = _index(document, key)
        if not 0 <= index <= len(document):
            raise _PatchError
        limit_items(len(document) + 1)
        return [*document[:index], value, *document[index:]]
    if kind is RegoSet and equal(key, value):
        return RegoSet([*document, value])
    raise _PatchError


def _delete(document: Any, path: list[Any]) -> Any:
    if not path:
        return UNDEFINED
    if len(path) > 1:
        return _within(document, path, lambda child: _delete(child, path[1:]))
    key = path[0]
    kind = type(document)
    if kind is dict:
        name = key_of(key)
        if name not in document:
            raise _PatchError
        return {other: value for other, value in document.items() if other != name}
    if kind is list:
        index = _index(document, key)
        if not 0 <= index < len(document):
            raise _PatchError
        return [*document[:index], *document[index + 1 :]]
    if kind is RegoSet and key in document:
        return RegoSet(element for element in document if not equal(element, key))
    raise _PatchError


def _within(document: Any, path: list[Any], change: Any) -> Any:
    """Replace the child at the path's first key by what `change` makes of it."""
    key = path[0]
    child = change(_find(document, [key]))
    kind = type(document)
    if kind is dict:
        return {**document, key_of(key): child}
    if kind is list:
        index = _index(document, key)
        return [*document[:index], child, *document[index + 1 :]]
    return RegoSet(child if equal(element, key) else element for element in document)


def _index(array: list[Any], key: Any) -> int:
    """Give the position that a key means; `-` is the one after the last."""
    if type(key) is int:
        return key
    if key == "-":
        return len(array)
    if (
        type(key) is str
        and key.isascii()
        and key.isdigit()
        and (key == "0" or key[0] != "0")
        and len(key) < 20
    ):
        return int(key)
    raise _PatchError


_PATH = OneOf((STRING, ARRAY))
_PATHS = OneOf((ArrayOf(_PATH), SetOf(_PATH)))
_OPERATION = ObjectOf(ANY, ANY, {"op": STRING, "path": ANY})

BUILTINS: tuple[Builtin, ...] = (
    declare("json.filter", {"object": OBJECT, "paths": _PATHS}, {"filtered": ANY}, select),
    declare("json.remove", {"object": OBJECT, "paths": _PATHS}, {"output": ANY}, remove),
    declare("json.patch", {"object": ANY, "patches": ArrayOf(_OPERATION)}, {"output": ANY}, patch),
)
