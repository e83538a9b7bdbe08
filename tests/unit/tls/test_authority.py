import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from webhook.tls.authority import create_authority, issue_client, issue_serving
from webhook.tls.names import parse_names

NOW = datetime.now(UTC).replace(microsecond=0)
AUTHORITY = create_authority(NOW)
NAMES = parse_names(["gradate.gradate-system.svc", "127.0.0.1"])


def verify_with_openssl(tmp_path: Path, leaf: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.certificate_pem)
    (tmp_path / "leaf.pem").write_bytes(leaf)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", *arguments, "leaf.pem"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_the_strict_verifier_of_webpki_accepts_a_serving_certificate_for_its_name_and_address() -> None:
    leaf = issue_serving(AUTHORITY, NAMES, NOW).certificate
    builder = PolicyBuilder().store(Store([AUTHORITY.certificate])).time(NOW)
    names: list[x509.DNSName | x509.IPAddress] = [x509.DNSName(NAMES.dns[0]), x509.IPAddress(NAMES.ips[0])]
    for name in names:
        builder.build_server_verifier(name).verify(leaf, [])


@pytest.mark.parametrize(
    ("arguments", "accepted"),
    [
        (["-purpose", "sslserver", "-verify_hostname", "gradate.gradate-system.svc"], True),
        (["-purpose", "sslserver", "-verify_ip", "127.0.0.1"], True),
        (["-purpose", "sslserver", "-verify_hostname", "other.example"], False),
        (["-purpose", "sslclient"], False),
    ],
)
def test_openssl_in_strict_mode_accepts_a_serving_certificate_for_serving_its_names_only(
    tmp_path: Path, arguments: list[str], *, accepted: bool
) -> None:
    result = verify_with_openssl(tmp_path, issue_serving(AUTHORITY, NAMES, NOW).certificate_pem, *arguments)
    assert (result.returncode == 0) is accepted, result.stderr


def test_openssl_in_strict_mode_accepts_a_client_certificate_for_clients_only(tmp_path: Path) -> None:
    pem = issue_client(AUTHORITY, "kube-apiserver", NOW, organizations=("system:masters",)).certificate_pem
    assert verify_with_openssl(tmp_path, pem, "-purpose", "sslclient").returncode == 0
    assert verify_with_openssl(tmp_path, pem, "-purpose", "sslserver").returncode != 0


def test_a_leaf_carries_the_extensions_that_verifiers_ask_for() -> None:
    leaf = issue_serving(AUTHORITY, NAMES, NOW).certificate
    extensions = leaf.extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).critical
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    issuer = AUTHORITY.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert (
        extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == issuer.digest
    )


def test_a_leaf_never_outlives_its_authority_and_tolerates_a_slow_clock() -> None:
    leaf = issue_serving(AUTHORITY, NAMES, NOW, lifetime=timedelta(days=99_999)).certificate
    assert leaf.not_valid_after_utc == AUTHORITY.certificate.not_valid_after_utc
    assert leaf.not_valid_before_utc < NOW


def test_a_name_too_long_for_the_subject_still_stands_among_the_alternatives() -> None:
    long_name = "a" * 60 + "." + "b" * 60 + ".svc"
    leaf = issue_serving(AUTHORITY, parse_names([long_name]), NOW).certificate
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "Gradate webhook"
    alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == [long_name]
