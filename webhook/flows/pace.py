"""Pace: how fast background work may go on a loop that answers requests.

The signal is what a request would feel: how long the loop takes to come back to somebody who stepped aside once. On
an idle loop that is microseconds, and work goes on at once. On a busy one every slice is followed by a rest of many
times its length, so that the work gets a small share; on one that is overloaded the work stops for a while.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from webhook.ports.clock import Clock
from webhook.rollout.duration import MILLISECOND_NS, SECOND_NS


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """What counts as busy, and what follows."""

    prompt_ns: int = MILLISECOND_NS
    """A loop that is back within this is idle; a slice that computes for longer is itself a burden."""
    late_ns: int = 50 * MILLISECOND_NS
    """A loop that is back only after this is overloaded."""
    rest_factor: int = 19
    """Length of a rest on a busy loop, in slices: the work gets a twentieth of the time."""
    stop_seconds: float = 0.1
    """Length of a rest on an overloaded loop."""
    longest_rest_seconds: float = 2.0


class Pace:
    """Steps aside after each slice of work."""

    __slots__ = ("_clock", "_computed_ns", "_limits", "_resumed_ns")

    def __init__(
        self, clock: Clock, limits: PaceLimits, computed_ns: Callable[[], int] = time.thread_time_ns
    ) -> None:
        """Take a clock for the loop, and one that tells how long this thread has computed.

        Who waits, for another process or for the processor, is no burden to the loop.
        """
        self._clock = clock
        self._limits = limits
        self._computed_ns = computed_ns
        self._resumed_ns = computed_ns()

    def resume(self) -> None:
        """Begin a slice after a pause of the worker's own."""
        self._resumed_ns = self._computed_ns()

    async def step_aside(self) -> None:
        """Let everybody else go first, for as long as they need, and begin the next slice."""
        spent_ns = self._computed_ns() - self._resumed_ns
        left_ns = self._clock.monotonic_ns()
        await asyncio.sleep(0)
        rest_seconds = self.rest_seconds(spent_ns, self._clock.monotonic_ns() - left_ns)
        if rest_seconds:
            await asyncio.sleep(rest_seconds)
        self.resume()

    def rest_seconds(self, spent_ns: int, waited_ns: int) -> float:
        """Give the length of the rest after a slice when the loop took this long to come back."""
        limits = self._limits
        if waited_ns > limits.late_ns:
            return limits.stop_seconds
        if waited_ns > limits.prompt_ns or spent_ns > limits.prompt_ns:
            return min(spent_ns * limits.rest_factor / SECOND_NS, limits.longest_rest_seconds)
        return 0.0
