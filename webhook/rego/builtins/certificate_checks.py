"""Certificates and private keys: `crypto.x509.*` and `crypto.parse_private_keys`."""

import datetime as dt
import warnings
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.utils import CryptographyDeprecationWarning

from webhook.rego.builtins.certificate_chains import Requirements, find_chain
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.encodings import decode_base64
from webhook.rego.builtins.failures import BuiltinError, wrong_strings, wrong_type
from webhook.rego.builtins.pem import Block, decode_all, decode_pem
from webhook.rego.builtins.rsa_numbers import belong_together
from webhook.rego.builtins.x509_fields import (
    EXTENDED_KEY_USAGES,
    certificate_fields,
    encode,
    private_key_fields,
    request_fields,
    web_key,
)
from webhook.rego.values import RegoObject, RegoSet, ordered_items

_BEGIN = "-----BEGIN"
_KEY_BLOCKS = frozenset(("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY"))
_USAGE_NAMES = dict(
    zip(
        (
            "KeyUsageAny",
            "KeyUsageServerAuth",
            "KeyUsageClientAuth",
            "KeyUsageCodeSigning",
            "KeyUsageEmailProtection",
            "KeyUsageIPSECEndSystem",
            "KeyUsageIPSECTunnel",
            "KeyUsageIPSECUser",
            "KeyUsageTimeStamping",
            "KeyUsageOCSPSigning",
            "KeyUsageMicrosoftServerGatedCrypto",
            "KeyUsageNetscapeServerGatedCrypto",
            "KeyUsageMicrosoftCommercialCodeSigning",
            "KeyUsageMicrosoftKernelCodeSigning",
        ),
        EXTENDED_KEY_USAGES,
        strict=True,
    )
)
_SECOND = 1_000_000_000


def parse_certificates(text: Any) -> list[RegoObject]:
    """Describe the certificates in PEM, in base64 of PEM, or in base64 of DER."""
    if type(text) is not str:
        wrong_strings(text)
    return [_describe(certificate) for certificate in _read_certificates(text)]


def parse_and_verify(context: EvaluationContext, text: Any) -> list[Any]:
    """Say whether certificates, the root first and the leaf last, form a valid chain, and describe it leaf first."""
    return parse_and_verify_with_options(context, text, {})


def parse_and_verify_with_options(context: EvaluationContext, text: Any, options: Any) -> list[Any]:
    """Do the same for a host, a time and usages of one's own."""
    if type(text) is not str:
        raise wrong_type(1, text, "string")
    if type(options) is not dict:
        raise wrong_type(2, options, "object")
    try:
        certificates = _read_certificates(text)
    except BuiltinError:
        return [False, []]
    requirements = _requirements(context, options)
    chain = find_chain(certificates, requirements) if len(certificates) > 1 else None
    return [False, []] if chain is None else [True, list(map(_describe, chain))]


