from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rollouts import NOW, begun, evidence
from webhook.rollout.assessment import STALE_AFTER_NS, Hold, assess, mark
from webhook.rollout.evidence import Evidence
from webhook.rollout.life import Phase, StepTimer

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
ROLLOUT = begun()  # its step takes 72 hours


@pytest.mark.parametrize(
    ("seen", "hold"),
    [
        (None, Hold.UNREADABLE),
        (Evidence(), Hold.NO_REPORT),
        (evidence(0), Hold.NO_DATA),
        (evidence(reported_ns=NOW - STALE_AFTER_NS - 1), Hold.STALE),
        (evidence(reported_ns=NOW + STALE_AFTER_NS + 1), Hold.CLOCK),
        (evidence(), None),
    ],
)
def test_what_is_not_known_holds(seen: Evidence | None, hold: Hold | None) -> None:
    assessment = assess(ROLLOUT, seen, NOW)
    assert assessment.hold is hold
    assert assessment.clears is (hold is None)


def test_the_time_between_two_looks_counts() -> None:
    assert assess(ROLLOUT, evidence(reported_ns=NOW + HOUR), NOW + HOUR).served_ns == HOUR


def test_time_without_reports_does_not_count() -> None:
    assert assess(ROLLOUT, evidence(reported_ns=NOW - HOUR), NOW + HOUR).served_ns == 0


def test_quiet_time_counts() -> None:
    assert assess(ROLLOUT, evidence(0, reported_ns=NOW + HOUR), NOW + HOUR).served_ns == HOUR


def test_paused_time_does_not_count() -> None:
    paused = replace(ROLLOUT, phase=Phase.PAUSED)
    assert assess(paused, evidence(reported_ns=NOW + HOUR), NOW + HOUR).served_ns == 0


def test_a_clock_that_jumps_ahead_gains_little() -> None:
    later = NOW + 10_000 * HOUR
    assert assess(ROLLOUT, evidence(reported_ns=later), later).served_ns == 3 * HOUR


def test_a_clock_that_jumps_back_gains_nothing_and_goes_on_from_there() -> None:
    earlier = NOW - 10_000 * HOUR
    assessment = assess(ROLLOUT, evidence(reported_ns=earlier), earlier)
    assert assessment.served_ns == 0
    timer = mark(ROLLOUT, assessment, earlier)
    assert timer == StepTimer(0, earlier)
    resumed = replace(ROLLOUT, timer=timer)
    assert assess(resumed, evidence(reported_ns=earlier + HOUR), earlier + HOUR).served_ns == HOUR


def test_marks_are_rare() -> None:
    soon, later = NOW + 80 * MINUTE, NOW + 100 * MINUTE
    assert mark(ROLLOUT, assess(ROLLOUT, evidence(reported_ns=soon), soon), soon) is None
    assert mark(ROLLOUT, assess(ROLLOUT, evidence(reported_ns=later), later), later) == StepTimer(
        100 * MINUTE, later
    )


@given(st.lists(st.integers(-(10**16), 10**16), min_size=1, max_size=60))
def test_no_clock_serves_a_step_in_fewer_than_24_looks(jumps: list[int]) -> None:
    rollout, now, looks = ROLLOUT, NOW, 0
    for jump in jumps:
        now += jump
        looks += 1
        assessment = assess(rollout, evidence(reported_ns=now), now)
        if assessment.served_ns >= rollout.current_step.duration_ns:
            break
        timer = mark(rollout, assessment, now)
        rollout = rollout if timer is None else replace(rollout, timer=timer)
    assert looks >= 24 or assessment.served_ns < rollout.current_step.duration_ns
