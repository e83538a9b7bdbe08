import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rollouts import evidence
from webhook.rollout.evidence import (
    Counters,
    Evidence,
    add_counters,
    later_counters,
    subtract_baseline,
    subtract_counters,
    sum_counters,
)
from webhook.rollout.finding import FindingKind, Standing, Verdict
from webhook.rollout.histogram import histogram_of

numbers = st.integers(0, 10**6)
counters = st.builds(
    Counters,
    numbers,
    numbers,
    numbers,
    numbers,
    numbers,
    st.lists(st.integers(0, 10**9), max_size=5).map(histogram_of),
)


@given(counters, counters, counters)
def test_states_of_one_replica_join_in_any_order_any_number_of_times(
    a: Counters, b: Counters, c: Counters
) -> None:
    assert later_counters(a, b) == later_counters(b, a)
    assert later_counters(a, later_counters(b, c)) == later_counters(later_counters(a, b), c)
    assert later_counters(a, a) == a


@given(counters, counters)
def test_replicas_add_and_an_earlier_state_comes_off_again(a: Counters, b: Counters) -> None:
    assert sum_counters([a, b]) == add_counters(b, a)
    assert subtract_counters(add_counters(a, b), b) == a


def test_trials_are_the_workloads_not_known_to_violate() -> None:
    seen = evidence(100, confirmed=2, unreviewed=3, true_positives=10, misses=4, newly_allowed=1)
    assert seen.trials == 100 - 10 - 4 - 1
    assert seen.confirmed_false_positives == 2
    assert seen.unreviewed == 3


def test_a_retry_counts_errors_afresh() -> None:
    seen = evidence(100, errors=7)
    assert subtract_baseline(seen, None).errors == 7
    assert subtract_baseline(seen, seen.total).errors == 0


def test_nothing_known_is_all_zero() -> None:
    nothing = Evidence()
    assert nothing.trials == 0
    assert nothing.total == Counters()
    assert nothing.count(FindingKind.NEWLY_DENIED, Verdict.UNREVIEWED) == 0
    assert nothing.standing(Standing.FALSE_POSITIVE) == 0


def test_it_survives_json() -> None:
    seen = evidence(100, confirmed=2, unreviewed=3)
    assert msgspec.json.decode(msgspec.json.encode(seen), type=Evidence) == seen
