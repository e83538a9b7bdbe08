"""Simulation: a strategy played against made-up traffic in accelerated time, to choose its bars by.

The rollout is the real one: the same `advance`, cohort, bars and sequential test as in production decide. Made up
are the workloads, what the candidate gets wrong, how long reviewers take, and the clock. Nothing is read or
written, and the same seed plays the same game.
"""

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from webhook.rollout.cohort import cohort_of
from webhook.rollout.duration import DAY_NS, HOUR_NS, MINUTE_NS
from webhook.rollout.evidence import Counters, Evidence
from webhook.rollout.finding import FindingKind, Standing, Verdict
from webhook.rollout.histogram import Histogram, bucket_of, histogram_from, histogram_of
from webhook.rollout.life import ENGINE, Order, Phase, Rollout, RolloutId
from webhook.rollout.sequential import SequentialTest
from webhook.rollout.states import advance, record_checks, start
from webhook.rollout.strategy import Mode, Strategy, Unreviewed

_BEGIN_NS = 1_700_000_000 * 1_000_000_000
_STABLE, _CANDIDATE = "sha256:stable", "sha256:candidate"
_LOOKS_PER_STEP = 24
_SHORTEST_LOOK_NS = 10 * MINUTE_NS
_USUAL_EVALUATION_NS = 100_000
_SLOW_EVALUATION_NS = 300_000
_ALWAYS_OPEN_NS = 10_000 * DAY_NS
"""The delay of a review that never happens."""


@dataclass(frozen=True, slots=True)
class World:
    """The cluster that a candidate meets, and the truth about the candidate."""

    namespaces: int = 200
    workloads_per_day: float = 5_000.0
    """New distinct workloads in the whole cluster."""
    tail: float = 1.1
    """How unevenly they spread: the namespace of rank r gets a share in proportion to r^-tail; 0 is even."""
    false_positive_rate: float = 0.00003
    """Benign workloads that the candidate denies, as a fraction."""
    true_positive_rate: float = 0.01
    """Workloads that it rightly denies and stable did not."""
    review_delay_ns: int = 4 * HOUR_NS
    """Mean time until a finding is judged; single times are exponential."""
    reviewed_share: float = 1.0
    """Findings that are judged at all."""
    latency_overhead_ns: int = 0
    """How much longer than stable's the candidate's slowest hundredth takes."""
    error_rate: float = 0.0
    """Evaluations that fail."""
    evaluations_per_workload: int = 20
    """Admission requests for each new workload: replicas, retries, restarts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played."""

    strategy: Strategy
    world: World = field(default_factory=World)
    rollouts: int = 1_000
    horizon_ns: int = 30 * DAY_NS
    """A rollout still under way then ends as undecided."""
    seed: int = 1


class Ending(StrEnum):
    """How one played rollout ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Run:
    """One played rollout."""

    ending: Ending
    reason: str
    """The engine's own message at the end."""
    duration_ns: int
    workloads: int
    false_denials: int
    """Benign workloads that were really denied, in the cohort, before the end."""
    interceptions: int
    """Violating workloads that were really denied, in the cohort, before the end."""
    reviews: int
    """Findings that somebody judged."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number is distributed over runs."""

    mean: float
    p5: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came of playing a plan."""

    plan: Plan
    shares: dict[Ending, float]
    """Endings as fractions of the rollouts."""
    hours: dict[Ending, Spread]
    """Time to the end, by ending, in hours; endings that did not happen are left out."""
    workloads: Spread
    false_denials: Spread
    interceptions: Spread
    reviews: Spread
    rollback_reasons: dict[str, int]
    """How often each reason stood at the head of the engine's message."""
    expected_promotion_bound: float | None
    """The most promotions there may be, if the true rate is at or above the maximum; None when it is below."""


def simulate(plan: Plan, progress: Callable[[], None] = lambda: None) -> Simulation:
    """Play a plan; `progress` is called after each rollout."""
    runs: list[Run] = []
    for index in range(plan.rollouts):
        runs.append(_Game(plan, index).play())
        progress()
    return _summarise(plan, runs)


@dataclass(order=True, slots=True)
class _Review:
    """A verdict that is on its way."""

    due_ns: int
    order: int
    verdict: Verdict = field(compare=False)


