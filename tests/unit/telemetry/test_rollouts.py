"""Rollouts and the journal, as a scraper sees them."""

from dataclasses import replace

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tests.support.rollouts import NOW, begun, evidence
from webhook.ports.observer import Fix, JournalReport, RolloutStanding
from webhook.rollout.assessment import assess
from webhook.rollout.bars import BarName, BarState
from webhook.rollout.evidence import Evidence
from webhook.rollout.finding import FindingKind
from webhook.rollout.life import Phase, Rollout
from webhook.rollout.strategy import Mode
from webhook.telemetry.exposition import Exposition
from webhook.telemetry.metrics import Metrics, MetricsReport
from webhook.telemetry.rollouts import count_journal, show_rollouts

KEY = ("credential-env", "1.1.0")


def scrape(metrics: Metrics) -> dict[str, float]:
    """Give the samples of Gradate's own metrics by name and labels, but the worker's, as they cross processes."""
    exposition = Exposition()
    wire = msgspec.msgpack.encode(metrics.report())
    exposition.absorb("0", msgspec.msgpack.decode(wire, type=MetricsReport))
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items()) if name != "worker"):
            sample.value
        for family in text_string_to_metric_families(exposition.render()[1].decode())
        if family.name.startswith("gradate_")
        for sample in family.samples
    }  # fmt: skip


def test_what_a_journal_did_is_counted() -> None:
    metrics = Metrics()
    report = JournalReport(
        trials={(*KEY, Mode.SHADOW): 7},
        dropped={(*KEY, Mode.SHADOW): 3},
        findings={(*KEY, FindingKind.NEWLY_DENIED): 2},
        fixes=[Fix(*KEY, time_to_fix_ns=90 * 10**9)],
        flushes=1,
        failed_flushes=2,
        open_trials=5,
        lag_ns=1_500_000_000,
    )
    count_journal(metrics, report)
    count_journal(metrics, report)
    seen = scrape(metrics)
    of = "policy=credential-env version=1.1.0"
    assert seen[f"gradate_trials_total mode=shadow {of}"] == 14
    assert seen[f"gradate_trials_dropped_total mode=shadow {of}"] == 6
    assert seen[f"gradate_findings_total kind=newly-denied {of}"] == 4
    assert seen[f"gradate_time_to_fix_seconds_count {of}"] == 2
    assert seen[f"gradate_time_to_fix_seconds_bucket le=60.0 {of}"] == 0
    assert seen[f"gradate_time_to_fix_seconds_bucket le=300.0 {of}"] == 2
    assert seen["gradate_journal_batches_total result=stored"] == 2
    assert seen["gradate_journal_batches_total result=failed"] == 4
    assert seen["gradate_journal_waiting_trials queue=open"] == 5
    assert seen["gradate_journal_waiting_trials queue=settled"] == 0
    assert seen["gradate_journal_lag_seconds"] == 1.5


def standing(
    seen: Evidence | None,
    rollout: Rollout | None = None,
    *,
    cohort: int = 2,
    eligible: int = 40,
    now_ns: int = NOW,
) -> RolloutStanding:
    rollout = begun() if rollout is None else rollout
    return RolloutStanding(rollout, seen, assess(rollout, seen, now_ns), cohort, eligible)


def test_the_time_that_a_step_has_served_is_shown_between_two_looks_that_are_stored() -> None:
    metrics = Metrics()
    later = NOW + 90 * 10**9
    show_rollouts(metrics, [standing(evidence(reported_ns=later), now_ns=later)])
    of = "policy=credential-env version=1.1.0"
    assert scrape(metrics)[f"gradate_rollout_step_served_seconds {of}"] == 90


def test_a_violation_that_the_candidate_misses_is_no_interception() -> None:
    metrics = Metrics()
    show_rollouts(metrics, [standing(evidence(1_000, confirmed=1, true_positives=6, misses=1))])
    of = "policy=credential-env version=1.1.0"
    assert scrape(metrics)[f"gradate_rollout_interception_ratio {of}"] == 0.75


