"""Counters and histograms as plain numbers that add up.

Workers send what they counted since they last did, whoever exposes metrics adds it up: a worker that dies takes
nothing back, so a counter never falls. Pure; must not know Prometheus or processes.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from webhook.telemetry.vocabulary import BY_NAME, Metric

Labels: TypeAlias = tuple[str, ...]
Series: TypeAlias = tuple[str, Labels]
"""A metric's name and the values of its labels, in the vocabulary's order."""


class TallyReport(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The content of a tally, for the wire."""

    counters: tuple[tuple[str, Labels, int], ...] = ()
    histograms: tuple[tuple[str, Labels, tuple[int, ...]], ...] = ()
    """Cells: one count for each bucket, one above the last bound, and the sum in nanoseconds."""


class Tally:
    """Numbers by series."""

    __slots__ = ("_cells", "_counts")

    def __init__(self) -> None:
        self._counts: dict[Series, int] = {}
        self._cells: dict[Series, list[int]] = {}

    def count(self, metric: Metric, labels: Labels = (), amount: int = 1) -> None:
        """Add to a counter."""
        series = (metric.name, labels)
        self._counts[series] = self._counts.get(series, 0) + amount

    def observe(self, metric: Metric, labels: Labels, value_ns: int) -> None:
        """Add one duration to a histogram."""
        series = (metric.name, labels)
        cells = self._cells.get(series)
        if cells is None:
            cells = self._cells[series] = [0] * (len(metric.bounds_ns) + 2)
        cells[bisect_left(metric.bounds_ns, value_ns)] += 1
        cells[-1] += value_ns

    def take(self) -> TallyReport:
        """Give what was counted since the last time, and start again at nothing."""
        report = TallyReport(
            counters=tuple((name, labels, count) for (name, labels), count in self._counts.items()),
            histograms=tuple((name, labels, tuple(cells)) for (name, labels), cells in self._cells.items()),
        )
        self._counts.clear()
        self._cells.clear()
        return report

    def add(self, report: TallyReport) -> None:
        """Add what another tally gave; series that this version does not know are left out."""
        for name, labels, count in report.counters:
            if name in BY_NAME:
                self._counts[name, labels] = self._counts.get((name, labels), 0) + count
        for name, labels, cells in report.histograms:
            metric = BY_NAME.get(name)
            if metric is not None and len(cells) == len(metric.bounds_ns) + 2:
                mine = self._cells.setdefault((name, labels), [0] * len(cells))
                mine[:] = [one + other for one, other in zip(mine, cells, strict=True)]

    def counts(self, metric: Metric) -> Sequence[tuple[Labels, int]]:
        """Give the series of one counter."""
        return [(labels, count) for (name, labels), count in self._counts.items() if name == metric.name]

    def cells(self, metric: Metric) -> Sequence[tuple[Labels, Sequence[int]]]:
        """Give the series of one histogram, with cells as in `TallyReport`."""
        return [(labels, cells) for (name, labels), cells in self._cells.items() if name == metric.name]
