"""JSON lines to standard output, written by a thread so that nobody waits for a slow reader.

Owns the file descriptor and its order of lines. Must not know what a line says.
"""

import os
import queue
import select
import threading
from collections.abc import Iterable, Iterator, Sequence

_PIPE_BUF = select.PIPE_BUF
"""A write of at most this size to a pipe is never torn apart by another process's."""
_WAITING_BATCHES = 512


class LineWriter:
    """Writes batches of lines in order; gives up batches when the reader is too slow."""

    def __init__(self, descriptor: int = 1, *, waiting_batches: int = _WAITING_BATCHES) -> None:
        self._descriptor = descriptor
        self._batches: queue.Queue[Sequence[bytes] | None] = queue.Queue(waiting_batches)
        self.dropped = 0
        """Lines given up, since the start."""
        self._thread = threading.Thread(target=self._run, name="gradate-lines", daemon=True)
        self._thread.start()

    def write(self, lines: Sequence[bytes]) -> None:
        """Hand over lines, each ending in a newline; never blocks."""
        try:
            self._batches.put_nowait(lines)
        except queue.Full:
            self.dropped += len(lines)

    def close(self, timeout_seconds: float = 2.0) -> None:
        """Write what was handed over, as far as the reader lets us, and stop."""
        try:
            self._batches.put(None, timeout=timeout_seconds)
        except queue.Full:
            return
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while (lines := self._batches.get()) is not None:
            for chunk in _chunks(lines):
                if not self._write_chunk(chunk):
                    self.dropped += chunk.count(b"\n")

    def _write_chunk(self, chunk: bytes) -> bool:
        rest = memoryview(chunk)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Somebody made our standard output non-blocking.
                select.select([], [self._descriptor], [], 1.0)
            except OSError:
                # The reader is gone, or the disk is full: the server serves on without its log.
                return False
        return True


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines into chunks that a pipe takes in one piece; a longer line stands alone."""
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if size + len(line) > _PIPE_BUF and chunk:
            yield b"".join(chunk)
            chunk, size = [], 0
        chunk.append(line)
        size += len(line)
    if chunk:
        yield b"".join(chunk)
