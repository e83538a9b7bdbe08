"""Certificates are made for the tests, valid around the evaluation's time."""

import base64
import datetime as dt
import ipaddress
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.rego_builtins import LATE_2023_NS, call, failure

NOW = dt.datetime.fromtimestamp(LATE_2023_NS / 10**9, dt.UTC)
DAY = dt.timedelta(days=1)
ROOT_KEY, MIDDLE_KEY, LEAF_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))

RSA_KEY = rsa.generate_private_key(65537, 2048)


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


def certificate(
    subject: str,
    key: Any,
    issuer: str,
    issuer_key: Any,
    *extensions: x509.ExtensionType,
    authority: bool = False,
    path_length: int | None = None,
    until: dt.datetime = NOW + DAY,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(42)
        .not_valid_before(NOW - DAY)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.NameConstraints))
    return builder.sign(issuer_key, hashes.SHA256())


ROOT = certificate("root", ROOT_KEY, "root", ROOT_KEY, authority=True)
MIDDLE = certificate("middle", MIDDLE_KEY, "root", ROOT_KEY, authority=True, path_length=0)
NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("*.example.com"),
        x509.RFC822Name("me@example.com"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
        x509.UniformResourceIdentifier("spiffe://example.com/app?x=1"),
    ]
)
LEAF = certificate(
    "leaf",
    LEAF_KEY,
    "middle",
    MIDDLE_KEY,
    NAMES,
    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    x509.KeyUsage(True, False, False, False, True, False, False, True, False),
    x509.SubjectKeyIdentifier(b"id"),
)


def pem(*certificates: x509.Certificate) -> str:
    return "".join(item.public_bytes(serialization.Encoding.PEM).decode() for item in certificates)


def der(*certificates: x509.Certificate) -> str:
    return base64.b64encode(
        b"".join(item.public_bytes(serialization.Encoding.DER) for item in certificates)
    ).decode()


def key_pem(key: Any) -> str:
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text.decode()


@pytest.mark.parametrize(
    "text",
    [
        pem(LEAF, ROOT),
        der(LEAF, ROOT),
        base64.b64encode(pem(LEAF, ROOT).encode()).decode(),
        f"{pem(LEAF)}\n# next\n{pem(ROOT)}",
    ],
)
def test_certificates_are_read_in_every_form(text: str) -> None:
    described = call("crypto.x509.parse_certificates", text)
    assert [item["Subject"]["CommonName"] for item in described] == ["leaf", "root"]


def test_a_certificate_has_the_fields_of_gos() -> None:
    (described,) = call("crypto.x509.parse_certificates", pem(LEAF))
    expected = {
        "Version": 3,
        "SerialNumber": 42,
        "SignatureAlgorithm": 10,
        "PublicKeyAlgorithm": 3,
        "DNSNames": ["*.example.com"],
        "EmailAddresses": ["me@example.com"],
        "IPAddresses": ["10.0.0.1"],
        "URIStrings": ["spiffe://example.com/app?x=1"],
        "NotBefore": "2023-11-13T22:13:20Z",
        "KeyUsage": 1 + 16 + 128,
        "ExtKeyUsage": [1],
        "IsCA": False,
        "BasicConstraintsValid": True,
        "MaxPathLen": -1,
        "SubjectKeyId": "aWQ=",
        "AuthorityKeyId": None,
        "OCSPServer": None,
        "UnhandledCriticalExtensions": None,
    }
    assert {field: described[field] for field in expected} == expected
    assert described["Subject"]["Country"] == ["DE"]
    assert described["Subject"]["Names"][1] == {"Type": [2, 5, 4, 3], "Value": "leaf"}
    assert described["Issuer"]["CommonName"] == "middle"
    assert described["URIs"][0]["Host"] == "example.com"
    assert described["PublicKey"]["X"] == LEAF_KEY.public_key().public_numbers().x


def verified(*certificates: x509.Certificate, **options: Any) -> Any:
    return call("crypto.x509.parse_and_verify_certificates_with_options", pem(*certificates), options)[0]


def test_a_chain_from_leaf_to_root_is_verified() -> None:
    valid, chain = call("crypto.x509.parse_and_verify_certificates", pem(ROOT, MIDDLE, LEAF))
    assert valid
    assert [item["Subject"]["CommonName"] for item in chain] == ["leaf", "middle", "root"]
    assert call("crypto.x509.parse_and_verify_certificates", "nonsense") == [False, []]
    assert not verified(ROOT)
    assert not verified(ROOT, LEAF)


