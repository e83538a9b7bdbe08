"""Certificates and keys as the objects that OPA makes of them: Go's structures in their JSON form.

Names of fields and numbers of algorithms and usages are Go's; see https://pkg.go.dev/crypto/x509#Certificate.
"""

import base64
import datetime as dt
import ipaddress
import urllib.parse
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID, NameOID, SignatureAlgorithmOID

from webhook.rego.values import RegoObject

_SIGNATURES = {
    SignatureAlgorithmOID.RSA_WITH_MD5: 2,
    SignatureAlgorithmOID.RSA_WITH_SHA1: 3,
    SignatureAlgorithmOID.RSA_WITH_SHA256: 4,
    SignatureAlgorithmOID.RSA_WITH_SHA384: 5,
    SignatureAlgorithmOID.RSA_WITH_SHA512: 6,
    SignatureAlgorithmOID.DSA_WITH_SHA1: 7,
    SignatureAlgorithmOID.DSA_WITH_SHA256: 8,
    SignatureAlgorithmOID.ECDSA_WITH_SHA1: 9,
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: 10,
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: 11,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: 12,
    SignatureAlgorithmOID.ED25519: 16,
}
_PSS_SIGNATURES = {"sha256": 13, "sha384": 14, "sha512": 15}
_KEY_ALGORITHMS = (
    (rsa.RSAPublicKey, 1),
    (dsa.DSAPublicKey, 2),
    (ec.EllipticCurvePublicKey, 3),
    (ed25519.Ed25519PublicKey, 4),
)
_NAME_LISTS = {
    "Country": NameOID.COUNTRY_NAME,
    "Organization": NameOID.ORGANIZATION_NAME,
    "OrganizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "Locality": NameOID.LOCALITY_NAME,
    "Province": NameOID.STATE_OR_PROVINCE_NAME,
    "StreetAddress": NameOID.STREET_ADDRESS,
    "PostalCode": NameOID.POSTAL_CODE,
}
_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
EXTENDED_KEY_USAGES = (
    "2.5.29.37.0",
    *(f"1.3.6.1.5.5.7.3.{number}" for number in range(1, 10)),
    "1.3.6.1.4.1.311.10.3.3",
    "2.16.840.1.113730.4.1",
    "1.3.6.1.4.1.311.2.1.22",
    "1.3.6.1.4.1.311.61.1.1",
)
"""Object identifiers of the extended key usages, at the places that Go numbers them by."""
_HANDLED = frozenset(
    (
        ExtensionOID.KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
    )
)
Certified = x509.Certificate | x509.CertificateSigningRequest


def encode(octets: bytes) -> str:
    """Write octets in base64, as Go's JSON does."""
    return base64.b64encode(octets).decode()


def extension(certified: Any, kind: Any) -> Any:
    """Give an extension's value, None when there is none of its kind."""
    try:
        return certified.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def certificate_fields(certificate: x509.Certificate) -> RegoObject:
    """Describe a certificate."""
    return {
        **_common_fields(certificate),
        **_usage_fields(certificate),
        **_constraint_fields(certificate),
        **_policy_fields(certificate),
        "RawTBSCertificate": encode(certificate.tbs_certificate_bytes),
        "RawIssuer": encode(certificate.issuer.public_bytes()),
        "Version": certificate.version.value + 1,
        "SerialNumber": certificate.serial_number,
        "Issuer": name_fields(certificate.issuer),
        "NotBefore": _instant(certificate.not_valid_before_utc),
        "NotAfter": _instant(certificate.not_valid_after_utc),
    }


def request_fields(request: x509.CertificateSigningRequest) -> RegoObject:
    """Describe a request for a certificate."""
    return {
        **_common_fields(request),
        "RawTBSCertificateRequest": encode(request.tbs_certrequest_bytes),
        "Version": 0,
        "Attributes": None,
    }


def _common_fields(certified: Certified) -> RegoObject:
    public_key = certified.public_key()
    return {
        "Raw": encode(certified.public_bytes(serialization.Encoding.DER)),
        "RawSubjectPublicKeyInfo": encode(
            public_key.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ),
        "RawSubject": encode(certified.subject.public_bytes()),
        "Signature": encode(certified.signature),
        "SignatureAlgorithm": _signature_algorithm(certified),
        "PublicKeyAlgorithm": next(
            (number for kind, number in _KEY_ALGORITHMS if isinstance(public_key, kind)), 0
        ),
        "PublicKey": public_key_fields(public_key),
        "Subject": name_fields(certified.subject),
        "Extensions": [_extension_fields(item) for item in certified.extensions] or None,
        "ExtraExtensions": None,
        **_alternative_names(certified),
    }


