"""How much one evaluation may do: steps, time until its deadline, and memory.

A step is one element scanned, one call of a function that calls others, or a hundred characters or elements made by a
builtin. The evaluator counts steps down from a slice and comes here only when the slice is used up, so the clock and
the memory are looked at every millisecond or so.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Final

from webhook.rego.errors import EvaluationError

DEFAULT_STEPS: Final = 2_000_000
"""Steps of an evaluation that was given no budget: a few seconds of work."""

DEFAULT_MEMORY_BYTES: Final = 256 * 1024 * 1024
"""How far an evaluation may raise the peak memory of the process."""

SLICE_STEPS: Final = 2_000
"""Steps between two looks at the clock."""

CANCELLED: Final = "eval_cancel_error"
"""OPA's code for an evaluation that was stopped."""

_PEAK_UNIT_BYTES: Final = 1 if sys.platform == "darwin" else 1024


def peak_memory_bytes() -> int:
    """Give the most memory that this process has had resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT_BYTES


class Budget:
    """The steps, the deadline and the memory of one evaluation; not shared between evaluations."""

    __slots__ = ("_clock", "_deadline_ns", "_memory_bytes", "_peak", "_peak_limit", "_steps")

    def __init__(
        self,
        steps: int = DEFAULT_STEPS,
        deadline_ns: int | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        *,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        peak: Callable[[], int] = peak_memory_bytes,
    ) -> None:
        self._steps = steps
        self._deadline_ns = deadline_ns
        self._clock = clock
        self._memory_bytes = memory_bytes
        self._peak = peak
        self._peak_limit: int | None = None

    def start(self) -> int:
        """Give the steps of the first slice; most evaluations need no other.

        Raises:
            EvaluationError: there are no steps or the deadline has passed.

        """
        self.check_deadline()
        return self._grant(0)

    def take(self, needed: int = 0) -> int:
        """Give the steps of the next slice after `needed` steps were spent beyond the last one.

        Raises:
            EvaluationError: the steps or the memory are used up or the deadline has passed.

        """
        self.check()
        return self._grant(needed)

    def check(self) -> None:
        """Look at the clock and at the memory.

        Raises:
            EvaluationError: the deadline has passed or the memory is used up.

        """
        self.check_deadline()
        if self._peak_limit is None:
            self._peak_limit = self._peak() + self._memory_bytes
        elif self._peak() > self._peak_limit:
            raise EvaluationError(CANCELLED, "the evaluation used up its memory")

    def check_deadline(self) -> None:
        """Look at the clock.

        Raises:
            EvaluationError: the deadline has passed.

        """
        if self._deadline_ns is not None and self._clock() >= self._deadline_ns:
            raise EvaluationError(CANCELLED, "the evaluation passed its deadline")

    def _grant(self, needed: int) -> int:
        if needed > self._steps or not self._steps:
            raise EvaluationError(CANCELLED, "the evaluation used up its steps")
        granted = min(self._steps, needed + SLICE_STEPS)
        self._steps -= granted
        return granted - needed