@pytest.mark.parametrize(
    ("certificates", "why"),
    [
        ((ROOT, certificate("leaf", LEAF_KEY, "root", MIDDLE_KEY)), "signed by another key"),
        ((ROOT, certificate("leaf", LEAF_KEY, "root", ROOT_KEY, until=NOW - DAY / 2)), "expired"),
        ((ROOT, certificate("middle", MIDDLE_KEY, "root", ROOT_KEY), LEAF), "the middle one is no authority"),
        (
            (
                ROOT,
                MIDDLE,
                certificate("lower", LEAF_KEY, "middle", MIDDLE_KEY, authority=True),
                certificate("leaf", LEAF_KEY, "lower", LEAF_KEY),
            ),
            "the path is longer than the middle one allows",
        ),
        (
            (
                certificate(
                    "root", ROOT_KEY, "root", ROOT_KEY, x509.KeyUsage(*[True] + [False] * 8), authority=True
                ),
                certificate("leaf", LEAF_KEY, "root", ROOT_KEY),
            ),
            "the root's key is not for certificates",
        ),
        (
            (
                ROOT,
                certificate(
                    "leaf",
                    LEAF_KEY,
                    "root",
                    ROOT_KEY,
                    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
                ),
            ),
            "not for servers",
        ),
        (
            (
                certificate(
                    "root",
                    ROOT_KEY,
                    "root",
                    ROOT_KEY,
                    x509.NameConstraints([x509.DNSName("other.org")], None),
                    authority=True,
                ),
                certificate("leaf", LEAF_KEY, "root", ROOT_KEY, NAMES),
            ),
            "the root is limited to other names",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_chain_is_not_verified(certificates: tuple[x509.Certificate, ...], why: str) -> None:
    assert not verified(*certificates), why


def test_a_chain_within_the_names_of_its_authority_is_verified() -> None:
    allowed = x509.NameConstraints([x509.DNSName("example.com")], None)
    root = certificate("root", ROOT_KEY, "root", ROOT_KEY, allowed, authority=True)
    leaf = certificate(
        "leaf", LEAF_KEY, "root", ROOT_KEY, x509.SubjectAlternativeName([x509.DNSName("app.example.com")])
    )
    assert verified(root, leaf)


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ({}, True),
        ({"DNSName": "app.example.com"}, True),
        ({"DNSName": "a.b.example.com"}, False),
        ({"DNSName": "example.com"}, False),
        ({"DNSName": "10.0.0.1"}, True),
        ({"DNSName": "10.0.0.2"}, False),
        ({"CurrentTime": LATE_2023_NS + 2 * 86_400 * 10**9}, False),
        ({"KeyUsages": ["KeyUsageServerAuth"]}, True),
        ({"KeyUsages": ["KeyUsageClientAuth"]}, False),
        ({"KeyUsages": ["KeyUsageAny"]}, True),
        ({"MaxConstraintComparisons": 5}, True),
    ],
)
def test_a_chain_is_verified_for_what_the_options_ask(options: dict[str, Any], valid: bool) -> None:
    assert verified(ROOT, MIDDLE, LEAF, **options) is valid


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"DNSName": 1}, "'DNSName' should be a string"),
        ({"CurrentTime": "x"}, "'CurrentTime' should be a number"),
        ({"KeyUsages": "x"}, "'KeyUsages' should be an Array or Set"),
        ({"KeyUsages": ["Nope"]}, "invalid entries for 'KeyUsages' found: [Nope]"),
        ({"Color": 1}, "invalid key option"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], words: str) -> None:
    assert words in failure(
        "crypto.x509.parse_and_verify_certificates_with_options", pem(ROOT, LEAF), options
    )


@pytest.mark.parametrize(
    ("function", "text", "words"),
    [
        ("crypto.x509.parse_certificates", "YWJj", "x509: malformed certificate"),
        ("crypto.x509.parse_certificates", "!", "illegal base64 data"),
        (
            "crypto.x509.parse_certificates",
            key_pem(LEAF_KEY),
            "PEM block type is 'PRIVATE KEY', expected CERTIFICATE",
        ),
        ("crypto.x509.parse_certificate_request", "YWJj", "asn1: structure error"),
        (
            "crypto.x509.parse_certificate_request",
            base64.b64encode(pem(ROOT).encode()).decode(),
            "invalid PEM-encoded",
        ),
        ("crypto.x509.parse_rsa_private_key", "", "input PEM data was empty"),
        (
            "crypto.parse_private_keys",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "failed to parse",
        ),
    ],
)
def test_what_is_no_certificate_or_key_is_refused(function: str, text: str, words: str) -> None:
    assert words in failure(function, text)


def test_a_request_has_the_fields_of_gos() -> None:
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name("wanted"))
        .add_extension(NAMES, critical=False)
        .sign(LEAF_KEY, hashes.SHA256())
    )
    for text in (
        request.public_bytes(serialization.Encoding.PEM).decode(),
        base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode(),
    ):
        described = call("crypto.x509.parse_certificate_request", text)
        assert described["Subject"]["CommonName"] == "wanted"
        assert described["DNSNames"] == ["*.example.com"]


@pytest.mark.parametrize(
    ("key", "kind", "fields"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA", {"N", "E", "D", "Primes", "Precomputed"}),
        (LEAF_KEY, "EC", {"Curve", "X", "Y", "D"}),
    ],
)
def test_private_keys_are_described(key: Any, kind: str, fields: set[str]) -> None:
    (described,) = call("crypto.parse_private_keys", key_pem(key))
    assert described.keys() == fields
    assert call("crypto.x509.parse_rsa_private_key", key_pem(key))["kty"] == kind


