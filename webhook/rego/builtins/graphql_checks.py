"""The functions behind `graphql.*`; loaded when a policy first calls one, as graphql-core is large."""

from typing import Any

from graphql import GraphQLSchema, build_ast_schema, validate
from graphql.language import ast

from webhook.rego.builtins.failures import BuiltinError, wrong_strings, wrong_type
from webhook.rego.builtins.graphql_fields import describe_error, parse_document, query_fields, schema_fields
from webhook.rego.builtins.graphql_schemas import Schema, validate_schema
from webhook.rego.builtins.graphql_trees import query_tree, schema_tree
from webhook.rego.values import RegoObject


def parse_query(text: Any) -> RegoObject:
    """Describe a query document."""
    if type(text) is not str:
        wrong_strings(text)
    return query_fields(parse_document(text))


def parse_schema(text: Any) -> RegoObject:
    """Describe a schema document."""
    if type(text) is not str:
        wrong_strings(text)
    return schema_fields(parse_document(text))


def parse(query: Any, schema: Any) -> list[Any]:
    """Describe a query and a schema, of which the query must be valid for the schema."""
    tree, described_query = _read_query(query)
    described_schema = _read_schema(schema)
    _check(tree, validate_schema(described_schema))
    return [described_query, described_schema]


def parse_and_verify(query: Any, schema: Any) -> list[Any]:
    """Say whether a query is valid for a schema, and if so describe both."""
    try:
        return [True, *parse(query, schema)]
    except BuiltinError:
        return [False, {}, {}]


def is_valid(query: Any, schema: Any) -> bool:
    """Say whether a query is valid for a schema."""
    return bool(parse_and_verify(query, schema)[0])


def schema_is_valid(schema: Any) -> bool:
    """Say whether a schema is valid."""
    try:
        validate_schema(_read_schema(schema))
    except BuiltinError:
        return False
    return True


def _read_query(query: Any) -> tuple[ast.DocumentNode, RegoObject]:
    if type(query) is str:
        tree = parse_document(query)
        return tree, query_fields(tree)
    if type(query) is not dict:
        raise wrong_type(0, query, "string", "object")
    return query_tree(query), query


def _read_schema(schema: Any) -> RegoObject:
    if type(schema) is str:
        return schema_fields(parse_document(schema))
    if type(schema) is not dict:
        raise wrong_type(1, schema, "string", "object")
    return schema


def _check(query: ast.DocumentNode, schema: Schema) -> None:
    """Refuse a query that is not valid for a schema.

    Raises:
        BuiltinError: it is not; the message is that of the first mistake.

    """
    if not query.definitions:
        return
    try:
        mistakes = validate(_executable(schema), query, max_errors=1)
    except RecursionError as error:
        raise BuiltinError("GraphQL document is nested too deeply") from error
    if mistakes:
        raise BuiltinError(describe_error(mistakes[0]))


def _executable(schema: Schema) -> GraphQLSchema:
    tree = schema_tree({"Definitions": list(schema.types.values()), "Directives": schema.definitions})
    roots = tuple(
        ast.OperationTypeDefinitionNode(
            operation=ast.OperationType(operation), type=ast.NamedTypeNode(name=ast.NameNode(value=name))
        )
        for operation, name in schema.roots.items()
    )
    if roots:
        root = ast.SchemaDefinitionNode(operation_types=roots, directives=())
        tree = ast.DocumentNode(definitions=(*tree.definitions, root))
    try:
        return build_ast_schema(tree, assume_valid=True, assume_valid_sdl=True)
    except (TypeError, ValueError, KeyError) as error:
        raise BuiltinError(f"GraphQL schema: {error}") from error
