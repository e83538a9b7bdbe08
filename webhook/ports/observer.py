"""The Observer port: who is told what the flows did. Implementations must not block or raise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from webhook.rollout.assessment import Assessment
from webhook.rollout.evidence import Evidence
from webhook.rollout.finding import FindingKind
from webhook.rollout.life import Rollout, Transition
from webhook.rollout.strategy import Mode


@dataclass(frozen=True, slots=True)
class Fix:
    """A violation that was found to be gone."""

    policy: str
    version: str
    """Semantic version of the candidate that had found it."""
    time_to_fix_ns: int
    """Since the violation was first seen."""


@dataclass(frozen=True, slots=True)
class JournalReport:
    """What the journal of one process did since its last report, and how it stands; versions are semantic."""

    trials: Mapping[tuple[str, str, Mode], int] = field(default_factory=dict)
    """Evaluations of a candidate that became evidence, by policy, version and mode."""
    dropped: Mapping[tuple[str, str, Mode], int] = field(default_factory=dict)
    """Trials that were shed, by policy, version and mode."""
    findings: Mapping[tuple[str, str, FindingKind], int] = field(default_factory=dict)
    """Findings raised, repeated ones included, by policy, version and kind."""
    fixes: Sequence[Fix] = ()
    flushes: int = 0
    """Batches that the store took."""
    failed_flushes: int = 0
    open_trials: int = 0
    """Waiting for a shadow evaluation, now."""
    settled_trials: int = 0
    """Waiting to be counted, now."""
    lag_ns: int = 0
    """Age of the oldest trial that waits."""


@dataclass(frozen=True, slots=True)
class RolloutStanding:
    """One rollout as its leader sees it."""

    rollout: Rollout
    evidence: Evidence | None
    """None when it cannot be read."""
    assessment: Assessment
    """What evidence and time say of it."""
    cohort: int
    """Known namespaces in which the candidate acts, or is evaluated at a shadow step."""
    eligible: int
    """Known namespaces that the rollout may touch."""


class Observer(Protocol):
    """Hears of snapshots; requests are reported by the server, which knows their whole duration."""

    def snapshot_loaded(
        self, generation: int, built_at: datetime, policies: Sequence[tuple[str, str]]
    ) -> None:
        """Hear that a new snapshot serves; `policies` holds (name, version) pairs."""

    def rollout_changed(self, transition: Transition, rollout: Rollout) -> None:
        """Hear of a transition that is stored."""

    def rollout_noted(self, policy: str, message: str) -> None:
        """Hear what a person should know of a policy's versions, such as why one does not start."""

    def store_failed(self, doing: str, reason: str) -> None:
        """Hear that the store cannot do something now; what it keeps holds, and serving goes on."""

    def reload_failed(self, reason: str) -> None:
        """Hear that the last good snapshot keeps serving because the new one did not build."""

    def journal_reported(self, report: JournalReport) -> None:
        """Hear what this process's journal did, about once a second."""

    def rollouts_observed(self, standings: Sequence[RolloutStanding]) -> None:
        """Hear how all rollouts stand, in place of what was heard before; nothing, from one who does not lead."""
