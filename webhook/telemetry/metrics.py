"""What one process counts and measures.

Owns turning outcomes and events into series. Must not know how they are exposed, or that there are others.
"""

from collections.abc import Callable, Sequence

import msgspec

from webhook.telemetry import vocabulary
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.tally import Labels, Series, Tally, TallyReport
from webhook.telemetry.vocabulary import Metric

Gauge = Callable[[], float]


class MetricsReport(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a process counted since its last report, and how its gauges stand."""

    tally: TallyReport = TallyReport()
    gauges: tuple[tuple[str, Labels, float], ...] = ()


class Metrics:
    """The counters, histograms and gauges of one process."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._gauges: dict[Series, float | Gauge] = {}
        self._watched: dict[Series, tuple[Metric, Callable[[], int], int]] = {}

    def accept(self, outcomes: Sequence[RequestOutcome]) -> None:
        """Count a batch of requests."""
        tally = self._tally
        for outcome in outcomes:
            tally.count(vocabulary.REQUESTS, (outcome.endpoint, str(outcome.status)))
            tally.observe(vocabulary.REQUEST_SECONDS, (outcome.endpoint,), outcome.duration_ns)
            decision = outcome.decision
            if decision is None:
                continue
            allowed = "true" if decision.allowed else "false"
            tally.count(vocabulary.REVIEWS, (outcome.endpoint, decision.operation, allowed))
            for verdict in decision.verdicts:
                labels = (verdict.policy, verdict.version)
                tally.count(vocabulary.DECISIONS, (*labels, verdict.outcome))
                tally.observe(vocabulary.EVALUATION_SECONDS, labels, verdict.duration_ns)

    def count(self, metric: Metric, labels: Labels = (), amount: int = 1) -> None:
        """Add to a counter."""
        self._tally.count(metric, labels, amount)

    def watch_count(self, metric: Metric, labels: Labels, total: Callable[[], int]) -> None:
        """Count whatever a total that only grows has grown by, at each report."""
        self._watched[metric.name, labels] = (metric, total, 0)

    def gauge(self, metric: Metric, value: float | Gauge, labels: Labels = ()) -> None:
        """Set a gauge, to a number or to a function that is asked at each report."""
        self._gauges[metric.name, labels] = value

    def report(self) -> MetricsReport:
        """Give what was counted since the last report, and the gauges."""
        for series, (metric, total, seen) in self._watched.items():
            now = total()
            if now != seen:
                self._tally.count(metric, series[1], now - seen)
                self._watched[series] = (metric, total, now)
        return MetricsReport(
            tally=self._tally.take(),
            gauges=tuple(
                (name, labels, float(value() if callable(value) else value))
                for (name, labels), value in self._gauges.items()
            ),
        )
