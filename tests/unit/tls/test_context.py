import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from webhook.tls.context import ServingContext, TlsFiles
from webhook.tls.errors import KeyMismatchError
from webhook.tls.folder import CertificateFolder
from webhook.tls.names import parse_names

NOW = datetime.now(UTC)


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    made = CertificateFolder(tmp_path / "certs")
    made.init(parse_names(["localhost"]), NOW)
    return made


def files_of(folder: CertificateFolder, *, client_ca: bool = False) -> TlsFiles:
    authority = folder.authority_certificate if client_ca else None
    return TlsFiles(folder.serving_certificate, folder.serving_key, authority)


@dataclass
class Wire:
    """A TLS connection in memory."""

    client: ssl.SSLObject
    server: ssl.SSLObject

    @property
    def serial(self) -> int:
        der = self.client.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der).serial_number


def connect(serving: ServingContext, client: ssl.SSLContext, name: str | None = "localhost") -> Wire:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    wire = Wire(
        client.wrap_bio(to_client, to_server, server_hostname=name),
        serving.context.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(4):
        for side in (wire.client, wire.server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return wire


def trusting(folder: CertificateFolder) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder.authority_certificate)


def test_a_client_that_trusts_the_authority_connects_with_tls_1_3_and_http_1_1(
    folder: CertificateFolder,
) -> None:
    client = trusting(folder)
    client.set_alpn_protocols(["h2", "http/1.1"])
    wire = connect(ServingContext(files_of(folder), NOW), client)
    assert wire.client.version() == "TLSv1.3"
    assert wire.client.selected_alpn_protocol() == "http/1.1"


def test_tls_1_2_is_served_with_forward_secrecy(folder: CertificateFolder) -> None:
    client = trusting(folder)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    wire = connect(ServingContext(files_of(folder), NOW), client)
    cipher = wire.client.cipher()
    assert cipher is not None
    assert cipher[0].startswith("ECDHE-ECDSA-")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_older_tls_is_refused(folder: CertificateFolder) -> None:
    client = trusting(folder)
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.TLSv1_1
    client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)unsupported.protocol|no.protocols"):
        connect(ServingContext(files_of(folder), NOW), client)


@pytest.mark.parametrize("name", ["localhost", None])
def test_after_a_reload_new_connections_get_the_new_certificate_and_old_ones_live_on(
    folder: CertificateFolder, name: str | None
) -> None:
    serving = ServingContext(files_of(folder), NOW)
    client = trusting(folder)
    client.check_hostname = False
    old = connect(serving, client, name)
    folder.renew(NOW)
    serving.reload(NOW)
    new = connect(serving, client, name)
    assert new.serial != old.serial
    old.client.write(b"still here")
    assert old.server.read() == b"still here"


def test_a_reload_that_fails_leaves_the_old_certificate_serving(folder: CertificateFolder) -> None:
    serving = ServingContext(files_of(folder), NOW)
    before = connect(serving, trusting(folder)).serial
    folder.serving_key.write_bytes(folder.authority_key.read_bytes())
    with pytest.raises(KeyMismatchError):
        serving.reload(NOW)
    assert connect(serving, trusting(folder)).serial == before


def client_with_certificate(trusted: CertificateFolder, signer: CertificateFolder) -> ssl.SSLContext:
    context = trusting(trusted)
    # With TLS 1.2 a refused client sees it within the handshake, so the test needs no reads.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*signer.issue_client("kube-apiserver", NOW))
    return context


def test_with_a_client_authority_only_its_certificates_get_in(
    folder: CertificateFolder, tmp_path: Path
) -> None:
    stranger = CertificateFolder(tmp_path / "stranger")
    stranger.init(parse_names(["localhost"]), NOW)
    serving = ServingContext(files_of(folder, client_ca=True), NOW)
    wire = connect(serving, client_with_certificate(folder, folder))
    peer = wire.server.getpeercert()
    assert peer is not None
    assert peer["subject"] == ((("commonName", "kube-apiserver"),),)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(serving, client_with_certificate(folder, stranger))
    bare = trusting(folder)
    bare.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)did.not.return.a.certificate"):
        connect(serving, bare)


def test_a_withdrawn_client_authority_is_refused_from_the_next_connection_on(
    folder: CertificateFolder, tmp_path: Path
) -> None:
    successor = CertificateFolder(tmp_path / "successor")
    successor.init(parse_names(["localhost"]), NOW)
    bundle = tmp_path / "clients.pem"
    bundle.write_bytes(folder.authority_certificate.read_bytes())
    serving = ServingContext(TlsFiles(folder.serving_certificate, folder.serving_key, bundle), NOW)
    connect(serving, client_with_certificate(folder, folder))
    bundle.write_bytes(successor.authority_certificate.read_bytes())
    serving.reload(NOW)
    connect(serving, client_with_certificate(folder, successor))
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(serving, client_with_certificate(folder, folder))
