"""Errors of certificates and TLS.

TlsError
├── UnreadableFileError     a certificate, key or CA file cannot be opened
├── InvalidMaterialError    it opens, but holds no usable certificate or key
├── KeyMismatchError        key and certificate do not belong together
├── CertificateTimeError    expired, or not valid yet
├── InvalidNameError        neither a DNS name nor an IP address; no name for a file
└── AuthorityError          the development CA is missing, or stands in the way

Each message is one line: the file, what is wrong with it, the way out.
"""

from pathlib import Path


class TlsError(Exception):
    """Root of everything that this package raises."""


class FileProblemError(TlsError):
    """What all errors about one file share."""

    def __init__(self, path: Path, problem: str, advice: str) -> None:
        super().__init__(path, problem, advice)
        self.path = path
        self.problem = problem
        """What is wrong."""
        self.advice = advice
        """What to do about it."""

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.advice}"


class UnreadableFileError(FileProblemError):
    """The file cannot be opened."""


class InvalidMaterialError(FileProblemError):
    """The file holds no usable certificate or key."""


class KeyMismatchError(FileProblemError):
    """The key is not that of the certificate."""


class CertificateTimeError(FileProblemError):
    """The certificate is expired, or not valid yet."""


class InvalidNameError(TlsError):
    """A name to certify is neither a DNS name nor an IP address, or a file cannot be called so."""


class AuthorityError(TlsError):
    """The development CA is missing, or one is there already."""
