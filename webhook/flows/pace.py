"""Pace: how fast background work may go on a loop that answers requests.

The signal is how much of its time the thread computes for others: the busier it is, the smaller the share that the
work gets, so that few requests ever meet it. Time in which other processes had the processor is not the thread's:
one that is starved computes little however much is asked of it, and one of which nothing is asked is not busy. A loop
that comes back late to somebody who stepped aside counts as busy, too.
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

    busy_share: float = 0.4
    """A thread that computes for others this much of its time is busy; up to there the work's share falls evenly."""
    least_share: float = 0.003
    """What the work gets of a busy thread's time: about one request of a hundred meets it."""
    urgent_share: float = 0.1
    """What work gets at least that should not be put off."""
    burden_share: float = 0.02
    """What work gets at most that is felt however little is asked of the thread: of long slices, or on a slow loop."""
    burden_ns: int = 2 * MILLISECOND_NS
    """A slice that computes for longer is long."""
    late_ns: int = 50 * MILLISECOND_NS
    """A loop that comes back only after this is slow."""
    longest_rest_seconds: float = 1.0
    window_ns: int = 100 * MILLISECOND_NS
    """How far back the computing is looked at."""
    look_ns: int = 20 * MILLISECOND_NS
    """Between two looks; each costs some ten microseconds."""


_SCHEDULED = "/proc/thread-self/schedstat"


def starved_ns() -> int:
    """Give for how long this thread has waited for a processor, in nanoseconds; 0 where the kernel does not tell.

    Source: the kernel's Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
    """
    try:
        with open(_SCHEDULED, "rb", buffering=0) as counts:  # noqa: PTH123  a Path takes three times as long
            return int(counts.read().split()[1])
    except (OSError, IndexError, ValueError):
        return 0


class Pace:
    """Steps aside after each slice of work."""

    __slots__ = (
        "_clock",
        "_computed_ns",
        "_limits",
        "_looked",
        "_next_look_ns",
        "_others_ns",
        "_own_ns",
        "_resumed_ns",
        "_starved_ns",
        "_wall_ns",
    )

    def __init__(
        self,
        clock: Clock,
        limits: PaceLimits,
        computed_ns: Callable[[], int] = time.thread_time_ns,
        starved_ns: Callable[[], int] = starved_ns,
    ) -> None:
        """Take a clock, and two more that tell how long this thread has computed, and waited for a processor."""
        self._clock = clock
        self._limits = limits
        self._computed_ns = computed_ns
        self._starved_ns = starved_ns
        self._resumed_ns = computed_ns()
        self._looked = (clock.monotonic_ns() - starved_ns(), self._resumed_ns)
        self._next_look_ns = 0
        self._own_ns = 0
        self._others_ns = 0.0
        self._wall_ns = 0.0

    @property
    def utilisation(self) -> float:
        """Share of its time for which the thread computed for others lately."""
        return min(self._others_ns / self._wall_ns, 1.0) if self._wall_ns else 0.0

    def resume(self) -> None:
        """Begin a slice after a pause of the worker's own."""
        self._resumed_ns = self._computed_ns()

    async def breathe(self) -> None:
        """Let those go first who wait already, within a slice."""
        paused_ns = self._computed_ns()
        await asyncio.sleep(0)
        self._resumed_ns += self._computed_ns() - paused_ns

    async def step_aside(self, *, urgent: bool = False) -> None:
        """Let everybody else go first, for as long as they need, and begin the next slice."""
        left_ns = self._clock.monotonic_ns()
        spent_ns = self._computed_ns() - self._resumed_ns
        await asyncio.sleep(0)
        now_ns = self._clock.monotonic_ns()
        self._own_ns += spent_ns
        if now_ns >= self._next_look_ns:
            self._next_look_ns = now_ns + self._limits.look_ns
            self._look(now_ns - self._starved_ns())
        rest_seconds = self.rest_seconds(spent_ns, now_ns - left_ns, self.utilisation, urgent=urgent)
        if rest_seconds:
            await asyncio.sleep(rest_seconds)
        self.resume()

    def rest_seconds(
        self, spent_ns: int, waited_ns: int, utilisation: float, *, urgent: bool = False
    ) -> float:
        """Give the length of the rest after a slice.

        Args:
            spent_ns: computed in the slice.
            waited_ns: until the loop came back.
            utilisation: as the property.
            urgent: whether the work should not be put off.

        """
        limits = self._limits
        share = max(1 - utilisation / limits.busy_share, limits.least_share)
        if waited_ns > limits.late_ns or spent_ns > limits.burden_ns:
            share = min(share, limits.burden_share)
        if urgent:
            share = max(share, limits.urgent_share)
        return min(spent_ns * (1 / share - 1) / SECOND_NS, limits.longest_rest_seconds)

    def _look(self, now_ns: int) -> None:
        """Look at the clock of the thread's own time, from which what it was starved of is taken."""
        computed_ns = self._computed_ns()
        then_ns, before_ns = self._looked
        self._looked = (now_ns, computed_ns)
        self._wall_ns += max(now_ns - then_ns, 0)
        self._others_ns += max(computed_ns - before_ns - self._own_ns, 0)
        self._own_ns = 0
        if self._wall_ns > self._limits.window_ns:
            self._others_ns *= self._limits.window_ns / self._wall_ns
            self._wall_ns = self._limits.window_ns