def _signature_algorithm(certified: Certified) -> int:
    identifier = certified.signature_algorithm_oid
    if identifier == SignatureAlgorithmOID.RSASSA_PSS and certified.signature_hash_algorithm:
        return _PSS_SIGNATURES.get(certified.signature_hash_algorithm.name, 0)
    return _SIGNATURES.get(identifier, 0)


def _extension_fields(item: x509.Extension[Any]) -> RegoObject:
    return {"Id": _numbers(item.oid), "Critical": item.critical, "Value": encode(item.value.public_bytes())}


def _numbers(identifier: x509.ObjectIdentifier) -> list[int]:
    return [int(number) for number in identifier.dotted_string.split(".")]


def name_fields(name: x509.Name) -> RegoObject:
    """Describe a distinguished name."""
    fields: RegoObject = {
        field: [attribute.value for attribute in name.get_attributes_for_oid(identifier)] or None
        for field, identifier in _NAME_LISTS.items()
    }
    for field, identifier in (("SerialNumber", NameOID.SERIAL_NUMBER), ("CommonName", NameOID.COMMON_NAME)):
        values = name.get_attributes_for_oid(identifier)
        fields[field] = values[-1].value if values else ""
    fields["Names"] = [
        {"Type": _numbers(attribute.oid), "Value": attribute.value} for attribute in name
    ] or None
    fields["ExtraNames"] = None
    return fields


def common_name(name: x509.Name) -> str:
    """Give the common name in a distinguished name, empty when it has none."""
    return str(name_fields(name)["CommonName"])


def _alternative_names(certified: Certified) -> RegoObject:
    names = extension(certified, x509.SubjectAlternativeName)
    by_kind = {
        "DNSNames": [] if names is None else names.get_values_for_type(x509.DNSName),
        "EmailAddresses": [] if names is None else names.get_values_for_type(x509.RFC822Name),
        "IPAddresses": [] if names is None else list(map(str, names.get_values_for_type(x509.IPAddress))),
    }
    uris = [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)
    return {
        **{field: values or None for field, values in by_kind.items()},
        "URIs": [_uri_fields(uri) for uri in uris] or None,
        **({"URIStrings": uris or None} if isinstance(certified, x509.Certificate) else {}),
    }


def _uri_fields(uri: str) -> RegoObject:
    parts = urllib.parse.urlsplit(uri)
    opaque = not parts.netloc and not parts.path.startswith("/") and bool(parts.scheme)
    return {
        "Scheme": parts.scheme,
        "Opaque": parts.path if opaque else "",
        "User": {} if "@" in parts.netloc else None,
        "Host": parts.netloc.rpartition("@")[2],
        "Path": "" if opaque else urllib.parse.unquote(parts.path),
        "RawPath": "",
        "OmitHost": False,
        "ForceQuery": uri.endswith("?"),
        "RawQuery": parts.query,
        "Fragment": urllib.parse.unquote(parts.fragment),
        "RawFragment": "",
    }


def _usage_fields(certificate: x509.Certificate) -> RegoObject:
    usage = extension(certificate, x509.KeyUsage)
    bits = 0
    for place, name in enumerate(_KEY_USAGES):
        # The last two say something only of a key agreement, and raise without one.
        if usage is not None and (name[2:] != "cipher_only" or usage.key_agreement) and getattr(usage, name):
            bits |= 1 << place
    identifiers = [item.dotted_string for item in extension(certificate, x509.ExtendedKeyUsage) or ()]
    known = [EXTENDED_KEY_USAGES.index(item) for item in identifiers if item in EXTENDED_KEY_USAGES]
    unknown = [_dotted(item) for item in identifiers if item not in EXTENDED_KEY_USAGES]
    return {"KeyUsage": bits, "ExtKeyUsage": known or None, "UnknownExtKeyUsage": unknown or None}


def _dotted(identifier: str) -> list[int]:
    return [int(number) for number in identifier.split(".")]


def _constraint_fields(certificate: x509.Certificate) -> RegoObject:
    basic = extension(certificate, x509.BasicConstraints)
    length = basic.path_length if basic is not None else None
    subject_key = extension(certificate, x509.SubjectKeyIdentifier)
    authority_key = extension(certificate, x509.AuthorityKeyIdentifier)
    authority_octets = authority_key.key_identifier if authority_key is not None else None
    unhandled = [
        _numbers(item.oid) for item in certificate.extensions if item.critical and item.oid not in _HANDLED
    ]
    return {
        "BasicConstraintsValid": basic is not None,
        "IsCA": basic is not None and basic.ca,
        "MaxPathLen": length if length is not None else 0 if basic is None else -1,
        "MaxPathLenZero": length == 0,
        "SubjectKeyId": None if subject_key is None else encode(subject_key.digest),
        "AuthorityKeyId": None if authority_octets is None else encode(authority_octets),
        "UnhandledCriticalExtensions": unhandled or None,
        **_name_constraints(certificate),
    }


