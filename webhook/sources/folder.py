"""A folder of Rego files as a PolicySource, watched for changes."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from watchfiles import awatch

from webhook.ports.source import SourceError
from webhook.rego.ast import Source

_FILE_LIMIT_BYTES = 10 * 1024 * 1024
_MODULE_SUFFIX = ".rego"


class FolderSource:
    """Every file of one kind below a folder, `*.rego` unless it is told otherwise.

    Names that begin with a dot are passed over: editors' droppings, and the `..data` folders that Kubernetes
    keeps behind the symbolic links of a mounted ConfigMap.
    """

    def __init__(
        self,
        folder: Path,
        *,
        look_seconds: float = 2.0,
        optional: bool = False,
        suffix: str = _MODULE_SUFFIX,
    ) -> None:
        """Take a folder.

        Args:
            folder: its path.
            look_seconds: how often it is looked at for changes that the file system does not report.
            optional: whether it may be missing, and is empty then.
            suffix: what the names of the files that count end in.

        """
        self._folder = folder
        self._suffix = suffix
        self._look_seconds = look_seconds
        self._optional = optional
        self._read_state: _FolderState | None = None
        """How it looked when it was read last."""

    async def read(self) -> tuple[Source, ...]:
        """Read every module, by path.

        Raises:
            SourceError: the folder is missing, or a file is unreadable, too large or not UTF-8.

        """
        # Looked at first: what is saved while it is read is a change.
        self._read_state = await asyncio.to_thread(self._look)
        return await asyncio.to_thread(self._read)

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yield once after each burst of changes since the folder was read last.

        A folder that disappears is waited for, one that is replaced is followed, and a file system that reports
        no events is looked at now and then.
        """
        seen = self._read_state or await asyncio.to_thread(self._look)
        while True:
            async with aclosing(self._watch()) as looks:
                async for reported, found in looks:
                    if reported or found != seen:
                        seen = found
                        yield
            await asyncio.sleep(self._look_seconds)

    async def _watch(self) -> AsyncGenerator[tuple[bool, "_FolderState"], None]:
        """Look at the folder again and again, and tell whether the file system asked for it.

        Events come from the folder that was there, not from its name: it ends when another one stands there.
        """
        first = await asyncio.to_thread(self._look)
        events = awatch(
            self._folder,
            watch_filter=None,
            recursive=True,
            rust_timeout=int(self._look_seconds * 1000),
            yield_on_timeout=True,
        )
        with suppress(FileNotFoundError):
            async with aclosing(events):
                async for burst in events:
                    found = await asyncio.to_thread(self._look)
                    yield bool(burst), found
                    if found.identity != first.identity:
                        return

    def _look(self) -> "_FolderState":
        try:
            paths = self._paths()
        except SourceError:
            paths = []
        return _FolderState(_identify(self._folder), tuple((path, _identify(path)) for path in paths))

    def _read(self) -> tuple[Source, ...]:
        if not self._folder.is_dir():
            if self._optional and not self._folder.exists():
                return ()
            raise SourceError(
                f"{self._folder}: no such policy folder; create it or name another with --policies"
            )
        return tuple(self._read_file(path) for path in self._paths())

    def _paths(self) -> list[Path]:
        found: list[Path] = []

        def refuse(error: OSError) -> None:
            raise SourceError(f"{error.filename}: cannot read the policy folder: {error.strerror}") from error

        for directory, folders, files in os.walk(self._folder, onerror=refuse):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [Path(directory, name) for name in sorted(files) if self._counts(name)]
        return found

    def _counts(self, name: str) -> bool:
        return name.endswith(self._suffix) and not name.startswith(".")

    @staticmethod
    def _read_file(path: Path) -> Source:
        try:
            if path.stat().st_size > _FILE_LIMIT_BYTES:
                raise SourceError(f"{path}: larger than {_FILE_LIMIT_BYTES // 1024**2} MiB; not a policy")
            return Source(str(path), path.read_bytes().decode())
        except OSError as error:
            raise SourceError(f"{path}: cannot read the policy file: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise SourceError(f"{path}:{line}: not UTF-8 text (byte {error.start})") from error


_Identity = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _FolderState:
    """What tells one state of a folder from another without reading files."""

    identity: _Identity | None
    """Of the folder itself; None while it is not there."""
    files: tuple[tuple[Path, _Identity | None], ...]


def _identify(path: Path) -> _Identity | None:
    """Tell what stands behind a name: of a folder which one it is, of a file also when it changed."""
    try:
        status = path.stat()
    except OSError:
        return None
    content = (0, 0) if S_ISDIR(status.st_mode) else (status.st_mtime_ns, status.st_size)
    return (status.st_dev, status.st_ino, *content)
