"""Picks up new certificates from disk while the server runs.

Owns when to look at the files again. Must not know what a certificate holds, or who serves it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from watchfiles import awatch

from webhook.tls.context import ServingContext
from webhook.tls.errors import TlsError
from webhook.tls.material import CertificateStatus


class ReloadObserver(Protocol):
    """Hears what a reload did; must not block or raise."""

    def certificate_loaded(self, status: CertificateStatus) -> None:
        """Hear that a new certificate, key or client CA serves."""

    def certificate_refused(self, reason: str) -> None:
        """Hear that the files changed but cannot serve, and the old ones keep serving."""


@dataclass(frozen=True, slots=True)
class ReloadTiming:
    """How patient a reloader is."""

    settle_seconds: float = 0.5
    """A certificate and its key are often written one after the other: how long a bad pair may settle."""
    poll_seconds: float = 60.0
    """The files are compared at least this often, for file systems that report no changes."""
    debounce_seconds: float = 0.1
    """A burst of file events is taken for one change after this much quiet."""


class CertificateReloader:
    """Reloads a serving context whenever its files hold something new."""

    def __init__(
        self,
        serving: ServingContext,
        observer: ReloadObserver,
        *,
        timing: ReloadTiming | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._serving = serving
        self._observer = observer
        self._timing = timing or ReloadTiming()
        self._now = now
        self._seen = self._read()
        self.failure: str | None = None
        """Why the newest files do not serve; None when they do."""

    async def run(self) -> None:
        """Watch until cancelled."""
        async with aclosing(self._changes()) as changes:
            async for _ in changes:
                await self.look()

    async def look(self) -> None:
        """Compare the files with what serves, and reload when they differ."""
        if self._read() == self._seen:
            self.failure = None
            return
        if self._try_reload() is not None:
            await asyncio.sleep(self._timing.settle_seconds)
            reason = self._try_reload()
            if reason is not None:
                self._report(reason)

    def _try_reload(self) -> str | None:
        """Reload; give the reason when the files cannot serve."""
        content = self._read()
        try:
            status = self._serving.reload(self._now())
        except TlsError as error:
            return str(error)
        self._seen = content
        self.failure = None
        self._observer.certificate_loaded(status)
        return None

    def _report(self, reason: str) -> None:
        # The same bad files are reported once, not at every poll.
        if reason != self.failure:
            self.failure = reason
            self._observer.certificate_refused(reason)

    def _read(self) -> tuple[bytes, ...] | None:
        try:
            return self._serving.files.read()
        except TlsError:
            return None

    async def _changes(self) -> AsyncGenerator[None, None]:
        # Kubernetes updates a mounted Secret by renaming a `..data` link beside the files, and a rename
        # replaces the watched inode: so folders are watched, never files.
        folders = {str(folder) for path in self._serving.files.paths for folder in _folders_of(path)}
        events = awatch(
            *sorted(folders),
            watch_filter=None,
            recursive=False,
            debounce=int(self._timing.debounce_seconds * 1000),
            step=int(self._timing.debounce_seconds * 1000),
            rust_timeout=int(self._timing.poll_seconds * 1000),
            yield_on_timeout=True,
        )
        async for _ in events:
            yield


def _folders_of(path: Path) -> set[Path]:
    """Give the folder of the path as written, and of the file that it leads to."""
    return {path.absolute().parent, path.resolve().parent}