def test_a_rollout_is_shown_with_its_evidence() -> None:
    metrics = Metrics()
    seen = evidence(1_000, confirmed=1, unreviewed=2, true_positives=3, errors=4, disputed=1)
    show_rollouts(metrics, [standing(seen)])
    gauges = scrape(metrics)
    of = "policy=credential-env version=1.1.0"
    assert gauges[f"gradate_rollout_phase phase=Progressing {of}"] == 1
    assert gauges[f"gradate_rollout_phase phase=Degraded {of}"] == 0
    assert (gauges[f"gradate_rollout_step {of}"], gauges[f"gradate_rollout_steps {of}"]) == (1, 2)
    assert gauges[f"gradate_rollout_step_duration_seconds {of}"] == 72 * 3600
    assert gauges[f"gradate_rollout_step_served_seconds {of}"] == 0
    assert gauges["gradate_rollout_reason policy=credential-env reason=StepBegun version=1.1.0"] == 1
    assert gauges[f"gradate_rollout_cohort_namespaces {of}"] == 2
    assert gauges[f"gradate_rollout_cohort_ratio {of}"] == 0.05
    assert gauges[f"gradate_rollout_workloads {of}"] == 1_000
    assert gauges[f"gradate_rollout_errors mode=shadow {of}"] == 4
    assert (
        gauges[
            "gradate_rollout_findings kind=newly-denied policy=credential-env verdict=unreviewed version=1.1.0"
        ]
        == 2
    )
    assert gauges[f"gradate_rollout_disputed_findings {of}"] == 1
    assert gauges[f"gradate_rollout_false_positive_ratio {of}"] == 3 / 997
    assert gauges[f"gradate_rollout_false_positive_upper_bound_ratio {of}"] > 3 / 997
    assert gauges[f"gradate_rollout_false_positive_max_ratio {of}"] == 0.0003
    assert gauges[f"gradate_rollout_evidence_e_value {of}"] < 1
    assert round(gauges[f"gradate_rollout_evidence_e_value_needed {of}"]) == 20
    assert gauges[f"gradate_rollout_workloads_needed {of}"] > 10_000
    assert gauges[f"gradate_rollout_interception_ratio {of}"] == 0.75
    assert 0 < gauges[f"gradate_rollout_evaluation_p99_seconds contender=stable {of}"] < 0.001
    assert gauges[f"gradate_rollout_reported_timestamp_seconds {of}"] == 1_700_000_000


def test_every_bar_is_in_exactly_one_state() -> None:
    metrics = Metrics()
    missing = evidence(1_000, unreviewed=2)
    show_rollouts(metrics, [standing(missing)])
    bars = {name: value for name, value in scrape(metrics).items() if name.startswith("gradate_rollout_bar ")}
    of = "policy=credential-env"
    assert bars[f"gradate_rollout_bar bar=falsePositiveRate {of} state=undecided version=1.1.0"] == 1
    assert bars[f"gradate_rollout_bar bar=falsePositiveRate {of} state=met version=1.1.0"] == 0
    assert bars[f"gradate_rollout_bar bar=errorRate {of} state=met version=1.1.0"] == 1
    assert sum(bars.values()) == len(BarName)
    assert len(bars) == len(BarName) * len(BarState)


def test_evidence_that_cannot_be_read_leaves_the_rest_to_be_seen() -> None:
    metrics = Metrics()
    show_rollouts(metrics, [standing(None, cohort=0, eligible=0)])
    gauges = scrape(metrics)
    assert "gradate_rollout_step policy=credential-env version=1.1.0" in gauges
    assert not any(name.startswith("gradate_rollout_workloads") for name in gauges)


def test_a_rollout_that_is_no_longer_observed_is_no_longer_shown() -> None:
    metrics = Metrics()
    show_rollouts(metrics, [standing(evidence())])
    other = replace(begun(), version="2.0.0", phase=Phase.PAUSED)
    show_rollouts(metrics, [standing(None, other)])
    assert not any("version=1.1.0" in name for name in scrape(metrics))
    show_rollouts(metrics, [])
    assert not any(name.startswith("gradate_rollout_") and "policy" in name for name in scrape(metrics))


def test_overwhelming_evidence_is_still_a_number() -> None:
    metrics = Metrics()
    show_rollouts(metrics, [standing(evidence(100_000_000))])
    assert scrape(metrics)["gradate_rollout_evidence_e_value policy=credential-env version=1.1.0"] > 1e300
