import pytest

from webhook.rego.budget import SLICE_STEPS, Budget, peak_memory_bytes
from webhook.rego.errors import EvaluationError


def test_a_budget_is_taken_in_slices() -> None:
    budget = Budget(steps=SLICE_STEPS + 5)

    assert budget.start() == SLICE_STEPS
    assert budget.take() == 5


def test_what_was_overspent_comes_off_the_next_slice() -> None:
    budget = Budget(steps=3 * SLICE_STEPS)

    assert budget.take(needed=100) == SLICE_STEPS
    assert budget.take(needed=SLICE_STEPS) == SLICE_STEPS - 100


def test_an_evaluation_without_steps_left_is_cancelled() -> None:
    budget = Budget(steps=1)
    budget.start()

    with pytest.raises(EvaluationError) as caught:
        budget.take()

    assert caught.value.code == "eval_cancel_error"


def test_overspending_more_than_is_left_is_cancelled() -> None:
    with pytest.raises(EvaluationError):
        Budget(steps=10).take(needed=11)


def test_an_evaluation_past_its_deadline_is_cancelled() -> None:
    ticks = iter([99, 100])
    budget = Budget(deadline_ns=100, clock=lambda: next(ticks))
    budget.start()

    with pytest.raises(EvaluationError, match="deadline"):
        budget.take()


def test_an_evaluation_that_raises_the_peak_of_memory_too_far_is_cancelled() -> None:
    peaks = iter([1_000, 1_500, 1_501])
    budget = Budget(memory_bytes=500, peak=lambda: next(peaks))
    budget.start()
    budget.take()
    budget.take()

    with pytest.raises(EvaluationError, match="memory"):
        budget.take()


def test_the_peak_of_memory_is_that_of_this_process() -> None:
    before = peak_memory_bytes()
    ballast = bytes(64 * 1024 * 1024)

    assert len(ballast) // 1024 < before // 1024 + peak_memory_bytes()
    assert peak_memory_bytes() >= before > 1024 * 1024
