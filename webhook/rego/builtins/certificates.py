"""Certificates and private keys: `crypto.x509.*` and `crypto.parse_private_keys`."""

from webhook.rego.builtins.declaration import Builtin, declare, deferred
from webhook.rego.builtins.signatures import BOOLEAN, RECORD, STRING, ArrayOf

_MODULE = "webhook.rego.builtins.certificate_checks"
_CERTIFICATES = {"certs": STRING}
_RECORDS = ArrayOf(RECORD)
_VERIFIED = {"output": ArrayOf(None, (BOOLEAN, _RECORDS))}

BUILTINS: tuple[Builtin, ...] = (
    declare(
        "crypto.x509.parse_certificates",
        _CERTIFICATES,
        {"output": _RECORDS},
        deferred(_MODULE, "parse_certificates"),
    ),
    declare(
        "crypto.x509.parse_and_verify_certificates",
        _CERTIFICATES,
        _VERIFIED,
        deferred(_MODULE, "parse_and_verify"),
        needs_context=True,
        deterministic=False,
    ),
    declare(
        "crypto.x509.parse_and_verify_certificates_with_options",
        {"certs": STRING, "options": RECORD},
        _VERIFIED,
        deferred(_MODULE, "parse_and_verify_with_options"),
        needs_context=True,
        deterministic=False,
    ),
    declare(
        "crypto.x509.parse_certificate_request",
        {"csr": STRING},
        {"output": RECORD},
        deferred(_MODULE, "parse_request"),
    ),
    declare(
        "crypto.x509.parse_keypair",
        {"cert": STRING, "pem": STRING},
        {"output": RECORD},
        deferred(_MODULE, "parse_keypair"),
    ),
    declare(
        "crypto.x509.parse_rsa_private_key",
        {"pem": STRING},
        {"output": RECORD},
        deferred(_MODULE, "parse_rsa_private_key"),
    ),
    declare(
        "crypto.parse_private_keys",
        {"keys": STRING},
        {"output": _RECORDS},
        deferred(_MODULE, "parse_private_keys"),
    ),
)
