"""OPA's objects for GraphQL documents turned into graphql-core's syntax trees: the way back of `graphql_fields`.

An object that is not of the right shape is a mistake of the policy, told as such.
"""

from collections.abc import Callable
from typing import Any

from graphql.language import ast

from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.values import RegoObject

_PLAIN_VALUES: dict[int, Callable[[str], ast.ValueNode]] = {
    0: lambda raw: ast.VariableNode(name=ast.NameNode(value=raw)),
    1: lambda raw: ast.IntValueNode(value=raw),
    2: lambda raw: ast.FloatValueNode(value=raw),
    3: lambda raw: ast.StringValueNode(value=raw, block=False),
    4: lambda raw: ast.StringValueNode(value=raw, block=True),
    5: lambda raw: ast.BooleanValueNode(value=raw == "true"),
    6: lambda _: ast.NullValueNode(),
    7: lambda raw: ast.EnumValueNode(value=raw),
}
_LIST, _OBJECT = 8, 9
_DEFINITIONS: dict[str, Any] = {
    "SCALAR": ast.ScalarTypeDefinitionNode,
    "OBJECT": ast.ObjectTypeDefinitionNode,
    "INTERFACE": ast.InterfaceTypeDefinitionNode,
    "UNION": ast.UnionTypeDefinitionNode,
    "ENUM": ast.EnumTypeDefinitionNode,
    "INPUT_OBJECT": ast.InputObjectTypeDefinitionNode,
}


def items(source: Any, name: str) -> list[Any]:
    """Give the elements of a field that holds objects or names, none when it is missing.

    Raises:
        BuiltinError: the object or the field is not what it should be.

    """
    value = _field(source, name)
    if value is None:
        return []
    if type(value) is not list:
        raise BuiltinError(f"GraphQL document: {name} must be an array")
    return value


def text(source: Any, name: str) -> str:
    """Give a field that holds text, empty when it is missing.

    Raises:
        BuiltinError: the object or the field is not what it should be.

    """
    value = _field(source, name)
    if value is None:
        return ""
    if type(value) is not str:
        raise BuiltinError(f"GraphQL document: {name} must be a string")
    return value


def _field(source: Any, name: str) -> Any:
    if type(source) is not dict:
        raise BuiltinError("GraphQL document: expected an object")
    return source.get(name)


def query_tree(document: Any) -> ast.DocumentNode:
    """Build the tree of a document of operations and fragments.

    Raises:
        BuiltinError: the object does not describe one.

    """
    operations = tuple(_operation(item) for item in items(document, "Operations"))
    fragments = tuple(_fragment(item) for item in items(document, "Fragments"))
    return ast.DocumentNode(definitions=(*operations, *fragments))


def schema_tree(document: RegoObject) -> ast.DocumentNode:
    """Build the tree of a document of types; extensions must have been merged into what they extend.

    Raises:
        BuiltinError: the object does not describe one.

    """
    definitions = [_definition(item) for item in items(document, "Definitions")]
    directives = [_directive_definition(item) for item in items(document, "Directives")]
    return ast.DocumentNode(definitions=(*definitions, *directives))


def _name(value: str) -> ast.NameNode:
    return ast.NameNode(value=value)


def _named(value: str) -> ast.NamedTypeNode:
    return ast.NamedTypeNode(name=_name(value))


def _operation(source: Any) -> ast.OperationDefinitionNode:
    name, kind = text(source, "Name"), text(source, "Operation")
    if kind not in ("query", "mutation", "subscription"):
        raise BuiltinError(f"GraphQL document: unknown operation {kind!r}")
    return ast.OperationDefinitionNode(
        operation=ast.OperationType(kind),
        name=_name(name) if name else None,
        variable_definitions=tuple(_variable(item) for item in items(source, "VariableDefinitions")),
        directives=_directives(source),
        selection_set=_selections(source),
    )


def _fragment(source: Any) -> ast.FragmentDefinitionNode:
    return ast.FragmentDefinitionNode(
        name=_name(text(source, "Name")),
        variable_definitions=tuple(_variable(item) for item in items(source, "VariableDefinition")),
        type_condition=_named(text(source, "TypeCondition")),
        directives=_directives(source),
        selection_set=_selections(source),
    )


def _variable(source: Any) -> ast.VariableDefinitionNode:
    return ast.VariableDefinitionNode(
        variable=ast.VariableNode(name=_name(text(source, "Variable"))),
        type=_type(_field(source, "Type")),
        default_value=_default(source),
        directives=_directives(source),
    )


