"""JSON Web Tokens: `io.jwt.*`. Only signed tokens in compact form; encrypted ones are refused."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webhook.rego.builtins.arithmetic import is_number
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.encodings import decode_base64url
from webhook.rego.builtins.failures import BuiltinError, wrong_strings, wrong_type
from webhook.rego.builtins.json_text import is_valid, marshal, read_json
from webhook.rego.builtins.signing import (
    VerificationKey,
    key_of_document,
    read_keys,
    read_web_keys,
    sign,
)
from webhook.rego.builtins.signing import verify as verify_signature
from webhook.rego.builtins.tokens import ALGORITHMS
from webhook.rego.values import RegoObject, ordered_items

_MAX_NESTING = 16
_SECOND = 1_000_000_000
_HEADER_TEXTS = ("alg", "kid", "typ", "cty")


@dataclass(frozen=True, slots=True)
class _Token:
    """The three encoded sections of a token."""

    header: str
    payload: str
    signature: str

    @property
    def signed(self) -> bytes:
        """The octets that the signature is of."""
        return f"{self.header}.{self.payload}".encode(errors="replace")

    def decoded_header(self) -> RegoObject:
        header = _object(_section("header", self.header), "bad JWT header: ")
        if "enc" in header:
            raise BuiltinError("JWT is a JWE object, which is not supported")
        return header


@dataclass(frozen=True, slots=True)
class _Header:
    """The fields of a header that verification uses."""

    algorithm: str
    key_identifier: str
    content_type: str
    valid: bool
    """It names an algorithm, and every field that it calls critical is known here."""


@dataclass(slots=True)
class _Constraints:
    """What `io.jwt.decode_verify` is to check."""

    keys: list[VerificationKey] | None = None
    secret: str = ""
    alg: str = ""
    iss: str = ""
    aud: str = ""
    time: float = -1.0
    """Nanoseconds since 1970."""


def _split(text: Any) -> _Token:
    if type(text) is not str:
        raise wrong_type(1, text, "string")
    if "." not in text:
        raise BuiltinError("encoded JWT had no period separators")
    sections = text.split(".")
    if len(sections) != 3:
        raise BuiltinError(f"encoded JWT must have 3 sections, found {len(sections)}")
    return _Token(*sections)


def _section(name: str, text: str) -> bytes:
    try:
        return decode_base64url(text)
    except BuiltinError as error:
        raise BuiltinError(f"JWT {name} had invalid encoding: {error.message}") from error


def _object(octets: bytes, mistake: str = "") -> RegoObject:
    try:
        document = read_json(octets.decode(errors="replace"))
    except BuiltinError as error:
        raise BuiltinError(f"{mistake}invalid JSON: {error.message}") from error
    if type(document) is not dict:
        raise BuiltinError(f"{mistake}decoded JSON type was not an Object")
    return document


def decode(text: Any) -> list[Any]:
    """Give header, payload and signature, the latter in hexadecimal, of a token or of the one nested in it."""
    for _ in range(_MAX_NESTING):
        token = _split(text)
        header = token.decoded_header()
        payload = _section("payload", token.payload)
        if header.get("cty") != "JWT":
            return [header, _object(payload), _section("signature", token.signature).hex()]
        text = payload.decode(errors="replace").strip("\"'")
    raise BuiltinError("JWT is nested too deeply")


def _parse_header(header: RegoObject) -> _Header:
    for name in sorted(header):
        if name in _HEADER_TEXTS and type(header[name]) is not str:
            raise BuiltinError(f"{name}: must be a string")
    critical = header.get("crit")
    if "crit" in header:
        if type(critical) is not list:
            raise BuiltinError("crit: must be a list")
        critical = [name for name in critical if type(name) is str]
        if not critical:
            raise BuiltinError("crit: must be a nonempty list")
    known = {*_HEADER_TEXTS, "crit"}
    unknown_critical = any(name in header and name not in known for name in critical or ())
    algorithm = header.get("alg", "")
    return _Header(
        algorithm,
        header.get("kid", ""),
        header.get("cty", ""),
        valid=bool(algorithm) and not unknown_critical,
    )


def _verified(
    algorithm: str, keys: list[VerificationKey], header: _Header, token: _Token, signature: bytes
) -> bool:
    """Check with the key that the token names, or else with all that may be meant."""
    if header.key_identifier:
        for key in keys:
            if key.identifier == header.key_identifier:
                return verify_signature(algorithm, key.key, token.signed, signature)
    return any(
        verify_signature(algorithm, key.key, token.signed, signature)
        for key in keys
        if not key.algorithm or key.algorithm == header.algorithm
    )


def _verifier(algorithm: str) -> Callable[[Any, Any], bool]:
    def verify(text: Any, certificate: Any) -> bool:
        token = _split(text)
        if type(certificate) is not str:
            raise wrong_type(2, certificate, "string")
        keys = read_keys(certificate)
        signature = decode_base64url(token.signature)
        header = _parse_header(token.decoded_header())
        return _verified(algorithm, keys, header, token, signature)

    return verify


def _secret_verifier(algorithm: str) -> Callable[[Any, Any], bool]:
    def verify(text: Any, secret: Any) -> bool:
        if type(text) is not str or type(secret) is not str:
            wrong_strings(text, secret)
        token = _split(text)
        signature = decode_base64url(token.signature)
        return verify_signature(algorithm, secret.encode(errors="replace"), token.signed, signature)

    return verify


def _read_constraints(context: EvaluationContext, document: Any) -> _Constraints:
    if type(document) is not dict:
        raise wrong_type(2, document, "object")
    constraints = _Constraints()
    for name, value in ordered_items(document):
        if name == "cert":
            if type(value) is not str:
                raise BuiltinError("cert constraint: must be a string")
            constraints.keys = read_keys(value)
        elif name == "time":
            constraints.time = _time(value)
        elif name in ("secret", "alg", "iss", "aud"):
            if type(value) is not str:
                raise BuiltinError(f"{name} constraint: must be a string")
            setattr(constraints, name, value)
        else:
            raise BuiltinError(f"unknown token validation constraint: {name}")
    if constraints.time < 0:
        constraints.time = float(context.now_ns)
    if constraints.keys is not None and constraints.secret:
        raise BuiltinError("duplicate key constraints")
    if constraints.keys is None and not constraints.secret:
        raise BuiltinError("no key constraint")
    return constraints


def _time(value: Any) -> float:
    if not is_number(value):
        raise BuiltinError("token time constraint: must be a number")
    if value < 0:
        raise BuiltinError("token time constraint: must not be negative")
    return float(value)


def decode_verify(context: EvaluationContext, text: Any, document: Any) -> list[Any]:
    """Give whether a token is signed and meets all constraints, and if so its header and payload."""
    constraints = _read_constraints(context, document)
    keys = constraints.keys
    if keys is None:
        keys = [VerificationKey(constraints.secret.encode(errors="replace"))]
    for _ in range(_MAX_NESTING):
        token = _split(text)
        document = token.decoded_header()
        header = _parse_header(document)
        if not header.valid or (constraints.alg and constraints.alg != header.algorithm):
            return [False, {}, {}]
        signature = decode_base64url(token.signature)
        if not _verified(header.algorithm, keys, header, token, signature):
            return [False, {}, {}]
        octets = _section("payload", token.payload)
        if header.content_type.upper() != "JWT":
            payload = _object(octets)
            return [True, document, payload] if _meets(constraints, payload) else [False, {}, {}]
        text = octets.decode(errors="replace")
    raise BuiltinError("JWT is nested too deeply")


def _meets(constraints: _Constraints, payload: RegoObject) -> bool:
    """Check issuer, audience and times."""
    if constraints.iss and payload.get("iss") != constraints.iss:
        return False
    if "aud" in payload:
        audience = payload["aud"]
        if constraints.aud not in (audience if type(audience) is list else [audience]):
            return False
    elif constraints.aud:
        return False
    seconds = constraints.time / _SECOND
    for name in ("exp", "nbf"):
        if name in payload and not is_number(payload[name]):
            raise BuiltinError(f"{name} value must be a number")
    if "exp" in payload and seconds >= payload["exp"]:
        return False
    return not ("nbf" in payload and seconds < payload["nbf"])


def encode_sign(headers: Any, payload: Any, key: Any) -> str:
    """Sign a payload."""
    for position, value in ((1, headers), (2, payload), (3, key)):
        if type(value) is not dict:
            raise wrong_type(position, value, "object")
    return encode_sign_raw(marshal(headers), marshal(payload), marshal(key))


def encode_sign_raw(headers: Any, payload: Any, key: Any) -> str:
    """Sign a payload, with header and payload written as the texts are."""
    if type(key) is not str:
        raise wrong_type(3, key, "string")
    if type(headers) is not str or type(payload) is not str:
        wrong_strings(headers, payload)
    documents = read_web_keys(key)
    if not documents:
        raise BuiltinError("no keys found in JWK set")
    signing_key = key_of_document(documents[0])
    algorithm, is_token = _signing_header(headers)
    if is_token and not is_valid(payload):
        raise BuiltinError("type is JWT but payload is not JSON")
    signed = f"{_encode(headers.encode(errors='replace'))}.{_encode(payload.encode(errors='replace'))}"
    return f"{signed}.{_encode(sign(algorithm, signing_key, signed.encode()))}"


def _signing_header(headers: str) -> tuple[str, bool]:
    """Give the algorithm, and whether the payload has to be JSON."""
    mistake = "missing or invalid 'alg' header: "
    try:
        document = read_json(headers)
    except BuiltinError as error:
        reason = error.message if headers else "cannot parse empty string"
        raise BuiltinError(f"{mistake}cannot parse JSON: {reason}") from error
    algorithm = document.get("alg") if type(document) is dict else None
    if type(algorithm) is not str:
        raise BuiltinError(f'{mistake}jwsbb: header "alg" not found')
    if algorithm not in ALGORITHMS:
        raise BuiltinError(f"unknown JWS algorithm: {algorithm}")
    kind = document.get("typ")
    return algorithm, type(kind) is not str or kind == "JWT"


def _encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def verification(algorithm: str) -> Callable[[Any, Any], Any]:
    """Give the function that verifies tokens which are signed by this algorithm."""
    return _secret_verifier(algorithm) if algorithm.startswith("HS") else _verifier(algorithm)
