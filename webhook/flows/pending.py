"""Pending evidence: what was found and is not stored yet, deduplicated and bounded.

Owns what goes into the next batch, and what happens to a batch that could not be stored. Knows neither trials nor
when batches are sent.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from webhook.flows.recency import RecentSet
from webhook.flows.tally import TallyKey
from webhook.ports.store import EvidenceBatch, SeenWorkload
from webhook.rollout.evidence import Counters
from webhook.rollout.finding import Finding, FindingId, FindingKind, WorkloadDigest


@dataclass(frozen=True, slots=True)
class PendingLimits:
    """How much may wait for the store, and how much is remembered of what it has."""

    findings: int = 4_000
    """Each holds a sample of a few kilobytes."""
    workloads: int = 20_000
    remembered_workloads: int = 16_384
    """Workloads that are stored and need not be told again."""
    remembered_namespaces: int = 16_384


class PendingEvidence:
    """Collects for the next batch."""

    __slots__ = (
        "_findings",
        "_known_namespaces",
        "_known_workloads",
        "_limits",
        "_namespaces",
        "_sent",
        "_workloads",
        "is_full",
    )

    def __init__(self, limits: PendingLimits) -> None:
        self._limits = limits
        self._findings: dict[FindingId, Finding] = {}
        self._workloads: set[tuple[str, WorkloadDigest]] = set()
        self._namespaces: set[str] = set()
        self._known_workloads = RecentSet(limits.remembered_workloads)
        self._known_namespaces = RecentSet(limits.remembered_namespaces)
        self._sent: EvidenceBatch | None = None
        self.is_full = False
        """Whether nothing more may be added: giving up findings but counting benign workloads would flatter."""

    @property
    def is_large(self) -> bool:
        """Whether it should be stored soon."""
        return (
            len(self._findings) * 4 >= self._limits.findings
            or len(self._workloads) * 4 >= self._limits.workloads
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self._findings or self._workloads or self._namespaces)

    def see_workload(self, version: str, workload: WorkloadDigest) -> None:
        """Note that a version was evaluated on a workload."""
        seen = (version, workload)
        if seen not in self._known_workloads and seen not in self._workloads:
            self._workloads.add(seen)
            self._measure()

    def see_namespace(self, namespace: str) -> None:
        """Note that requests come from a namespace."""
        if namespace not in self._known_namespaces and len(self._namespaces) < self._limits.workloads:
            self._namespaces.add(namespace)

    def raise_finding(
        self, identity: FindingId, kind: FindingKind, at_ns: int, make: Callable[[], Finding]
    ) -> None:
        """Note that an evaluation raised a finding; `make` is asked for it when it is not pending yet."""
        known = self._findings.get(identity)
        if known is None:
            self._findings[identity] = make()
            self._measure()
            return
        kind = kind if known.kind is FindingKind.AGREED else known.kind
        self._findings[identity] = replace(known, kind=kind, last_seen_ns=at_ns, count=known.count + 1)

    def take(self, replica: str, at_ns: int, counters: Mapping[TallyKey, Counters]) -> EvidenceBatch:
        """Give everything as one batch, to be confirmed or put back before the next is taken."""
        batch = EvidenceBatch(
            replica,
            at_ns,
            tuple(self._findings.values()),
            tuple(SeenWorkload(version, workload) for version, workload in self._workloads),
            counters,
            frozenset(self._namespaces),
        )
        self._sent = batch
        self._findings, self._workloads, self._namespaces = {}, set(), set()
        return batch

    def confirm(self) -> None:
        """Hear that the batch that was taken is stored."""
        if self._sent is not None:
            self._known_workloads.update((seen.version, seen.workload) for seen in self._sent.workloads)
            self._known_namespaces.update(self._sent.namespaces)
        self._sent = None
        self._measure()

    def put_back(self) -> None:
        """Hear that the batch that was taken could not be stored: it is part of the next one."""
        sent, self._sent = self._sent, None
        if sent is None:
            return
        later, self._findings = self._findings, {finding.id: finding for finding in sent.findings}
        for finding in later.values():
            known = self._findings.get(finding.id)
            self._findings[finding.id] = finding if known is None else _join(known, finding)
        self._workloads.update((seen.version, seen.workload) for seen in sent.workloads)
        self._namespaces.update(sent.namespaces)
        self._measure()

    def forget_namespaces(self) -> None:
        """Tell of every namespace again when it is seen: one that was deleted and made anew must be learned anew."""
        self._known_namespaces.clear()

    def _measure(self) -> None:
        sent: Collection[object] = () if self._sent is None else self._sent.findings
        workloads: Collection[object] = () if self._sent is None else self._sent.workloads
        self.is_full = (
            len(self._findings) + len(sent) >= self._limits.findings
            or len(self._workloads) + len(workloads) >= self._limits.workloads
        )


def _join(earlier: Finding, later: Finding) -> Finding:
    return replace(
        earlier,
        kind=later.kind if earlier.kind is FindingKind.AGREED else earlier.kind,
        last_seen_ns=max(earlier.last_seen_ns, later.last_seen_ns),
        count=earlier.count + later.count,
    )
