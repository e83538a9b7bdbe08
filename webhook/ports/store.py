"""The Store port: where rollouts, evidence and what people decided outlive a process.

Every method is async, so that a store may be a thread beside the event loop or a server far away. Times are
wall-clock nanoseconds given by the caller; a store has no clock. What the contract suite in tests/contract/ asks
holds for every implementation.

StoreError
├── StoreUnavailable
│   ├── StoreFull
│   └── StoreReadOnly
├── StoreCorrupt
├── StoreTooNew
├── RevisionConflict
├── RolloutExists
└── NotInStore
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from webhook.rollout.evidence import Counters, Evidence
from webhook.rollout.finding import (
    Dispute,
    Finding,
    FindingId,
    FindingKind,
    Judgement,
    Verdict,
    WorkloadDigest,
)
from webhook.rollout.life import Outcome, Rollout, RolloutId, Transition
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.rollout.strategy import Mode

NAMESPACE_QUIET_NS = 14 * 24 * 3600 * 1_000_000_000
"""After this long without a request a namespace counts as deleted: nobody tells that it was."""


ROLLOUT_LEASE = "rollout"
"""Whoever holds it lets rollouts move."""


class StoreError(Exception):
    """Root of what a store raises; the message is for the person who runs it."""


class StoreUnavailable(StoreError):  # noqa: N818 - reads as what is wrong
    """Nothing can be read or written now; it may pass."""


class StoreFull(StoreUnavailable):
    """There is no room; reading still works."""


class StoreReadOnly(StoreUnavailable):
    """Writing is not permitted; reading still works."""


class StoreCorrupt(StoreError):  # noqa: N818 - reads as what is wrong
    """What is stored cannot be trusted; restore a back-up."""


class StoreTooNew(StoreError):  # noqa: N818 - reads as what is wrong
    """A newer release has written the store; this one would misread it."""


class RevisionConflict(StoreError):  # noqa: N818 - reads as what happened
    """Somebody changed the rollout since it was read; read it again and decide anew."""


class RolloutExists(StoreError):  # noqa: N818 - reads as what is wrong
    """The policy has an active rollout already."""


class NotInStore(StoreError):  # noqa: N818 - reads as what is wrong
    """There is nothing of that name; the message says what was asked for."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """The content of one policy version, as it was loaded."""

    policy: str
    digest: str
    version: str
    """Semantic version from its metadata."""
    first_seen_ns: int
    sources: tuple[tuple[str, str], ...]
    """(path, text) of its modules."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON of its metadata and parameters."""


@dataclass(frozen=True, slots=True)
class SeenWorkload:
    """One evaluation of a version that the count of distinct workloads should know of."""

    version: str
    """Digest."""
    workload: WorkloadDigest


@dataclass(frozen=True, slots=True)
class EvidenceBatch:
    """What one replica has to tell since the last time; an empty one says that it lives."""

    replica: str
    """Unique to this life of this process."""
    at_ns: int
    findings: Sequence[Finding] = ()
    """Each with the number of times it was raised since the last batch. Verdicts in them are not looked at."""
    workloads: Sequence[SeenWorkload] = ()
    """Repeated ones count once; those of the findings need not be repeated here."""
    counters: Mapping[tuple[str, Mode], Counters] = field(default_factory=dict)
    """By version and mode, everything that this replica counted since it started: sending twice is harmless."""
    namespaces: Collection[str] = ()
    """Seen in requests."""


@dataclass(frozen=True, slots=True)
class FindingQuery:
    """Which findings are asked for; None asks for any."""

    policy: str | None = None
    version: str | None = None
    kind: FindingKind | None = None
    verdict: Verdict | None = None
    rule: str | None = None
    namespace: str | None = None
    owner: str | None = None
    disputed: bool | None = None
    awaits_review: bool | None = None
    """Disputed, or unreviewed and not merely agreed."""
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """Who leads."""

    holder: str
    expires_ns: int
    term: int
    """Grows with each change of the holder."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What retention removed."""

    workloads: int = 0
    findings: int = 0
    exceptions: int = 0
    namespaces: int = 0


