"""Signatures of JSON Web Tokens and the keys they are made and checked with.

Keys come as a PEM certificate or public key, or as a JSON Web Key or set of them. Knows nothing of tokens' contents.
Sources: RFC 7515, 7517 and 7518.
"""

import hmac
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from webhook.rego.builtins.encodings import decode_base64url
from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.builtins.json_text import read_json
from webhook.rego.builtins.pem import decode_pem
from webhook.rego.builtins.rsa_numbers import MOST_BITS, belong_together
from webhook.rego.builtins.tokens import ALGORITHMS

Secret = bytes
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Key = Secret | PublicKey | PrivateKey

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_MAX_INTEGER_LENGTH = 2800
"""Longest number in a key, in characters of base64: 16 Kibit, the most that OpenSSL takes."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and what a key set says of it."""

    key: Key
    algorithm: str = ""
    """The only algorithm it is meant for; empty when it is not said."""
    identifier: str = ""
    """The key's `kid`; empty when it has none."""


def read_keys(text: str) -> list[VerificationKey]:
    """Read a certificate, a public key, a JSON Web Key or a set of them.

    Raises:
        BuiltinError: the text is none of these.

    """
    block, rest = decode_pem(text)
    if block is None:
        return _read_key_set(text)
    if rest:
        raise BuiltinError("extra data after a PEM certificate block")
    try:
        if block.label == "CERTIFICATE":
            return [VerificationKey(_supported(x509.load_der_x509_certificate(block.octets).public_key()))]
        if block.label == "PUBLIC KEY":
            return [VerificationKey(_supported(serialization.load_der_public_key(block.octets)))]
    except (ValueError, UnsupportedAlgorithm) as error:
        kind = "certificate" if block.label == "CERTIFICATE" else "public key"
        raise BuiltinError(f"failed to parse a PEM {kind}: {error}") from error
    raise BuiltinError("failed to extract a Key from the PEM certificate")


def _supported(key: Any) -> Key:
    if isinstance(key, PublicKey):
        return key
    raise ValueError("unsupported kind of key")


def _read_key_set(text: str) -> list[VerificationKey]:
    try:
        documents = read_web_keys(text)
        keys = [
            VerificationKey(key_of_document(document), document.get("alg", ""), document.get("kid", ""))
            for document in documents
        ]
    except BuiltinError as error:
        raise BuiltinError(f"failed to parse a JWK key (set): {error.message}") from error
    return [key for key in keys if not key.algorithm or key.algorithm in ALGORITHMS]


def read_web_keys(text: str) -> list[dict[str, Any]]:
    """Read a JSON Web Key, or the keys of a set, without looking into them.

    Raises:
        BuiltinError: the text is not JSON, or not of this shape.

    """
    document = read_json(text)
    documents = document.get("keys", [document]) if type(document) is dict else None
    if type(documents) is not list or not all(type(key) is dict for key in documents):
        raise BuiltinError("not a JSON Web Key or set")
    return documents


def key_of_document(document: dict[str, Any]) -> Key:
    """Give the key that a JSON Web Key describes, the private one where it has both.

    Raises:
        BuiltinError: the description is incomplete, wrong or of an unknown kind.

    """
    kind = document.get("kty")
    try:
        if kind == "oct":
            return decode_base64url(document["k"])
        if kind == "RSA":
            return _rsa_key(document)
        if kind == "EC":
            return _elliptic_key(document)
        if kind == "OKP" and document.get("crv") == "Ed25519":
            if "d" in document:
                return ed25519.Ed25519PrivateKey.from_private_bytes(decode_base64url(document["d"]))
            return ed25519.Ed25519PublicKey.from_public_bytes(decode_base64url(document["x"]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BuiltinError(f"incomplete or invalid {kind} key") from error
    raise BuiltinError(f"unsupported key type {kind!r}")


_MOST_BITS_WITHOUT_PRIMES = 4_096
"""Largest modulus that is taken apart into primes, which takes a fifth of a second."""


def _rsa_key(document: dict[str, Any]) -> Key:
    public = rsa.RSAPublicNumbers(_integer(document["e"]), _integer(document["n"]))
    if "d" not in document:
        return public.public_key()
    has_primes = "p" in document and "q" in document
    if public.n.bit_length() > (MOST_BITS if has_primes else _MOST_BITS_WITHOUT_PRIMES):
        raise ValueError("the modulus is too large")
    exponent = _integer(document["d"])
    if has_primes:
        first, second = _integer(document["p"]), _integer(document["q"])
    else:
        first, second = rsa.rsa_recover_prime_factors(public.n, public.e, exponent)
    private = rsa.RSAPrivateNumbers(
        first,
        second,
        exponent,
        rsa.rsa_crt_dmp1(exponent, first),
        rsa.rsa_crt_dmq1(exponent, second),
        rsa.rsa_crt_iqmp(first, second),
        public,
    )
    if not belong_together(private):
        raise ValueError("the numbers of the key do not belong together")
    return private.private_key(unsafe_skip_rsa_key_validation=True)


def _elliptic_key(document: dict[str, Any]) -> Key:
    curve = _CURVES[document["crv"]]
    public = ec.EllipticCurvePublicNumbers(_integer(document["x"]), _integer(document["y"]), curve)
    if "d" not in document:
        return public.public_key()
    return ec.EllipticCurvePrivateNumbers(_integer(document["d"]), public).private_key()


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_LENGTH:
        raise ValueError("number is too long")
    return int.from_bytes(decode_base64url(text), "big")


def verify(algorithm: str, key: Key, message: bytes, signature: bytes) -> bool:
    """Say whether a signature is the key's for the message; a key of another kind never is."""
    family, digest = algorithm[:2], _HASHES.get(algorithm[2:])
    try:
        if family == "HS" and digest and isinstance(key, bytes):
            return hmac.compare_digest(hmac.digest(key, message, digest.name), signature)
        if family == "RS" and digest and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), digest)
            return True
        if family == "PS" and digest and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
            return True
        if family == "ES" and digest and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_encoded_signature(signature), message, ec.ECDSA(digest))
            return True
        if algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
            return True
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return False


def _encoded_signature(signature: bytes) -> bytes:
    """Turn the two numbers of an ECDSA signature from their plain form into ASN.1."""
    half = len(signature) // 2
    return encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )


def sign(algorithm: str, key: Key, message: bytes) -> bytes:
    """Sign a message.

    Raises:
        BuiltinError: the key is not of the kind that the algorithm takes.

    """
    family, digest = algorithm[:2], _HASHES.get(algorithm[2:])
    try:
        if family == "HS" and digest and isinstance(key, bytes):
            return hmac.digest(key, message, digest.name)
        if family == "RS" and digest and isinstance(key, rsa.RSAPrivateKey):
            return key.sign(message, padding.PKCS1v15(), digest)
        if family == "PS" and digest and isinstance(key, rsa.RSAPrivateKey):
            return key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        if family == "ES" and digest and isinstance(key, ec.EllipticCurvePrivateKey):
            width = (key.key_size + 7) // 8
            numbers = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
            return b"".join(number.to_bytes(width, "big") for number in numbers)
        if algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
    except ValueError as error:
        raise BuiltinError(f"failed to sign: {error}") from error
    raise BuiltinError(f"the key does not fit the algorithm {algorithm}")
