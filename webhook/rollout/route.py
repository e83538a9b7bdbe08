"""The route: which version of a policy decides, warns or is shadow-evaluated in a namespace.

Made once per change of a rollout and asked on the request path, where it costs one hash look-up. Knows digests,
not what is behind them.
"""

from dataclasses import dataclass
from typing import Protocol

from webhook.rollout.cohort import Cohort, cohort_of
from webhook.rollout.life import Phase, Rollout
from webhook.rollout.strategy import Mode


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the versions of one policy do in one namespace; versions are digests."""

    decide: str | None
    """Its verdict is the answer; None when nothing decides yet, as outside the cohort of a first version."""
    warn: str | None = None
    """Its denials become warnings, in the answer."""
    shadow: str | None = None
    """It is evaluated after the answer, and only recorded."""
    fallback: str | None = None
    """Answers when the deciding version errs."""
    rollout: Rollout | None = None
    """The rollout under way, for the denial to name its step."""
    mode: Mode | None = None
    """Under which mode the candidate's evaluation counts as evidence; None when it is not evaluated."""


class Route(Protocol):
    """Says who does what in a namespace."""

    def assign(self, namespace: str) -> Assignment:
        """Give the assignment of a namespace; the empty name is that of objects without one."""


@dataclass(frozen=True, slots=True)
class StableRoute:
    """One version everywhere."""

    assignment: Assignment

    def assign(self, namespace: str) -> Assignment:  # noqa: ARG002 - the same everywhere
        """Give the one assignment."""
        return self.assignment


class CohortRoute:
    """One assignment inside a cohort, another outside."""

    __slots__ = ("_contains", "_inside", "_outside")

    def __init__(self, cohort: Cohort, inside: Assignment, outside: Assignment) -> None:
        self._contains, self._inside, self._outside = cohort.contains, inside, outside

    def assign(self, namespace: str) -> Assignment:
        """Give the assignment of a namespace."""
        return self._inside if self._contains(namespace) else self._outside


def route_of(stable: str | None, rollout: Rollout | None) -> Route:
    """Make the route of a policy.

    Args:
        stable: digest of its stable version; None when nothing decides.
        rollout: its active rollout, if there is one; one that is over changes nothing.

    """
    if rollout is None or rollout.phase not in (Phase.PROGRESSING, Phase.PAUSED):
        return StableRoute(Assignment(decide=stable))
    candidate, mode = rollout.candidate, rollout.current_step.mode
    cohort = cohort_of(rollout.salt, rollout.strategy.namespaces, rollout.threshold)
    shadowed = Assignment(stable, shadow=candidate, rollout=rollout, mode=Mode.SHADOW)
    if mode is Mode.SHADOW:
        return CohortRoute(cohort, shadowed, Assignment(stable, rollout=rollout))
    if mode is Mode.WARN:
        inside = Assignment(stable, warn=candidate, rollout=rollout, mode=mode)
    else:
        # Stable is evaluated after the answer, so that a denial is known to be new or agreed.
        inside = Assignment(candidate, shadow=stable, fallback=stable, rollout=rollout, mode=mode)
    return CohortRoute(cohort, inside, shadowed)
