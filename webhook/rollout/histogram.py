"""Histograms of evaluation times: fixed bounds, so that any number of replicas can be added and none is lost.

Bounds are a fixed geometric grid from 1 µs to about 17 s, four to a doubling, so that a quantile is right within
a tenth or so. The grid is part of what is stored: it never changes.
"""

import bisect
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

_PER_DOUBLING = 4
_DOUBLINGS = 24
BOUNDS_NS = tuple(
    round(1_000 * 2 ** (step / _PER_DOUBLING)) for step in range(_DOUBLINGS * _PER_DOUBLING + 1)
)
"""Upper bounds of the buckets, inclusive; one more bucket holds everything slower."""


def bucket_of(duration_ns: int) -> int:
    """Give the index of the bucket that holds a duration."""
    return bisect.bisect_left(BOUNDS_NS, duration_ns)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many evaluations took how long."""

    counts: tuple[int, ...] = ()
    """By bucket; trailing zeros are left out, so that equal histograms are equal."""

    @property
    def total(self) -> int:
        """How many evaluations it holds."""
        return sum(self.counts)

    def quantile_ns(self, share: float) -> float:
        """Estimate the duration that `share` of the evaluations stay within; 0.0 when there are none."""
        wanted = share * self.total
        if not wanted:
            return 0.0
        running = list(itertools.accumulate(self.counts))
        index = bisect.bisect_left(running, wanted)
        low, high = _edges(index)
        before = running[index] - self.counts[index]
        return low + (high - low) * (wanted - before) / self.counts[index]

    def count_above(self, duration_ns: float) -> int:
        """Count the evaluations that certainly took longer; those in the bucket of the duration are not counted."""
        return sum(self.counts[bisect.bisect_left(BOUNDS_NS, duration_ns) + 1 :])


NO_DURATIONS = Histogram()


def histogram_of(durations_ns: Iterable[int]) -> Histogram:
    """Count durations into a histogram."""
    counts = [0] * (len(BOUNDS_NS) + 1)
    for duration_ns in durations_ns:
        counts[bucket_of(duration_ns)] += 1
    return histogram_from(counts)


def histogram_from(counts: Iterable[int]) -> Histogram:
    """Make a histogram of counts by bucket."""
    trimmed = list(counts)
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    return Histogram(tuple(trimmed))


def add_histograms(one: Histogram, other: Histogram) -> Histogram:
    """Add what different replicas counted."""
    return histogram_from(a + b for a, b in itertools.zip_longest(one.counts, other.counts, fillvalue=0))


def later_histogram(one: Histogram, other: Histogram) -> Histogram:
    """Join two states of one replica's grow-only histogram, in any order, any number of times."""
    return histogram_from(max(a, b) for a, b in itertools.zip_longest(one.counts, other.counts, fillvalue=0))


def subtract_histogram(whole: Histogram, earlier: Histogram) -> Histogram:
    """Give what was counted since an earlier state; never below zero."""
    return histogram_from(
        max(a - b, 0) for a, b in itertools.zip_longest(whole.counts, earlier.counts, fillvalue=0)
    )


def _edges(index: int) -> tuple[int, int]:
    low = BOUNDS_NS[index - 1] if index else 0
    # Slower than the grid goes: the true value is unknown, the bound is the least it can be.
    return low, BOUNDS_NS[index] if index < len(BOUNDS_NS) else low
