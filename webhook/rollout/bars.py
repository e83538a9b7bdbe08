"""The bars: what a candidate has to clear, judged from evidence.

Each bar ends as met, undecided or missed, with its value, its limit and what is missing in words. *Missed* means
proven to be missed, whatever is still to come: it rolls back. Not met and not proven missed is undecided: it holds.
Silence therefore neither promotes nor rolls back: an unreviewed finding counts against promotion, and never as
proof against the candidate.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from webhook.rollout.duration import MILLISECOND_NS
from webhook.rollout.evidence import Counters, Evidence, subtract_baseline
from webhook.rollout.finding import FindingKind, Verdict
from webhook.rollout.histogram import Histogram
from webhook.rollout.sequential import SequentialTest
from webhook.rollout.strategy import Analysis, Unreviewed

_P99 = 0.99
LEAST_EVALUATIONS_FOR_P99 = 100
"""Fewer have no slowest hundredth."""


class BarName(StrEnum):
    """Which bar."""

    FALSE_POSITIVE_RATE = "falsePositiveRate"
    INTERCEPTION_ACCURACY = "interceptionAccuracy"
    LATENCY_OVERHEAD = "latencyOverhead"
    ERROR_RATE = "errorRate"
    NEWLY_ALLOWED = "newlyAllowed"


class BarState(StrEnum):
    """How the evidence stands to a bar."""

    MET = "met"
    UNDECIDED = "undecided"
    MISSED = "missed"
    """Proven: no later evidence of the same kind is awaited."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, judged."""

    name: BarName
    state: BarState
    value: float | None
    """As far as known; a fraction, or milliseconds for the latency overhead, or a count for `newlyAllowed`."""
    limit: float
    """In the unit of the value."""
    missing: str = ""
    """What it takes, in words; empty when met."""


@dataclass(frozen=True, slots=True)
class FalsePositiveCount:
    """The numbers that the sequential test is given, and what it says of them."""

    trials: int
    failures: int
    """Confirmed false positives and, unless they are ignored, the unreviewed ones."""
    confirmed: int
    unreviewed: int
    log_evidence: float
    """Natural logarithm of e; promotion's proof is complete at `log_threshold`."""
    log_threshold: float
    upper_bound: float
    """The rate lies below, at the strategy's confidence, however often one looked."""
    workloads_needed: int
    """More benign workloads until proof, if no further false positive appears."""
    workloads_needed_when_reviewed: int
    """The same if every unreviewed finding is judged a true positive."""
    guaranteed: bool
    """False when unreviewed findings are ignored."""


def evaluate_bars(
    analysis: Analysis, evidence: Evidence, baseline: Counters | None = None
) -> tuple[Bar, ...]:
    """Judge every bar that the strategy has."""
    return tuple(_bars(analysis, evidence, subtract_baseline(evidence, baseline)))


def count_false_positives(analysis: Analysis, evidence: Evidence) -> FalsePositiveCount:
    """Give the numbers behind the false-positive bar; a fraction of a millisecond, for status and records."""
    rate = analysis.false_positive_rate
    test = _sequential_test(rate.max, rate.confidence)
    trials, failures = _trials(analysis, evidence)
    confirmed = evidence.confirmed_false_positives
    return FalsePositiveCount(
        trials=trials,
        failures=failures,
        confirmed=confirmed,
        unreviewed=evidence.unreviewed,
        log_evidence=test.log_evidence_below(trials, failures),
        log_threshold=test.log_threshold,
        upper_bound=test.upper_bound(trials, failures),
        workloads_needed=max(_trials_needed(test, failures) - trials, 0),
        workloads_needed_when_reviewed=max(
            _trials_needed(test, confirmed) - (trials - (failures - confirmed)), 0
        ),
        guaranteed=analysis.unreviewed is Unreviewed.FALSE_POSITIVE,
    )


def count_interceptions(evidence: Evidence) -> tuple[int, int]:
    """Give how many reviewed findings were right and wrong; a violation that the candidate misses is wrong."""
    wrong = evidence.count(FindingKind.NEWLY_DENIED, Verdict.FALSE_POSITIVE)
    missed = evidence.count(FindingKind.NEWLY_ALLOWED, Verdict.TRUE_POSITIVE)
    return evidence.count(FindingKind.NEWLY_DENIED, Verdict.TRUE_POSITIVE), wrong + missed


def _bars(analysis: Analysis, evidence: Evidence, counters: Counters) -> Iterator[Bar]:
    confidence = analysis.false_positive_rate.confidence
    yield _false_positive_bar(analysis, evidence)
    if analysis.interception_accuracy_min is not None:
        yield _accuracy_bar(analysis.interception_accuracy_min, confidence, evidence)
    if analysis.latency_overhead_p99_max_ns is not None:
        limit_ns = analysis.latency_overhead_p99_max_ns
        yield _latency_bar(limit_ns, confidence, counters.durations, evidence.stable_durations)
    if analysis.error_rate_max is not None:
        yield _error_bar(analysis.error_rate_max, confidence, counters)
    yield _newly_allowed_bar(analysis, evidence)


def _false_positive_bar(analysis: Analysis, evidence: Evidence) -> Bar:
    rate = analysis.false_positive_rate
    test = _sequential_test(rate.max, rate.confidence)
    trials, failures = _trials(analysis, evidence)
    value = failures / trials if trials else None
    confirmed = evidence.confirmed_false_positives
    if confirmed and test.proves_above(max(evidence.trials, confirmed), confirmed):
        missing = f"{_count(confirmed, 'confirmed false positive')} among {trials:,} workloads prove the rate too high"
        return Bar(BarName.FALSE_POSITIVE_RATE, BarState.MISSED, value, rate.max, missing)
    needed = _trials_needed(test, failures) - trials
    if needed <= 0:
        return Bar(BarName.FALSE_POSITIVE_RATE, BarState.MET, value, rate.max)
    missing = f"{needed:,} more workloads without a false positive"
    if failures > confirmed:
        cleared = max(_trials_needed(test, confirmed) - (trials - (failures - confirmed)), 0)
        missing += f", or {cleared:,} once {_count(failures - confirmed, 'unreviewed workload')} prove rightly denied"
    return Bar(BarName.FALSE_POSITIVE_RATE, BarState.UNDECIDED, value, rate.max, missing)


