import itertools
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rollouts import ENOUGH, NAMESPACES, NOW, USER, begun, evidence, served, started
from webhook.rollout.cohort import EVERYBODY, NOBODY, Cohort, members
from webhook.rollout.errors import TransitionRefused
from webhook.rollout.evidence import Evidence
from webhook.rollout.histogram import histogram_of
from webhook.rollout.life import Checks, Event, Order, Outcome, Phase, Reason, Rollout, StableChange
from webhook.rollout.states import (
    ARROWS,
    abort,
    advance,
    pause,
    promote,
    record_checks,
    resume,
    retry,
    supersede,
    undo,
    withdraw,
)
from webhook.rollout.strategy import Analysis, Mode, OnInconclusive, Step, Strategy

HOUR = 3_600_000_000_000
FIVE, ALL = Step(Mode.ENFORCE, 5, 72 * HOUR), Step(Mode.ENFORCE, 100)
FORCED = Order("maria", "a zero-day", force=True)


def cohort(rollout: Rollout) -> list[str]:
    return members(Cohort(rollout.salt, rollout.strategy.namespaces, rollout.threshold), NAMESPACES)


def tick(rollout: Rollout, seen: Evidence | None, now_ns: int = NOW) -> Outcome | None:
    return advance(rollout, seen, now_ns, NAMESPACES)


def moved(outcome: Outcome | None) -> Outcome:
    assert outcome is not None
    assert outcome.transition is not None
    return outcome


def test_a_new_rollout_waits_for_its_checks() -> None:
    outcome = started()
    assert (outcome.rollout.phase, outcome.rollout.reason) == (Phase.PENDING, Reason.CHECKS_RUNNING)
    assert tick(outcome.rollout, evidence()) is None


def test_a_version_whose_tests_fail_never_begins() -> None:
    failed = record_checks(
        started().rollout, passed=False, message="test_allows_irsa failed", now_ns=NOW
    ).rollout
    assert (failed.phase, failed.reason, failed.checks) == (
        Phase.PENDING,
        Reason.CHECKS_FAILED,
        Checks.FAILED,
    )
    assert failed.message == "test_allows_irsa failed"
    assert tick(failed, evidence(), NOW + 1_000 * HOUR) is None
    with pytest.raises(TransitionRefused, match="has not begun"):
        promote(failed, evidence(), NOW, NAMESPACES, FORCED, full=True)


def test_it_begins_with_a_cohort_of_the_first_step() -> None:
    rollout = begun()
    assert len(cohort(rollout)) == 2
    assert rollout.message == "step 1 of 2: enforced in 5 % of the namespaces"


def test_it_waits_until_a_namespace_is_known() -> None:
    checked = record_checks(started().rollout, passed=True, message="", now_ns=NOW).rollout
    assert advance(checked, evidence(), NOW, []) is None
    assert moved(advance(checked, evidence(), NOW, ["first"])).rollout.phase is Phase.PROGRESSING


def test_a_step_ends_when_its_time_is_served_and_every_bar_is_cleared() -> None:
    rollout = served(begun(), 72 * HOUR)
    outcome = moved(tick(rollout, evidence()))
    assert outcome.rollout.step == 1
    assert outcome.rollout.threshold == EVERYBODY
    assert outcome.transition is not None
    assert outcome.transition.evidence == evidence()
    assert outcome.transition.actor == "gradate"


def test_the_last_step_makes_the_candidate_stable() -> None:
    last = moved(tick(served(begun(), 72 * HOUR), evidence())).rollout
    outcome = moved(tick(last, evidence()))
    assert (outcome.rollout.phase, outcome.rollout.reason) == (Phase.HEALTHY, Reason.PROMOTED)
    assert outcome.stable_change == StableChange("credential-env", "sha256:new")


def test_a_step_does_not_end_before_its_time() -> None:
    assert tick(served(begun(), 72 * HOUR - 1), evidence()) is None


@pytest.mark.parametrize(
    "seen",
    [
        None,
        Evidence(),
        evidence(0),
        evidence(reported_ns=NOW - HOUR),
        evidence(ENOUGH - 1),
        evidence(unreviewed=1),
        evidence(newly_allowed=1),
        evidence(errors=12),
    ],
    ids=["unreadable", "no report", "no data", "stale", "too few", "unreviewed", "newly allowed", "errors"],
)
def test_whatever_is_not_proven_holds(seen: Evidence | None) -> None:
    assert tick(served(begun(), 72 * HOUR), seen) is None


