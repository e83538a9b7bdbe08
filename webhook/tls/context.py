"""The SSL context of a server, and its replacement while connections last.

Owns protocol versions, ciphers, client verification and the swap. Must not know sockets or the event loop.
"""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from webhook.tls.errors import InvalidMaterialError
from webhook.tls.material import (
    CertificateStatus,
    check_pair,
    check_time,
    describe,
    read_certificates,
    read_file,
    tls_reason,
)

# TLS 1.2 suites with forward secrecy and authenticated encryption only; TLS 1.3 has no others.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificate, the key and the client CAs of a server are."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    """When set, callers must present a certificate that one of its CAs signed."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files in use."""
        given = (self.certificate, self.key, self.client_ca)
        return tuple(path for path in given if path is not None)

    def read(self) -> tuple[bytes, ...]:
        """Read all files, to see whether they changed.

        Raises:
            UnreadableFileError: one cannot be opened.

        """
        return tuple(read_file(path) for path in self.paths)


@dataclass(frozen=True, slots=True)
class ServingMaterial:
    """A checked context, ready to serve."""

    context: ssl.SSLContext
    certificate: CertificateStatus
    client_authorities: tuple[CertificateStatus, ...]


def load_material(files: TlsFiles, now: datetime) -> ServingMaterial:
    """Check the files and build a context from them.

    Raises:
        UnreadableFileError, InvalidMaterialError: a file is unusable.
        KeyMismatchError: key and certificate do not belong together.
        CertificateTimeError: the certificate is expired, or no client CA is valid any more.

    """
    status = check_pair(files.certificate, files.key, now)
    context = _new_context()
    try:
        # Never called: check_pair refuses encrypted keys. Without it OpenSSL would ask the terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        raise InvalidMaterialError(
            files.certificate,
            f"OpenSSL refuses the certificate or its key {files.key} ({tls_reason(error)})",
            "use ECDSA P-256 or RSA of at least 2048 bits",
        ) from error
    authorities: tuple[CertificateStatus, ...] = ()
    if files.client_ca is not None:
        authorities = _require_clients(context, files.client_ca, now)
    return ServingMaterial(context, status, authorities)


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # A resumed session is not verified again: after a client CA is withdrawn it would still be let in.
    # Callers keep their connections, so resumption gains nothing.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    return context


def _require_clients(
    context: ssl.SSLContext, client_ca: Path, now: datetime
) -> tuple[CertificateStatus, ...]:
    authorities = read_certificates(client_ca)
    # A bundle may hold old CAs beside new ones during a rotation: one valid CA is enough.
    if not any(one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in authorities):
        check_time(client_ca, authorities[0], now)
    try:
        context.load_verify_locations(cafile=client_ca)
    except ssl.SSLError as error:
        raise InvalidMaterialError(
            client_ca, f"OpenSSL refuses it ({tls_reason(error)})", "give a bundle of CA certificates, PEM"
        ) from error
    context.verify_mode = ssl.CERT_REQUIRED
    return tuple(describe(client_ca, one) for one in authorities)


class ServingContext:
    """The context that a listener holds for life; each handshake uses the material that is current then."""

    def __init__(self, files: TlsFiles, now: datetime) -> None:
        """Load the files.

        Raises:
            TlsError: they cannot serve; see `load_material`.

        """
        self.files = files
        self.material = load_material(files, now)
        # Connections are made from this context and moved to the current one when the client's hello
        # arrives, so a swap needs no lock and touches no connection that exists.
        self.context = self.material.context
        self._front = self.context
        self._front.sni_callback = self._use_current

    def reload(self, now: datetime) -> CertificateStatus:
        """Load the files again and serve them from the next handshake on; on failure nothing changes.

        Raises:
            TlsError: they cannot serve; see `load_material`.

        """
        self.material = load_material(self.files, now)
        return self.material.certificate

    def _use_current(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _server_name: str | None, _front: ssl.SSLContext
    ) -> None:
        if self.material.context is not self._front:
            connection.context = self.material.context
