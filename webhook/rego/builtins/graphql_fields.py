"""GraphQL documents as the objects that OPA makes of them, and back into graphql-core's syntax trees.

The objects have the fields of OPA's parser (gqlparser), without places and without what is null or empty.
"""

import re
from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError, Source, parse
from graphql.language import ast

from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.values import RegoObject

_QUOTED_SIGN = re.compile(r'"([^\w\s"]+)"')
MAX_TOKENS = 20_000
"""Longest document, in tokens, that is read."""
_KINDS: dict[type[ast.DefinitionNode], str] = {
    ast.ScalarTypeDefinitionNode: "SCALAR",
    ast.ObjectTypeDefinitionNode: "OBJECT",
    ast.InterfaceTypeDefinitionNode: "INTERFACE",
    ast.UnionTypeDefinitionNode: "UNION",
    ast.EnumTypeDefinitionNode: "ENUM",
    ast.InputObjectTypeDefinitionNode: "INPUT_OBJECT",
    ast.ScalarTypeExtensionNode: "SCALAR",
    ast.ObjectTypeExtensionNode: "OBJECT",
    ast.InterfaceTypeExtensionNode: "INTERFACE",
    ast.UnionTypeExtensionNode: "UNION",
    ast.EnumTypeExtensionNode: "ENUM",
    ast.InputObjectTypeExtensionNode: "INPUT_OBJECT",
}
_VARIABLE, _INT, _FLOAT, _STRING, _BLOCK, _BOOLEAN, _NULL, _ENUM, _LIST, _OBJECT = range(10)
"""OPA's numbers for the kinds of values."""


def parse_document(text: str) -> ast.DocumentNode:
    """Read a document, which may be empty.

    Raises:
        BuiltinError: the text is not GraphQL.

    """
    try:
        return parse(
            Source(text),
            max_tokens=MAX_TOKENS,
            experimental_fragment_arguments=True,  # variables of fragments, which OPA's parser takes
            allow_empty_selection_sets=False,
        )
    except GraphQLError as error:
        if not text.strip(" \t\r\n,\ufeff") or all(
            line.lstrip()[:1] in ("", "#") for line in text.splitlines()
        ):
            return ast.DocumentNode(definitions=())
        raise BuiltinError(describe_error(error)) from error
    except RecursionError as error:
        raise BuiltinError("GraphQL document is nested too deeply") from error


def describe_error(error: GraphQLError) -> str:
    """Write an error in the way OPA does, with its place."""
    message = error.message.removeprefix("Syntax Error: ").rstrip(".").replace("'", '"')
    message = _QUOTED_SIGN.sub(r"\1", message)
    places = error.locations or []
    place = f"{places[0].line}:{places[0].column}" if places else "1:1"
    return f"{message} in GraphQL string at location {place}"


def query_fields(document: ast.DocumentNode) -> RegoObject:
    """Describe a document of operations and fragments.

    Raises:
        BuiltinError: it defines types.

    """
    operations, fragments = [], []
    for definition in document.definitions:
        if getattr(definition, "description", None) is not None:
            raise _unexpected(definition)
        if isinstance(definition, ast.OperationDefinitionNode):
            operations.append(_operation(definition))
        elif isinstance(definition, ast.FragmentDefinitionNode):
            fragments.append(_fragment(definition))
        else:
            raise _unexpected(definition)
    return _pruned(Operations=operations, Fragments=fragments)


def schema_fields(document: ast.DocumentNode) -> RegoObject:
    """Describe a document of types.

    Raises:
        BuiltinError: it has operations or fragments.

    """
    groups: dict[str, list[RegoObject]] = {
        name: [] for name in ("Schema", "SchemaExtension", "Directives", "Definitions", "Extensions")
    }
    for definition in document.definitions:
        if isinstance(definition, ast.SchemaDefinitionNode):
            groups["Schema"].append(_schema(definition))
        elif isinstance(definition, ast.SchemaExtensionNode):
            groups["SchemaExtension"].append(_schema(definition))
        elif isinstance(definition, ast.DirectiveDefinitionNode):
            groups["Directives"].append(_directive_definition(definition))
        elif type(definition) in _KINDS:
            extends = isinstance(definition, ast.TypeExtensionNode)
            groups["Extensions" if extends else "Definitions"].append(_definition(definition))
        else:
            raise _unexpected(definition)
    return _pruned(**groups)


def _unexpected(definition: ast.Node) -> BuiltinError:
    place = definition.loc.start_token if definition.loc else None
    where = f"{place.line}:{place.column}" if place else "1:1"
    found = (
        f'Name "{place.value}"' if place and place.value else place.kind.value if place else definition.kind
    )
    return BuiltinError(f"Unexpected {found} in GraphQL string at location {where}")


def _pruned(**fields: Any) -> RegoObject:
    """Leave out what is null or an empty collection."""
    return {name: value for name, value in fields.items() if value is not None and value not in ([], {})}


def _text(node: ast.NameNode | ast.StringValueNode | None) -> str:
    return node.value if node is not None else ""


def _each(describe: Any, nodes: Iterable[Any] | None) -> list[Any]:
    return [describe(node) for node in nodes or ()]


def _operation(node: ast.OperationDefinitionNode) -> RegoObject:
    return _pruned(
        Operation=node.operation.value,
        Name=_text(node.name),
        VariableDefinitions=_each(_variable, node.variable_definitions),
        Directives=_each(_directive, node.directives),
        SelectionSet=_selections(node.selection_set),
    )


