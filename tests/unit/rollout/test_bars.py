from dataclasses import replace

import pytest

from tests.support.rollouts import ENOUGH, evidence
from webhook.rollout.bars import Bar, BarName, BarState, count_false_positives, evaluate_bars
from webhook.rollout.evidence import Evidence
from webhook.rollout.histogram import NO_DURATIONS, histogram_of
from webhook.rollout.strategy import Analysis, Unreviewed

MILLISECOND = 1_000_000


def bar(name: BarName, seen: Evidence, analysis: Analysis | None = None) -> Bar:
    return next(bar for bar in evaluate_bars(analysis or Analysis(), seen) if bar.name is name)


def false_positives(seen: Evidence, analysis: Analysis | None = None) -> Bar:
    return bar(BarName.FALSE_POSITIVE_RATE, seen, analysis)


def test_enough_clean_workloads_meet_every_bar() -> None:
    assert {bar.state for bar in evaluate_bars(Analysis(), evidence())} == {BarState.MET}


def test_the_false_positive_bar_says_how_many_workloads_are_missing() -> None:
    judged = false_positives(evidence(10_000))
    assert judged.state is BarState.UNDECIDED
    assert judged.missing == "853 more workloads without a false positive"


def test_an_unreviewed_finding_counts_as_a_false_positive() -> None:
    judged = false_positives(evidence(ENOUGH + 1, unreviewed=1))
    assert judged.state is BarState.UNDECIDED
    assert judged.missing.startswith(
        f"{22_536 - ENOUGH - 1:,} more workloads without a false positive, or 0 once 1 unr"
    )


def test_a_finding_judged_right_is_no_trial() -> None:
    assert false_positives(evidence(ENOUGH, true_positives=1)).state is BarState.UNDECIDED
    assert false_positives(evidence(ENOUGH + 1, true_positives=1)).state is BarState.MET


def test_workloads_that_violate_already_are_no_trials() -> None:
    assert false_positives(evidence(ENOUGH, misses=1)).state is BarState.UNDECIDED


def test_silence_never_proves_a_candidate_wrong() -> None:
    judged = false_positives(evidence(100, unreviewed=90))
    assert judged.state is BarState.UNDECIDED


def test_confirmed_false_positives_prove_a_candidate_wrong_early() -> None:
    judged = false_positives(evidence(500, confirmed=3))
    assert judged.state is BarState.MISSED
    assert judged.missing == "3 confirmed false positives among 500 workloads prove the rate too high"


def test_ignoring_unreviewed_findings_takes_them_out_of_the_count() -> None:
    analysis = Analysis(unreviewed=Unreviewed.IGNORE)
    assert false_positives(evidence(ENOUGH + 5, unreviewed=5), analysis).state is BarState.MET
    assert false_positives(evidence(ENOUGH + 4, unreviewed=5), analysis).state is BarState.UNDECIDED
    assert not count_false_positives(analysis, evidence(ENOUGH, unreviewed=5)).guaranteed


def test_counting_gives_bound_evidence_and_what_is_needed() -> None:
    count = count_false_positives(Analysis(), evidence(10_000, confirmed=1, unreviewed=2, true_positives=5))
    assert (count.trials, count.failures, count.confirmed, count.unreviewed) == (9_995, 3, 1, 2)
    assert count.failures / count.trials < count.upper_bound < 0.01
    assert count.log_evidence < count.log_threshold
    assert count.workloads_needed > count.workloads_needed_when_reviewed
    assert count.workloads_needed_when_reviewed == 22_536 - (9_995 - 2)
    assert count.guaranteed


def test_findings_that_arrive_before_their_workloads_do_no_harm() -> None:
    seen = evidence(0, confirmed=2)
    assert false_positives(seen).state is BarState.MISSED
    assert count_false_positives(Analysis(), seen).trials == 2


@pytest.mark.parametrize(
    ("right", "wrong", "state"),
    [(0, 0, BarState.MET), (100, 0, BarState.MET), (99, 1, BarState.MET), (60, 1, BarState.UNDECIDED), (0, 5, BarState.MISSED)],
)  # fmt: skip
def test_interception_accuracy_is_the_share_of_right_findings(
    right: int, wrong: int, state: BarState
) -> None:
    seen = evidence(ENOUGH, true_positives=right, confirmed=wrong)
    assert bar(BarName.INTERCEPTION_ACCURACY, seen).state is state


def test_a_missed_violation_counts_against_accuracy() -> None:
    judged = bar(BarName.INTERCEPTION_ACCURACY, evidence(ENOUGH, true_positives=98, misses=2))
    assert judged.value == pytest.approx(0.98)
    assert judged.missing == "100 more true positives to make up for each finding that was wrong so far (2)"


