"""Whether a GraphQL schema holds together, by the rules of OPA's validator (gqlparser).

Works on OPA's objects for schemas, so that it does not matter whether a policy gave text or an object.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.builtins.graphql_trees import items, text
from webhook.rego.values import RegoObject

_SCALARS = ("Int", "Float", "String", "Boolean", "ID")
_BUILTIN_DIRECTIVES: dict[str, frozenset[str]] = {
    "include": frozenset(("FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT")),
    "skip": frozenset(("FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT")),
    "deprecated": frozenset(
        ("FIELD_DEFINITION", "ARGUMENT_DEFINITION", "INPUT_FIELD_DEFINITION", "ENUM_VALUE")
    ),
    "specifiedBy": frozenset(("SCALAR",)),
}
_INTROSPECTION = {
    "__Schema": "OBJECT",
    "__Type": "OBJECT",
    "__Field": "OBJECT",
    "__InputValue": "OBJECT",
    "__EnumValue": "OBJECT",
    "__Directive": "OBJECT",
    "__TypeKind": "ENUM",
    "__DirectiveLocation": "ENUM",
}
_INPUT_KINDS = frozenset(("SCALAR", "ENUM", "INPUT_OBJECT"))
_OUTPUT_KINDS = frozenset(("SCALAR", "OBJECT", "INTERFACE", "UNION", "ENUM"))
_MERGED = ("Directives", "Interfaces", "Fields", "Types", "EnumValues")


@dataclass(slots=True)
class Schema:
    """A valid schema: types with their extensions merged, directives, and the types that operations begin at."""

    types: dict[str, RegoObject]
    kinds: dict[str, str]
    """Kind of each type, those that every schema has included."""
    directives: dict[str, frozenset[str]]
    """Where each directive may stand."""
    definitions: list[RegoObject]
    """The schema's own directives."""
    roots: dict[str, str] = field(default_factory=dict)
    """Name of the type that query, mutation or subscription begins at."""


def validate_schema(document: RegoObject) -> Schema:
    """Merge and check a schema.

    Raises:
        BuiltinError: it does not hold together.

    """
    types = _merged_types(document)
    kinds = dict.fromkeys(_SCALARS, "SCALAR") | _INTROSPECTION
    kinds |= {name: text(definition, "Kind") for name, definition in types.items()}
    definitions = items(document, "Directives")
    schema = Schema(types, kinds, _directive_places(definitions), definitions)
    schema.roots = _roots(document, kinds)
    for name in sorted(types):
        _check_definition(schema, types[name])
    for definition in definitions:
        _check_name(text(definition, "Name"))
        _check_arguments(schema, items(definition, "Arguments"), text(definition, "Name"))
    return schema


def _merged_types(document: RegoObject) -> dict[str, RegoObject]:
    types: dict[str, RegoObject] = {}
    for definition in items(document, "Definitions"):
        name = text(definition, "Name")
        if name in types or name in _SCALARS or name in _INTROSPECTION:
            raise BuiltinError(f"Cannot redeclare type {name}.")
        types[name] = definition
    for extension in items(document, "Extensions"):
        name, kind = text(extension, "Name"), text(extension, "Kind")
        base = types.get(name, {"Name": name, "Kind": kind})
        if text(base, "Kind") != kind:
            message = f"because the base type is a {text(base, 'Kind')}, not {kind}."
            raise BuiltinError(f"Cannot extend type {name} {message}")
        additions = {part: items(base, part) + items(extension, part) for part in _MERGED}
        types[name] = {**base, **{part: values for part, values in additions.items() if values}}
    return types


def _directive_places(definitions: Iterable[RegoObject]) -> dict[str, frozenset[str]]:
    places = dict(_BUILTIN_DIRECTIVES)
    for definition in definitions:
        name = text(definition, "Name")
        if name in places and name not in _BUILTIN_DIRECTIVES:
            raise BuiltinError(f"Cannot redeclare directive {name}.")
        places[name] = frozenset(items(definition, "Locations"))
    return places


def _roots(document: RegoObject, kinds: dict[str, str]) -> dict[str, str]:
    declared = items(document, "Schema")
    if len(declared) > 1:
        raise BuiltinError("Cannot have multiple schema entry points, consider schema extensions instead.")
    roots = {}
    for part in [*declared, *items(document, "SchemaExtension")]:
        for entry in items(part, "OperationTypes"):
            operation, name = text(entry, "Operation"), text(entry, "Type")
            if name not in kinds:
                raise BuiltinError(f"Schema root {operation} refers to a type {name} that does not exist.")
            roots[operation] = name
    if not declared:
        for operation in ("query", "mutation", "subscription"):
            if operation.capitalize() in kinds:
                roots.setdefault(operation, operation.capitalize())
    return roots


def _check_definition(schema: Schema, definition: RegoObject) -> None:
    kind, name, fields = text(definition, "Kind"), text(definition, "Name"), items(definition, "Fields")
    _check_name(name)
    for item in fields:
        _check_field(schema, kind, item)
    names = [text(item, "Name") for item in fields]
    for repeated in {item for item in names if names.count(item) > 1}:
        raise BuiltinError(f"Field {name}.{repeated} can only be defined once.")
    for member in items(definition, "Types"):
        if schema.kinds.get(member) != "OBJECT":
            raise BuiltinError(f'{kind} type "{member}" must be OBJECT.')
    for interface in items(definition, "Interfaces"):
        _check_implements(schema, definition, interface)
    if kind in ("OBJECT", "INTERFACE", "INPUT_OBJECT") and not fields:
        raise BuiltinError(f"{kind} {name}: must define one or more fields.")
    if kind == "ENUM":
        values = [text(item, "Name") for item in items(definition, "EnumValues")]
        if not values or any(value in ("true", "false", "null") for value in values):
            raise BuiltinError(f"{kind} {name}: must define one or more unique enum values.")
    _check_directives(schema, items(definition, "Directives"), kind, "")