class Store(Protocol):
    """State that is shared by processes and outlives them.

    Every method may raise StoreUnavailable and its kinds; what else is said with each.
    """

    async def generation(self) -> int:
        """Give a number that grows whenever a rollout, a stable version or an exception changes: cheap to poll."""

    # Policy versions

    async def put_versions(self, *versions: StoredVersion) -> None:
        """Keep the content of versions, of all or of none; the first of a (policy, digest) stays."""

    async def versions(self, policy: str) -> Sequence[StoredVersion]:
        """List the versions of a policy, newest first."""

    async def stables(self) -> Mapping[str, str | None]:
        """Give the stable version's digest by policy; None for a policy whose only promotion was undone."""

    async def adopt_stables(self, versions: Mapping[str, str]) -> None:
        """Make versions stable (digest by policy) without a rollout, where the policy has no entry yet."""

    async def forget_policy(self, policy: str) -> None:
        """Remove the stable entry of a deleted policy; should it come back, it is new. History stays."""

    # Rollouts

    async def commit(self, outcome: Outcome) -> Rollout:
        """Store a decision as one: rollout, transition, stable version.

        Returns:
            The rollout with its new revision.

        Raises:
            RevisionConflict: the stored revision is not the one that the outcome was made from.
            RolloutExists: it would be the second active rollout of its policy.

        """

    async def rollouts(self, policy: str | None = None, *, active: bool = False) -> Sequence[Rollout]:
        """List rollouts, newest first; of one policy, or only active ones."""

    async def rollout(self, identity: RolloutId) -> Rollout:
        """Give one rollout.

        Raises:
            NotInStore: there is none.

        """

    async def transitions(self, identity: RolloutId) -> Sequence[Transition]:
        """Give a rollout's history, oldest first; empty for an unknown one."""

    # Evidence

    async def record(self, batch: EvidenceBatch) -> None:
        """Add a replica's news; findings are stored no later than the counts that include them."""

    async def evidence(self, candidate: str, stable: str | None) -> Evidence:
        """Sum up what is known of a candidate; digests. One consistent look."""

    async def namespaces(self) -> Sequence[str]:
        """List the known namespaces, in order of name."""

    async def forget_namespaces(self, names: Collection[str]) -> None:
        """Remove namespaces that were deleted."""

    # Findings, verdicts, disputes

    async def findings(self, query: FindingQuery) -> Sequence[Finding]:
        """List findings in the order of the review queue: disputed, awaiting review, settled; the oldest first."""

    async def count_findings(self, query: FindingQuery) -> int:
        """Count findings, limit and offset aside."""

    async def finding(self, identity: FindingId) -> Finding:
        """Give one finding.

        Raises:
            NotInStore: there is none.

        """

    async def judge(
        self, identities: Collection[FindingId], judgement: Judgement, *, fixed_ns: int | None = None
    ) -> Sequence[Finding]:
        """Give findings a verdict, all or none; earlier ones are kept, an open dispute is settled.

        Args:
            identities: which.
            judgement: by whom, and why.
            fixed_ns: when the violation was found to be gone.

        Raises:
            NotInStore: one of them is unknown.

        """

    async def judgements(self, identity: FindingId) -> Sequence[Judgement]:
        """Give every verdict that a finding ever had, oldest first."""

    async def dispute(self, identity: FindingId, dispute: Dispute) -> Finding:
        """Object to a finding; it becomes unsettled until it is judged again.

        Raises:
            NotInStore: there is none.

        """

    async def disputes(self, identity: FindingId) -> Sequence[Dispute]:
        """Give every objection to a finding, oldest first."""

    # Exceptions

    async def grant(self, exception: PolicyException) -> None:
        """Store a new exception."""

    async def exceptions(self, policy: str | None = None) -> Sequence[PolicyException]:
        """List exceptions, past ones too, newest first."""

    async def revoke(self, identity: ExceptionId, actor: str, at_ns: int) -> PolicyException:
        """End an exception; revoking it again changes nothing.

        Raises:
            NotInStore: there is none.

        """

    async def mark_used(self, identities: Collection[ExceptionId], at_ns: int) -> None:
        """Note that exceptions permitted something; unknown ones are passed over."""

    # Leadership and upkeep

    async def lead(self, name: str, holder: str, now_ns: int, duration_ns: int) -> Lease:
        """Take or renew a lease if it is free, expired or one's own, and tell who holds it now."""

    async def lease(self, name: str) -> Lease | None:
        """Tell who holds a lease, or held it last; None when nobody ever has."""

    async def resign(self, name: str, holder: str) -> None:
        """Give up a lease; nothing happens if another holds it."""

    async def prune(self, before_ns: int, now_ns: int) -> Pruned:
        """Remove the evidence of versions whose rollout ended before then, exceptions that did, and quiet namespaces.

        A namespace is quiet when its last request is `NAMESPACE_QUIET_NS` older than the newest of any: a clock that
        jumps makes none quiet, nor does a cluster in which nothing happens.

        Rollouts and their transitions stay: they are the record, and an aborted version must be known again.
        """

    async def aclose(self) -> None:
        """Finish what was begun and let go."""
