"""JSON Web Tokens: `io.jwt.*`."""

from webhook.rego.builtins.declaration import Builtin, declare, deferred
from webhook.rego.builtins.signatures import BOOLEAN, OBJECT, RECORD, STRING, ArrayOf

_MODULE = "webhook.rego.builtins.token_checks"

ALGORITHMS = frozenset(
    (*(f"{family}{size}" for family in ("RS", "PS", "ES", "HS") for size in (256, 384, 512)), "EdDSA")
)
"""Names of the signature algorithms that OPA knows."""


def _verification(algorithm: str) -> Builtin:
    key = "secret" if algorithm.startswith("HS") else "certificate"
    verify = deferred(_MODULE, "verification", algorithm)
    return declare(
        f"io.jwt.verify_{algorithm.lower()}", {"jwt": STRING, key: STRING}, {"result": BOOLEAN}, verify
    )


_SIGNED = {"output": STRING}

BUILTINS: tuple[Builtin, ...] = (
    *map(_verification, sorted(ALGORITHMS)),
    declare(
        "io.jwt.decode",
        {"jwt": STRING},
        {"output": ArrayOf(None, (OBJECT, OBJECT, STRING))},
        deferred(_MODULE, "decode"),
    ),
    declare(
        "io.jwt.decode_verify",
        {"jwt": STRING, "constraints": RECORD},
        {"output": ArrayOf(None, (BOOLEAN, OBJECT, OBJECT))},
        deferred(_MODULE, "decode_verify"),
        needs_context=True,
        deterministic=False,
    ),
    declare(
        "io.jwt.encode_sign",
        {"headers": RECORD, "payload": RECORD, "key": RECORD},
        _SIGNED,
        deferred(_MODULE, "encode_sign"),
        deterministic=False,
    ),
    declare(
        "io.jwt.encode_sign_raw",
        {"headers": STRING, "payload": STRING, "key": STRING},
        _SIGNED,
        deferred(_MODULE, "encode_sign_raw"),
        deterministic=False,
    ),
)
