"""JSON Schema: `json.verify_schema` and `json.match_schema`."""

from webhook.rego.builtins.declaration import Builtin, declare, deferred
from webhook.rego.builtins.signatures import BOOLEAN, NULL, OBJECT, STRING, ArrayOf, ObjectOf, OneOf

_MODULE = "webhook.rego.builtins.schema_validation"
_DOCUMENT = OneOf((STRING, OBJECT))
_MISTAKE = ObjectOf(properties={"desc": STRING, "error": STRING, "field": STRING, "type": STRING})

BUILTINS: tuple[Builtin, ...] = (
    declare(
        "json.verify_schema",
        {"schema": _DOCUMENT},
        {"output": ArrayOf(None, (BOOLEAN, OneOf((STRING, NULL))))},
        deferred(_MODULE, "verify_schema"),
    ),
    declare(
        "json.match_schema",
        {"document": _DOCUMENT, "schema": _DOCUMENT},
        {"output": ArrayOf(None, (BOOLEAN, ArrayOf(_MISTAKE)))},
        deferred(_MODULE, "match_schema"),
    ),
)
