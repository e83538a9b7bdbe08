"""A Store in memory, for the tests of flows: it obeys the contract suite and forgets everything."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from webhook.ports.store import (
    NAMESPACE_QUIET_NS,
    EvidenceBatch,
    FindingQuery,
    Lease,
    NotInStore,
    Pruned,
    RevisionConflict,
    RolloutExists,
    StoredVersion,
    StoreError,
)
from webhook.rollout.evidence import Counters, Evidence, add_counters, later_counters, sum_counters
from webhook.rollout.finding import (
    Dispute,
    Finding,
    FindingId,
    FindingKind,
    Judgement,
    Standing,
    Verdict,
    WorkloadDigest,
    standing_of,
)
from webhook.rollout.life import Outcome, Rollout, RolloutId, Transition
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.rollout.strategy import Mode


class MemoryStore:
    """State in dictionaries; implements `webhook.ports.store.Store`."""

    def __init__(self) -> None:
        self.failure: StoreError | None = None
        """Raised by every call while it is set."""
        self._generation = 0
        self._versions: dict[tuple[str, str], StoredVersion] = {}
        self._stables: dict[str, str | None] = {}
        self._rollouts: dict[RolloutId, Rollout] = {}
        self._transitions: dict[RolloutId, list[Transition]] = defaultdict(list)
        self._workloads: dict[str, set[WorkloadDigest]] = defaultdict(set)
        self._first_ns: dict[str, int] = {}
        self._counters: dict[tuple[str, Mode, str], Counters] = {}
        self._reported_ns: dict[str, int] = {}
        self._folded: set[str] = set()
        self._namespaces: dict[str, int] = {}
        self._findings: dict[FindingId, Finding] = {}
        self._judgements: dict[FindingId, list[Judgement]] = defaultdict(list)
        self._disputes: dict[FindingId, list[Dispute]] = defaultdict(list)
        self._exceptions: dict[ExceptionId, PolicyException] = {}
        self._leases: dict[str, Lease] = {}

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def generation(self) -> int:
        self._check()
        return self._generation

    async def put_versions(self, *versions: StoredVersion) -> None:
        self._check()
        for version in versions:
            self._versions.setdefault((version.policy, version.digest), version)

    async def versions(self, policy: str) -> Sequence[StoredVersion]:
        self._check()
        found = [version for version in self._versions.values() if version.policy == policy]
        found.reverse()
        found.sort(key=lambda version: -version.first_seen_ns)
        return found

    async def stables(self) -> Mapping[str, str | None]:
        self._check()
        return dict(sorted(self._stables.items()))

    async def adopt_stables(self, versions: Mapping[str, str]) -> None:
        self._check()
        self._stables = {**versions, **self._stables}
        self._generation += 1

    async def forget_policy(self, policy: str) -> None:
        self._check()
        self._stables.pop(policy, None)
        self._generation += 1

    async def commit(self, outcome: Outcome) -> Rollout:
        self._check()
        rollout = outcome.rollout
        known = self._rollouts.get(rollout.id)
        if (0 if known is None else known.revision) != rollout.revision:
            raise RevisionConflict(f"the rollout {rollout.id} was changed by somebody else meanwhile")
        others = (other for other in self._rollouts.values() if other.id != rollout.id)
        if rollout.phase.is_active and any(o.phase.is_active and o.policy == rollout.policy for o in others):
            raise RolloutExists(f"{rollout.policy} has an active rollout already")
        stored = replace(rollout, revision=rollout.revision + 1)
        self._rollouts[stored.id] = stored
        if outcome.transition is not None:
            self._transitions[stored.id].append(outcome.transition)
            self._generation += 1
        if change := outcome.stable_change:
            self._stables[change.policy] = change.version
        return stored

    async def rollouts(self, policy: str | None = None, *, active: bool = False) -> Sequence[Rollout]:
        self._check()
        found = [
            rollout
            for rollout in reversed(self._rollouts.values())
            if policy in (None, rollout.policy) and (rollout.phase.is_active or not active)
        ]
        return sorted(found, key=lambda rollout: -rollout.created_ns)

    async def rollout(self, identity: RolloutId) -> Rollout:
        self._check()
        if identity not in self._rollouts:
            raise NotInStore(f"there is no rollout {identity}")
        return self._rollouts[identity]

    async def transitions(self, identity: RolloutId) -> Sequence[Transition]:
        self._check()
        return list(self._transitions.get(identity, ()))

    async def record(self, batch: EvidenceBatch) -> None:
        self._check()
        for finding in batch.findings:
            self._put_finding(finding)
            self._see(finding.version, finding.workload, batch.at_ns)
        for seen in batch.workloads:
            self._see(seen.version, seen.workload, batch.at_ns)
        self._reported_ns[batch.replica] = batch.at_ns
        for (version, mode), counters in batch.counters.items():
            place = (version, mode, batch.replica)
            if batch.replica not in self._folded:
                self._counters[place] = later_counters(self._counters.get(place, Counters()), counters)
        for name in batch.namespaces:
            self._namespaces[name] = max(self._namespaces.get(name, 0), batch.at_ns)

    def _see(self, version: str, workload: WorkloadDigest, at_ns: int) -> None:
        if workload not in self._workloads[version]:
            self._workloads[version].add(workload)
            self._first_ns[version] = min(self._first_ns.get(version, at_ns), at_ns)

    def _put_finding(self, finding: Finding) -> None:
        known = self._findings.get(finding.id)
        if known is None:
            fresh = replace(
                finding, verdict=Verdict.UNREVIEWED, judgement=None, disputed=False, fixed_ns=None
            )
            self._findings[finding.id] = fresh
            return
        self._findings[finding.id] = replace(
            known,
            count=known.count + finding.count,
            first_seen_ns=min(known.first_seen_ns, finding.first_seen_ns),
            last_seen_ns=max(known.last_seen_ns, finding.last_seen_ns),
            kind=finding.kind if known.kind is FindingKind.AGREED else known.kind,
        )

    async def evidence(self, candidate: str, stable: str | None) -> Evidence:
        self._check()
        found = [finding for finding in self._findings.values() if finding.version == candidate]
        counts: dict[FindingKind, dict[Verdict, int]] = {}
        gravity = list(Standing)
        standings: dict[WorkloadDigest, Standing] = {}
        for finding in found:
            verdicts = counts.setdefault(finding.kind, {})
            verdicts[finding.verdict] = verdicts.get(finding.verdict, 0) + 1
            known = standings.get(finding.workload, Standing.BENIGN)
            standings[finding.workload] = max(
                known, standing_of(finding.kind, finding.verdict), key=gravity.index
            )
        values = list(standings.values())
        return Evidence(
            modes=self._modes(candidate),
            workloads=len(self._workloads[candidate]),
            standings={s: values.count(s) for s in gravity[1:] if s in values},
            findings=counts,
            disputed=sum(finding.disputed for finding in found),
            stable_durations=None if stable is None else sum_counters(self._modes(stable).values()).durations,
            first_ns=self._first_ns.get(candidate),
            reported_ns=max(self._reported_ns.values(), default=None),
        )

    def _modes(self, version: str) -> dict[Mode, Counters]:
        modes: dict[Mode, Counters] = {}
        for (counted, mode, _), counters in self._counters.items():
            if counted == version:
                modes[mode] = add_counters(modes.get(mode, Counters()), counters)
        return modes

    async def namespaces(self) -> Sequence[str]:
        self._check()
        return sorted(self._namespaces)

    async def forget_namespaces(self, names: Collection[str]) -> None:
        self._check()
        for name in names:
            self._namespaces.pop(name, None)

    async def findings(self, query: FindingQuery) -> Sequence[Finding]:
        found = self._select(query)
        found.sort(key=lambda f: (-(f.disputed + f.awaits_review), f.first_seen_ns, f.id))
        return found[query.offset : query.offset + query.limit]

    async def count_findings(self, query: FindingQuery) -> int:
        return len(self._select(query))

    def _select(self, query: FindingQuery) -> list[Finding]:
        self._check()
        names = (
            "policy",
            "version",
            "kind",
            "verdict",
            "rule",
            "namespace",
            "owner",
            "disputed",
            "awaits_review",
        )
        wanted = {name: value for name in names if (value := getattr(query, name)) is not None}
        return [f for f in self._findings.values() if all(getattr(f, n) == v for n, v in wanted.items())]

    async def finding(self, identity: FindingId) -> Finding:
        self._check()
        if identity not in self._findings:
            raise NotInStore(f"there is no finding {identity}")
        return self._findings[identity]

    async def judge(
        self, identities: Collection[FindingId], judgement: Judgement, *, fixed_ns: int | None = None
    ) -> Sequence[Finding]:
        known = [await self.finding(identity) for identity in identities]
        judged = [
            replace(
                finding,
                verdict=judgement.verdict,
                judgement=judgement,
                disputed=False,
                fixed_ns=finding.fixed_ns if fixed_ns is None else fixed_ns,
            )
            for finding in known
        ]
        for finding in judged:
            self._findings[finding.id] = finding
            self._judgements[finding.id].append(judgement)
        return judged

    async def judgements(self, identity: FindingId) -> Sequence[Judgement]:
        self._check()
        return list(self._judgements.get(identity, ()))

    async def dispute(self, identity: FindingId, dispute: Dispute) -> Finding:
        disputed = replace(await self.finding(identity), disputed=True)
        self._findings[identity] = disputed
        self._disputes[identity].append(dispute)
        return disputed

    async def disputes(self, identity: FindingId) -> Sequence[Dispute]:
        self._check()
        return list(self._disputes.get(identity, ()))

    async def grant(self, exception: PolicyException) -> None:
        self._check()
        self._exceptions[exception.id] = exception
        self._generation += 1

    async def exceptions(self, policy: str | None = None) -> Sequence[PolicyException]:
        self._check()
        found = [e for e in reversed(self._exceptions.values()) if policy in (None, e.policy)]
        return sorted(found, key=lambda exception: -exception.granted_ns)

    async def revoke(self, identity: ExceptionId, actor: str, at_ns: int) -> PolicyException:
        self._check()
        if identity not in self._exceptions:
            raise NotInStore(f"there is no exception {identity}")
        if self._exceptions[identity].revoked_ns is None:
            revoked = replace(self._exceptions[identity], revoked_ns=at_ns, revoked_by=actor)
            self._exceptions[identity] = revoked
            self._generation += 1
        return self._exceptions[identity]

    async def mark_used(self, identities: Collection[ExceptionId], at_ns: int) -> None:
        self._check()
        for identity in set(identities) & self._exceptions.keys():
            known = self._exceptions[identity]
            self._exceptions[identity] = replace(known, used_ns=max(known.used_ns or 0, at_ns))

    async def lead(self, name: str, holder: str, now_ns: int, duration_ns: int) -> Lease:
        self._check()
        known = self._leases.get(name)
        if known and known.holder != holder and now_ns < known.expires_ns <= now_ns + 2 * duration_ns:
            return known
        term = 1 if known is None else known.term + (known.holder != holder)
        self._leases[name] = Lease(holder, now_ns + duration_ns, term)
        return self._leases[name]

    async def lease(self, name: str) -> Lease | None:
        self._check()
        return self._leases.get(name)

    async def resign(self, name: str, holder: str) -> None:
        self._check()
        known = self._leases.get(name)
        if known and known.holder == holder:
            self._leases[name] = replace(known, expires_ns=0)

    async def prune(self, before_ns: int, now_ns: int) -> Pruned:
        self._check()
        of: dict[str, list[Rollout]] = defaultdict(list)
        for rollout in self._rollouts.values():
            of[rollout.candidate].append(rollout)
        workloads = findings = 0
        for version, lives in of.items():
            if any(life.phase.is_active or life.changed_ns >= before_ns for life in lives):
                continue
            workloads += len(self._workloads.pop(version, ()))
            self._first_ns.pop(version, None)
            gone = [identity for identity, finding in self._findings.items() if finding.version == version]
            findings += len(gone)
            for identity in gone:
                del self._findings[identity]
                self._judgements.pop(identity, None)
                self._disputes.pop(identity, None)
            if version not in self._stables.values():
                self._counters = {key: value for key, value in self._counters.items() if key[0] != version}
        ended = [
            exception.id
            for exception in self._exceptions.values()
            if (exception.revoked_ns or exception.expires_ns or before_ns) < before_ns
        ]
        for past in ended:
            del self._exceptions[past]
        self._fold(now_ns)
        return Pruned(workloads, findings, len(ended), self._forget_quiet_namespaces(now_ns))

    def _forget_quiet_namespaces(self, now_ns: int) -> int:
        known = {name: min(seen_ns, now_ns) for name, seen_ns in self._namespaces.items()}
        newest_ns = max(known.values(), default=0)
        kept = {name: seen_ns for name, seen_ns in known.items() if seen_ns >= newest_ns - NAMESPACE_QUIET_NS}
        self._namespaces = kept
        return len(known) - len(kept)

    def _fold(self, now_ns: int) -> None:
        day_ns = 24 * 3600 * 1_000_000_000
        gone = {name for name, at_ns in self._reported_ns.items() if abs(now_ns - at_ns) > day_ns}
        for version, mode, replica in list(self._counters):
            if replica in gone:
                counters = self._counters.pop((version, mode, replica))
                rest = self._counters.get((version, mode, ""), Counters())
                self._counters[version, mode, ""] = add_counters(rest, counters)
        self._folded |= gone
        for name in gone:
            self._reported_ns[name] = min(self._reported_ns[name], now_ns)

    async def aclose(self) -> None:
        return None
