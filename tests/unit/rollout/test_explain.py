from dataclasses import replace

from tests.support.rollouts import NAMESPACES, NOW, USER, begun, evidence, served, started
from webhook.rollout.evidence import Evidence
from webhook.rollout.explain import Explanation, Seen, explain, forecast_step_end, workloads_per_hour
from webhook.rollout.histogram import histogram_of
from webhook.rollout.life import Rollout
from webhook.rollout.states import abort, pause, promote, record_checks, supersede
from webhook.rollout.strategy import Analysis, OnInconclusive, Strategy, Unreviewed

HOUR = 3_600_000_000_000


def told(rollout: Rollout, seen: Evidence | None = None) -> Explanation:
    return explain(rollout, seen, NOW)


def test_a_running_step_says_what_it_needs_and_when() -> None:
    explanation = told(served(begun(), 70 * HOUR), evidence(9_000))
    assert (
        explanation.where
        == "credential-env 1.1.0 is Progressing in step 1 of 2: enforced in 5 % of the namespaces."
    )
    assert explanation.why == "The step has served 2 days 22 hours of 72h."
    assert explanation.needs == (
        "2 hours more in this step",
        "falsePositiveRate: 1,853 more workloads without a false positive",
    )
    assert explanation.expected == "In about 2 hours, at 9,000 new workloads an hour."
    assert explanation.expected_ns == NOW + 2 * HOUR


def test_the_forecast_waits_for_workloads_when_they_take_longer_than_the_step() -> None:
    seen = evidence(1_000)  # in one hour
    rollout = served(begun(), 71 * HOUR)
    expected = forecast_step_end(rollout, seen, NOW).expected_ns
    assert expected is not None
    assert abs(expected - NOW - 9.853 * HOUR) < HOUR / 1000


def test_open_findings_wait_for_people() -> None:
    explanation = told(served(begun(), 72 * HOUR), evidence(20_000, newly_allowed=1))
    assert explanation.expected_ns is None
    assert (
        explanation.expected
        == "Now if the open findings are reviewed and prove right, at 20,000 new workloads an hour; not before."
    )
    assert explanation.why == "The step has served its time, and the evidence is not complete."


def test_what_a_review_would_gain_is_told_beside_what_comes_without_one() -> None:
    seen = evidence(9_000, unreviewed=1, true_positives=200)
    assert told(served(begun(), 70 * HOUR), seen).expected == (
        "In about 2 hours, at 9,000 new workloads an hour."
    )
    assert told(served(begun(), 72 * HOUR), seen).expected == (
        "In about 1 hour 31 minutes, at 9,000 new workloads an hour, "
        "or in about 13 minutes 41 seconds if the open findings are reviewed and prove right."
    )


def test_measurements_that_are_missing_are_not_settled_by_a_review() -> None:
    seen = evidence(9_000, newly_allowed=1, durations=histogram_of([100_000] * 5))
    assert told(begun(), seen).expected == (
        "When somebody reviews the open findings, or the measurements change."
    )


def test_the_time_between_two_attempts_says_nothing_of_the_rate() -> None:
    month_ago = replace(evidence(9_000), first_ns=NOW - 720 * HOUR)
    retried = Seen(8_000, NOW - HOUR)
    assert workloads_per_hour(month_ago, NOW) == 12.5
    assert workloads_per_hour(month_ago, NOW, retried) == 1_000
    explanation = explain(served(begun(), 72 * HOUR), month_ago, NOW, retried)
    assert explanation.expected == "In about 1 hour 51 minutes, at 1,000 new workloads an hour."
    assert workloads_per_hour(month_ago, NOW, Seen(9_000, NOW)) == 0


def test_a_hold_is_named() -> None:
    assert told(begun(), None).why == "It holds: evidence cannot be read."
    assert "a first workload" in told(begun(), evidence(0)).needs
    assert "replicas that report and a store that can be read" in told(begun(), Evidence()).needs
    assert told(begun(), None).expected == "Cannot be told yet."


def test_a_cleared_step_goes_on_now() -> None:
    explanation = told(served(begun(), 72 * HOUR), evidence())
    assert explanation.needs == ()
    assert explanation.expected == "Now."


def test_a_missed_bar_says_that_it_rolls_back() -> None:
    explanation = told(begun(), evidence(500, confirmed=3))
    assert explanation.why.startswith(
        "It rolls back at the next tick: falsePositiveRate is missed, 3 confirmed"
    )
    assert explanation.expected == "At once."


def test_a_pause_needs_a_resume() -> None:
    explanation = told(pause(begun(), USER, NOW).rollout, evidence())
    assert explanation.why == "Paused by maria."
    assert explanation.needs[0] == "`gradate rollout resume credential-env`"
    assert explanation.expected == "Not before it is resumed."


def test_a_pending_rollout_says_what_it_waits_for() -> None:
    pending = started().rollout
    assert told(pending).why == "Its tests and probes run."
    failed = record_checks(pending, passed=False, message="3 of 12 tests failed", now_ns=NOW).rollout
    assert told(failed).why == "Its checks failed: 3 of 12 tests failed."
    assert told(failed).needs[0].endswith("or corrected ones and `gradate rollout retry credential-env`")
    passed = record_checks(pending, passed=True, message="", now_ns=NOW).rollout
    assert told(passed).needs == ("a first request from such a namespace",)


def test_what_is_over_says_who_decides_now() -> None:
    healthy = promote(begun(), evidence(), NOW, NAMESPACES, USER, full=True).rollout
    assert told(healthy).where == "credential-env 1.1.0 is stable and decides everywhere."
    aborted = told(abort(begun(), USER, NOW).rollout)
    assert aborted.where == "credential-env 1.1.0 was given up and stable decides everywhere."
    assert aborted.needs == ("a new version, or `gradate rollout retry credential-env`",)
    assert told(supersede(begun(), "2.0.0", NOW).rollout).why == "Version 2.0.0 takes its place."
    assert "stable decides" not in told(abort(begun(stable=None), USER, NOW).rollout).where


def test_ignoring_unreviewed_findings_is_said_to_void_the_guarantee() -> None:
    strategy = Strategy(analysis=Analysis(unreviewed=Unreviewed.IGNORE))
    assert "no guarantee" in told(begun(strategy), evidence()).caution


def test_what_happens_to_an_undecided_step_is_said() -> None:
    strategy = Strategy(analysis=Analysis(on_inconclusive=OnInconclusive.ABORT))
    assert told(begun(strategy), evidence(9_000)).expected.endswith(
        "a step still undecided at its end is given up."
    )


def test_no_rate_is_told_from_no_time() -> None:
    assert workloads_per_hour(Evidence(), NOW) == 0
    assert workloads_per_hour(evidence(50), NOW) == 50
    seen = replace(evidence(50), first_ns=NOW)
    assert forecast_step_end(begun(), seen, NOW).expected_ns is None