@pytest.mark.parametrize(
    ("seen", "bar"),
    [
        (evidence(500, confirmed=3), "falsePositiveRate"),
        (evidence(errors=500), "errorRate"),
        (evidence(durations=histogram_of([50_000_000] * 1_000)), "latencyOverhead"),
        (evidence(misses=20), "interceptionAccuracy"),
    ],
)
@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.PAUSED])
def test_a_provably_missed_bar_rolls_back_at_once(seen: Evidence, bar: str, phase: Phase) -> None:
    outcome = moved(tick(replace(begun(), phase=phase), seen))
    assert (outcome.rollout.phase, outcome.rollout.reason) == (Phase.DEGRADED, Reason.BAR_MISSED)
    assert bar in outcome.rollout.message
    assert outcome.rollout.threshold == NOBODY
    assert outcome.stable_change is None


def test_rollback_does_not_wait_for_fresh_evidence() -> None:
    outcome = moved(tick(begun(), evidence(500, confirmed=3, reported_ns=NOW - 10 * HOUR)))
    assert outcome.rollout.phase is Phase.DEGRADED


@pytest.mark.parametrize(
    ("choice", "event"), [(OnInconclusive.EXTEND, Event.EXTEND), (OnInconclusive.ABORT, Event.ROLL_BACK)]
)
def test_an_inconclusive_step_does_what_the_strategy_says(choice: OnInconclusive, event: Event) -> None:
    rollout = served(begun(Strategy((FIVE, ALL), Analysis(on_inconclusive=choice))), 72 * HOUR)
    outcome = moved(tick(rollout, evidence(100)))
    assert outcome.transition is not None
    assert outcome.transition.event is event
    assert "10,753 more workloads" in outcome.rollout.message
    if choice is OnInconclusive.EXTEND:
        assert outcome.rollout.timer.served_ns == 0
        assert tick(outcome.rollout, evidence()) is None


@pytest.mark.parametrize("seen", [None, Evidence(), evidence(0), evidence(100, reported_ns=NOW - HOUR)])
def test_missing_evidence_is_not_inconclusive(seen: Evidence | None) -> None:
    rollout = begun(Strategy((FIVE, ALL), Analysis(on_inconclusive=OnInconclusive.ABORT)))
    assert tick(served(rollout, 72 * HOUR), seen) is None


def test_a_step_without_a_duration_holds_even_when_others_would_abort() -> None:
    strategy = Strategy((FIVE, ALL), Analysis(on_inconclusive=OnInconclusive.ABORT))
    last = moved(tick(served(begun(strategy), 72 * HOUR), evidence())).rollout
    assert tick(last, evidence(unreviewed=1)) is None


def test_time_is_marked_without_a_transition() -> None:
    outcome = tick(begun(), evidence(100, reported_ns=NOW + 2 * HOUR), NOW + 2 * HOUR)
    assert outcome is not None
    assert outcome.transition is None
    assert outcome.rollout.timer.served_ns == 2 * HOUR


def test_a_cohort_whose_namespaces_are_deleted_takes_in_others() -> None:
    rollout = begun()
    gone = set(cohort(rollout))
    rest = [namespace for namespace in NAMESPACES if namespace not in gone]
    outcome = advance(rollout, evidence(100), NOW, rest)
    assert outcome is not None
    assert outcome.rollout.reason is Reason.COHORT_WIDENED
    assert gone < set(cohort(outcome.rollout))
    assert advance(rollout, evidence(100), NOW, []) is None


def test_namespaces_that_go_away_do_not_push_others_out_at_the_next_step() -> None:
    steps = (FIVE, Step(Mode.ENFORCE, 6), ALL)
    rollout = served(begun(Strategy(steps)), 72 * HOUR)
    inside = cohort(rollout)
    outcome = advance(rollout, evidence(), NOW, [*inside[:1], "one-more"])
    assert outcome is not None
    assert outcome.rollout.step == 1
    assert set(inside) <= set(cohort(outcome.rollout))


def test_from_warning_everywhere_the_cohort_shrinks_to_the_enforced_part() -> None:
    rollout = begun(Strategy((Step(Mode.WARN, 100), FIVE, ALL)))
    assert rollout.threshold == EVERYBODY
    entered = moved(tick(rollout, evidence())).rollout
    assert len(cohort(entered)) == 2


def test_promote_skips_the_waiting() -> None:
    outcome = promote(begun(), evidence(), NOW, NAMESPACES, USER)
    assert outcome.transition is not None
    assert (outcome.rollout.step, outcome.transition.actor, outcome.transition.forced) == (1, "maria", False)


