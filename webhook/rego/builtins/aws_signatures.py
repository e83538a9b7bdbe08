"""Requests signed for Amazon Web Services: `providers.aws.sign_req`."""

from webhook.rego.builtins.declaration import Builtin, declare, deferred
from webhook.rego.builtins.signatures import NUMBER, OBJECT, RECORD

_MODULE = "webhook.rego.builtins.aws_signing"

BUILTINS: tuple[Builtin, ...] = (
    declare(
        "providers.aws.sign_req",
        {"request": RECORD, "aws_config": RECORD, "time_ns": NUMBER},
        {"signed_request": OBJECT},
        deferred(_MODULE, "sign_request"),
    ),
)
