import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rollout.sequential import SequentialTest

DEFAULT = SequentialTest(0.0003, 0.95)


@pytest.mark.parametrize(("failures", "workloads"), [(0, 10_853), (1, 22_536), (2, 30_964)])
def test_promotion_needs_the_reference_number_of_workloads(failures: int, workloads: int) -> None:
    assert DEFAULT.trials_needed(failures) == workloads
    assert DEFAULT.proves_below(workloads, failures)
    assert not DEFAULT.proves_below(workloads - 1, failures)


def test_evidence_is_the_mixture_as_it_is_defined() -> None:
    n, k, p0 = 400, 3, 0.02
    rates = [p0 / 2**i for i in range(1, 9)] + [0.0]
    mixture = sum((q / p0) ** k * ((1 - q) / (1 - p0)) ** (n - k) for q in rates) / len(rates)

    assert SequentialTest(p0, 0.95).log_evidence_below(n, k) == pytest.approx(math.log(mixture))


def test_it_starts_with_no_evidence_either_way() -> None:
    assert DEFAULT.log_evidence_below(0, 0) == pytest.approx(0)
    assert DEFAULT.log_evidence_above(0, 0) == pytest.approx(0)


@given(trials=st.integers(0, 10**7), failures=st.integers(0, 50))
def test_a_failure_never_helps_promotion_and_never_hinders_rollback(trials: int, failures: int) -> None:
    trials += failures + 1
    assert DEFAULT.log_evidence_below(trials, failures + 1) < DEFAULT.log_evidence_below(trials, failures)
    assert DEFAULT.log_evidence_above(trials, failures + 1) > DEFAULT.log_evidence_above(trials, failures)


@given(trials=st.integers(0, 10**7), failures=st.integers(0, 50))
def test_a_clean_workload_always_helps_promotion(trials: int, failures: int) -> None:
    trials += failures
    assert DEFAULT.log_evidence_below(trials + 1, failures) > DEFAULT.log_evidence_below(trials, failures)
    assert DEFAULT.log_evidence_above(trials + 1, failures) < DEFAULT.log_evidence_above(trials, failures)


@given(
    trials=st.integers(0, 10**6),
    failures=st.integers(0, 20),
    rate=st.floats(1e-9, 0.9),
    confidence=st.floats(0.5, 0.9999),
)
def test_it_stays_finite_at_every_size(trials: int, failures: int, rate: float, confidence: float) -> None:
    test = SequentialTest(rate, confidence)
    assert math.isfinite(test.log_evidence_above(trials + failures, failures))
    assert test.log_evidence_below(trials + failures, failures) < math.inf


@given(rate=st.floats(1e-6, 0.5), confidence=st.floats(0.5, 0.999), failures=st.integers(0, 10))
def test_the_number_needed_is_the_least_that_proves(rate: float, confidence: float, failures: int) -> None:
    test = SequentialTest(rate, confidence)
    needed = test.trials_needed(failures)
    assert test.proves_below(needed, failures)
    assert needed == failures or not test.proves_below(needed - 1, failures)


@given(trials=st.integers(1, 10**6), failures=st.integers(0, 5))
def test_the_upper_bound_is_the_rate_that_the_counts_just_prove(trials: int, failures: int) -> None:
    bound = DEFAULT.upper_bound(trials + failures, failures)
    assert failures / (trials + failures) < bound <= 1
    if bound < 0.99:
        assert SequentialTest(bound * 1.001, 0.95).proves_below(trials + failures, failures)
        assert not SequentialTest(bound * 0.999, 0.95).proves_below(trials + failures, failures)


def test_the_upper_bound_at_the_promotion_threshold_is_the_maximum_rate() -> None:
    assert DEFAULT.upper_bound(10_853, 0) == pytest.approx(0.0003, rel=1e-3)
    assert DEFAULT.upper_bound(0, 0) == 1
    assert DEFAULT.upper_bound(5, 5) == 1


def test_early_false_positives_prove_a_rate_above_the_maximum() -> None:
    assert DEFAULT.proves_above(10, 1)
    assert not DEFAULT.proves_above(1_000, 1)
    assert DEFAULT.proves_above(1_000, 4)


@pytest.mark.parametrize(("rate", "confidence"), [(0, 0.95), (1, 0.95), (0.1, 0), (0.1, 1), (math.nan, 0.9)])
def test_a_rate_or_confidence_that_means_nothing_is_refused(rate: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        SequentialTest(rate, confidence)


@pytest.mark.parametrize(("trials", "failures"), [(1, 2), (5, -1)])
def test_impossible_counts_are_refused(trials: int, failures: int) -> None:
    with pytest.raises(ValueError, match="failures among"):
        DEFAULT.log_evidence_below(trials, failures)


# The Monte Carlo tests look after every workload without simulating each: between two false positives the evidence
# for promotion only rises, so it is highest just before the next false positive, and if it ever crosses the
# threshold within the gap it is above it there; the mirror only falls, so it is highest at the false positive
# itself. The gaps are geometric, so checking at their ends is exact, not an approximation.


def _dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a simulation that must be repeatable


def _ever_promoted(test: SequentialTest, rate: float, horizon: int, generator: random.Random) -> bool:
    workloads, failures = 0, 0
    while workloads < horizon:
        gap = math.ceil(math.log(1 - generator.random()) / math.log1p(-rate))
        last_clean = min(workloads + gap - 1, horizon)
        if test.proves_below(last_clean, failures):
            return True
        workloads, failures = workloads + gap, failures + 1
    return False


def _ever_rolled_back(test: SequentialTest, rate: float, horizon: int, generator: random.Random) -> bool:
    workloads, failures = 0, 0
    while True:
        workloads += math.ceil(math.log(1 - generator.random()) / math.log1p(-rate))
        failures += 1
        if workloads > horizon:
            return False
        if test.proves_above(workloads, failures):
            return True


def test_at_the_maximum_rate_at_most_one_rollout_in_twenty_is_ever_promoted() -> None:
    generator = _dice(20_240_601)
    rollouts = 2_000
    promoted = sum(_ever_promoted(DEFAULT, 0.0003, 200_000, generator) for _ in range(rollouts))

    sampling_error = 3 * math.sqrt(0.05 * 0.95 / rollouts)
    assert promoted / rollouts <= 0.05 + sampling_error
    assert promoted > 0  # the test is not simply deaf


def test_at_a_tenth_of_the_maximum_rate_nearly_every_rollout_is_promoted() -> None:
    generator = _dice(20_240_602)
    promoted = sum(_ever_promoted(DEFAULT, 0.00003, 40_000, generator) for _ in range(2_000))

    assert promoted / 2_000 > 0.95


def test_at_the_maximum_rate_at_most_one_rollout_in_twenty_is_ever_rolled_back() -> None:
    generator = _dice(20_240_603)
    rolled_back = sum(_ever_rolled_back(DEFAULT, 0.0003, 200_000, generator) for _ in range(2_000))

    assert rolled_back / 2_000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2_000)


def test_a_version_ten_times_too_wrong_is_rolled_back_soon() -> None:
    generator = _dice(20_240_604)
    rolled_back = sum(_ever_rolled_back(DEFAULT, 0.003, 10_000, generator) for _ in range(500))

    assert rolled_back / 500 > 0.99