def _check_field(schema: Schema, kind: str, item: Any) -> None:
    is_input = kind == "INPUT_OBJECT"
    _check_name(text(item, "Name"))
    allowed = _INPUT_KINDS if is_input else _OUTPUT_KINDS
    if _kind_of(schema, item.get("Type")) not in allowed:
        raise BuiltinError(f"{kind} {text(item, 'Name')}: field must be one of {', '.join(sorted(allowed))}.")
    _check_arguments(schema, items(item, "Arguments"), "")
    place = "INPUT_FIELD_DEFINITION" if is_input else "FIELD_DEFINITION"
    _check_directives(schema, items(item, "Directives"), place, "")


def _check_arguments(schema: Schema, arguments: list[Any], directive: str) -> None:
    for argument in arguments:
        _check_name(text(argument, "Name"))
        if _kind_of(schema, argument.get("Type")) not in _INPUT_KINDS:
            raise BuiltinError(
                f"cannot use argument {text(argument, 'Name')}: its type is not a valid input type"
            )
        _check_directives(schema, items(argument, "Directives"), "ARGUMENT_DEFINITION", directive)


def _check_directives(schema: Schema, directives: list[Any], place: str, within: str) -> None:
    for directive in directives:
        name = text(directive, "Name")
        _check_name(name)
        if name == within:
            raise BuiltinError(f"Directive {name} cannot refer to itself.")
        if name not in schema.directives:
            raise BuiltinError(f"Undefined directive {name}.")
        if place not in schema.directives[name]:
            raise BuiltinError(f"Directive {name} is not applicable on {place}.")


def _check_name(name: str) -> None:
    if name.startswith("__"):
        message = f'Name "{name}" must not begin with "__", which is reserved by GraphQL introspection.'
        raise BuiltinError(message)


def _kind_of(schema: Schema, reference: Any) -> str:
    """Give the kind of the type that a reference names, through lists."""
    while type(reference) is dict and type(reference.get("Elem")) is dict:
        reference = reference["Elem"]
    name = text(reference, "NamedType")
    if name not in schema.kinds:
        raise BuiltinError(f"Undefined type {name}.")
    return schema.kinds[name]


def _check_implements(schema: Schema, definition: RegoObject, interface: str) -> None:
    name = text(definition, "Name")
    if schema.kinds.get(interface) != "INTERFACE":
        raise BuiltinError(f'"{interface}" is not an interface')
    implemented = schema.types[interface]
    own = {text(item, "Name"): item for item in items(definition, "Fields")}
    for required in items(implemented, "Fields"):
        found = own.get(text(required, "Name"))
        prefix = f"For {name} to implement {interface}"
        if found is None:
            raise BuiltinError(f"{prefix} it must have a field called {text(required, 'Name')}.")
        if not _is_covariant(schema, required["Type"], found["Type"]):
            raise BuiltinError(f"{prefix} the field {text(required, 'Name')} must have another type.")
        _check_same_arguments(prefix, required, found)
    for further in items(implemented, "Interfaces"):
        if further not in items(definition, "Interfaces"):
            raise BuiltinError(
                f"Type {name} must implement {further} because it is implemented by {interface}."
            )


def _check_same_arguments(prefix: str, required: RegoObject, found: RegoObject) -> None:
    wanted = {text(item, "Name"): item for item in items(required, "Arguments")}
    given = {text(item, "Name"): item for item in items(found, "Arguments")}
    for name, argument in wanted.items():
        if name not in given or not _is_compatible(argument["Type"], given[name]["Type"]):
            raise BuiltinError(
                f"{prefix} the field {text(required, 'Name')} must have the same argument {name}."
            )
    for name, argument in given.items():
        if name not in wanted and argument["Type"].get("NonNull") is True and "DefaultValue" not in argument:
            raise BuiltinError(f"{prefix} the additional argument {name} must be optional.")


def _is_covariant(schema: Schema, required: RegoObject, actual: RegoObject) -> bool:
    if required.get("NonNull") is True and actual.get("NonNull") is not True:
        return False
    wanted, given = text(required, "NamedType"), text(actual, "NamedType")
    if wanted:
        return wanted == given or given in _possible_types(schema, wanted)
    return "Elem" in actual and _is_covariant(schema, required["Elem"], actual["Elem"])


def _possible_types(schema: Schema, name: str) -> set[str]:
    """Name the types that a union has or that implement an interface."""
    members = set(items(schema.types[name], "Types")) if name in schema.types else set()
    return members | {other for other, item in schema.types.items() if name in items(item, "Interfaces")}


def _is_compatible(one: RegoObject, other: RegoObject) -> bool:
    """Compare two types of arguments; the other may be stricter about null."""
    if text(one, "NamedType") != text(other, "NamedType") or ("Elem" in one) != ("Elem" in other):
        return False
    if one.get("NonNull") is True and other.get("NonNull") is not True:
        return False
    return "Elem" not in one or _is_compatible(one["Elem"], other["Elem"])
