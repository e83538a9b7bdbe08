"""The sequential test: evidence on a rate that may be looked at after every trial without losing its guarantee.

Owns the mathematics of DESIGN.md §6; knows neither rollouts nor where the counts come from.

A trial is one benign workload, a failure one false positive. Against the claim "the rate is at least p0" stands
the mixture of likelihood ratios

    e(n, k) = Σ w_i (q_i/p0)^k ((1 - q_i)/(1 - p0))^(n - k)        over a grid of rates q_i < p0

Each term is a non-negative martingale at rate p0 and a supermartingale at any higher rate, so their mean is an
e-process: by Ville's inequality the chance that it *ever* reaches 1/α, however often it is looked at, is at most
α whenever the claim is true. The mirror, with rates above p0, stands against "the rate is at most p0".

The process depends on the trials only through (n, k): there is nothing to carry along, and the counts of any
number of replicas can be added before they are judged. Everything is computed as logarithms, so neither a
million workloads nor a rate of 1e-9 overflows.

Source: Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference" (2023).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

_HALVINGS = 8
_ROOT_PRECISION = 1e-9


@dataclass(frozen=True, slots=True)
class _Component:
    """One rate of the grid, as what one failure and one success add to the logarithm."""

    log_weight: float
    per_failure: float
    per_success: float


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """Evidence for and against a maximum rate of failures."""

    max_rate: float
    """p0, above 0 and below 1."""
    confidence: float
    """1 - α, above 0 and below 1."""
    _below: tuple[_Component, ...] = field(init=False, repr=False, compare=False)
    _above: tuple[_Component, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.max_rate < 1 or not 0 < self.confidence < 1:
            raise ValueError(
                f"rate {self.max_rate} and confidence {self.confidence} must lie between 0 and 1"
            )
        object.__setattr__(self, "_below", _components(self.max_rate, _rates_below(self.max_rate)))
        object.__setattr__(self, "_above", _components(self.max_rate, _rates_above(self.max_rate)))

    @property
    def log_threshold(self) -> float:
        """The logarithm of 1/α, which evidence must reach."""
        return -math.log1p(-self.confidence)

    def log_evidence_below(self, trials: int, failures: int) -> float:
        """Give log e against "the rate is at or above the maximum"; falls with each failure, -inf possible."""
        return _log_mixture(self._below, trials, failures)

    def log_evidence_above(self, trials: int, failures: int) -> float:
        """Give log e against "the rate is at or below the maximum"; falls with each success."""
        return _log_mixture(self._above, trials, failures)

    def proves_below(self, trials: int, failures: int) -> bool:
        """Tell whether the rate is proven to lie below the maximum: promotion's test."""
        return self.log_evidence_below(trials, failures) >= self.log_threshold

    def proves_above(self, trials: int, failures: int) -> bool:
        """Tell whether the rate is proven to lie above the maximum: early rollback's test."""
        return self.log_evidence_above(trials, failures) >= self.log_threshold

    def trials_needed(self, failures: int) -> int:
        """Give the least number of trials that proves the rate below the maximum with this many failures."""
        if self.proves_below(
            failures, failures
        ):  # not reachable for a sensible confidence; keeps the search sound
            return failures
        low, high = failures, failures + max(16, math.ceil(4 / self.max_rate))
        while not self.proves_below(high, failures):
            low, high = high, 2 * high
        # With the failures fixed the evidence only grows with the trials, so halving finds the least.
        while high - low > 1:
            middle = (low + high) // 2
            if self.proves_below(middle, failures):
                high = middle
            else:
                low = middle
        return high

    def upper_bound(self, trials: int, failures: int) -> float:
        """Give the least maximum rate that these counts would prove, at this confidence and at any time.

        1.0 when they prove nothing. The grid scales with the rate, so the evidence grows with it and the
        bound is its one crossing.
        """
        if trials <= failures:
            return 1.0
        log_threshold = self.log_threshold
        low, high = math.log(failures / trials) if failures else -60.0, 0.0
        while high - low > _ROOT_PRECISION:
            middle = (low + high) / 2
            rate = math.exp(middle)
            components = _components(rate, _rates_below(rate))
            if _log_mixture(components, trials, failures) >= log_threshold:
                high = middle
            else:
                low = middle
        return min(1.0, math.exp(high))


def _rates_below(rate: float) -> Sequence[float]:
    return [rate / 2**halving for halving in range(1, _HALVINGS + 1)] + [0.0]


def _rates_above(rate: float) -> Sequence[float]:
    doubled = [rate * 2**doubling for doubling in range(1, _HALVINGS + 1)]
    # A large maximum leaves few doublings below 1; the half-way rate makes sure there is always one.
    return [higher for higher in doubled if higher < 1] or [(1 + rate) / 2]


def _components(rate: float, alternatives: Sequence[float]) -> tuple[_Component, ...]:
    log_weight = -math.log(len(alternatives))
    return tuple(
        _Component(
            log_weight,
            per_failure=math.log(other / rate) if other else -math.inf,
            per_success=math.log1p(-other) - math.log1p(-rate),
        )
        for other in alternatives
    )


def _log_mixture(components: Sequence[_Component], trials: int, failures: int) -> float:
    if not 0 <= failures <= trials:
        raise ValueError(f"{failures} failures among {trials} trials")
    successes = trials - failures
    logs = [
        # 0 x -inf is not a number: without failures the rate 0 pays nothing for them.
        part.log_weight + (failures * part.per_failure if failures else 0.0) + successes * part.per_success
        for part in components
    ]
    largest = max(logs)
    if largest == -math.inf:
        return largest
    return largest + math.log(sum(math.exp(value - largest) for value in logs))
