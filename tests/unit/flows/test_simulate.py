import math
import time
from dataclasses import replace

import pytest

from webhook.flows.simulate import Ending, Plan, World, simulate
from webhook.rollout.duration import DAY_NS, HOUR_NS
from webhook.rollout.strategy import Analysis, Mode, OnInconclusive, Step, Strategy, Unreviewed

QUIET = World(true_positive_rate=0.0)
# Only the false-positive rate decides, so that its guarantee can be seen.
RATE_ALONE = Strategy(analysis=Analysis(interception_accuracy_min=None))


def test_a_good_candidate_is_promoted() -> None:
    played = simulate(Plan(Strategy(), rollouts=30))
    assert played.shares[Ending.PROMOTED] > 0.9
    assert played.hours[Ending.PROMOTED].p5 >= 72
    assert played.workloads.p50 >= 10_853
    assert played.expected_promotion_bound is None


def test_a_clean_candidate_needs_its_time_and_its_workloads_and_no_more() -> None:
    world = replace(QUIET, false_positive_rate=0.0)
    quick = simulate(Plan(Strategy(), replace(world, workloads_per_day=50_000), rollouts=5))
    slow = simulate(Plan(Strategy(), replace(world, workloads_per_day=1_000), rollouts=5))
    assert 72 <= quick.hours[Ending.PROMOTED].p50 < 76
    assert slow.hours[Ending.PROMOTED].p50 == pytest.approx(10_853 / 1_000 * 24, rel=0.05)


def test_at_the_maximum_rate_no_more_are_promoted_than_the_guarantee_allows() -> None:
    plan = Plan(RATE_ALONE, replace(QUIET, false_positive_rate=0.0003), rollouts=200)
    played = simulate(plan)
    assert played.expected_promotion_bound == 0.05
    assert played.shares[Ending.PROMOTED] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / plan.rollouts)


def test_a_bad_candidate_is_rolled_back_soon_with_the_reason() -> None:
    played = simulate(Plan(RATE_ALONE, replace(QUIET, false_positive_rate=0.01), rollouts=30))
    assert played.shares[Ending.ROLLED_BACK] == 1
    assert played.rollback_reasons == {"falsePositiveRate": 30}
    assert played.hours[Ending.ROLLED_BACK].p95 < 48


def test_a_slow_candidate_is_rolled_back_for_its_latency() -> None:
    played = simulate(Plan(Strategy(), World(latency_overhead_ns=50_000_000), rollouts=10))
    assert played.rollback_reasons == {"latencyOverhead": 10}


def test_a_failing_candidate_is_rolled_back_for_its_errors() -> None:
    played = simulate(Plan(Strategy(), World(error_rate=0.05), rollouts=10))
    assert played.rollback_reasons == {"errorRate": 10}


def test_findings_that_nobody_reviews_never_promote() -> None:
    played = simulate(Plan(Strategy(), World(reviewed_share=0.0), rollouts=10, horizon_ns=10 * DAY_NS))
    assert played.shares[Ending.UNDECIDED] == 1
    assert played.reviews.mean == 0


def test_ignoring_them_promotes() -> None:
    strategy = Strategy(analysis=Analysis(unreviewed=Unreviewed.IGNORE, interception_accuracy_min=None))
    played = simulate(Plan(strategy, World(reviewed_share=0.0), rollouts=10))
    assert played.shares[Ending.PROMOTED] == 1


def test_an_inconclusive_step_can_be_given_up() -> None:
    strategy = Strategy(analysis=Analysis(on_inconclusive=OnInconclusive.ABORT))
    played = simulate(Plan(strategy, replace(QUIET, workloads_per_day=100), rollouts=5))
    assert played.rollback_reasons == {"inconclusive": 5}


def test_slower_reviews_delay_promotion() -> None:
    hours = [
        simulate(Plan(Strategy(), World(review_delay_ns=delay * HOUR_NS), rollouts=20))
        .hours[Ending.PROMOTED]
        .mean
        for delay in (1, 5)
    ]
    assert hours[0] < hours[1]


def test_a_shadow_step_denies_nobody() -> None:
    world = World(false_positive_rate=0.0001, true_positive_rate=0.005)
    steps = (Step(Mode.SHADOW, 100, 72 * HOUR_NS), Step(Mode.ENFORCE, 100))
    shadowed = simulate(Plan(Strategy(steps), world, rollouts=20))
    enforced = simulate(Plan(Strategy(), world, rollouts=20))
    assert shadowed.false_denials.mean + shadowed.interceptions.mean == 0
    assert enforced.interceptions.mean > 0


def test_the_same_seed_plays_the_same_game_and_another_another() -> None:
    plan = Plan(Strategy(), rollouts=5)
    assert simulate(plan) == simulate(plan)
    assert simulate(plan).workloads != simulate(replace(plan, seed=2)).workloads


@pytest.mark.parametrize("world", [World(namespaces=1), World(workloads_per_day=0), World(tail=0)])
def test_odd_worlds_can_be_played(world: World) -> None:
    played = simulate(Plan(Strategy(), world, rollouts=2, horizon_ns=5 * DAY_NS))
    assert sum(played.shares.values()) == pytest.approx(1)


def test_progress_is_told_after_each_rollout() -> None:
    told: list[None] = []
    simulate(Plan(Strategy(), QUIET, rollouts=3), lambda: told.append(None))
    assert len(told) == 3


def test_a_thousand_rollouts_take_less_than_a_minute() -> None:
    begin = time.process_time()
    simulate(Plan(Strategy(), rollouts=50))
    assert (time.process_time() - begin) * 20 < 60
