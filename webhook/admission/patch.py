"""JSONPatch: operations that policies write, read, moved into the object sent, and applied.

Must not know which policy is right when two conflict. Source: RFC 6902.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jsonpatch
import jsonpointer

from webhook.admission.errors import InapplicablePatchError, MalformedPatchError
from webhook.admission.path import unescape_segment
from webhook.admission.workload import PodView

Operations: TypeAlias = tuple[dict[str, Any], ...]
"""JSONPatch operations in their JSON form, in order."""

_WITH_VALUE = frozenset({"add", "replace", "test"})
_WITH_FROM = frozenset({"move", "copy"})
_KINDS = _WITH_VALUE | _WITH_FROM | {"remove"}
_METADATA = "/metadata"


def read_patch(values: Sequence[object]) -> Operations:
    """Read JSONPatch operations from what a policy's `patch` rule gave.

    Raises:
        MalformedPatchError: a value is no operation.

    """
    return tuple(_read_operation(value) for value in values)


def translate_patch(operations: Operations, view: PodView) -> Operations:
    """Turn a patch of the Pod into one of the object sent."""
    if not view.prefix:
        return operations
    moved: list[dict[str, Any]] = []
    if view.template.get("metadata") is None and any(op["path"].startswith(_METADATA) for op in operations):
        # A synthetic Pod always shows metadata; the template may have none yet.
        moved.append({"op": "add", "path": view.pointer + _METADATA, "value": {}})
    for operation in operations:
        changed = {**operation, "path": view.pointer + operation["path"]}
        if "from" in operation:
            changed["from"] = view.pointer + operation["from"]
        moved.append(changed)
    return tuple(moved)


def apply_patch(document: dict[str, Any], operations: Operations) -> dict[str, Any]:
    """Give the patched document; `document` itself stays as it is, and what no operation touches is shared.

    Raises:
        InapplicablePatchError: an operation does not apply.

    """
    patched = document.copy()
    for operation in operations:
        _own(patched, operation["path"])
        if "from" in operation:
            _own(patched, operation["from"])
        try:
            patched = jsonpatch.JsonPatch([operation]).apply(patched, in_place=True)
        except (
            jsonpatch.JsonPatchException,
            jsonpointer.JsonPointerException,
            TypeError,
            LookupError,
        ) as error:
            raise InapplicablePatchError(
                f"{operation['op']} {operation['path']} does not apply to the object: {error}"
            ) from error
    return patched


def _own(root: dict[str, Any], pointer: str) -> None:
    """Copy the containers on the way to `pointer`, so that changing them changes `root` alone."""
    parent: Any = root
    for segment in pointer.split("/")[1:-1]:
        key: str | int
        if type(parent) is list:
            if not segment.isdecimal() or int(segment) >= len(parent):
                return
            key = int(segment)
        else:
            key = unescape_segment(segment)
            if key not in parent:
                return
        child = parent[key]
        if type(child) is not dict and type(child) is not list:
            return
        parent[key] = child = child.copy()
        parent = child


def _read_operation(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedPatchError("a patch operation is an object with op and path")
    kind, path = value.get("op"), value.get("path")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise MalformedPatchError(f"op must be one of {', '.join(sorted(_KINDS))}")
    _check_pointer("path", path)
    operation: dict[str, Any] = {"op": kind, "path": path}
    if kind in _WITH_FROM:
        _check_pointer("from", value.get("from"))
        operation["from"] = value["from"]
    if kind in _WITH_VALUE:
        if "value" not in value:
            raise MalformedPatchError(f"{kind} {path} has no value")
        operation["value"] = value["value"]
    return operation


def _check_pointer(field: str, pointer: object) -> None:
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise MalformedPatchError(f"{field} must be a JSON pointer to a field, such as /spec/securityContext")
