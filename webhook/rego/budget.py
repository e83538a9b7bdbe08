"""How much one evaluation may do: steps, and the time until its deadline.

A step is one element scanned or one call of a function with arguments. The evaluator counts steps down from
a slice and comes here only when the slice is used up, so the clock is read every few milliseconds at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from webhook.rego.errors import EvaluationError

DEFAULT_STEPS: Final = 2_000_000
"""Steps of an evaluation that was given no budget: a few seconds of work, and at most some hundred MiB of it kept."""

SLICE_STEPS: Final = 10_000
"""Steps between two looks at the clock: about a millisecond of work."""

CANCELLED: Final = "eval_cancel_error"
"""OPA's code for an evaluation that was stopped."""


class Budget:
    """The steps and the deadline of one evaluation; not shared between evaluations."""

    __slots__ = ("_clock", "_deadline_ns", "_steps")

    def __init__(
        self,
        steps: int = DEFAULT_STEPS,
        deadline_ns: int | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._steps = steps
        self._deadline_ns = deadline_ns
        self._clock = clock

    def take(self, needed: int = 0) -> int:
        """Give the steps of the next slice after `needed` steps were spent beyond the last one.

        Raises:
            EvaluationError: the steps are used up or the deadline has passed.

        """
        if self._deadline_ns is not None and self._clock() >= self._deadline_ns:
            raise EvaluationError(CANCELLED, "the evaluation passed its deadline")
        if needed > self._steps or not self._steps:
            raise EvaluationError(CANCELLED, "the evaluation used up its steps")
        granted = min(self._steps, needed + SLICE_STEPS)
        self._steps -= granted
        return granted - needed
