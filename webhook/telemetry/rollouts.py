"""Metrics of rollouts: what the journal of this process did, and how the leader sees each rollout.

Owns turning reports into series. Must not know where reports come from, or how series are exposed.
"""

import math
from collections.abc import Mapping, Sequence

from webhook.ports.observer import JournalReport, RolloutStanding
from webhook.rollout.bars import Bar, BarState, count_false_positives, count_interceptions
from webhook.rollout.evidence import Evidence
from webhook.rollout.histogram import Histogram
from webhook.rollout.life import Phase, Rollout
from webhook.telemetry import vocabulary
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.tally import Labels
from webhook.telemetry.vocabulary import SECOND_NS, Metric

_GROUP = "rollouts"
_P99 = 0.99
_LARGEST_LOG = 700.0
"""Beyond it e to the power of it is no float any more."""
_Gauges = dict[tuple[Metric, Labels], float]


def count_journal(metrics: Metrics, report: JournalReport) -> None:
    """Add a journal's report."""
    for (policy, version, mode), count in report.trials.items():
        metrics.count(vocabulary.TRIALS, (policy, version, mode.value), count)
    for (policy, version, mode), count in report.dropped.items():
        metrics.count(vocabulary.TRIALS_DROPPED, (policy, version, mode.value), count)
    for (policy, version, kind), count in report.findings.items():
        metrics.count(vocabulary.FINDINGS, (policy, version, kind.value), count)
    for fix in report.fixes:
        metrics.observe(vocabulary.TIME_TO_FIX_SECONDS, (fix.policy, fix.version), fix.time_to_fix_ns)
    for result, count in (("stored", report.flushes), ("failed", report.failed_flushes)):
        if count:
            metrics.count(vocabulary.JOURNAL_BATCHES, (result,), count)
    metrics.gauge(vocabulary.JOURNAL_WAITING, report.open_trials, ("open",))
    metrics.gauge(vocabulary.JOURNAL_WAITING, report.settled_trials, ("settled",))
    metrics.gauge(vocabulary.JOURNAL_LAG, report.lag_ns / SECOND_NS)


def show_rollouts(metrics: Metrics, standings: Sequence[RolloutStanding]) -> None:
    """Show how rollouts stand, and nothing of others."""
    gauges: _Gauges = {}
    for standing in standings:
        gauges.update(_gauges_of(standing))
    metrics.show(_GROUP, gauges)


def _gauges_of(standing: RolloutStanding) -> _Gauges:
    rollout = standing.rollout
    values: dict[Metric, float] = {
        vocabulary.ROLLOUT_STEP: rollout.step + 1,
        vocabulary.ROLLOUT_STEPS: len(rollout.strategy.steps),
        vocabulary.ROLLOUT_STEP_SERVED: standing.assessment.served_ns / SECOND_NS,
        vocabulary.ROLLOUT_STEP_DURATION: rollout.current_step.duration_ns / SECOND_NS,
        vocabulary.ROLLOUT_COHORT: standing.cohort,
        vocabulary.ROLLOUT_FALSE_POSITIVE_MAX: rollout.strategy.analysis.false_positive_rate.max,
    }
    if standing.eligible:
        values[vocabulary.ROLLOUT_COHORT_RATIO] = standing.cohort / standing.eligible
    gauges = _label(rollout, values) | _label(rollout, {vocabulary.ROLLOUT_REASON: 1}, rollout.reason.value)
    for phase in Phase:
        gauges[vocabulary.ROLLOUT_PHASE, (rollout.policy, rollout.version, phase.value)] = (
            phase is rollout.phase
        )
    if standing.evidence is not None:
        gauges |= _evidence_gauges(rollout, standing.evidence)
    return gauges | _bar_gauges(rollout, standing.assessment.bars)


def _evidence_gauges(rollout: Rollout, evidence: Evidence) -> _Gauges:
    numbers = count_false_positives(rollout.strategy.analysis, evidence)
    values: dict[Metric, float] = {
        vocabulary.ROLLOUT_WORKLOADS: evidence.workloads,
        vocabulary.ROLLOUT_DISPUTED: evidence.disputed,
        vocabulary.ROLLOUT_FALSE_POSITIVE_UPPER: numbers.upper_bound,
        vocabulary.ROLLOUT_EVIDENCE: math.exp(min(numbers.log_evidence, _LARGEST_LOG)),
        vocabulary.ROLLOUT_EVIDENCE_NEEDED: math.exp(min(numbers.log_threshold, _LARGEST_LOG)),
        vocabulary.ROLLOUT_WORKLOADS_NEEDED: numbers.workloads_needed,
    }
    if numbers.trials:
        values[vocabulary.ROLLOUT_FALSE_POSITIVE_RATIO] = numbers.failures / numbers.trials
    right, wrong = count_interceptions(evidence)
    if right + wrong:
        values[vocabulary.ROLLOUT_INTERCEPTION] = right / (right + wrong)
    if evidence.reported_ns is not None:
        values[vocabulary.ROLLOUT_REPORTED] = evidence.reported_ns / SECOND_NS
    return _label(rollout, values) | _count_gauges(rollout, evidence) | _duration_gauges(rollout, evidence)


def _bar_gauges(rollout: Rollout, bars: Sequence[Bar]) -> _Gauges:
    gauges: _Gauges = {}
    for bar in bars:
        for state in BarState:
            gauges |= _label(
                rollout, {vocabulary.ROLLOUT_BAR: bar.state is state}, bar.name.value, state.value
            )
    return gauges


def _count_gauges(rollout: Rollout, evidence: Evidence) -> _Gauges:
    gauges: _Gauges = {}
    for mode, counters in evidence.modes.items():
        by_mode: dict[Metric, float] = {
            vocabulary.ROLLOUT_EVALUATIONS: counters.evaluations,
            vocabulary.ROLLOUT_DENIALS: counters.denials,
            vocabulary.ROLLOUT_DIVERGENCES: counters.divergences,
            vocabulary.ROLLOUT_ERRORS: counters.errors,
            vocabulary.ROLLOUT_DROPPED: counters.dropped,
        }
        gauges |= _label(rollout, by_mode, mode.value)
    for kind, verdicts in evidence.findings.items():
        for verdict, count in verdicts.items():
            gauges |= _label(rollout, {vocabulary.ROLLOUT_FINDINGS: count}, kind.value, verdict.value)
    return gauges


def _duration_gauges(rollout: Rollout, evidence: Evidence) -> _Gauges:
    gauges: _Gauges = {}
    contenders: dict[str, Histogram | None] = {
        "candidate": evidence.total.durations,
        "stable": evidence.stable_durations,
    }
    for contender, durations in contenders.items():
        if durations is not None and durations.total:
            p99_seconds = durations.quantile_ns(_P99) / SECOND_NS
            gauges |= _label(rollout, {vocabulary.ROLLOUT_P99: p99_seconds}, contender)
    return gauges


def _label(rollout: Rollout, values: Mapping[Metric, float], *labels: str) -> _Gauges:
    return {
        (metric, (rollout.policy, rollout.version, *labels)): float(value) for metric, value in values.items()
    }
