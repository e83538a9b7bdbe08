"""Certificates and keys read from PEM files, and checked.

Owns what makes a pair of files fit to serve. Must not know sockets or SSL contexts.
"""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificatePublicKeyTypes,
    PrivateKeyTypes,
    PublicKeyTypes,
)

from webhook.tls.errors import (
    CertificateTimeError,
    InvalidMaterialError,
    KeyMismatchError,
    UnreadableFileError,
)

RENEW_ADVICE = "replace it, or run `gradate certs renew` for a development certificate"


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """What a person wants to know of one certificate."""

    path: Path
    subject: str
    """RFC 4514 text, such as `CN=gradate`."""
    issuer: str
    names: tuple[str, ...]
    """DNS names and IP addresses of the subject alternative name; empty for a CA."""
    not_before: datetime
    not_after: datetime
    is_authority: bool
    fingerprint: str
    """SHA-256 of the DER form, hexadecimal."""

    def days_left(self, now: datetime) -> float:
        """Give the days until expiry, negative once expired."""
        return (self.not_after - now).total_seconds() / 86_400


def read_file(path: Path) -> bytes:
    """Read a file.

    Raises:
        UnreadableFileError: missing, a folder, or not permitted.

    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        advice = "give the right path, or run `gradate certs init` for development certificates"
        raise UnreadableFileError(path, "there is no such file", advice) from error
    except PermissionError as error:
        raise UnreadableFileError(
            path, "this user may not read it", "make it readable for the user that serves"
        ) from error
    except OSError as error:
        raise UnreadableFileError(
            path, error.strerror or str(error), "give the path of a PEM file"
        ) from error


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Read all certificates of a PEM file, in its order.

    Raises:
        UnreadableFileError: the file cannot be opened.
        InvalidMaterialError: it holds no certificate, or a broken one.

    """
    try:
        return tuple(x509.load_pem_x509_certificates(read_file(path)))
    except ValueError as error:
        raise InvalidMaterialError(
            path, "it holds no certificate in PEM form", "give a file that begins -----BEGIN CERTIFICATE-----"
        ) from error


def read_key(path: Path) -> PrivateKeyTypes:
    """Read an unencrypted private key.

    Raises:
        UnreadableFileError: the file cannot be opened.
        InvalidMaterialError: it holds no key, or an encrypted one.

    """
    try:
        return serialization.load_pem_private_key(read_file(path), password=None)
    except TypeError as error:
        raise InvalidMaterialError(
            path, "the key is encrypted", "give an unencrypted key; there is nobody to type a password"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidMaterialError(
            path, "it holds no private key in PEM form", "give a file that begins -----BEGIN PRIVATE KEY-----"
        ) from error


def check_pair(certificate_path: Path, key_path: Path, now: datetime) -> CertificateStatus:
    """Check that a certificate and a key can serve at `now`.

    Raises:
        UnreadableFileError, InvalidMaterialError: a file is unusable.
        KeyMismatchError: they do not belong together.
        CertificateTimeError: expired, or not valid yet.

    """
    leaf = read_certificates(certificate_path)[0]
    key = read_key(key_path)
    if _public_bytes(leaf.public_key()) != _public_bytes(key.public_key()):
        raise KeyMismatchError(
            key_path,
            f"it is not the key of {certificate_path}",
            "give the key that belongs to the first certificate of that file",
        )
    check_time(certificate_path, leaf, now)
    return describe(certificate_path, leaf)


def check_time(path: Path, certificate: x509.Certificate, now: datetime) -> None:
    """Check that `now` lies in the certificate's validity.

    Raises:
        CertificateTimeError: expired, or not valid yet.

    """
    if now > certificate.not_valid_after_utc:
        expired = certificate.not_valid_after_utc.isoformat(timespec="minutes")
        raise CertificateTimeError(path, f"the certificate expired at {expired}", RENEW_ADVICE)
    if now < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc.isoformat(timespec="minutes")
        raise CertificateTimeError(
            path, f"the certificate is not valid before {begins}", "wait, or set this machine's clock"
        )


def describe(path: Path, certificate: x509.Certificate) -> CertificateStatus:
    """Describe a certificate."""
    return CertificateStatus(
        path=path,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=_alternative_names(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_authority=_is_authority(certificate),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def read_status(path: Path) -> CertificateStatus:
    """Describe the first certificate of a file.

    Raises:
        UnreadableFileError, InvalidMaterialError: the file is unusable.

    """
    return describe(path, read_certificates(path)[0])


def tls_reason(error: ssl.SSLError) -> str:
    """Say why OpenSSL refused, without its file and line."""
    return (error.reason or str(error)).replace("_", " ").lower()


def _public_bytes(key: CertificatePublicKeyTypes | PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    ips = (str(ip) for ip in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *ips)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