def test_an_edwards_key_is_described_by_its_octets() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    (described,) = call("crypto.parse_private_keys", base64.b64encode(key_pem(key).encode()).decode())
    assert base64.b64decode(described)[:32] == key.private_bytes_raw()
    assert call("crypto.x509.parse_rsa_private_key", key_pem(key))["crv"] == "Ed25519"


def test_no_private_keys_are_an_empty_array_or_null() -> None:
    assert call("crypto.parse_private_keys", "nope") == []
    assert call("crypto.parse_private_keys", "") is None


def test_a_pair_must_fit_together() -> None:
    pair = call("crypto.x509.parse_keypair", pem(LEAF, MIDDLE), key_pem(LEAF_KEY))
    assert pair["Certificate"] == [der(LEAF), der(MIDDLE)]
    assert pair["Leaf"]["Subject"]["CommonName"] == "leaf"
    assert "does not match public key" in failure("crypto.x509.parse_keypair", pem(LEAF), key_pem(ROOT_KEY))
    assert "failed to find any PEM data" in failure("crypto.x509.parse_keypair", pem(LEAF), pem(LEAF))


CONFIG = {
    "aws_access_key": "AKID",
    "aws_secret_access_key": "secret",
    "aws_service": "dynamodb",
    "aws_region": "eu-central-1",
}


def test_requests_are_signed_in_their_headers() -> None:
    request = {
        "method": "GET",
        "url": "https://example.com/a b?x=1",
        "headers": {"X-Own": "v", "User-Agent": "me"},
    }
    signed = call("providers.aws.sign_req", request, CONFIG, LATE_2023_NS)
    assert signed["headers"]["X-Own"] == "v"
    assert signed["headers"]["host"] == "example.com"
    assert signed["headers"]["x-amz-date"] == "20231114T221320Z"
    assert "x-amz-content-sha256" not in signed["headers"]
    authorization = signed["headers"]["Authorization"]
    assert "Credential=AKID/20231114/eu-central-1/dynamodb/aws4_request" in authorization
    assert "SignedHeaders=host;x-amz-date;x-own," in authorization
    assert request == {**signed, "headers": {"X-Own": "v", "User-Agent": "me"}}


@pytest.mark.parametrize(
    ("request_", "config", "time_ns", "words"),
    [
        ({}, CONFIG, 0, 'operand 1 missing required request parameters(s): {"method", "url"}'),
        ({"method": "GET", "url": "x", "bad": 1}, CONFIG, 0, 'invalid request parameters(s): {"bad"}'),
        (
            {"method": 1, "url": "x"},
            CONFIG,
            0,
            'invalid values for required request parameters(s): {"method"}',
        ),
        ({"method": "GET", "url": "x"}, {}, 0, "missing required AWS config parameters(s)"),
        ({"method": "GET", "url": "x"}, CONFIG, 1.5, "could not convert time_ns value into a unix timestamp"),
        (
            {"method": "GET", "url": "x"},
            {**CONFIG, "disable_payload_signing": 1},
            0,
            "disable_payload_signing",
        ),
    ],
)
def test_requests_that_cannot_be_signed_are_refused(
    request_: Any, config: Any, time_ns: Any, words: str
) -> None:
    assert words in failure("providers.aws.sign_req", request_, config, time_ns)


def rsa_numbers(bits: int) -> rsa.RSAPrivateNumbers:
    """Make numbers that fit together without being prime, which would take long to find."""
    first, second, exponent = (1 << bits // 2 - 1) + 3, (1 << bits // 2 - 1) + 9, 65537
    private = pow(exponent, -1, (first - 1) * (second - 1))
    return rsa.RSAPrivateNumbers(
        first,
        second,
        private,
        rsa.rsa_crt_dmp1(private, first),
        rsa.rsa_crt_dmq1(private, second),
        rsa.rsa_crt_iqmp(first, second),
        rsa.RSAPublicNumbers(exponent, first * second),
    )


def test_a_large_rsa_key_is_described_at_once() -> None:
    key = rsa_numbers(8192).private_key(unsafe_skip_rsa_key_validation=True)
    pem, start = key_pem(key), time.monotonic()

    (described,) = call("crypto.parse_private_keys", pem)

    assert described["Primes"] == [(1 << 4095) + 3, (1 << 4095) + 9]
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("from_end", [60, 200, 330, 460, 600, 800, 1060])
def test_a_private_key_whose_numbers_do_not_belong_together_is_refused(from_end: int) -> None:
    octets = bytearray(base64.b64decode("".join(key_pem(RSA_KEY).splitlines()[1:-1])))
    octets[-from_end] ^= 4
    body = base64.b64encode(octets).decode()
    text = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"

    assert "failed to parse private key" in failure("crypto.parse_private_keys", text)