def _fragment(node: ast.FragmentDefinitionNode) -> RegoObject:
    return _pruned(
        Name=_text(node.name),
        VariableDefinition=_each(_variable, node.variable_definitions),
        TypeCondition=_text(node.type_condition.name),
        Directives=_each(_directive, node.directives),
        SelectionSet=_selections(node.selection_set),
    )


def _variable(node: ast.VariableDefinitionNode) -> RegoObject:
    return _pruned(
        Variable=_text(node.variable.name),
        Type=_type(node.type),
        DefaultValue=_value(node.default_value) if node.default_value else None,
        Directives=_each(_directive, node.directives),
        Used=False,
    )


def _selections(node: ast.SelectionSetNode | None) -> list[RegoObject]:
    return _each(_selection, node.selections if node else ())


def _selection(node: ast.SelectionNode) -> RegoObject:
    directives = _each(_directive, node.directives)
    if isinstance(node, ast.FieldNode):
        return _pruned(
            Alias=_text(node.alias or node.name),
            Name=_text(node.name),
            Arguments=_each(_argument, node.arguments),
            Directives=directives,
            SelectionSet=_selections(node.selection_set),
        )
    if isinstance(node, ast.InlineFragmentNode):
        condition = _text(node.type_condition.name) if node.type_condition else ""
        return _pruned(
            TypeCondition=condition, Directives=directives, SelectionSet=_selections(node.selection_set)
        )
    assert isinstance(node, ast.FragmentSpreadNode)
    if node.arguments:
        raise _unexpected(node)
    return _pruned(Name=_text(node.name), Directives=directives)


def _argument(node: ast.ArgumentNode) -> RegoObject:
    return _pruned(Name=_text(node.name), Value=_value(node.value))


def _directive(node: ast.DirectiveNode) -> RegoObject:
    return _pruned(Name=_text(node.name), Arguments=_each(_argument, node.arguments), Location="")


def _value(node: ast.ValueNode) -> RegoObject:
    kind, raw, children = _value_parts(node)
    return _pruned(Kind=kind, Raw=raw, Children=children, ExpectedTypeHasDefault=False)


def _value_parts(node: ast.ValueNode) -> tuple[int, str, list[RegoObject]]:
    if isinstance(node, ast.VariableNode):
        return _VARIABLE, _text(node.name), []
    if isinstance(node, ast.ListValueNode):
        return _LIST, "", [{"Name": "", "Value": _value(child)} for child in node.values]
    if isinstance(node, ast.ObjectValueNode):
        return (
            _OBJECT,
            "",
            [{"Name": _text(field.name), "Value": _value(field.value)} for field in node.fields],
        )
    if isinstance(node, ast.StringValueNode):
        return (_BLOCK if node.block else _STRING), node.value, []
    if isinstance(node, ast.BooleanValueNode):
        return _BOOLEAN, "true" if node.value else "false", []
    if isinstance(node, ast.IntValueNode):
        return _INT, node.value, []
    if isinstance(node, ast.FloatValueNode):
        return _FLOAT, node.value, []
    return (_ENUM, node.value, []) if isinstance(node, ast.EnumValueNode) else (_NULL, "null", [])


def _type(node: ast.TypeNode) -> RegoObject:
    required = isinstance(node, ast.NonNullTypeNode)
    inner = node.type if isinstance(node, ast.NonNullTypeNode) else node
    if isinstance(inner, ast.ListTypeNode):
        return {"NamedType": "", "Elem": _type(inner.type), "NonNull": required}
    assert isinstance(inner, ast.NamedTypeNode)
    return {"NamedType": _text(inner.name), "NonNull": required}


def _schema(node: ast.SchemaDefinitionNode | ast.SchemaExtensionNode) -> RegoObject:
    return _pruned(
        Description=_text(getattr(node, "description", None)),
        Directives=_each(_directive, node.directives),
        OperationTypes=[
            {"Operation": item.operation.value, "Type": _text(item.type.name)}
            for item in node.operation_types or ()
        ],
    )


def _directive_definition(node: ast.DirectiveDefinitionNode) -> RegoObject:
    return _pruned(
        Description=_text(node.description),
        Name=_text(node.name),
        Arguments=_each(_input, node.arguments),
        Locations=_each(_text, node.locations),
        IsRepeatable=node.repeatable,
    )


def _definition(node: Any) -> RegoObject:
    describe = _input if _KINDS[type(node)] == "INPUT_OBJECT" else _field
    return _pruned(
        Kind=_KINDS[type(node)],
        Description=_text(getattr(node, "description", None)),
        Name=_text(node.name),
        Directives=_each(_directive, node.directives),
        Interfaces=[_text(item.name) for item in getattr(node, "interfaces", None) or ()],
        Fields=_each(describe, getattr(node, "fields", ())),
        Types=[_text(item.name) for item in getattr(node, "types", None) or ()],
        EnumValues=_each(_enum_value, getattr(node, "values", ())),
        BuiltIn=False,
    )


def _field(node: ast.FieldDefinitionNode) -> RegoObject:
    return _pruned(
        Description=_text(node.description),
        Name=_text(node.name),
        Arguments=_each(_input, node.arguments),
        Type=_type(node.type),
        Directives=_each(_directive, node.directives),
    )


def _input(node: ast.InputValueDefinitionNode) -> RegoObject:
    return _pruned(
        Description=_text(node.description),
        Name=_text(node.name),
        DefaultValue=_value(node.default_value) if node.default_value else None,
        Type=_type(node.type),
        Directives=_each(_directive, node.directives),
    )


def _enum_value(node: ast.EnumValueDefinitionNode) -> RegoObject:
    return _pruned(
        Description=_text(node.description),
        Name=_text(node.name),
        Directives=_each(_directive, node.directives),
    )
