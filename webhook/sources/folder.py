"""A folder of Rego files as a PolicySource, watched for changes."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from watchfiles import awatch

from webhook.ports.source import SourceError
from webhook.rego.ast import Source

_FILE_LIMIT_BYTES = 10 * 1024 * 1024
_RETRY_SECONDS = 1.0


class FolderSource:
    """Every `*.rego` file below a folder.

    Names that begin with a dot are passed over: editors' droppings, and the `..data` folders that Kubernetes
    keeps behind the symbolic links of a mounted ConfigMap.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self) -> tuple[Source, ...]:
        """Read every module, by path.

        Raises:
            SourceError: the folder is missing, or a file is unreadable, too large or not UTF-8.

        """
        return await asyncio.to_thread(self._read)

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yield once after each burst of changes; a folder that disappears is waited for."""
        while True:
            try:
                async for _ in awatch(self._folder, watch_filter=None, recursive=True):
                    yield
            except FileNotFoundError:
                pass
            await asyncio.sleep(_RETRY_SECONDS)
            yield

    def _read(self) -> tuple[Source, ...]:
        if not self._folder.is_dir():
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
            found += [Path(directory, name) for name in sorted(files) if _is_module(name)]
        return found

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


def _is_module(name: str) -> bool:
    return name.endswith(".rego") and not name.startswith(".")
