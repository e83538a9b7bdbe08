from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from webhook.tls.context import TlsFiles, load_material
from webhook.tls.errors import (
    CertificateTimeError,
    InvalidMaterialError,
    KeyMismatchError,
    TlsError,
    UnreadableFileError,
)
from webhook.tls.folder import CertificateFolder
from webhook.tls.material import read_key
from webhook.tls.names import parse_names

NOW = datetime.now(UTC)


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    made = CertificateFolder(tmp_path)
    made.init(parse_names(["localhost"]), NOW)
    return made


def files_of(folder: CertificateFolder, *, client_ca: bool = False) -> TlsFiles:
    authority = folder.authority_certificate if client_ca else None
    return TlsFiles(folder.serving_certificate, folder.serving_key, authority)


def assert_one_line_naming(error: TlsError, path: Path) -> None:
    assert str(error).startswith(f"{path}: ")
    assert "; " in str(error)
    assert "\n" not in str(error)


def test_a_missing_certificate_names_the_file_and_the_way_out(folder: CertificateFolder) -> None:
    folder.serving_certificate.unlink()
    with pytest.raises(UnreadableFileError, match="gradate certs init") as caught:
        load_material(files_of(folder), NOW)
    assert_one_line_naming(caught.value, folder.serving_certificate)


def test_a_folder_in_place_of_a_file_is_unreadable(folder: CertificateFolder, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        load_material(TlsFiles(tmp_path, folder.serving_key), NOW)


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_a_certificate_is_refused(folder: CertificateFolder, content: bytes) -> None:
    folder.serving_certificate.write_bytes(content)
    with pytest.raises(InvalidMaterialError) as caught:
        load_material(files_of(folder), NOW)
    assert_one_line_naming(caught.value, folder.serving_certificate)


def test_a_file_without_a_key_is_refused(folder: CertificateFolder) -> None:
    folder.serving_key.write_bytes(folder.serving_certificate.read_bytes())
    with pytest.raises(InvalidMaterialError, match="no private key") as caught:
        load_material(files_of(folder), NOW)
    assert_one_line_naming(caught.value, folder.serving_key)


def test_an_encrypted_key_is_refused_without_asking_for_a_password(folder: CertificateFolder) -> None:
    encrypted = read_key(folder.serving_key).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    folder.serving_key.write_bytes(encrypted)
    with pytest.raises(InvalidMaterialError, match="encrypted"):
        load_material(files_of(folder), NOW)


def test_a_key_of_another_certificate_is_refused(folder: CertificateFolder) -> None:
    folder.serving_key.write_bytes(folder.authority_key.read_bytes())
    with pytest.raises(KeyMismatchError) as caught:
        load_material(files_of(folder), NOW)
    assert_one_line_naming(caught.value, folder.serving_key)


@pytest.mark.parametrize(("days", "message"), [(366, "expired at"), (-1, "not valid before")])
def test_a_certificate_outside_its_validity_is_refused(
    folder: CertificateFolder, days: int, message: str
) -> None:
    with pytest.raises(CertificateTimeError, match=message) as caught:
        load_material(files_of(folder), NOW + timedelta(days=days))
    assert_one_line_naming(caught.value, folder.serving_certificate)


def test_a_client_bundle_without_a_certificate_is_refused(folder: CertificateFolder) -> None:
    files = TlsFiles(folder.serving_certificate, folder.serving_key, folder.serving_key)
    with pytest.raises(InvalidMaterialError, match="no certificate"):
        load_material(files, NOW)


def test_a_client_bundle_is_described_beside_the_certificate(folder: CertificateFolder) -> None:
    material = load_material(files_of(folder, client_ca=True), NOW)
    assert [one.is_authority for one in material.client_authorities] == [True]
    assert material.certificate.names == ("localhost",)
