"""`strings.render_template`: Go's text templates over a policy's variables."""

from webhook.rego.builtins.declaration import Builtin, declare, deferred
from webhook.rego.builtins.signatures import RECORD, STRING

_MODULE = "webhook.rego.builtins.template_rendering"

BUILTINS: tuple[Builtin, ...] = (
    declare(
        "strings.render_template",
        {"value": STRING, "vars": RECORD},
        {"result": STRING},
        deferred(_MODULE, "render_template"),
    ),
)
