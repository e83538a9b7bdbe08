"""What evidence and time say of a rollout at one moment: its bars, what holds it, how long it has served.

Pure reading; what follows from it is decided in `webhook.rollout.states` and said in `webhook.rollout.explain`.

Time served is not simply now minus then. A clock may jump, the leader may be away, evidence may stop: so the gap
between two looks counts only up to a 24th of the step's duration (and at least a minute), and not at all while
evidence is missing. A step of 72 hours thus takes at least 24 looks, wherever the clock goes.
"""

from dataclasses import dataclass
from enum import StrEnum

from webhook.rollout.bars import Bar, BarState, evaluate_bars
from webhook.rollout.duration import MINUTE_NS
from webhook.rollout.evidence import Evidence
from webhook.rollout.life import Phase, Rollout, StepTimer

STALE_AFTER_NS = 5 * MINUTE_NS
"""Replicas report every few seconds even when nothing happens; after this long, none is there."""
_LOOKS_PER_STEP = 24
_LEAST_CREDIT_NS = MINUTE_NS


class Hold(StrEnum):
    """What keeps a rollout from being promoted, whatever its bars say."""

    UNREADABLE = "evidence cannot be read"
    NO_REPORT = "no replica has reported yet"
    STALE = "no replica has reported lately"
    CLOCK = "a replica's clock is ahead of the leader's"
    NO_DATA = "no workload has been seen yet"


@dataclass(frozen=True, slots=True)
class Assessment:
    """One look at a rollout."""

    bars: tuple[Bar, ...]
    hold: Hold | None
    served_ns: int
    """Time that counts towards the step."""

    @property
    def missed(self) -> Bar | None:
        """The first bar that is proven to be missed."""
        return next((bar for bar in self.bars if bar.state is BarState.MISSED), None)

    @property
    def undecided(self) -> tuple[Bar, ...]:
        """The bars that are still open."""
        return tuple(bar for bar in self.bars if bar.state is BarState.UNDECIDED)

    @property
    def clears(self) -> bool:
        """Whether every bar is met and nothing holds."""
        return self.hold is None and all(bar.state is BarState.MET for bar in self.bars)


def assess(rollout: Rollout, evidence: Evidence | None, now_ns: int) -> Assessment:
    """Look at a rollout; evidence None is evidence that could not be read."""
    hold = _hold(evidence, now_ns)
    bars: tuple[Bar, ...] = ()
    if evidence is not None:
        bars = evaluate_bars(rollout.strategy.analysis, evidence, rollout.baseline)
    return Assessment(bars, hold, rollout.timer.served_ns + _credit(rollout, hold, now_ns))


def mark(rollout: Rollout, assessment: Assessment, now_ns: int) -> StepTimer | None:
    """Give the timer to be stored, or None while the last mark serves well enough.

    Marks are rare (48 a step), so the tick writes next to nothing.
    """
    gap_ns = now_ns - rollout.timer.marked_ns
    if 0 <= gap_ns < _largest_credit_ns(rollout) // 2:
        return None
    return StepTimer(assessment.served_ns, now_ns)


def _hold(evidence: Evidence | None, now_ns: int) -> Hold | None:
    if evidence is None:
        return Hold.UNREADABLE
    if evidence.reported_ns is None:
        return Hold.NO_REPORT
    age_ns = now_ns - evidence.reported_ns
    if age_ns > STALE_AFTER_NS:
        return Hold.STALE
    if age_ns < -STALE_AFTER_NS:
        return Hold.CLOCK
    return None if evidence.workloads else Hold.NO_DATA


def _credit(rollout: Rollout, hold: Hold | None, now_ns: int) -> int:
    # A quiet cluster serves its time; one that nobody watches does not.
    if rollout.phase is not Phase.PROGRESSING or hold not in (None, Hold.NO_DATA):
        return 0
    return min(max(now_ns - rollout.timer.marked_ns, 0), _largest_credit_ns(rollout))


def _largest_credit_ns(rollout: Rollout) -> int:
    return max(rollout.current_step.duration_ns // _LOOKS_PER_STEP, _LEAST_CREDIT_NS)
