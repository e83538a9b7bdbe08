"""A development CA and the certificates that it signs.

Owns which extensions a certificate carries, so that Go's and OpenSSL's strict verifiers accept it (RFC 5280).
Must not know files or the clock: time enters as `now`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webhook.tls.names import SubjectNames

AUTHORITY_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=365)
CLOCK_SKEW = timedelta(minutes=5)
"""How far back validity starts, for verifiers whose clock is behind."""
_LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The unencrypted key, PKCS#8 PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def create_authority(now: datetime, *, lifetime: timedelta = AUTHORITY_LIFETIME) -> KeyPair:
    """Create a self-signed CA that may sign leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name keeps two development CAs apart in a verifier's store.
    serial = x509.random_serial_number()
    name = _distinguished_name(f"Gradate development CA {serial:x}"[:_LONGEST_COMMON_NAME], ())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _validity(x509.CertificateBuilder(), now, lifetime)
        .serial_number(serial)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
    )
    return KeyPair(builder.sign(key, hashes.SHA256()), key)


def issue_serving(
    authority: KeyPair, names: SubjectNames, now: datetime, *, lifetime: timedelta = LEAF_LIFETIME
) -> KeyPair:
    """Issue a serving certificate for `names`, never outliving its CA."""
    short = [name for name in names.texts if len(name) <= _LONGEST_COMMON_NAME]
    builder = _leaf(
        authority, _distinguished_name(short[0] if short else "Gradate webhook", ()), now, lifetime
    )
    alternatives = x509.SubjectAlternativeName(
        [*map(x509.DNSName, names.dns), *map(x509.IPAddress, names.ips)]
    )
    return _sign_leaf(
        authority, builder.add_extension(alternatives, critical=False), ExtendedKeyUsageOID.SERVER_AUTH
    )


def issue_client(
    authority: KeyPair,
    common_name: str,
    now: datetime,
    *,
    organizations: tuple[str, ...] = (),
    lifetime: timedelta = LEAF_LIFETIME,
) -> KeyPair:
    """Issue a client certificate, such as an API server presents to the webhook."""
    name = _distinguished_name(common_name[:_LONGEST_COMMON_NAME], organizations)
    return _sign_leaf(authority, _leaf(authority, name, now, lifetime), ExtendedKeyUsageOID.CLIENT_AUTH)


def _leaf(
    authority: KeyPair, subject: x509.Name, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    longest = authority.certificate.not_valid_after_utc - now
    return (
        _validity(x509.CertificateBuilder(), now, min(lifetime, longest))
        .serial_number(x509.random_serial_number())
        .subject_name(subject)
        .issuer_name(authority.certificate.subject)
    )


def _sign_leaf(authority: KeyPair, builder: x509.CertificateBuilder, usage: x509.ObjectIdentifier) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    certificate = (
        builder.public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_identifier.value),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )
    return KeyPair(certificate, key)


def _validity(
    builder: x509.CertificateBuilder, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return builder.not_valid_before(now - CLOCK_SKEW).not_valid_after(now + lifetime)


def _distinguished_name(common_name: str, organizations: tuple[str, ...]) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
