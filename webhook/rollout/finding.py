"""Findings: what a candidate answers otherwise than stable, about one workload, and what was said of it.

Owns their identity, their kinds, their verdicts, and how the findings of one workload make it count as one trial.
Knows neither stores nor how a finding is made.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

FindingId = NewType("FindingId", str)
WorkloadDigest = NewType("WorkloadDigest", str)
"""Hexadecimal, of a workload's identity; see `webhook.rollout.identity`."""


class FindingKind(StrEnum):
    """How the candidate's answer differs from stable's."""

    NEWLY_DENIED = "newly-denied"
    NEWLY_ALLOWED = "newly-allowed"
    AGREED = "agreed"
    """Both deny: no review needed."""


class Verdict(StrEnum):
    """What was said of the violation in a finding, whichever version raised it.

    So a `newly-denied` false positive speaks against the candidate, and a `newly-allowed` true positive is a
    violation that the candidate misses.
    """

    TRUE_POSITIVE = "true-positive"
    FALSE_POSITIVE = "false-positive"
    UNREVIEWED = "unreviewed"


class Standing(StrEnum):
    """What one workload counts as, by the gravest of its findings; members are in order of gravity."""

    BENIGN = "benign"
    """A trial that raised nothing."""
    VIOLATING = "violating"
    """Denied by both versions, or by stable alone: no trial, since it is not known to be benign."""
    TRUE_POSITIVE = "true-positive"
    """No trial: a violation, rightly denied."""
    UNREVIEWED = "unreviewed"
    FALSE_POSITIVE = "false-positive"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One verdict, given by a person or a signal."""

    verdict: Verdict
    actor: str
    """Who: a user's name, or `signal:exception`, `signal:fixed`."""
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Dispute:
    """A developer's objection to a denial."""

    actor: str
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One divergence, deduplicated over retries, replicas and modes."""

    id: FindingId
    policy: str
    version: str
    """Digest of the candidate."""
    rule: str
    kind: FindingKind
    workload: WorkloadDigest
    namespace: str
    owner: str
    """`Deployment/web`: the outermost known owner."""
    first_seen_ns: int
    last_seen_ns: int
    count: int = 1
    """How many evaluations raised it."""
    sample: Mapping[str, Any] = field(default_factory=dict)
    """Redacted JSON of the first evaluation: `message`, `path`, `details`, `stable` and `candidate` answers."""
    verdict: Verdict = Verdict.UNREVIEWED
    judgement: Judgement | None = None
    """The last one; the store has the earlier ones."""
    disputed: bool = False
    fixed_ns: int | None = None
    """When the same owner came back without the violation."""

    @property
    def awaits_review(self) -> bool:
        """Whether somebody should judge it."""
        return self.disputed or (self.verdict is Verdict.UNREVIEWED and self.kind is not FindingKind.AGREED)

    @property
    def time_to_fix_ns(self) -> int | None:
        """How long the violation lived, when it was fixed."""
        return None if self.fixed_ns is None else max(self.fixed_ns - self.first_seen_ns, 0)


def finding_id(version: str, rule: str, workload: WorkloadDigest) -> FindingId:
    """Name a finding by what it is, so that the denial can name it before any store has seen it."""
    text = f"{version}\0{rule}\0{workload}".encode()
    return FindingId("f-" + hashlib.blake2b(text, digest_size=8).hexdigest())


def standing_of(kind: FindingKind, verdict: Verdict) -> Standing:
    """Tell what a workload with this one finding counts as."""
    if kind is FindingKind.AGREED:
        return Standing.VIOLATING
    if kind is FindingKind.NEWLY_ALLOWED:
        # Only when stable's denial was wrong is the workload known to be benign.
        return Standing.BENIGN if verdict is Verdict.FALSE_POSITIVE else Standing.VIOLATING
    return {
        Verdict.TRUE_POSITIVE: Standing.TRUE_POSITIVE,
        Verdict.UNREVIEWED: Standing.UNREVIEWED,
        Verdict.FALSE_POSITIVE: Standing.FALSE_POSITIVE,
    }[verdict]
