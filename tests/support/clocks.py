"""Clocks for tests: the real one, and one that stands still until moved."""

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class FakeClock:
    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.wall = start
        self.ticks_ns = 0

    def now(self) -> datetime:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.ticks_ns

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks_ns += int(seconds * 1_000_000_000)
