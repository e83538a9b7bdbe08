"""The folder of development certificates: what `gradate certs` makes, renews and shows.

Owns file names, modes and atomic writes. Must not know what a certificate holds.
"""

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from webhook.tls.authority import (
    LEAF_LIFETIME,
    KeyPair,
    create_authority,
    issue_client,
    issue_serving,
)
from webhook.tls.errors import AuthorityError, InvalidMaterialError, InvalidNameError, UnreadableFileError
from webhook.tls.material import CertificateStatus, check_pair, read_certificates, read_key, read_status
from webhook.tls.names import SubjectNames, parse_names

_KEY_MODE = 0o600
_CERTIFICATE_MODE = 0o644
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class CertificateFolder:
    """Paths of the CA and the leaves in one folder."""

    path: Path

    @property
    def authority_certificate(self) -> Path:
        """What clients trust, and the `caBundle` of the webhook configuration."""
        return self.path / "ca.crt"

    @property
    def authority_key(self) -> Path:
        """The CA's key."""
        return self.path / "ca.key"

    @property
    def serving_certificate(self) -> Path:
        """The leaf that `gradate serve` presents."""
        return self.path / "tls.crt"

    @property
    def serving_key(self) -> Path:
        """Its key."""
        return self.path / "tls.key"

    def init(
        self, names: SubjectNames, now: datetime, *, lifetime: timedelta = LEAF_LIFETIME, force: bool = False
    ) -> CertificateStatus:
        """Create a CA and a serving certificate; `force` replaces those that are there.

        Raises:
            AuthorityError: a CA is there already, or the folder cannot be written.

        """
        if not force and (self.authority_key.exists() or self.authority_certificate.exists()):
            raise AuthorityError(
                f"{self.path} already holds a CA; run `gradate certs renew` for a new serving "
                "certificate, or pass --force to replace both"
            )
        authority = create_authority(now)
        self._write(self.authority_key, authority.key_pem, _KEY_MODE)
        self._write(self.authority_certificate, authority.certificate_pem, _CERTIFICATE_MODE)
        return self._write_serving(issue_serving(authority, names, now, lifetime=lifetime))

    def renew(
        self, now: datetime, *, names: SubjectNames | None = None, lifetime: timedelta = LEAF_LIFETIME
    ) -> CertificateStatus:
        """Replace the serving certificate and its key under the same CA, for the same names unless given.

        Raises:
            AuthorityError: there is no usable CA, or the folder cannot be written.
            TlsError: the old certificate is unreadable and no names are given.

        """
        authority = self._load_authority(now)
        kept = names or parse_names(read_status(self.serving_certificate).names)
        return self._write_serving(issue_serving(authority, kept, now, lifetime=lifetime))

    def issue_client(
        self,
        common_name: str,
        now: datetime,
        *,
        organizations: tuple[str, ...] = (),
        file_name: str = "client",
        lifetime: timedelta = LEAF_LIFETIME,
    ) -> tuple[Path, Path]:
        """Issue a client certificate under the same CA; give the paths of certificate and key.

        Raises:
            AuthorityError: there is no usable CA, or the folder cannot be written.
            InvalidNameError: `file_name` leads elsewhere, or to the files of the CA or the server.

        """
        self._check_file_name(file_name)
        authority = self._load_authority(now)
        pair = issue_client(authority, common_name, now, organizations=organizations, lifetime=lifetime)
        certificate_path, key_path = self.path / f"{file_name}.crt", self.path / f"{file_name}.key"
        self._write(key_path, pair.key_pem, _KEY_MODE)
        self._write(certificate_path, pair.certificate_pem, _CERTIFICATE_MODE)
        return certificate_path, key_path

    def status(self) -> tuple[CertificateStatus, ...]:
        """Describe every certificate of the folder, the CA first.

        Raises:
            UnreadableFileError: there is none.
            InvalidMaterialError: one is broken.

        """
        first = (self.authority_certificate, self.serving_certificate)
        rest = sorted(path for path in self.path.glob("*.crt") if path not in first)
        found = [read_status(path) for path in (*first, *rest) if path.exists()]
        if not found:
            raise UnreadableFileError(self.path, "it holds no certificate", "run `gradate certs init`")
        return tuple(found)

    def _check_file_name(self, file_name: str) -> None:
        taken = {self.authority_key.stem, self.serving_key.stem}
        if not _FILE_NAME.fullmatch(file_name):
            raise InvalidNameError(
                f"{file_name!r} is no file name; write letters, digits, - and _, such as client"
            )
        if file_name in taken:
            raise InvalidNameError(
                f"{file_name!r} names the files of the CA or the server; choose another name"
            )

    def _load_authority(self, now: datetime) -> KeyPair:
        try:
            status = check_pair(self.authority_certificate, self.authority_key, now)
        except UnreadableFileError as error:
            raise AuthorityError(f"{error.path}: {error.problem}; run `gradate certs init` first") from error
        if not status.is_authority:
            raise InvalidMaterialError(
                self.authority_certificate,
                "it is not the certificate of a CA",
                "run `gradate certs init --force`",
            )
        key = read_key(self.authority_key)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise InvalidMaterialError(
                self.authority_key, "it is not an ECDSA key", "run `gradate certs init --force`"
            )
        return KeyPair(read_certificates(self.authority_certificate)[0], key)

    def _write_serving(self, pair: KeyPair) -> CertificateStatus:
        # A server that looks between the two writes sees a mismatch, keeps its old pair and looks again.
        self._write(self.serving_key, pair.key_pem, _KEY_MODE)
        self._write(self.serving_certificate, pair.certificate_pem, _CERTIFICATE_MODE)
        return read_status(self.serving_certificate)

    def _write(self, path: Path, content: bytes, mode: int) -> None:
        """Replace a file in one step; it never exists with a wider mode than `mode`."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            reason = error.strerror or str(error)
            raise AuthorityError(f"{path}: cannot write it: {reason}; pass a folder you may write") from error
