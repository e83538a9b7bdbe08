"""Evidence: everything that is known of a candidate at one moment, as counts.

Owns the counters that replicas keep and how they add up. Knows neither bars nor stores.

Each replica's counters only grow. Two states of one replica join by the larger number, different replicas add:
so a state may be written again, late or twice, and the sum is never too large.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from webhook.rollout.finding import FindingKind, Standing, Verdict
from webhook.rollout.histogram import (
    NO_DURATIONS,
    Histogram,
    add_histograms,
    later_histogram,
    subtract_histogram,
)
from webhook.rollout.strategy import Mode


@dataclass(frozen=True, slots=True)
class Counters:
    """What one replica, or all together, counted of one policy version in one mode."""

    evaluations: int = 0
    denials: int = 0
    divergences: int = 0
    """Evaluations that answered otherwise than the other version."""
    errors: int = 0
    dropped: int = 0
    """Evaluations that were shed under load and never made."""
    durations: Histogram = NO_DURATIONS


def add_counters(one: Counters, other: Counters) -> Counters:
    """Add the counters of different replicas or modes."""
    return Counters(
        one.evaluations + other.evaluations,
        one.denials + other.denials,
        one.divergences + other.divergences,
        one.errors + other.errors,
        one.dropped + other.dropped,
        add_histograms(one.durations, other.durations),
    )


def later_counters(one: Counters, other: Counters) -> Counters:
    """Join two states of the same replica's counters: commutative, associative, idempotent."""
    return Counters(
        max(one.evaluations, other.evaluations),
        max(one.denials, other.denials),
        max(one.divergences, other.divergences),
        max(one.errors, other.errors),
        max(one.dropped, other.dropped),
        later_histogram(one.durations, other.durations),
    )


def subtract_counters(whole: Counters, earlier: Counters) -> Counters:
    """Give what was counted since an earlier state; never below zero."""
    return Counters(
        max(whole.evaluations - earlier.evaluations, 0),
        max(whole.denials - earlier.denials, 0),
        max(whole.divergences - earlier.divergences, 0),
        max(whole.errors - earlier.errors, 0),
        max(whole.dropped - earlier.dropped, 0),
        subtract_histogram(whole.durations, earlier.durations),
    )


def sum_counters(counters: Iterable[Counters]) -> Counters:
    """Add any number of counters."""
    rest = iter(counters)
    return reduce(add_counters, rest, next(rest, Counters()))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one candidate at one moment."""

    modes: Mapping[Mode, Counters] = field(default_factory=dict)
    """The candidate's counters, all replicas together."""
    workloads: int = 0
    """Distinct workloads evaluated in any mode."""
    standings: Mapping[Standing, int] = field(default_factory=dict)
    """Of those, how many stand otherwise than benign."""
    findings: Mapping[FindingKind, Mapping[Verdict, int]] = field(default_factory=dict)
    """Findings by kind and verdict; a workload may have several."""
    disputed: int = 0
    """Findings disputed and not judged yet."""
    stable_durations: Histogram | None = None
    """Evaluation times of stable; None when there is no stable version."""
    first_ns: int | None = None
    """When the first workload was recorded."""
    reported_ns: int | None = None
    """When a replica last reported, be it that nothing happened."""

    def count(self, kind: FindingKind, verdict: Verdict) -> int:
        """Count the findings of a kind with a verdict."""
        return self.findings.get(kind, {}).get(verdict, 0)

    def standing(self, standing: Standing) -> int:
        """Count the workloads of a standing other than benign."""
        return self.standings.get(standing, 0)

    @property
    def total(self) -> Counters:
        """The candidate's counters over all modes."""
        return sum_counters(self.modes.values())

    @property
    def confirmed_false_positives(self) -> int:
        """Workloads denied wrongly, as somebody or something has judged."""
        return self.standing(Standing.FALSE_POSITIVE)

    @property
    def unreviewed(self) -> int:
        """Workloads newly denied that nobody has judged and no judged false positive settles."""
        return self.standing(Standing.UNREVIEWED)

    @property
    def trials(self) -> int:
        """Workloads that are benign as far as is known, unreviewed ones included."""
        return self.workloads - self.standing(Standing.TRUE_POSITIVE) - self.standing(Standing.VIOLATING)


def subtract_baseline(evidence: Evidence, baseline: Counters | None) -> Counters:
    """Give the counters since a rollout was tried again: faults of an earlier try are not held against it."""
    return evidence.total if baseline is None else subtract_counters(evidence.total, baseline)