def test_open_findings_leave_accuracy_undecided_until_one_is_reviewed() -> None:
    judged = bar(BarName.INTERCEPTION_ACCURACY, evidence(ENOUGH, unreviewed=3))
    assert (judged.state, judged.missing) == (BarState.UNDECIDED, "a review of 3 findings")


def test_disputes_reviewed_first_do_not_prove_inaccuracy() -> None:
    few_wrong_of_many_open = evidence(ENOUGH, confirmed=2, unreviewed=1_000)
    assert bar(BarName.INTERCEPTION_ACCURACY, few_wrong_of_many_open).state is BarState.UNDECIDED


def test_accuracy_of_exactly_one_cannot_be_made_up() -> None:
    analysis = Analysis(interception_accuracy_min=1.0)
    judged = bar(BarName.INTERCEPTION_ACCURACY, evidence(ENOUGH, true_positives=5, confirmed=1), analysis)
    assert judged.state is BarState.MISSED


def test_latency_overhead_is_the_difference_of_the_slowest_hundredths() -> None:
    slow = histogram_of([MILLISECOND] * 900 + [4 * MILLISECOND] * 100)
    judged = bar(
        BarName.LATENCY_OVERHEAD, evidence(durations=slow, stable_durations=histogram_of([MILLISECOND] * 500))
    )
    assert judged.state is BarState.MET
    assert judged.value == pytest.approx(3, abs=0.5)


def test_a_first_version_adds_all_its_time() -> None:
    seen = replace(evidence(durations=histogram_of([8 * MILLISECOND] * 1000)), stable_durations=None)
    judged = bar(BarName.LATENCY_OVERHEAD, seen)
    assert judged.state is BarState.MISSED
    assert judged.value == pytest.approx(8, rel=0.2)


def test_a_hundred_evaluations_are_needed_to_know_the_slowest_hundredth() -> None:
    judged = bar(BarName.LATENCY_OVERHEAD, evidence(durations=histogram_of([60 * MILLISECOND] * 99)))
    assert (judged.state, judged.missing) == (
        BarState.UNDECIDED,
        "1 more evaluation to know its slowest hundredth",
    )


def test_a_few_slow_evaluations_hold_but_do_not_roll_back() -> None:
    seen = evidence(
        durations=histogram_of([MILLISECOND] * 98 + [60 * MILLISECOND] * 2), stable_durations=NO_DURATIONS
    )
    assert bar(BarName.LATENCY_OVERHEAD, seen).state is BarState.UNDECIDED


@pytest.mark.parametrize(
    ("errors", "state"),
    [(0, BarState.MET), (10, BarState.MET), (14, BarState.UNDECIDED), (100, BarState.MISSED)],
)
def test_the_error_rate_is_judged_by_the_same_test(errors: int, state: BarState) -> None:
    assert bar(BarName.ERROR_RATE, evidence(10_000, errors=errors)).state is state


def test_a_single_error_misses_an_error_rate_of_zero() -> None:
    analysis = Analysis(error_rate_max=0.0)
    assert bar(BarName.ERROR_RATE, evidence(10_000, errors=1), analysis).state is BarState.MISSED
    assert bar(BarName.ERROR_RATE, evidence(10_000), analysis).state is BarState.MET


def test_without_an_evaluation_nothing_is_known_of_errors() -> None:
    assert bar(BarName.ERROR_RATE, Evidence()).state is BarState.UNDECIDED


def test_newly_allowed_findings_must_be_reviewed() -> None:
    judged = bar(BarName.NEWLY_ALLOWED, evidence(newly_allowed=2))
    assert judged.state is BarState.UNDECIDED
    assert "2 findings that stable denies" in judged.missing
    assert (
        bar(BarName.NEWLY_ALLOWED, evidence(newly_allowed=2), Analysis(unreviewed=Unreviewed.IGNORE)).state
        is BarState.MET
    )


def test_a_dropped_bar_is_not_judged() -> None:
    analysis = Analysis(interception_accuracy_min=None, latency_overhead_p99_max_ns=None, error_rate_max=None)
    names = {bar.name for bar in evaluate_bars(analysis, evidence())}
    assert names == {BarName.FALSE_POSITIVE_RATE, BarName.NEWLY_ALLOWED}


def test_errors_before_a_retry_are_not_held_against_the_candidate() -> None:
    seen = evidence(10_000, errors=500)
    states = {bar.name: bar.state for bar in evaluate_bars(Analysis(), seen, baseline=seen.total)}
    assert states[BarName.ERROR_RATE] is BarState.UNDECIDED
