import itertools
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from webhook.decision.record import DecisionRecord, VerdictRecord
from webhook.telemetry import vocabulary
from webhook.telemetry.exposition import Exposition
from webhook.telemetry.metrics import Metrics, MetricsReport
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.vocabulary import METRICS, MetricKind


def outcome(duration_ns: int = 250_000, *, allowed: bool = True, status: int = 200) -> RequestOutcome:
    verdict = VerdictRecord(
        policy="credential-env", version="1.2.0", outcome="allow" if allowed else "deny", duration_ns=12_000
    )
    decision = DecisionRecord(
        uid="u", operation="CREATE", kind="Pod", allowed=allowed, outcome=verdict.outcome, verdicts=(verdict,)
    )
    return RequestOutcome(
        endpoint="validate",
        status=status,
        ended_at_ns=0,
        duration_ns=duration_ns,
        decision=decision if status == 200 else None,
    )


def series(exposition: Exposition) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    _, body = exposition.render()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(exposition: Exposition, name: str, **labels: str) -> float:
    return series(exposition)[name, tuple(sorted(labels.items()))]


def expose(outcomes: Iterable[RequestOutcome]) -> Exposition:
    metrics, exposition = Metrics(), Exposition()
    metrics.accept(list(outcomes))
    exposition.absorb("0", metrics.report())
    return exposition


def test_requests_reviews_and_verdicts_are_counted() -> None:
    exposition = expose([outcome(), outcome(allowed=False), outcome(status=400)])
    assert value(exposition, "gradate_requests_total", endpoint="validate", code="200") == 2
    assert value(exposition, "gradate_requests_total", endpoint="validate", code="400") == 1
    reviews = {"endpoint": "validate", "operation": "CREATE"}
    assert value(exposition, "gradate_reviews_total", allowed="false", **reviews) == 1
    policy = {"policy": "credential-env", "version": "1.2.0"}
    assert value(exposition, "gradate_decisions_total", outcome="deny", **policy) == 1
    assert value(exposition, "gradate_evaluation_seconds_count", **policy) == 2


def test_a_histogram_is_cumulative_in_seconds_with_buckets_below_a_millisecond() -> None:
    exposition = expose([outcome(60_000), outcome(250_000), outcome(40_000_000_000)])
    buckets = {
        dict(labels)["le"]: count
        for (name, labels), count in series(exposition).items()
        if name == "gradate_request_seconds_bucket"
    }
    assert (buckets["5e-05"], buckets["0.0001"], buckets["0.0003"], buckets["30.0"], buckets["+Inf"]) == (
        0, 1, 2, 2, 3,
    )  # fmt: skip
    counts = [count for _, count in sorted(buckets.items(), key=lambda item: float(item[0]))]
    assert all(one <= other for one, other in itertools.pairwise(counts))
    assert value(exposition, "gradate_request_seconds_sum", endpoint="validate") == 40.00031


def test_counters_of_all_workers_add_up_and_never_fall_when_one_dies() -> None:
    exposition = Exposition()
    for worker in ("0", "1"):
        metrics = Metrics()
        metrics.accept([outcome()])
        metrics.gauge(vocabulary.IN_FLIGHT, 3)
        exposition.absorb(worker, metrics.report())
    exposition.forget("0")
    successor = Metrics()
    successor.accept([outcome()])
    exposition.absorb("0", successor.report())
    assert value(exposition, "gradate_requests_total", endpoint="validate", code="200") == 3
    in_flight = {
        dict(labels)["worker"] for name, labels in series(exposition) if name == "gradate_in_flight_requests"
    }
    assert in_flight == {"1"}


def test_a_watched_total_counts_its_growth_once() -> None:
    total, metrics, exposition = [5], Metrics(), Exposition()
    metrics.watch_count(vocabulary.SHED, (), lambda: total[0])
    exposition.absorb("0", metrics.report())
    exposition.absorb("0", metrics.report())
    total[0] = 7
    exposition.absorb("0", metrics.report())
    assert value(exposition, "gradate_shed_requests_total") == 7


def test_counters_without_labels_stand_at_zero_from_the_start() -> None:
    assert value(Exposition(), "gradate_shed_requests_total") == 0


def test_the_age_of_the_snapshot_is_told_at_the_time_of_the_scrape() -> None:
    exposition = Exposition(now=lambda: 1000.0)
    metrics = Metrics()
    metrics.gauge(vocabulary.SNAPSHOT_TIME, 940)
    exposition.absorb("0", metrics.report())
    assert value(exposition, "gradate_snapshot_age_seconds", worker="0") == 60


def test_a_gauge_may_be_asked_at_each_report() -> None:
    values, metrics, exposition = iter([1, 2]), Metrics(), Exposition()
    metrics.gauge(vocabulary.CONNECTIONS, lambda: next(values))
    for expected in (1, 2):
        exposition.absorb("0", metrics.report())
        assert value(exposition, "gradate_connections", worker="0") == expected


def test_openmetrics_is_spoken_to_those_who_accept_it() -> None:
    content_type, body = Exposition().render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_the_process_itself_is_described() -> None:
    names = {name for name, _ in series(Exposition())}
    assert {"process_resident_memory_bytes", "python_info"} <= names


def test_names_follow_prometheus_conventions() -> None:
    for metric in METRICS:
        assert metric.name.startswith("gradate_")
        assert not metric.name.endswith("_total")
        assert metric.help.endswith(".")
        assert (metric.kind is MetricKind.HISTOGRAM) == bool(metric.bounds_ns)
        assert list(metric.bounds_ns) == sorted(set(metric.bounds_ns))
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_a_report_of_nothing_changes_nothing() -> None:
    exposition = expose([outcome()])
    before = value(exposition, "gradate_requests_total", endpoint="validate", code="200")
    exposition.absorb("0", MetricsReport())
    assert value(exposition, "gradate_requests_total", endpoint="validate", code="200") == before
