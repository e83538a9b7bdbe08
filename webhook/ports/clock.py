"""The Clock port: where time enters the flows."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall and monotonic time."""

    def now(self) -> datetime:
        """Give the wall time, aware, in UTC."""

    def now_ns(self) -> int:
        """Give the wall time in nanoseconds since the Unix epoch."""

    def monotonic_ns(self) -> int:
        """Give nanoseconds on a clock that never goes back."""
