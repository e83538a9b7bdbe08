"""The wish to stop: by signal, or by whoever holds it.

Owns how often and how urgently a stop was asked for. Must not know what stopping means.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Stop:
    """Asked for once: stop politely. Asked for again: stop now."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._urgent = asyncio.Event()
        self.patient = True
        """Whether others need time to notice; not so when a person pressed Ctrl-C."""

    def is_asked(self) -> bool:
        """Whether anybody asked."""
        return self._asked.is_set()

    def ask(self, *, patient: bool = True) -> None:
        """Ask to stop; the second time it is urgent."""
        if self._asked.is_set():
            self._urgent.set()
        else:
            self.patient = patient
            self._asked.set()

    async def asked(self) -> None:
        """Wait until somebody asks."""
        await self._asked.wait()

    async def urgent(self) -> None:
        """Wait until somebody asks a second time."""
        await self._urgent.wait()


@contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """Let SIGTERM ask for a patient stop, and SIGINT for one without delay."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.ask)
    loop.add_signal_handler(signal.SIGINT, lambda: stop.ask(patient=False))
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)
