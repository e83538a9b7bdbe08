"""From the path of a request to whoever counts, logs and traces: a bounded queue, emptied in the background.

The request appends one record: no lock, no I/O, no formatting. Owns the queue and its emptying; must not know
what is done with a record.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from webhook.telemetry.outcome import RequestOutcome

_CAPACITY = 16_384
# Small enough that a batch never delays a request noticeably: tens of records take below a millisecond.
_BATCH = 32


class Sink(Protocol):
    """Takes batches of outcomes; must not block or raise."""

    def accept(self, outcomes: Sequence[RequestOutcome]) -> None:
        """Take one batch."""


class Recorder:
    """Holds outcomes until they are taken."""

    def __init__(self, sinks: Sequence[Sink], *, capacity: int = _CAPACITY) -> None:
        self._waiting: deque[RequestOutcome] = deque()
        self._capacity = capacity
        self._sinks = tuple(sinks)
        self.dropped = 0
        """Outcomes given up because the queue was full, since the start."""

    def record(self, outcome: RequestOutcome) -> None:
        """Take an outcome, on the path of the request."""
        if len(self._waiting) >= self._capacity:
            self.dropped += 1
        else:
            self._waiting.append(outcome)

    async def run(self, interval_seconds: float, after: Callable[[], None]) -> None:
        """Empty the queue every interval until cancelled, calling `after` each time."""
        while True:
            await asyncio.sleep(interval_seconds)
            while self._hand_over_batch():  # noqa: ASYNC110  lets requests pass between batches
                await asyncio.sleep(0)
            after()

    def flush(self) -> None:
        """Hand over everything at once."""
        while self._hand_over_batch():
            pass

    def _hand_over_batch(self) -> bool:
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        if batch:
            for sink in self._sinks:
                sink.accept(batch)
        return bool(self._waiting)
