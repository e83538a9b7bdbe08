"""A clock for tests: it stands still until it is moved."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.wall = start
        self.ticks_ns = 0

    def now(self) -> datetime:
        return self.wall

    def now_ns(self) -> int:
        return int(self.wall.timestamp()) * 1_000_000_000 + self.wall.microsecond * 1000

    def monotonic_ns(self) -> int:
        return self.ticks_ns

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks_ns += int(seconds * 1_000_000_000)
