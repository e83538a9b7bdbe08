import stat
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from webhook.cli.certs import DEFAULT_NAMES, certs
from webhook.tls.errors import AuthorityError, InvalidNameError, UnreadableFileError
from webhook.tls.folder import CertificateFolder
from webhook.tls.material import read_certificates, read_status


def run(folder: Path, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(certs, [command, "--dir", str(folder), *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "certs"
    assert run(path, "init").exit_code == 0
    return path


def test_init_writes_four_files_and_says_for_which_names(tmp_path: Path) -> None:
    result = run(tmp_path, "init", "--name", "gradate.example", "--name", "10.0.0.1", "--days", "30")
    assert result.exit_code == 0
    assert f"wrote {tmp_path}/ca.crt and {tmp_path}/tls.crt for gradate.example, 10.0.0.1" in result.output
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "tls.crt": 0o644, "tls.key": 0o600}


def test_without_names_the_server_is_known_as_localhost_and_in_its_cluster(folder: Path) -> None:
    assert set(read_status(CertificateFolder(folder).serving_certificate).names) == set(DEFAULT_NAMES)


def test_a_second_init_changes_nothing_unless_forced(folder: Path) -> None:
    authority = (folder / "ca.crt").read_bytes()
    refused = run(folder, "init")
    assert isinstance(refused.exception, AuthorityError)
    assert (folder / "ca.crt").read_bytes() == authority
    assert run(folder, "init", "--force").exit_code == 0
    assert (folder / "ca.crt").read_bytes() != authority


@pytest.mark.parametrize(("name", "kept"), [((), DEFAULT_NAMES), (("--name", "a.example"), ("a.example",))])
def test_renew_changes_the_certificate_and_keeps_the_authority(
    folder: Path, name: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    authority, serving = (folder / "ca.crt").read_bytes(), (folder / "tls.crt").read_bytes()
    result = run(folder, "renew", *name)
    assert result.output.startswith(f"renewed {folder}/tls.crt for ")
    assert (folder / "ca.crt").read_bytes() == authority
    assert (folder / "tls.crt").read_bytes() != serving
    assert set(read_status(folder / "tls.crt").names) == set(kept)


def test_a_client_certificate_says_who_the_client_is(folder: Path) -> None:
    result = run(folder, "client", "--common-name", "jane", "--file-name", "jane")
    assert result.output == f"wrote {folder}/jane.crt and {folder}/jane.key\n"
    (certificate,) = read_certificates(folder / "jane.crt")
    assert certificate.subject.rfc4514_string() == "CN=jane"


def test_status_lists_every_certificate_with_its_days(folder: Path) -> None:
    assert run(folder, "client").exit_code == 0
    lines = run(folder, "status").output.splitlines()
    assert [line.split()[0] for line in lines if ".crt" in line] == [
        f"{folder}/{name}.crt" for name in ("ca", "tls", "client")
    ]
    rows = msgspec.json.decode(run(folder, "status", "--output", "json").output)
    assert [round(row["daysLeft"]) for row in rows] == [3650, 365, 365]


@pytest.mark.parametrize(
    ("command", "arguments", "error"),
    [
        ("status", (), UnreadableFileError),
        ("renew", (), AuthorityError),
        ("client", (), AuthorityError),
        ("init", ("--name", "https://gradate.example:8443"), InvalidNameError),
        ("client", ("--file-name", "../tls"), InvalidNameError),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    tmp_path: Path, command: str, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    result = run(tmp_path, command, *arguments)
    assert isinstance(result.exception, error)
    assert not list(tmp_path.iterdir())
