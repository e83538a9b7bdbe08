"""The life of one candidate as values: phases, events, the rollout itself, and what is kept of each change.

Which event leads where is in `webhook.rollout.states`; nothing here decides.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from webhook.rollout.cohort import NOBODY
from webhook.rollout.evidence import Counters, Evidence
from webhook.rollout.strategy import Step, Strategy

RolloutId = NewType("RolloutId", str)
ENGINE = "gradate"
"""The actor of what happens by itself."""


class Phase(StrEnum):
    """Where a rollout is in its life."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    SUPERSEDED = "Superseded"

    @property
    def is_active(self) -> bool:
        """Whether the rollout can still go forward by itself or by a verb; a policy has at most one such."""
        return self in (Phase.PENDING, Phase.PROGRESSING, Phase.PAUSED)


class Event(StrEnum):
    """What can happen to a rollout: the first ones by itself, the rest by a verb."""

    BEGIN = "begin"
    ADVANCE = "advance"
    EXTEND = "extend"
    WIDEN = "widen"
    COMPLETE = "complete"
    ROLL_BACK = "roll back"

    START = "start"
    CHECK = "check"
    PROMOTE = "promote"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    RETRY = "retry"
    UNDO = "undo"
    SUPERSEDE = "supersede"
    WITHDRAW = "withdraw"


class Reason(StrEnum):
    """Why a rollout is in its phase, for machines; the message beside it is for people."""

    CHECKS_RUNNING = "ChecksRunning"
    CHECKS_FAILED = "ChecksFailed"
    CHECKS_PASSED = "ChecksPassed"
    STEP_BEGUN = "StepBegun"
    STEP_EXTENDED = "StepExtended"
    COHORT_WIDENED = "CohortWidened"
    PAUSED = "PausedByUser"
    RESUMED = "ResumedByUser"
    PROMOTED = "BarsCleared"
    PROMOTED_BY_USER = "PromotedByUser"
    BAR_MISSED = "BarMissed"
    INCONCLUSIVE = "Inconclusive"
    ABORTED = "AbortedByUser"
    RETRIED = "RetriedByUser"
    UNDONE = "UndoneByUser"
    NEWER_VERSION = "NewerVersion"
    POLICY_DELETED = "PolicyDeleted"


class Checks(StrEnum):
    """The unit tests and must-deny probes of a candidate."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepTimer:
    """The time that counts towards a step: what was served up to a mark, in wall-clock nanoseconds."""

    served_ns: int
    marked_ns: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """One candidate's way, as it stands."""

    id: RolloutId
    policy: str
    candidate: str
    """Digest of the version that is rolled out."""
    version: str
    """Its semantic version, for people."""
    stable: str | None
    """Digest of the version that decides elsewhere; None for a policy's first version."""
    strategy: Strategy
    salt: str
    phase: Phase
    reason: Reason
    message: str
    created_ns: int
    changed_ns: int
    """When the last transition happened."""
    timer: StepTimer
    checks: Checks = Checks.RUNNING
    step: int = 0
    threshold: int = NOBODY
    """The cohort's; see `webhook.rollout.cohort`."""
    attempt: int = 1
    baseline: Counters | None = None
    """The counters when it was last retried: errors and times before that are not held against it."""
    revision: int = 0
    """Of the stored record, for compare-and-swap; 0 before it is stored."""

    @property
    def current_step(self) -> Step:
        """The stage it is in, or was in last."""
        return self.strategy.steps[self.step]

    @property
    def is_last_step(self) -> bool:
        """Whether nothing but promotion follows."""
        return self.step == len(self.strategy.steps) - 1


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a rollout, kept for ever as its history."""

    rollout: RolloutId
    event: Event
    source: Phase | None
    """None for the start."""
    target: Phase
    step: int
    """After the change."""
    threshold: int
    reason: Reason
    message: str
    actor: str
    at_ns: int
    forced: bool = False
    """Against the evidence, by a user who said so."""
    evidence: Evidence | None = None
    """As it was then."""


@dataclass(frozen=True, slots=True)
class StableChange:
    """Which version decides everywhere from now on."""

    policy: str
    version: str | None
    """Digest; None when the policy decides nothing any more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision leads to; it is stored as one, before anybody hears of it."""

    rollout: Rollout
    transition: Transition | None
    """None when only the timer was marked."""
    stable_change: StableChange | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants something, and why."""

    actor: str
    reason: str = ""
    force: bool = False
    """Even against the evidence."""
