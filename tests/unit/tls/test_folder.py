import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from webhook.tls.errors import AuthorityError, InvalidMaterialError, InvalidNameError, UnreadableFileError
from webhook.tls.folder import CertificateFolder
from webhook.tls.material import check_pair, read_certificates
from webhook.tls.names import parse_names

NOW = datetime.now(UTC)
NAMES = parse_names(["localhost", "127.0.0.1"])


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    made = CertificateFolder(tmp_path / "certs")
    made.init(NAMES, NOW)
    return made


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_writes_an_authority_and_a_matching_serving_pair(folder: CertificateFolder) -> None:
    status = check_pair(folder.serving_certificate, folder.serving_key, NOW)
    assert status.names == ("localhost", "127.0.0.1")
    assert status.issuer == check_pair(folder.authority_certificate, folder.authority_key, NOW).subject
    assert 364 < status.days_left(NOW) < 366


def test_keys_are_readable_by_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = CertificateFolder(tmp_path)
        folder.init(NAMES, NOW)
        _, client_key = folder.issue_client("kube-apiserver", NOW)
    finally:
        os.umask(before)
    assert [mode_of(path) for path in (folder.authority_key, folder.serving_key, client_key)] == [0o600] * 3
    assert not list(tmp_path.glob(".*")), "no temporary file stays behind"


def test_init_refuses_to_replace_an_authority_unless_forced(folder: CertificateFolder) -> None:
    old = folder.authority_certificate.read_bytes()
    with pytest.raises(AuthorityError, match=r"already holds a CA; run `gradate certs renew`"):
        folder.init(NAMES, NOW)
    assert folder.authority_certificate.read_bytes() == old
    folder.init(NAMES, NOW, force=True)
    assert folder.authority_certificate.read_bytes() != old


def test_renew_keeps_authority_and_names_and_changes_certificate_and_key(folder: CertificateFolder) -> None:
    authority, key = folder.authority_certificate.read_bytes(), folder.serving_key.read_bytes()
    old = read_certificates(folder.serving_certificate)[0]
    status = folder.renew(NOW + timedelta(days=30))
    assert folder.authority_certificate.read_bytes() == authority
    assert folder.serving_key.read_bytes() != key
    assert status.names == ("localhost", "127.0.0.1")
    assert status.not_after - old.not_valid_after_utc > timedelta(days=29)
    assert mode_of(folder.serving_key) == 0o600


def test_renew_can_change_the_names(folder: CertificateFolder) -> None:
    assert folder.renew(NOW, names=parse_names(["new.example"])).names == ("new.example",)


def test_renew_without_an_authority_says_to_init_first(tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match="run `gradate certs init` first"):
        CertificateFolder(tmp_path).renew(NOW)


@pytest.mark.parametrize("name", ["../client", "sub/client", "", ".", "tls", "ca", "-x", "a.b"])
def test_a_client_certificate_never_replaces_other_files(folder: CertificateFolder, name: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(InvalidNameError, match=re.escape(repr(name))):
        folder.issue_client("kube-apiserver", NOW, file_name=name)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


def test_a_leaf_in_place_of_the_authority_signs_nothing(folder: CertificateFolder) -> None:
    folder.authority_certificate.write_bytes(folder.serving_certificate.read_bytes())
    folder.authority_key.write_bytes(folder.serving_key.read_bytes())
    with pytest.raises(InvalidMaterialError, match="it is not the certificate of a CA"):
        folder.renew(NOW)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuthorityError, match="pass a folder you may write"):
        CertificateFolder(tmp_path / "file").init(NAMES, NOW)


def test_status_lists_the_authority_first_and_says_who_signed_whom(folder: CertificateFolder) -> None:
    folder.issue_client("kube-apiserver", NOW)
    authority, serving, client = folder.status()
    assert authority.is_authority
    assert not serving.is_authority
    assert serving.issuer == client.issuer == authority.subject
    assert client.subject == "CN=kube-apiserver"


def test_status_of_an_empty_folder_says_to_init(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="run `gradate certs init`"):
        CertificateFolder(tmp_path).status()