class _Game:
    """One rollout being played; holds the made-up truth and the counts that the engine is shown."""

    def __init__(self, plan: Plan, index: int) -> None:
        self._plan, self._world = plan, plan.world
        self._dice = random.Random(f"{plan.seed}/{index}")  # noqa: S311 - a simulation that can be repeated
        self._names = [f"namespace-{number}" for number in range(plan.world.namespaces)]
        self._traffic = _traffic(plan.world)
        self._shapes = _duration_shapes(plan.world)
        self._now_ns = _BEGIN_NS
        self._clean = 0
        self._open = 0
        self._judged = dict.fromkeys((Verdict.TRUE_POSITIVE, Verdict.FALSE_POSITIVE), 0)
        self._reviews: list[_Review] = []
        rate = plan.strategy.analysis.false_positive_rate
        self._test = SequentialTest(rate.max, rate.confidence)
        self._needed: dict[int, int] = {}
        self._ticket = itertools.count()
        self._false_denials = self._interceptions = 0
        self._rollout = self._begin(index)
        self._enforced_share = self._share_enforced()

    def play(self) -> Run:
        next_look_ns = self._now_ns
        while self._rollout.phase.is_active and self._now_ns < _BEGIN_NS + self._plan.horizon_ns:
            verdict = self._pass_time(next_look_ns)
            # The real engine looks every few seconds. Between regular looks only a verdict can change anything:
            # a false positive may roll back, a true positive promote once the count of workloads allows it.
            if verdict is Verdict.TRUE_POSITIVE and not self._proves_rate():
                continue
            self._look()
            next_look_ns = self._now_ns + self._pause_ns()
        return Run(
            ending=_ending(self._rollout.phase),
            reason=self._rollout.message,
            duration_ns=self._now_ns - _BEGIN_NS,
            workloads=self._workloads,
            false_denials=self._false_denials,
            interceptions=self._interceptions,
            reviews=sum(self._judged.values()),
        )

    @property
    def _workloads(self) -> int:
        return self._clean + self._open + sum(self._judged.values())

    def _begin(self, index: int) -> Rollout:
        identity, order = RolloutId(f"simulated-{index}"), Order(ENGINE)
        pending = start(
            identity,
            "simulated",
            candidate=_CANDIDATE,
            version="1.0.0",
            stable=_STABLE,
            strategy=self._plan.strategy,
            seed=str(self._dice.random()),
            order=order,
            now_ns=self._now_ns,
        ).rollout
        return record_checks(pending, passed=True, message="", now_ns=self._now_ns).rollout

    def _pause_ns(self) -> int:
        return max(self._rollout.current_step.duration_ns // _LOOKS_PER_STEP, _SHORTEST_LOOK_NS)

    def _pass_time(self, until_ns: int) -> Verdict | None:
        """Let time pass until then or until the next verdict arrives, and give that."""
        is_due = bool(self._reviews) and self._reviews[0].due_ns <= until_ns
        review = heapq.heappop(self._reviews) if is_due else None
        until_ns = until_ns if review is None else review.due_ns
        arriving = self._world.workloads_per_day * (until_ns - self._now_ns) / DAY_NS
        self._clean += _poisson(self._dice, arriving)
        for _ in range(_poisson(self._dice, arriving * self._world.false_positive_rate)):
            self._false_denials += self._is_denied()
            self._find(Verdict.FALSE_POSITIVE, until_ns)
        for _ in range(_poisson(self._dice, arriving * self._world.true_positive_rate)):
            self._interceptions += self._is_denied()
            self._find(Verdict.TRUE_POSITIVE, until_ns)
        self._now_ns = until_ns
        if review is None:
            return None
        self._judged[review.verdict] += 1
        self._open -= 1
        return review.verdict

    def _proves_rate(self) -> bool:
        """Tell whether the counts alone would let the false-positive bar be met."""
        wrong = self._judged[Verdict.FALSE_POSITIVE]
        counted = self._open if self._plan.strategy.analysis.unreviewed is Unreviewed.FALSE_POSITIVE else 0
        failures = wrong + counted
        if failures not in self._needed:
            self._needed[failures] = self._test.trials_needed(failures)
        return self._clean + failures >= self._needed[failures]

    def _is_denied(self) -> bool:
        return self._dice.random() < self._enforced_share

    def _find(self, truth: Verdict, until_ns: int) -> None:
        self._open += 1
        delay_ns = _ALWAYS_OPEN_NS
        if self._dice.random() < self._world.reviewed_share:
            delay_ns = round(self._dice.expovariate(1.0) * self._world.review_delay_ns)
        found_ns = self._now_ns + round(self._dice.random() * (until_ns - self._now_ns))
        due_ns = max(found_ns + delay_ns, until_ns)
        heapq.heappush(self._reviews, _Review(due_ns, next(self._ticket), truth))

    def _look(self) -> None:
        evidence = self._evidence()
        while outcome := advance(self._rollout, evidence, self._now_ns, self._names):
            self._rollout = outcome.rollout
            if outcome.transition is None:  # only the time was marked
                break
            self._enforced_share = self._share_enforced()

    def _share_enforced(self) -> float:
        rollout = self._rollout
        if rollout.phase is not Phase.PROGRESSING or rollout.current_step.mode is not Mode.ENFORCE:
            return 0.0
        contains = cohort_of(rollout.salt, rollout.strategy.namespaces, rollout.threshold).contains
        return sum(share for name, share in zip(self._names, self._traffic, strict=True) if contains(name))

    def _evidence(self) -> Evidence:
        workloads = self._workloads
        evaluations = workloads * self._world.evaluations_per_workload
        candidate, stable = (_scaled(shape, evaluations) for shape in self._shapes)
        right, wrong = self._judged[Verdict.TRUE_POSITIVE], self._judged[Verdict.FALSE_POSITIVE]
        counters = Counters(
            evaluations=evaluations,
            errors=round(evaluations * self._world.error_rate),
            durations=candidate,
        )
        return Evidence(
            modes={Mode.SHADOW: counters},
            workloads=workloads,
            standings={
                Standing.TRUE_POSITIVE: right,
                Standing.FALSE_POSITIVE: wrong,
                Standing.UNREVIEWED: self._open,
            },
            findings={
                FindingKind.NEWLY_DENIED: {
                    Verdict.TRUE_POSITIVE: right,
                    Verdict.FALSE_POSITIVE: wrong,
                    Verdict.UNREVIEWED: self._open,
                }
            },
            stable_durations=stable,
            first_ns=_BEGIN_NS,
            reported_ns=self._now_ns,
        )


def _traffic(world: World) -> Sequence[float]:
    weights = [rank**-world.tail for rank in range(1, world.namespaces + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def _duration_shapes(world: World) -> tuple[Histogram, Histogram]:
    """Give a thousand evaluations of candidate and of stable; the slowest fiftieth sets the 99th percentile."""
    usual, slow = [_USUAL_EVALUATION_NS] * 980, 20
    candidate = histogram_of(usual + [_SLOW_EVALUATION_NS + world.latency_overhead_ns] * slow)
    return candidate, histogram_of(usual + [_SLOW_EVALUATION_NS] * slow)


def _scaled(shape: Histogram, evaluations: int) -> Histogram:
    counts = [0] * len(shape.counts)
    for index in (bucket_of(_USUAL_EVALUATION_NS), len(counts) - 1):
        counts[index] = shape.counts[index] * evaluations // 1_000
    return histogram_from(counts)


def _poisson(dice: random.Random, mean: float) -> int:
    if mean > 30:  # the normal approximation is off by less than the simulation's own noise
        return max(round(dice.gauss(mean, math.sqrt(mean))), 0)
    limit, product, count = math.exp(-mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        count += 1
    return count


def _ending(phase: Phase) -> Ending:
    return {Phase.HEALTHY: Ending.PROMOTED, Phase.DEGRADED: Ending.ROLLED_BACK}.get(phase, Ending.UNDECIDED)


def _summarise(plan: Plan, runs: Sequence[Run]) -> Simulation:
    by_ending = {ending: [run for run in runs if run.ending is ending] for ending in Ending}
    reasons: dict[str, int] = {}
    for run in by_ending[Ending.ROLLED_BACK]:
        cause = run.reason.partition(" is missed")[0].removeprefix("rolled back, ")
        cause = cause if cause != run.reason else "inconclusive"
        reasons[cause] = reasons.get(cause, 0) + 1
    rate = plan.strategy.analysis.false_positive_rate
    hopeless = plan.world.false_positive_rate >= rate.max
    return Simulation(
        plan=plan,
        shares={ending: len(some) / max(len(runs), 1) for ending, some in by_ending.items()},
        hours={
            ending: _spread(run.duration_ns / HOUR_NS for run in some)
            for ending, some in by_ending.items()
            if some
        },
        workloads=_spread(run.workloads for run in runs),
        false_denials=_spread(run.false_denials for run in runs),
        interceptions=_spread(run.interceptions for run in runs),
        reviews=_spread(run.reviews for run in runs),
        rollback_reasons=reasons,
        expected_promotion_bound=round(1 - rate.confidence, 12) if hopeless else None,
    )


def _spread(values: Iterator[float]) -> Spread:
    ordered = sorted(values)
    if not ordered:
        return Spread(0, 0, 0, 0)
    at = [ordered[min(int(share * len(ordered)), len(ordered) - 1)] for share in (0.05, 0.5, 0.95)]
    return Spread(sum(ordered) / len(ordered), *at)
