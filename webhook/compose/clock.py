"""The real Clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Give the wall time in UTC."""
        return datetime.now(UTC)

    def now_ns(self) -> int:
        """Give the wall time in nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Give nanoseconds since some moment in the past."""
        return time.monotonic_ns()