def _selections(source: Any) -> ast.SelectionSetNode:
    return ast.SelectionSetNode(selections=tuple(_selection(item) for item in items(source, "SelectionSet")))


def _selection(source: Any) -> ast.SelectionNode:
    """Tell fields by their alias, spreads by their name, and take the rest for inline fragments."""
    alias, name = text(source, "Alias"), text(source, "Name")
    if alias:
        return ast.FieldNode(
            alias=_name(alias) if alias != name else None,
            name=_name(name),
            arguments=_arguments(source),
            directives=_directives(source),
            selection_set=_selections(source) if items(source, "SelectionSet") else None,
        )
    if name:
        return ast.FragmentSpreadNode(name=_name(name), directives=_directives(source))
    condition = text(source, "TypeCondition")
    return ast.InlineFragmentNode(
        type_condition=_named(condition) if condition else None,
        directives=_directives(source),
        selection_set=_selections(source),
    )


def _arguments(source: Any) -> tuple[ast.ArgumentNode, ...]:
    return tuple(
        ast.ArgumentNode(name=_name(text(item, "Name")), value=_value(_field(item, "Value")))
        for item in items(source, "Arguments")
    )


def _directives(source: Any) -> Any:
    return tuple(
        ast.DirectiveNode(name=_name(text(item, "Name")), arguments=_arguments(item))
        for item in items(source, "Directives")
    )


def _default(source: Any) -> Any:
    value = _field(source, "DefaultValue")
    return None if value is None else _value(value)


def _value(source: Any) -> ast.ValueNode:
    kind = _field(source, "Kind")
    children = [(text(child, "Name"), _value(_field(child, "Value"))) for child in items(source, "Children")]
    if kind == _LIST:
        return ast.ListValueNode(values=tuple(value for _, value in children))
    if kind == _OBJECT:
        fields = tuple(ast.ObjectFieldNode(name=_name(name), value=value) for name, value in children)
        return ast.ObjectValueNode(fields=fields)
    if type(kind) is not int or kind not in _PLAIN_VALUES:
        raise BuiltinError("GraphQL document: unknown kind of value")
    return _PLAIN_VALUES[kind](text(source, "Raw"))


def _type(source: Any) -> ast.TypeNode:
    element = _field(source, "Elem")
    inner: ast.NamedTypeNode | ast.ListTypeNode
    inner = _named(text(source, "NamedType")) if element is None else ast.ListTypeNode(type=_type(element))
    return ast.NonNullTypeNode(type=inner) if _field(source, "NonNull") is True else inner


def _directive_definition(source: Any) -> ast.DirectiveDefinitionNode:
    return ast.DirectiveDefinitionNode(
        name=_name(text(source, "Name")),
        arguments=tuple(_input(item) for item in items(source, "Arguments")),
        repeatable=_field(source, "IsRepeatable") is True,
        locations=tuple(_name(location) for location in items(source, "Locations")),
    )


def _definition(source: Any) -> ast.TypeDefinitionNode:
    kind = text(source, "Kind")
    if kind not in _DEFINITIONS:
        raise BuiltinError(f"GraphQL document: unknown kind of type {kind!r}")
    parts: dict[str, Any] = {"name": _name(text(source, "Name")), "directives": _directives(source)}
    if kind in ("OBJECT", "INTERFACE"):
        parts["interfaces"] = tuple(map(_named, items(source, "Interfaces")))
        parts["fields"] = tuple(_field_definition(item) for item in items(source, "Fields"))
    elif kind == "INPUT_OBJECT":
        parts["fields"] = tuple(_input(item) for item in items(source, "Fields"))
    elif kind == "UNION":
        parts["types"] = tuple(map(_named, items(source, "Types")))
    elif kind == "ENUM":
        parts["values"] = tuple(
            ast.EnumValueDefinitionNode(name=_name(text(item, "Name")), directives=_directives(item))
            for item in items(source, "EnumValues")
        )
    definition: ast.TypeDefinitionNode = _DEFINITIONS[kind](**parts)
    return definition


def _field_definition(source: Any) -> ast.FieldDefinitionNode:
    return ast.FieldDefinitionNode(
        name=_name(text(source, "Name")),
        arguments=tuple(_input(item) for item in items(source, "Arguments")),
        type=_type(_field(source, "Type")),
        directives=_directives(source),
    )


def _input(source: Any) -> ast.InputValueDefinitionNode:
    return ast.InputValueDefinitionNode(
        name=_name(text(source, "Name")),
        type=_type(_field(source, "Type")),
        default_value=_default(source),
        directives=_directives(source),
    )
