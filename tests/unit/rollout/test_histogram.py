import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rollout.histogram import (
    BOUNDS_NS,
    Histogram,
    add_histograms,
    histogram_of,
    later_histogram,
    subtract_histogram,
)

histograms = st.lists(st.integers(0, 1_000), max_size=len(BOUNDS_NS)).map(
    lambda counts: Histogram(tuple(counts[: max((i + 1 for i, c in enumerate(counts) if c), default=0)]))
)


def test_a_quantile_is_right_within_a_bucket() -> None:
    histogram = histogram_of(range(10_000, 1_010_000, 1_000))
    assert histogram.quantile_ns(0.99) == pytest.approx(1_000_000, rel=0.1)
    assert histogram.quantile_ns(0.5) == pytest.approx(510_000, rel=0.1)


def test_an_empty_histogram_has_the_quantile_zero() -> None:
    assert Histogram().quantile_ns(0.99) == 0
    assert Histogram().total == 0


def test_durations_beyond_the_grid_are_counted_too() -> None:
    slow = histogram_of([10**12])
    assert slow.total == 1
    assert slow.quantile_ns(0.99) == BOUNDS_NS[-1]
    assert slow.count_above(10**9) == 1


def test_only_durations_that_are_certainly_longer_count_as_longer() -> None:
    histogram = histogram_of([BOUNDS_NS[10], BOUNDS_NS[11], BOUNDS_NS[12]])
    assert histogram.count_above(BOUNDS_NS[10]) == 2
    assert histogram.count_above(BOUNDS_NS[10] + 1) == 1


@given(st.lists(st.integers(0, 10**11)), st.lists(st.integers(0, 10**11)))
def test_adding_replicas_is_counting_together(one: list[int], other: list[int]) -> None:
    assert add_histograms(histogram_of(one), histogram_of(other)) == histogram_of(one + other)
    assert subtract_histogram(histogram_of(one + other), histogram_of(one)) == histogram_of(other)


@given(histograms, histograms, histograms)
def test_states_of_one_replica_join_in_any_order_any_number_of_times(
    a: Histogram, b: Histogram, c: Histogram
) -> None:
    assert later_histogram(a, b) == later_histogram(b, a)
    assert later_histogram(a, later_histogram(b, c)) == later_histogram(later_histogram(a, b), c)
    assert later_histogram(a, a) == a