def _name_constraints(certificate: x509.Certificate) -> RegoObject:
    constraints = extension(certificate, x509.NameConstraints)
    critical = (
        constraints is not None
        and certificate.extensions.get_extension_for_class(x509.NameConstraints).critical
    )
    fields: RegoObject = {"PermittedDNSDomainsCritical": critical}
    for side, names in (
        ("Permitted", getattr(constraints, "permitted_subtrees", None) or ()),
        ("Excluded", getattr(constraints, "excluded_subtrees", None) or ()),
    ):
        for kind, field in (
            (x509.DNSName, "DNSDomains"),
            (x509.RFC822Name, "EmailAddresses"),
            (x509.UniformResourceIdentifier, "URIDomains"),
        ):
            fields[side + field] = [name.value for name in names if isinstance(name, kind)] or None
        ranges = [name.value for name in names if isinstance(name, x509.IPAddress)]
        fields[f"{side}IPRanges"] = [
            {"IP": str(item.network_address), "Mask": encode(item.netmask.packed)}
            for item in ranges
            if isinstance(item, ipaddress.IPv4Network | ipaddress.IPv6Network)
        ] or None
    return fields


def _policy_fields(certificate: x509.Certificate) -> RegoObject:
    access = extension(certificate, x509.AuthorityInformationAccess) or ()
    points = extension(certificate, x509.CRLDistributionPoints) or ()
    policies = [item.policy_identifier for item in extension(certificate, x509.CertificatePolicies) or ()]
    return {
        "OCSPServer": _locations(access, AuthorityInformationAccessOID.OCSP),
        "IssuingCertificateURL": _locations(access, AuthorityInformationAccessOID.CA_ISSUERS),
        "CRLDistributionPoints": [
            name.value
            for point in points
            for name in point.full_name or ()
            if isinstance(name, x509.UniformResourceIdentifier)
        ]
        or None,
        "PolicyIdentifiers": [_numbers(policy) for policy in policies] or None,
        "Policies": [policy.dotted_string for policy in policies] or None,
        "InhibitAnyPolicy": 0,
        "InhibitAnyPolicyZero": False,
        "InhibitPolicyMapping": 0,
        "InhibitPolicyMappingZero": False,
        "RequireExplicitPolicy": 0,
        "RequireExplicitPolicyZero": False,
        "PolicyMappings": None,
    }


def _locations(access: Any, method: x509.ObjectIdentifier) -> list[str] | None:
    return [
        item.access_location.value
        for item in access
        if item.access_method == method and isinstance(item.access_location, x509.UniformResourceIdentifier)
    ] or None


def _instant(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def public_key_fields(key: Any) -> Any:
    """Describe a public key; null for a kind that Go does not know."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"N": numbers.n, "E": numbers.e}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        return {"Curve": {}, "X": point.x, "Y": point.y}
    if isinstance(key, ed25519.Ed25519PublicKey):
        return encode(key.public_bytes_raw())
    return None


def private_key_fields(key: Any) -> Any:
    """Describe a private key; null for a kind that Go does not know."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        return {
            **public_key_fields(key.public_key()),
            "D": numbers.d,
            "Primes": [numbers.p, numbers.q],
            "Precomputed": {"Dp": numbers.dmp1, "Dq": numbers.dmq1, "Qinv": numbers.iqmp, "CRTValues": []},
        }
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {**public_key_fields(key.public_key()), "D": key.private_numbers().private_value}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return encode(key.private_bytes_raw() + key.public_key().public_bytes_raw())
    return None


def web_key(key: Any) -> RegoObject | None:
    """Describe a private key as a JSON Web Key."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        public = numbers.public_numbers
        parts = {
            "n": public.n,
            "e": public.e,
            "d": numbers.d,
            "p": numbers.p,
            "q": numbers.q,
            "dp": numbers.dmp1,
            "dq": numbers.dmq1,
            "qi": numbers.iqmp,
        }
        return {"kty": "RSA", **{name: _web_integer(value) for name, value in parts.items()}}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point, width = key.public_key().public_numbers(), (key.key_size + 7) // 8
        parts = {"x": point.x, "y": point.y, "d": key.private_numbers().private_value}
        coordinates = {name: _web_octets(value.to_bytes(width, "big")) for name, value in parts.items()}
        return {"kty": "EC", "crv": f"P-{key.key_size}", **coordinates}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        public_octets = key.public_key().public_bytes_raw()
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "d": _web_octets(key.private_bytes_raw()),
            "x": _web_octets(public_octets),
        }
    return None


def _web_integer(number: int) -> str:
    return _web_octets(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _web_octets(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
