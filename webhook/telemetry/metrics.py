"""What one process counts and measures.

Owns turning outcomes and events into series. Must not know how they are exposed, or that there are others.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from webhook.decision.record import DecisionRecord
from webhook.telemetry import vocabulary
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.tally import Labels, Series, Tally, TallyReport, observe
from webhook.telemetry.vocabulary import Metric

Gauge = Callable[[], float]
_Cells: TypeAlias = tuple[list[int], list[int]]
"""The cell of a counter, and those of a histogram."""


class MetricsReport(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a process counted since its last report, and how its gauges stand."""

    tally: TallyReport = TallyReport()
    gauges: tuple[tuple[str, Labels, float], ...] = ()


class Metrics:
    """The counters, histograms and gauges of one process."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._gauges: dict[Series, float | Gauge] = {}
        self._groups: dict[str, Mapping[tuple[Metric, Labels], float]] = {}
        self._watched: dict[Series, tuple[Metric, Callable[[], int], int]] = {}
        # The series of a request are always the same few: looked up once, added to ever after.
        self._requests: dict[tuple[str, int], _Cells] = {}
        self._reviews: dict[tuple[str, str, bool], list[int]] = {}
        self._verdicts: dict[tuple[str, str, str], _Cells] = {}

    def accept(self, outcomes: Sequence[RequestOutcome]) -> None:
        """Count a batch of requests."""
        for outcome in outcomes:
            key = (outcome.endpoint, outcome.status)
            count, cells = self._requests.get(key) or self._find_request(key)
            count[0] += 1
            observe(vocabulary.REQUEST_SECONDS, cells, outcome.duration_ns)
            if outcome.decision is not None:
                self._count_decision(outcome.endpoint, outcome.decision)

    def _count_decision(self, endpoint: str, decision: DecisionRecord) -> None:
        review = (endpoint, decision.operation, decision.allowed)
        (self._reviews.get(review) or self._find_review(review))[0] += 1
        for verdict in decision.verdicts:
            key = (verdict.policy, verdict.version, verdict.outcome)
            count, cells = self._verdicts.get(key) or self._find_verdict(key)
            count[0] += 1
            observe(vocabulary.EVALUATION_SECONDS, cells, verdict.duration_ns)

    def _find_request(self, key: tuple[str, int]) -> _Cells:
        endpoint, status = key
        found = self._requests[key] = (
            self._tally.counter(vocabulary.REQUESTS, (endpoint, str(status))),
            self._tally.histogram(vocabulary.REQUEST_SECONDS, (endpoint,)),
        )
        return found

    def _find_review(self, key: tuple[str, str, bool]) -> list[int]:
        endpoint, operation, allowed = key
        labels = (endpoint, operation, "true" if allowed else "false")
        found = self._reviews[key] = self._tally.counter(vocabulary.REVIEWS, labels)
        return found

    def _find_verdict(self, key: tuple[str, str, str]) -> _Cells:
        found = self._verdicts[key] = (
            self._tally.counter(vocabulary.DECISIONS, key),
            self._tally.histogram(vocabulary.EVALUATION_SECONDS, key[:2]),
        )
        return found

    def count(self, metric: Metric, labels: Labels = (), amount: int = 1) -> None:
        """Add to a counter."""
        self._tally.count(metric, labels, amount)

    def observe(self, metric: Metric, labels: Labels, value_ns: int) -> None:
        """Add one duration to a histogram."""
        observe(metric, self._tally.histogram(metric, labels), value_ns)

    def watch_count(self, metric: Metric, labels: Labels, total: Callable[[], int]) -> None:
        """Count whatever a total that only grows has grown by, at each report."""
        self._watched[metric.name, labels] = (metric, total, 0)

    def gauge(self, metric: Metric, value: float | Gauge, labels: Labels = ()) -> None:
        """Set a gauge, to a number or to a function that is asked at each report."""
        self._gauges[metric.name, labels] = value

    def show(self, group: str, gauges: Mapping[tuple[Metric, Labels], float]) -> None:
        """Set gauges that come and go together, in place of all that the group showed before."""
        self._groups[group] = dict(gauges)

    def report(self) -> MetricsReport:
        """Give what was counted since the last report, and the gauges."""
        for series, (metric, total, seen) in self._watched.items():
            now = total()
            if now != seen:
                self._tally.count(metric, series[1], now - seen)
                self._watched[series] = (metric, total, now)
        gauges = [
            (name, labels, float(value() if callable(value) else value))
            for (name, labels), value in self._gauges.items()
        ]
        for group in self._groups.values():
            # True is an int to Python and no number on the wire.
            gauges += [(metric.name, labels, float(value)) for (metric, labels), value in group.items()]
        return MetricsReport(tally=self._tally.take(), gauges=tuple(gauges))