def _trials(analysis: Analysis, evidence: Evidence) -> tuple[int, int]:
    """Give (n, k) of the sequential test."""
    failures, trials = evidence.confirmed_false_positives, evidence.trials
    if analysis.unreviewed is Unreviewed.FALSE_POSITIVE:
        failures += evidence.unreviewed
    else:
        trials -= evidence.unreviewed
    # A store that is not transactional may have the finding before the workload.
    return max(trials, failures), failures


def _accuracy_bar(least: float, confidence: float, evidence: Evidence) -> Bar:
    right, wrong = count_interceptions(evidence)
    open_count = evidence.count(FindingKind.NEWLY_DENIED, Verdict.UNREVIEWED)
    name, reviewed = BarName.INTERCEPTION_ACCURACY, right + wrong
    value = right / reviewed if reviewed else None
    # Reviewers look at disputes first, which are wrong more often: proof grants that all open ones are right.
    if wrong and _proves_above(1 - least, confidence, reviewed + open_count, wrong):
        missing = f"{wrong:,} of {reviewed:,} reviewed findings were wrong"
        return Bar(name, BarState.MISSED, value, least, missing)
    if value is None:
        if open_count:
            missing = f"a review of {_count(open_count, 'finding')}"
            return Bar(name, BarState.UNDECIDED, None, least, missing)
        return Bar(name, BarState.MET, None, least)  # nothing was intercepted, so nothing wrongly
    if value >= least:
        return Bar(name, BarState.MET, value, least)
    missing = (
        f"{_right_findings_needed(least, right, wrong)} for each finding that was wrong so far ({wrong:,})"
    )
    return Bar(name, BarState.UNDECIDED, value, least, missing)


def _right_findings_needed(least: float, right: int, wrong: int) -> str:
    if least >= 1:
        return "another verdict, since nothing can make up"
    more = math.ceil(least * wrong / (1 - least) - right - 1e-9)
    return f"{_count(max(more, 1), 'more true positive')} to make up"


def _latency_bar(limit_ns: int, confidence: float, candidate: Histogram, stable: Histogram | None) -> Bar:
    name, limit = BarName.LATENCY_OVERHEAD, limit_ns / MILLISECOND_NS
    stable_p99_ns = stable.quantile_ns(_P99) if stable is not None else 0.0
    total = candidate.total
    if total < LEAST_EVALUATIONS_FOR_P99:
        missing = (
            f"{_count(LEAST_EVALUATIONS_FOR_P99 - total, 'more evaluation')} to know its slowest hundredth"
        )
        return Bar(name, BarState.UNDECIDED, None, limit, missing)
    overhead_ns = max(candidate.quantile_ns(_P99) - stable_p99_ns, 0.0)
    value = overhead_ns / MILLISECOND_NS
    if overhead_ns <= limit_ns:
        return Bar(name, BarState.MET, value, limit)
    too_slow = candidate.count_above(stable_p99_ns + limit_ns)
    missing = f"p99 is {value:.3g} ms above stable's, at most {limit:g} ms is allowed"
    proven = _proves_above(1 - _P99, confidence, total, too_slow)
    return Bar(name, BarState.MISSED if proven else BarState.UNDECIDED, value, limit, missing)


def _error_bar(most: float, confidence: float, counters: Counters) -> Bar:
    name, errors, evaluations = (
        BarName.ERROR_RATE,
        counters.errors,
        max(counters.evaluations, counters.errors),
    )
    if not evaluations:
        return Bar(name, BarState.UNDECIDED, None, most, "any evaluation at all")
    value = errors / evaluations
    if value <= most:
        return Bar(name, BarState.MET, value, most)
    missing = f"{errors:,} of {evaluations:,} evaluations failed"
    proven = _proves_above(most, confidence, evaluations, errors)
    return Bar(name, BarState.MISSED if proven else BarState.UNDECIDED, value, most, missing)


def _newly_allowed_bar(analysis: Analysis, evidence: Evidence) -> Bar:
    unreviewed = evidence.count(FindingKind.NEWLY_ALLOWED, Verdict.UNREVIEWED)
    if not unreviewed or analysis.unreviewed is Unreviewed.IGNORE:
        return Bar(BarName.NEWLY_ALLOWED, BarState.MET, unreviewed, 0)
    missing = f"a review of {_count(unreviewed, 'finding')} that stable denies and the candidate allows"
    return Bar(BarName.NEWLY_ALLOWED, BarState.UNDECIDED, unreviewed, 0, missing)


def _proves_above(rate: float, confidence: float, trials: int, failures: int) -> bool:
    if rate <= 0:
        return failures > 0
    return rate < 1 and _sequential_test(rate, confidence).proves_above(trials, failures)


@functools.lru_cache(maxsize=64)
def _sequential_test(rate: float, confidence: float) -> SequentialTest:
    return SequentialTest(rate, confidence)


@functools.lru_cache(maxsize=4096)
def _trials_needed(test: SequentialTest, failures: int) -> int:
    # Evidence grows with trials, so "proven" and "at least this many trials" are the same thing.
    return test.trials_needed(failures)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
