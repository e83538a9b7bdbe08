"""The OpenAPI 3.1 document of the operations API, made from the table of operations and their types.

Descriptions are the docstrings of types and fields, so there is one place to write them.
Source: https://spec.openapis.org/oas/v3.1.0
"""

import ast
import inspect
import itertools
import textwrap
from typing import Any

import msgspec

from webhook.server.answers import JSON, ErrorEnvelope
from webhook.server.operation_table import API_PREFIX, ARCHIVE, OPERATIONS, Operation

Json = dict[str, Any]
USER_HEADER = "X-Gradate-User"
IDENTITY_PATH = f"{API_PREFIX}/identity"
_ERRORS = {
    "401": "The bearer token is missing or wrong.",
    "403": "Nobody may act under this name.",
    "404": "There is nothing of that name.",
    "409": "It does not apply to what is there; nothing changed.",
    "422": "A field is unusable; the error names it.",
    "500": "Something went wrong here; the log of the server says what.",
    "503": "The store or the policy files cannot be used now.",
}
_BODY_ERRORS = {"400": "The body is no JSON object.", "413": "The body is too large."}


class Identity(msgspec.Struct, frozen=True):
    """Who answers here."""

    product: str
    """Always `gradate`."""
    version: str
    proof: str
    """HMAC-SHA256 of the challenge under the token, hexadecimal: shows that the token may be sent here."""


def openapi_document(version: str) -> Json:
    """Describe the API of a release."""
    types = {
        kind: None
        for operation in OPERATIONS
        for kind in (operation.ask, operation.answer)
        if kind is not bytes
    }
    everything: tuple[type[Any], ...] = (*types, ErrorEnvelope, Identity)
    _, components = msgspec.json.schema_components(everything, ref_template="#/components/schemas/{name}")
    for name, schema in components.items():
        _describe_fields(schema, _find_type(everything, name))
    paths: Json = {IDENTITY_PATH: {"get": _identity_operation()}}
    for operation in OPERATIONS:
        described = _describe(operation, components[operation.ask.__name__])
        paths.setdefault(API_PREFIX + operation.path, {})[operation.method.lower()] = described
    used = _references(paths, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gradate operations",
            "version": version,
            "summary": "Rollouts, reviews and exceptions of a running server.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in sorted(components.items()) if name in used},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _describe(operation: Operation[Any, Any], ask: Json) -> Json:
    properties, required = ask.get("properties", {}), ask.get("required", [])
    parameters = [_parameter(name, "path", properties[name], required=True) for name in operation.path_fields]
    described: Json = {"operationId": operation.name, "summary": operation.summary, "parameters": parameters}
    others = {name: properties[name] for name in operation.other_fields}
    needed = [name for name in required if name in others]
    if operation.method == "GET":
        parameters += [
            _parameter(name, "query", schema, required=name in needed) for name, schema in others.items()
        ]
    else:
        parameters.append(_user_parameter())
        body = {"type": "object", "properties": others, "required": needed, "additionalProperties": False}
        described["requestBody"] = {"required": bool(needed), "content": {JSON: {"schema": body}}}
    errors = _ERRORS if operation.method == "GET" else {**_BODY_ERRORS, **_ERRORS}
    described["responses"] = {"200": _success(operation), **_failures(errors)}
    return described


def _success(operation: Operation[Any, Any]) -> Json:
    if operation.answer is bytes:
        return {"description": "An archive.", "content": {ARCHIVE: {}}}
    reference = {"$ref": f"#/components/schemas/{operation.answer.__name__}"}
    return {"description": "Done.", "content": {JSON: {"schema": reference}}}


def _failures(errors: dict[str, str]) -> Json:
    reference = {"$ref": f"#/components/schemas/{ErrorEnvelope.__name__}"}
    return {
        status: {"description": meaning, "content": {JSON: {"schema": reference}}}
        for status, meaning in errors.items()
    }


def _parameter(name: str, place: str, schema: Json, *, required: bool) -> Json:
    shape = {key: value for key, value in schema.items() if key != "description"}
    match shape:
        # What may be left out is not written as null in a query.
        case {"anyOf": [only, {"type": "null"}]}:
            shape = only
    parameter = {"name": name, "in": place, "required": required, "schema": shape}
    if "description" in schema:
        parameter["description"] = schema["description"]
    return parameter


def _user_parameter() -> Json:
    return {
        "name": USER_HEADER,
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "description": "Who acts; recorded with what is changed. The settings name who it is otherwise.",
    }


def _identity_operation() -> Json:
    reference = {"$ref": f"#/components/schemas/{Identity.__name__}"}
    challenge = {"type": "string", "minLength": 1, "maxLength": 128}
    return {
        "operationId": "getIdentity",
        "summary": "Show that this is Gradate and that it knows the token.",
        "parameters": [_parameter("challenge", "query", challenge, required=True)],
        "security": [],
        "responses": {
            "200": {"description": "Done.", "content": {JSON: {"schema": reference}}},
            **_failures({status: _ERRORS[status] for status in ("422", "500", "503")}),
        },
    }


def _describe_fields(schema: Json, kind: type[Any] | None) -> None:
    if kind is None or "properties" not in schema:
        return
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])
    notes = _field_notes(kind)
    for field in msgspec.structs.fields(kind):
        if field.name in notes:
            schema["properties"][field.encode_name]["description"] = notes[field.name]


def _find_type(types: tuple[type[Any], ...], name: str) -> type[Any] | None:
    """Find a struct by name among types and what their fields refer to."""
    waiting, seen = list(types), set[int]()
    while waiting:
        kind = waiting.pop()
        if id(kind) in seen:
            continue
        seen.add(id(kind))
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            if kind.__name__ == name:
                return kind
            waiting += [field.type for field in msgspec.structs.fields(kind)]
        waiting += getattr(kind, "__args__", ())
    return None


def _field_notes(kind: type[Any]) -> dict[str, str]:
    """Read the docstrings that stand beneath fields, those of parent classes included."""
    notes: dict[str, str] = {}
    for ancestor in reversed(kind.__mro__):
        if ancestor.__module__.startswith("webhook."):
            notes.update(_own_field_notes(ancestor))
    return notes


def _own_field_notes(kind: type[Any]) -> dict[str, str]:
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):
        return {}  # a distribution without its sources: fewer descriptions
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(note.value.value)
        for field, note in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(note, ast.Expr)
        and isinstance(note.value, ast.Constant)
        and isinstance(note.value.value, str)
    }


def _references(paths: Json, components: Json) -> set[str]:
    """Give the names of all components that paths refer to, directly or by way of others."""
    found: set[str] = set()
    waiting: list[Any] = [paths]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(components[name])
            waiting += node.values()
        elif isinstance(node, list | tuple):
            waiting += node
    return found
