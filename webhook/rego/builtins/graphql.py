"""GraphQL queries and schemas: `graphql.*`."""

from webhook.rego.builtins.declaration import Builtin, declare, deferred
from webhook.rego.builtins.signatures import BOOLEAN, OBJECT, STRING, ArrayOf, OneOf, Type

_MODULE = "webhook.rego.builtins.graphql_checks"
_DOCUMENT = OneOf((STRING, OBJECT))
_BOTH: dict[str, Type] = {"query": _DOCUMENT, "schema": _DOCUMENT}

BUILTINS: tuple[Builtin, ...] = (
    declare("graphql.parse_query", {"query": STRING}, {"output": OBJECT}, deferred(_MODULE, "parse_query")),
    declare(
        "graphql.parse_schema", {"schema": STRING}, {"output": OBJECT}, deferred(_MODULE, "parse_schema")
    ),
    declare("graphql.parse", _BOTH, {"output": ArrayOf(None, (OBJECT, OBJECT))}, deferred(_MODULE, "parse")),
    declare(
        "graphql.parse_and_verify",
        _BOTH,
        {"output": ArrayOf(None, (BOOLEAN, OBJECT, OBJECT))},
        deferred(_MODULE, "parse_and_verify"),
    ),
    declare("graphql.is_valid", _BOTH, {"output": BOOLEAN}, deferred(_MODULE, "is_valid")),
    declare(
        "graphql.schema_is_valid",
        {"schema": _DOCUMENT},
        {"output": BOOLEAN},
        deferred(_MODULE, "schema_is_valid"),
    ),
)
