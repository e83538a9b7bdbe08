"""The strategy of a rollout as values: its steps, its bars, the namespaces it may touch, and the defaults.

Knows neither the document that users write nor evidence. Percentages are percent (5 is one namespace in twenty),
rates are fractions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from webhook.rollout.duration import HOUR_NS, MILLISECOND_NS


class Mode(StrEnum):
    """What a candidate's verdict does; each mode does more than the one before."""

    SHADOW = "shadow"
    """It is recorded."""
    WARN = "warn"
    """Its denials reach the user as warnings; stable decides."""
    ENFORCE = "enforce"
    """It decides."""


class Unreviewed(StrEnum):
    """What a finding counts as that nobody has judged."""

    FALSE_POSITIVE = "count-as-false-positive"
    IGNORE = "ignore"
    """The guarantee is void."""


class OnInconclusive(StrEnum):
    """What happens when a step's time is over and its bars are neither held nor missed."""

    HOLD = "hold"
    """Wait, and look again at every tick."""
    EXTEND = "extend"
    """Begin the step's duration again."""
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a rollout."""

    mode: Mode
    percent: float
    """Share of the eligible namespaces, above 0 and at most 100: where the candidate acts, or, in shadow, where
    it is evaluated."""
    duration_ns: int = 0
    """Least time in this step."""

    def describe(self) -> str:
        """Say what the step does: `enforced in 5 % of the namespaces`."""
        deed = {Mode.SHADOW: "shadow-evaluated", Mode.WARN: "warning", Mode.ENFORCE: "enforced"}[self.mode]
        return (
            f"{deed} everywhere" if self.percent >= 100 else f"{deed} in {self.percent:g} % of the namespaces"
        )


@dataclass(frozen=True, slots=True)
class FalsePositiveRate:
    """Promotion needs proof that fewer workloads than this are wrongly denied."""

    max: float = 0.0003
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Analysis:
    """The bars that a candidate has to clear; None is a bar that was dropped on purpose."""

    false_positive_rate: FalsePositiveRate = FalsePositiveRate()
    interception_accuracy_min: float | None = 0.99
    """Least share of right ones among the reviewed findings."""
    latency_overhead_p99_max_ns: int | None = 5 * MILLISECOND_NS
    """Most time that the candidate's slowest hundredth may take beyond stable's."""
    error_rate_max: float | None = 0.001
    """Most evaluations that may fail, as a fraction."""
    unreviewed: Unreviewed = Unreviewed.FALSE_POSITIVE
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD


@dataclass(frozen=True, slots=True)
class NamespaceSelection:
    """Which namespaces a rollout touches, by name or shell pattern (`team-*`); exclusion wins."""

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()
    """Join the cohort only after every other namespace has."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a candidate earns its way."""

    steps: tuple[Step, ...] = (Step(Mode.ENFORCE, 5, 72 * HOUR_NS), Step(Mode.ENFORCE, 100))
    analysis: Analysis = Analysis()
    namespaces: NamespaceSelection = NamespaceSelection()


def narrow_strategy(strategy: Strategy, include: Sequence[str], exclude: Sequence[str]) -> Strategy:
    """Keep a strategy to the namespaces that its policy judges: a cohort of others would try nothing.

    Args:
        strategy: as the settings or a user give it.
        include: patterns of the policy; none includes every namespace. They count where the strategy names none of
            its own: two lists of patterns have no common list.
        exclude: patterns of the policy.

    """
    selection = strategy.namespaces
    everywhere = selection.include == NamespaceSelection().include
    narrowed = replace(
        selection,
        include=tuple(include) if include and everywhere else selection.include,
        exclude=tuple(dict.fromkeys((*selection.exclude, *exclude))),
    )
    return replace(strategy, namespaces=narrowed)
