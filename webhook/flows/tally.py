"""Tallies: what this process counted of each version in each mode since it started.

Counts only grow, so that telling them again is harmless (`webhook.rollout.evidence`). Knows verdicts; must not know
queues or stores.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from webhook.decision.verdict import PolicyVerdict
from webhook.rollout.evidence import Counters
from webhook.rollout.histogram import BOUNDS_NS, bucket_of, histogram_from
from webhook.rollout.life import Rollout
from webhook.rollout.strategy import Mode

TallyKey: TypeAlias = tuple[str, Mode]
"""A version's digest, and the mode under which it was evaluated."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a tally counted since it was last asked."""

    evaluations: int
    dropped: int


class Tally:
    """The counts of one version in one mode."""

    __slots__ = (
        "_buckets",
        "_denials",
        "_divergences",
        "_dropped",
        "_errors",
        "_evaluations",
        "_told",
        "changed",
        "label",
    )

    def __init__(self, label: tuple[str, str] | None = None) -> None:
        """Take the names of policy and version, if this is a candidate's."""
        self.label = label
        self._told = (0, 0)
        self._evaluations = 0
        self._denials = 0
        self._divergences = 0
        self._errors = 0
        self._dropped = 0
        self._buckets = [0] * (len(BOUNDS_NS) + 1)
        self.changed = True
        """Whether it counted anything since somebody last asked."""

    def count(self, verdict: PolicyVerdict, *, diverges: bool = False) -> None:
        """Count one evaluation, a failed one too."""
        self._evaluations += 1
        self._errors += verdict.error is not None
        self._denials += verdict.violates
        self._divergences += diverges
        self._buckets[bucket_of(verdict.duration_ns)] += 1
        self.changed = True

    def drop(self) -> None:
        """Count an evaluation that was never made."""
        self._dropped += 1
        self.changed = True

    def take_progress(self) -> Progress:
        """Give what was counted since the last time."""
        told, self._told = self._told, (self._evaluations, self._dropped)
        return Progress(self._evaluations - told[0], self._dropped - told[1])

    def counters(self) -> Counters:
        """Give the counts as they stand."""
        return Counters(
            self._evaluations,
            self._denials,
            self._divergences,
            self._errors,
            self._dropped,
            histogram_from(self._buckets),
        )


class Tallies:
    """The tallies of one process; as many as versions and modes it ever met, which are few."""

    __slots__ = ("_tallies",)

    def __init__(self) -> None:
        self._tallies: dict[TallyKey, Tally] = {}

    def of(self, version: str, mode: Mode) -> Tally:
        """Give the tally of a version, by digest, in a mode."""
        tally = self._tallies.get((version, mode))
        if tally is None:
            tally = self._tallies[version, mode] = Tally()
        return tally

    def of_candidate(self, rollout: Rollout, mode: Mode) -> Tally:
        """Give the tally of a rollout's candidate."""
        tally = self._tallies.get((rollout.candidate, mode))
        if tally is None or tally.label is None:
            tally = self.of(rollout.candidate, mode)
            tally.label = (rollout.policy, rollout.version)
        return tally

    def take_progress(self) -> Mapping[tuple[str, str, Mode], Progress]:
        """Give what was counted of candidates since the last time, by policy, version and mode."""
        return {
            (*tally.label, mode): tally.take_progress()
            for (_, mode), tally in self._tallies.items()
            if tally.label is not None
        }

    def take_changed(self) -> Mapping[TallyKey, Counters]:
        """Give the counts of those that changed since the last time."""
        taken = {key: tally.counters() for key, tally in self._tallies.items() if tally.changed}
        for key in taken:
            self._tallies[key].changed = False
        return taken

    def put_back(self, keys: Iterable[TallyKey]) -> None:
        """Give the counts of these again at the next time: they could not be told."""
        for key in keys:
            self._tallies[key].changed = True
