"""Metrics as Prometheus reads them, added up over the worker processes.

Owns the text of `/metrics`. Must not know how the numbers came here.
"""

import time
from collections.abc import Callable, Iterable
from itertools import accumulate

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from webhook.telemetry import vocabulary
from webhook.telemetry.metrics import MetricsReport
from webhook.telemetry.tally import Labels, Tally
from webhook.telemetry.vocabulary import METRICS, SECOND_NS, Metric, MetricKind

WORKER_LABEL = "worker"


class Exposition:
    """All workers' metrics, ready to be scraped."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Take a clock that gives seconds since the epoch."""
        self._now = now
        self._total = Tally()
        self._gauges: dict[str, dict[tuple[str, Labels], float]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Families(self._families))
        ProcessCollector(registry=self._registry)
        for collector in (PLATFORM_COLLECTOR, GC_COLLECTOR):
            self._registry.register(collector)

    def absorb(self, worker: str, report: MetricsReport) -> None:
        """Add what a worker reports."""
        self._total.add(report.tally)
        self._gauges[worker] = {(name, labels): value for name, labels, value in report.gauges}

    def forget(self, worker: str) -> None:
        """Drop the gauges of a worker that is gone; what it counted stays."""
        self._gauges.pop(worker, None)

    def render(self, accept: str = "") -> tuple[str, bytes]:
        """Give content type and body for a scraper's Accept header."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self._registry)

    def _families(self) -> Iterable[Family]:
        for metric in METRICS:
            if metric.kind is MetricKind.COUNTER:
                yield self._counter(metric)
            elif metric.kind is MetricKind.HISTOGRAM:
                yield self._histogram(metric)
            else:
                yield self._gauge(metric)

    def _counter(self, metric: Metric) -> CounterMetricFamily:
        family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, count in self._total.counts(metric):
            family.add_metric(labels, count)
        if not metric.labels and not family.samples:
            # A counter without labels exists from the start, so that its first increase is seen as one.
            family.add_metric((), 0)
        return family

    def _histogram(self, metric: Metric) -> HistogramMetricFamily:
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        bounds = [repr(bound / SECOND_NS) for bound in metric.bounds_ns]
        for labels, cells in self._total.cells(metric):
            buckets = zip([*bounds, "+Inf"], accumulate(cells[:-1]), strict=True)
            family.add_metric(labels, list(buckets), cells[-1] / SECOND_NS)
        return family

    def _gauge(self, metric: Metric) -> GaugeMetricFamily:
        family = GaugeMetricFamily(metric.name, metric.help, labels=(*metric.labels, WORKER_LABEL))
        if metric is vocabulary.SNAPSHOT_AGE:
            for worker, gauges in self._gauges.items():
                built = gauges.get((vocabulary.SNAPSHOT_TIME.name, ()))
                if built is not None:
                    family.add_metric((worker,), max(0.0, self._now() - built))
            return family
        for worker, gauges in self._gauges.items():
            for (name, labels), value in gauges.items():
                if name == metric.name:
                    family.add_metric((*labels, worker), value)
        return family


class _Families(Collector):
    """prometheus_client's view of the exposition."""

    def __init__(self, collect: Callable[[], Iterable[Family]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Family]:
        """Give every family."""
        return self._collect()
