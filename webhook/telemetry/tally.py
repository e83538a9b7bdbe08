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
    """Numbers by series, each in a list of its own that stays the same list for life."""

    __slots__ = ("_cells", "_counts")

    def __init__(self) -> None:
        self._counts: dict[Series, list[int]] = {}
        self._cells: dict[Series, list[int]] = {}

    def counter(self, metric: Metric, labels: Labels = ()) -> list[int]:
        """Give the one cell of a counter, for callers that add to it often."""
        series = (metric.name, labels)
        cell = self._counts.get(series)
        if cell is None:
            cell = self._counts[series] = [0]
        return cell

    def histogram(self, metric: Metric, labels: Labels) -> list[int]:
        """Give the cells of a histogram, as in `TallyReport`, for callers that `observe` often."""
        series = (metric.name, labels)
        cells = self._cells.get(series)
        if cells is None:
            cells = self._cells[series] = [0] * (len(metric.bounds_ns) + 2)
        return cells

    def count(self, metric: Metric, labels: Labels = (), amount: int = 1) -> None:
        """Add to a counter."""
        self.counter(metric, labels)[0] += amount

    def take(self) -> TallyReport:
        """Give what was counted since the last time, and start again at nothing."""
        report = TallyReport(
            counters=tuple(
                (name, labels, cell[0]) for (name, labels), cell in self._counts.items() if cell[0]
            ),
            histograms=tuple(
                (name, labels, tuple(cells)) for (name, labels), cells in self._cells.items() if any(cells)
            ),
        )
        for cell in (*self._counts.values(), *self._cells.values()):
            cell[:] = [0] * len(cell)
        return report

    def add(self, report: TallyReport) -> None:
        """Add what another tally gave; series that this version does not know are left out."""
        for name, labels, count in report.counters:
            if name in BY_NAME:
                self.count(BY_NAME[name], labels, count)
        for name, labels, cells in report.histograms:
            metric = BY_NAME.get(name)
            if metric is not None and len(cells) == len(metric.bounds_ns) + 2:
                mine = self.histogram(metric, labels)
                mine[:] = [one + other for one, other in zip(mine, cells, strict=True)]

    def counts(self, metric: Metric) -> Sequence[tuple[Labels, int]]:
        """Give the series of one counter."""
        return [(labels, cell[0]) for (name, labels), cell in self._counts.items() if name == metric.name]

    def cells(self, metric: Metric) -> Sequence[tuple[Labels, Sequence[int]]]:
        """Give the series of one histogram, with cells as in `TallyReport`."""
        return [(labels, cells) for (name, labels), cells in self._cells.items() if name == metric.name]


def observe(metric: Metric, cells: list[int], value_ns: int) -> None:
    """Add one duration to the cells of a histogram."""
    cells[bisect_left(metric.bounds_ns, value_ns)] += 1
    cells[-1] += value_ns
