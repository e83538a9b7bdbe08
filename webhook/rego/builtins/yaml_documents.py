"""YAML documents: `yaml.*`."""

from webhook.rego.builtins.declaration import Builtin, declare, deferred
from webhook.rego.builtins.signatures import ANY, BOOLEAN, STRING

_MODULE = "webhook.rego.builtins.yaml_text"

BUILTINS: tuple[Builtin, ...] = (
    declare("yaml.marshal", {"x": ANY}, {"y": STRING}, deferred(_MODULE, "marshal")),
    declare("yaml.unmarshal", {"x": STRING}, {"y": ANY}, deferred(_MODULE, "unmarshal"), needs_context=True),
    declare(
        "yaml.is_valid", {"x": STRING}, {"result": BOOLEAN}, deferred(_MODULE, "is_valid"), needs_context=True
    ),
)
