"""A policy with a stable version and a candidate, in any store, for tests of what people do with them."""

from dataclasses import dataclass, field, replace

from tests.support.clocks import FakeClock
from tests.support.policies import read_policy
from tests.support.rollouts import NAMESPACES
from webhook.flows.operator import Operator
from webhook.flows.stored_versions import stored_version
from webhook.policy.version import PolicyVersion
from webhook.ports.store import ROLLOUT_LEASE, EvidenceBatch, SeenWorkload, Store
from webhook.rollout.evidence import Counters
from webhook.rollout.finding import Finding, FindingId, FindingKind, WorkloadDigest, finding_id
from webhook.rollout.histogram import histogram_of
from webhook.rollout.life import Order, Rollout, RolloutId
from webhook.rollout.states import advance, record_checks, start
from webhook.rollout.strategy import Mode, Strategy

POLICY = "credential-env"
SECOND = 1_000_000_000


def version_text(version: str, rules: str = "deny contains 1 if true") -> PolicyVersion:
    return read_policy(f"custom: {{name: {POLICY}, version: {version}}}", rules=rules)


STABLE = version_text("1.0.0")
CANDIDATE = version_text("1.1.0", "deny contains 2 if true")
NEXT = version_text("1.2.0", "deny contains 3 if true")
"""Held by the files, and not started yet."""


def workload(number: int) -> WorkloadDigest:
    return WorkloadDigest(f"{number:032x}")


def finding(
    number: int = 1,
    *,
    rule: str = "deny",
    kind: FindingKind = FindingKind.NEWLY_DENIED,
    version: str = CANDIDATE.digest,
    first_seen_ns: int = 1,
) -> Finding:
    return Finding(
        finding_id(version, rule, workload(number)),
        POLICY,
        version,
        rule,
        kind,
        workload(number),
        f"team-{number % 40}",
        f"Deployment/web-{number}",
        first_seen_ns=first_seen_ns + number,
        last_seen_ns=first_seen_ns + number,
        sample={
            "message": f"container {number} holds a credential",
            "path": "spec.containers[0].env[1]",
            "details": {"name": "DB_PASSWORD"},
            "stable": {"version": "1.0.0", "outcome": "allow"},
            "candidate": {"version": "1.1.0", "outcome": "deny"},
        },
    )


@dataclass
class Scene:
    """One policy in a store."""

    store: Store
    clock: FakeClock = field(default_factory=FakeClock)
    strategy: Strategy = field(default_factory=Strategy)
    loaded: tuple[PolicyVersion, ...] = (NEXT,)

    @property
    def now_ns(self) -> int:
        return self.clock.now_ns()

    def operator(self, name: str = "maria") -> Operator:
        async def load() -> tuple[PolicyVersion, ...]:
            return self.loaded

        return Operator(name, self.store, self.clock, lambda _: self.strategy, load)

    async def open(self) -> "Scene":
        """Make the stable version stable, and the candidate known."""
        await self.store.put_versions(stored_version(STABLE, self.now_ns - SECOND))
        await self.store.put_versions(stored_version(CANDIDATE, self.now_ns))
        await self.store.adopt_stables({POLICY: STABLE.digest})
        await self.store.record(EvidenceBatch("replica", self.now_ns, namespaces=NAMESPACES))
        return self

    async def pending(self) -> Rollout:
        outcome = start(
            RolloutId(f"{POLICY}-1"),
            POLICY,
            candidate=CANDIDATE.digest,
            version="1.1.0",
            stable=STABLE.digest,
            strategy=self.strategy,
            seed="seed",
            order=Order("gradate"),
            now_ns=self.now_ns,
        )
        return await self.store.commit(outcome)

    async def begun(self) -> Rollout:
        checked = record_checks(await self.pending(), passed=True, message="12 pass", now_ns=self.now_ns)
        outcome = advance(await self.store.commit(checked), None, self.now_ns, NAMESPACES)
        assert outcome is not None
        return await self.store.commit(outcome)

    async def lead(self) -> None:
        """Let somebody lead the rollouts, for a minute."""
        await self.store.lead(ROLLOUT_LEASE, "leader", self.now_ns, 60 * SECOND)

    async def see(self, workloads: int = 0, *findings: Finding, errors: int = 0) -> None:
        """Record evidence, as a replica would."""
        seen = [SeenWorkload(CANDIDATE.digest, workload(10**6 + number)) for number in range(workloads)]
        counters = Counters(
            evaluations=workloads + len(findings) + errors,
            denials=len(findings),
            divergences=len(findings),
            errors=errors,
            durations=histogram_of([100_000] * max(workloads, 100)),
        )
        batch = EvidenceBatch(
            "replica",
            self.now_ns,
            [replace(one, first_seen_ns=self.now_ns, last_seen_ns=self.now_ns) for one in findings],
            seen,
            {(CANDIDATE.digest, Mode.SHADOW): counters},
        )
        await self.store.record(batch)


def ids(*findings: Finding) -> tuple[FindingId, ...]:
    return tuple(one.id for one in findings)