def _requirements(context: EvaluationContext, options: RegoObject) -> Requirements:
    host, now, usages = "", context.now_ns, tuple(EXTENDED_KEY_USAGES[1:2])
    for key, value in ordered_items(options):
        if key == "DNSName":
            if type(value) is not str:
                raise BuiltinError("'DNSName' should be a string")
            host = value.strip('"')
        elif key in ("CurrentTime", "MaxConstraintComparisons"):
            if type(value) is not int:
                raise BuiltinError(f"'{key}' should be a number")
            now = value if key == "CurrentTime" else now
        elif key == "KeyUsages":
            if type(value) is not list and type(value) is not RegoSet:
                raise BuiltinError("'KeyUsages' should be an Array or Set")
            usages = _usages([name.strip('"') for name in value if type(name) is str]) or usages
        else:
            raise BuiltinError("invalid key option")
    try:
        moment = dt.datetime.fromtimestamp(now / _SECOND, dt.UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise BuiltinError("'CurrentTime' should be a valid int64 number") from error
    return Requirements(moment, host, usages)


def _usages(names: list[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in _USAGE_NAMES]
    if unknown:
        raise BuiltinError(f"invalid entries for 'KeyUsages' found: [{' '.join(unknown)}]")
    return tuple(_USAGE_NAMES[name] for name in names)


def _read_certificates(text: str) -> list[x509.Certificate]:
    if not text.startswith(_BEGIN):
        octets = decode_base64(text)
        if not octets.startswith(_BEGIN.encode()):
            return _load_certificates(octets)
        text = octets.decode(errors="replace")
    blocks = decode_all(text)
    for block in blocks:
        if block.label != "CERTIFICATE":
            raise BuiltinError(f"PEM block type is '{block.label}', expected CERTIFICATE")
    return _load_certificates(b"".join(block.octets for block in blocks))


def _load_certificates(octets: bytes) -> list[x509.Certificate]:
    """Read certificates in DER, one behind the other."""
    certificates = []
    while octets:
        length = _element_length(octets)
        certificates.append(_guarded(x509.load_der_x509_certificate, octets[:length]))
        octets = octets[length:]
    return certificates


def _element_length(octets: bytes) -> int:
    """Give the length of the ASN.1 element at the beginning, header included."""
    if len(octets) > 1 and octets[0] == 0x30:
        width = octets[1] & 0x7F if octets[1] & 0x80 else 0
        length = 2 + width + (int.from_bytes(octets[2 : 2 + width], "big") if width else octets[1])
        if width <= 4 and length <= len(octets):
            return length
    raise BuiltinError("x509: malformed certificate")


def _guarded(
    load: Callable[[bytes], Any], octets: bytes, mistake: str = "x509: malformed certificate"
) -> Any:
    try:
        with warnings.catch_warnings():
            # A negative serial number is against the rules and yet found in OPA's own cases.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return load(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BuiltinError(mistake) from error


def _describe(certificate: x509.Certificate) -> RegoObject:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return certificate_fields(certificate)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise BuiltinError(f"x509: malformed certificate: {error}") from error


def parse_request(text: Any) -> RegoObject:
    """Describe a request for a certificate, in PEM or in base64 of PEM or DER."""
    if type(text) is not str:
        wrong_strings(text)
    octets = (
        text.encode(errors="replace")
        if text.startswith(f"{_BEGIN} CERTIFICATE REQUEST-----")
        else decode_base64(text)
    )
    block, _ = decode_pem(octets.decode("latin-1"))
    if block is not None:
        if block.label != "CERTIFICATE REQUEST":
            raise BuiltinError("invalid PEM-encoded certificate signing request")
        octets = block.octets
    request = _guarded(x509.load_der_x509_csr, octets, "asn1: structure error: malformed certificate request")
    try:
        return request_fields(request)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise BuiltinError(f"asn1: structure error: {error}") from error


def parse_private_keys(text: Any) -> list[Any] | None:
    """Describe the private keys in PEM or in base64 of PEM; null for empty text."""
    if type(text) is not str:
        wrong_strings(text)
    return [private_key_fields(key) for key in _read_private_keys(text)] if text else None


def parse_rsa_private_key(text: Any) -> RegoObject | None:
    """Describe the first private key, in PEM or in base64 of PEM, as a JSON Web Key."""
    if type(text) is not str:
        wrong_strings(text)
    if not text:
        raise BuiltinError("input PEM data was empty")
    if not text.startswith(_BEGIN):
        text = decode_base64(text).decode(errors="replace")
    keys = _read_private_keys(text)
    return web_key(keys[0]) if keys else None


def _read_private_keys(text: str) -> list[Any]:
    if not text.startswith(_BEGIN):
        try:
            text = decode_base64(text).decode(errors="replace")
        except BuiltinError:
            return []
    return [_private_key(block.octets) for block in decode_all(text) if block.label in _KEY_BLOCKS]


def _private_key(octets: bytes) -> Any:
    return _guarded(_load_private_key, octets, "x509: failed to parse private key")


def _load_private_key(octets: bytes) -> Any:
    """Read a private key, of RSA without the search for divisors of its primes, which takes seconds: Go has none."""
    key = serialization.load_der_private_key(octets, password=None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, rsa.RSAPrivateKey) and not belong_together(key.private_numbers()):
        raise ValueError("the numbers of the key do not belong together")
    return key


def parse_keypair(certificate: Any, key: Any) -> RegoObject:
    """Describe a certificate, with those behind it, and its private key."""
    if type(certificate) is not str:
        raise wrong_type(1, certificate, "string")
    if type(key) is not str:
        raise wrong_type(1, key, "string")
    certificates = [
        block.octets for block in _blocks(certificate, "CERTIFICATE") if block.label == "CERTIFICATE"
    ]
    keys = [block.octets for block in _blocks(key, "PRIVATE KEY") if block.label.endswith("PRIVATE KEY")]
    if not certificates:
        raise BuiltinError("tls: failed to find any PEM data in certificate input")
    if not keys:
        raise BuiltinError("tls: failed to find any PEM data in key input")
    leaf = _guarded(x509.load_der_x509_certificate, certificates[0])
    private_key = _private_key(keys[0])
    if leaf.public_key() != private_key.public_key():
        raise BuiltinError("tls: private key does not match public key")
    return {
        "Certificate": list(map(encode, certificates)),
        "PrivateKey": private_key_fields(private_key),
        "SupportedSignatureAlgorithms": None,
        "OCSPStaple": None,
        "SignedCertificateTimestamps": None,
        "Leaf": _describe(leaf),
    }


def _blocks(text: str, label: str) -> list[Block]:
    """Read PEM, base64 of PEM, or base64 of DER, which is one block with the given label."""
    if not text.startswith(_BEGIN):
        octets = decode_base64(text)
        if not octets.startswith(_BEGIN.encode()):
            return [Block(label, octets)]
        text = octets.decode(errors="replace")
    return decode_all(text)
