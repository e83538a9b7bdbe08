import pytest

from tests.support.rehearsal import deployment, rolling_out
from tests.support.reviews import review_of
from webhook.flows.judging import Case, DecisionRules
from webhook.flows.trial import Trial
from webhook.flows.waiting import TrialQueue
from webhook.rollout.strategy import Mode


def trial(number: int = 0, padding: int = 0) -> Trial:
    sent = deployment("good", f"web-{number}", annotations={"padding": "x" * padding})
    return Trial(rolling_out(Mode.SHADOW), Mode.SHADOW, Case(review_of(sent), DecisionRules()), None, None)


@pytest.mark.parametrize(("count", "padding"), [(40, 0), (3, 100_000)])
def test_a_request_that_waited_is_what_it_was(count: int, padding: int) -> None:
    queue = TrialQueue(count, 10**9)
    trials = [trial(number, padding) for number in range(count)]
    for at_ns, waits in enumerate(trials):
        assert queue.has_room(waits)
        queue.put(waits, at_ns)
    assert queue.oldest_ns == 0
    for at_ns, waited in enumerate(trials):
        opened = queue.oldest.open()
        assert queue.oldest.at_ns == at_ns
        queue.remove_oldest()
        assert opened.case.review.document == waited.case.review.document
        assert opened.case.workload == waited.case.workload
    assert not len(queue)
    assert queue.oldest_ns is None


def test_few_requests_are_kept_decoded_and_large_ones_never() -> None:
    queue = TrialQueue(1_000, 10**9)
    for number in range(100):
        queue.put(trial(number), number)
    decoded = 0
    while len(queue):
        decoded += queue.oldest.case is not None
        queue.remove_oldest()
    assert decoded == 16
    queue.put(trial(padding=100_000), 0)
    assert queue.oldest.case is None


def test_the_bodies_that_wait_are_bounded_but_one_fits_always() -> None:
    queue = TrialQueue(1_000, 250_000)
    assert queue.has_room(trial(padding=10**6))
    for _ in range(2):
        queue.put(trial(padding=100_000), 0)
    assert not queue.has_room(trial(padding=100_000))
    assert queue.has_room(trial(padding=10))
    queue.remove_oldest()
    assert queue.has_room(trial(padding=100_000))