@pytest.mark.parametrize("seen", [None, evidence(100), evidence(unreviewed=1), evidence(reported_ns=0)])
def test_promote_against_the_evidence_asks_for_force_and_a_reason(seen: Evidence | None) -> None:
    with pytest.raises(
        TransitionRefused,
        match=r"the evidence does not support it: .+; to do it all the same takes --force and --reason",
    ):
        promote(begun(), seen, NOW, NAMESPACES, USER)
    with pytest.raises(TransitionRefused, match="needs a reason"):
        promote(begun(), seen, NOW, NAMESPACES, Order("maria", " ", force=True))
    outcome = promote(begun(), seen, NOW, NAMESPACES, FORCED)
    assert outcome.transition is not None
    assert outcome.transition.forced


def test_promote_in_full_goes_to_the_end() -> None:
    outcome = promote(begun(), evidence(), NOW, NAMESPACES, USER, full=True)
    assert outcome.rollout.phase is Phase.HEALTHY
    assert outcome.stable_change == StableChange("credential-env", "sha256:new")


def test_an_emergency_can_be_promoted_before_it_has_begun() -> None:
    checked = record_checks(started().rollout, passed=True, message="", now_ns=NOW).rollout
    with pytest.raises(TransitionRefused, match="does not support it"):
        promote(checked, evidence(), NOW, [], USER, full=True)
    assert promote(checked, None, NOW, [], FORCED, full=True).rollout.phase is Phase.HEALTHY


def test_a_paused_rollout_keeps_its_cohort_and_its_time() -> None:
    rollout = served(begun(), 10 * HOUR)
    paused = pause(rollout, USER, NOW).rollout
    assert (paused.phase, paused.threshold) == (Phase.PAUSED, rollout.threshold)
    assert tick(paused, evidence(), NOW + 1_000 * HOUR) is None
    resumed = resume(paused, USER, NOW + 1_000 * HOUR).rollout
    assert (resumed.phase, resumed.timer.served_ns) == (Phase.PROGRESSING, 10 * HOUR)


def test_promoting_a_paused_rollout_resumes_it() -> None:
    paused = pause(begun(), USER, NOW).rollout
    assert promote(paused, evidence(), NOW, NAMESPACES, USER).rollout.phase is Phase.PROGRESSING


def test_a_given_up_candidate_is_tried_again_from_the_first_step() -> None:
    faulty = evidence(errors=500)
    given_up = moved(tick(begun(), faulty)).rollout
    retried = retry(given_up, USER, NOW, faulty, "sha256:newer").rollout
    assert (retried.phase, retried.step, retried.attempt) == (Phase.PENDING, 0, 2)
    assert retried.stable == "sha256:newer"  # not what was stable at the first try
    again = moved(tick(record_checks(retried, passed=True, message="", now_ns=NOW).rollout, faulty)).rollout
    assert tick(again, faulty) is None  # the old errors do not count


def test_a_retry_that_would_roll_back_at_once_is_refused() -> None:
    proven = evidence(500, confirmed=3)
    given_up = moved(tick(begun(), proven)).rollout
    with pytest.raises(TransitionRefused, match="revise the verdicts first"):
        retry(given_up, USER, NOW, proven, "sha256:old")


def test_undo_makes_the_version_before_stable_again() -> None:
    healthy = promote(begun(), evidence(), NOW, NAMESPACES, USER, full=True).rollout
    outcome = undo(healthy, USER, NOW, current_stable="sha256:new", under_way=None)
    assert outcome.rollout.phase is Phase.DEGRADED
    assert outcome.stable_change == StableChange("credential-env", "sha256:old")
    with pytest.raises(TransitionRefused, match="later stable version"):
        undo(healthy, USER, NOW, current_stable="sha256:newer", under_way=None)


def test_undo_waits_for_a_rollout_under_way() -> None:
    healthy = promote(begun(), evidence(), NOW, NAMESPACES, USER, full=True).rollout
    with pytest.raises(TransitionRefused, match="is being rolled out; abort that first"):
        undo(healthy, USER, NOW, current_stable="sha256:new", under_way=begun())


def test_what_is_stable_already_is_not_tried_again() -> None:
    given_up = abort(begun(), USER, NOW).rollout
    with pytest.raises(TransitionRefused, match="is stable already"):
        retry(given_up, USER, NOW, evidence(), "sha256:new")


