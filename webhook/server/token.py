"""The bearer token of the operations API: a file that only its owner may read, made at the first start.

Owns the file and every comparison with what is in it. Must not know requests.
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from webhook.server.errors import TokenFileError

_BYTES = 32
_LEAST_CHARACTERS = 16
_OTHERS = stat.S_IRWXO
LONGEST_CHALLENGE = 128


class TokenFile:
    """One token, read anew each time, so that a new one counts at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ensure(self) -> None:
        """Make a random token unless there is a file; check the one that there is.

        Raises:
            TokenFileError: it cannot be made or read.

        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable("made", error) from error
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self.read()
            return
        except OSError as error:
            raise self._unusable("made", error) from error
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(secrets.token_urlsafe(_BYTES) + "\n")

    def read(self) -> str:
        """Read the token.

        Raises:
            TokenFileError: there is none, or it is unusable.

        """
        try:
            mode = self.path.stat().st_mode
            token = self.path.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise TokenFileError(
                f"{self.path}: there is no token; the server makes it when it starts, name it with --token-file"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable("read", error) from error
        if mode & _OTHERS:
            raise TokenFileError(f"{self.path}: others may read the token; run: chmod 600 {self.path}")
        if len(token) < _LEAST_CHARACTERS:
            raise TokenFileError(f"{self.path}: a token has at least {_LEAST_CHARACTERS} characters")
        return token

    def matches(self, presented: str) -> bool:
        """Compare in a time that tells nothing.

        Raises:
            TokenFileError: there is nothing to compare with.

        """
        return hmac.compare_digest(self.read().encode(), presented.encode(errors="replace"))

    def prove(self, challenge: str) -> str:
        """Show that one knows the token, without telling it; see `prove_token`.

        Raises:
            TokenFileError: one does not.

        """
        return prove_token(self.read(), challenge)

    def _unusable(self, deed: str, error: Exception) -> TokenFileError:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        return TokenFileError(
            f"{self.path}: the token of the operations API cannot be {deed}: {reason}; "
            "name another file with --token-file"
        )


def prove_token(token: str, challenge: str) -> str:
    """Answer a challenge as only who knows the token can: HMAC-SHA256, hexadecimal.

    So a client sends its token only to whom it belongs, not to whoever listens where a server was expected.
    """
    return hmac.new(token.encode(), challenge.encode(), hashlib.sha256).hexdigest()