def test_undoing_a_first_version_leaves_a_policy_that_decides_nothing() -> None:
    healthy = promote(begun(stable=None), evidence(), NOW, NAMESPACES, USER, full=True).rollout
    outcome = undo(healthy, USER, NOW, current_stable="sha256:new", under_way=None)
    assert outcome.stable_change == StableChange("credential-env", None)
    assert "decides nothing" in outcome.rollout.message


def test_a_newer_version_or_a_deleted_policy_ends_a_rollout() -> None:
    assert supersede(begun(), "1.2.0", NOW).rollout.message == "version 1.2.0 takes its place"
    same = supersede(begun(), begun().version, NOW).rollout
    assert same.message == f"changed content of version {same.version} takes its place"
    withdrawn = withdraw(begun(), NOW).rollout
    assert (withdrawn.phase, withdrawn.reason) == (Phase.SUPERSEDED, Reason.POLICY_DELETED)


def test_failed_checks_run_again_when_somebody_says_so_and_only_then() -> None:
    pending = started().rollout
    for checked in (
        pending,
        record_checks(pending, passed=True, message="12 tests passed", now_ns=NOW).rollout,
    ):
        with pytest.raises(TransitionRefused, match="credential-env is about to begin: "):
            retry(checked, USER, NOW, Evidence(), "sha256:old")
    failed = record_checks(pending, passed=False, message="a test fails", now_ns=NOW).rollout
    again = retry(failed, USER, NOW, Evidence(), "sha256:old").rollout
    assert (again.phase, again.checks, again.attempt) == (Phase.PENDING, Checks.RUNNING, 2)


VERBS: dict[Event, Callable[[Rollout], Outcome]] = {
    Event.CHECK: lambda rollout: record_checks(rollout, passed=True, message="", now_ns=NOW),
    Event.PROMOTE: lambda rollout: promote(replace(rollout, checks=Checks.PASSED), evidence(), NOW, NAMESPACES, FORCED, full=True),
    Event.PAUSE: lambda rollout: pause(rollout, USER, NOW),
    Event.RESUME: lambda rollout: resume(rollout, USER, NOW),
    Event.ABORT: lambda rollout: abort(rollout, USER, NOW),
    Event.RETRY: lambda rollout: retry(replace(rollout, checks=Checks.FAILED), USER, NOW, evidence(), "sha256:old"),
    Event.UNDO: lambda rollout: undo(rollout, USER, NOW, rollout.candidate, None),
    Event.SUPERSEDE: lambda rollout: supersede(rollout, "2.0.0", NOW),
    Event.WITHDRAW: lambda rollout: withdraw(rollout, NOW),
}  # fmt: skip


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, VERBS)))
def test_a_verb_works_exactly_where_the_table_says(phase: Phase, event: Event) -> None:
    rollout = replace(begun(), phase=phase)
    allowed = {(arrow.source, arrow.event) for arrow in ARROWS}
    if (phase, event) in allowed:
        outcome = VERBS[event](rollout)
        assert outcome.transition is not None
        assert (outcome.transition.source, outcome.transition.event) == (phase, event)
    else:
        with pytest.raises(TransitionRefused, match=f"the rollout of credential-env is {phase}"):
            VERBS[event](rollout)


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.is_active])
def test_what_is_over_never_moves_by_itself(phase: Phase) -> None:
    assert tick(replace(served(begun(), 72 * HOUR), phase=phase), evidence()) is None


samples = st.builds(
    evidence,
    workloads=st.integers(0, 50_000),
    confirmed=st.integers(0, 3),
    unreviewed=st.integers(0, 3),
    true_positives=st.integers(0, 200),
    misses=st.integers(0, 2),
    newly_allowed=st.integers(0, 1),
    errors=st.integers(0, 60),
)


@given(seen=samples, hours=st.integers(0, 100), phase=st.sampled_from(Phase))
def test_every_automatic_transition_is_in_the_table_and_promotes_only_on_proof(
    seen: Evidence, hours: int, phase: Phase
) -> None:
    rollout = replace(served(begun(), hours * HOUR), phase=phase)
    outcome = tick(rollout, seen)
    if outcome is None or outcome.transition is None:
        return
    transition = outcome.transition
    assert (transition.source, transition.event, transition.target) in {
        (arrow.source, arrow.event, arrow.target) for arrow in ARROWS
    }
    if transition.event is Event.ADVANCE:
        assert hours >= 72
        assert seen.trials >= ENOUGH
        assert seen.unreviewed == 0 or seen.trials >= 22_536


def test_a_rollout_and_its_history_survive_json() -> None:
    outcome = moved(tick(served(begun(), 72 * HOUR), evidence()))
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome) == outcome
