"""Whatever fails, a batch or the next one holds everything once more, and nothing twice."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from webhook.flows.pending import PendingEvidence, PendingLimits
from webhook.ports.store import SeenWorkload
from webhook.rollout.finding import Finding, FindingKind, WorkloadDigest, finding_id

NEW, NOW = "sha256:new", 1_000


def workload(number: int) -> WorkloadDigest:
    return WorkloadDigest(f"{number:032x}")


def finding(number: int, kind: FindingKind = FindingKind.NEWLY_DENIED, at_ns: int = NOW) -> Finding:
    identity = finding_id(NEW, "deny", workload(number))
    return Finding(
        identity, "p", NEW, "deny", kind, workload(number), "shop", f"Deployment/{number}", at_ns, at_ns
    )


def add(
    pending: PendingEvidence, number: int, kind: FindingKind = FindingKind.NEWLY_DENIED, at_ns: int = NOW
) -> None:
    made = finding(number, kind, at_ns)
    pending.raise_finding(made.id, kind, at_ns, lambda: made)


class PendingMachine(RuleBasedStateMachine):
    """Evidence that is added, taken, put back and confirmed in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pending = PendingEvidence(PendingLimits(findings=6, workloads=8, remembered_workloads=3))
        self.raised: Counter[int] = Counter()
        self.stored: Counter[int] = Counter()
        self.seen: set[int] = set()
        self.known: set[str] = set()
        self.clock = NOW

    @rule(number=st.integers(0, 9))
    def raise_finding(self, number: int) -> None:
        if not self.pending.is_full:
            self.clock += 1
            self.raised[number] += 1
            add(self.pending, number, at_ns=self.clock)

    @rule(number=st.integers(10, 25))
    def see_workload(self, number: int) -> None:
        if not self.pending.is_full:
            self.seen.add(number)
            self.pending.see_workload(NEW, workload(number))

    @rule(fails=st.booleans(), number=st.integers(0, 9))
    def flush(self, fails: bool, number: int) -> None:
        batch = self.pending.take("one", self.clock, {})
        self.raise_finding(number)
        if fails:
            self.pending.put_back()
            return
        for found in batch.findings:
            self.stored[int(found.workload, 16)] += found.count
        self.known |= {seen.workload for seen in batch.workloads}
        self.pending.confirm()

    @invariant()
    def nothing_is_lost(self) -> None:
        batch = self.pending.take("one", self.clock, {})
        waiting = Counter({int(found.workload, 16): found.count for found in batch.findings})
        assert self.stored + waiting == self.raised
        assert {workload(number) for number in self.seen} == self.known | {
            s.workload for s in batch.workloads
        }
        assert len(batch.findings) <= 7
        assert len(batch.workloads) <= 8
        self.pending.put_back()


TestPendingEvidence = PendingMachine.TestCase


def test_a_repeated_finding_keeps_its_first_sight_and_its_gravest_kind() -> None:
    pending = PendingEvidence(PendingLimits())
    add(pending, 1, FindingKind.AGREED, at_ns=5)
    add(pending, 1, FindingKind.NEWLY_DENIED, at_ns=6)
    pending.take("one", 6, {})
    add(pending, 1, FindingKind.AGREED, at_ns=7)
    pending.put_back()
    (found,) = pending.take("one", 7, {}).findings
    assert found == replace(finding(1, FindingKind.NEWLY_DENIED, 5), last_seen_ns=7, count=3)


def test_it_is_full_while_a_batch_is_under_way_that_may_come_back() -> None:
    pending = PendingEvidence(PendingLimits(findings=2))
    add(pending, 1)
    pending.take("one", NOW, {})
    add(pending, 2)
    assert pending.is_full
    pending.confirm()
    assert not pending.is_full


def test_a_workload_that_was_stored_is_not_told_again_until_it_is_forgotten() -> None:
    pending = PendingEvidence(PendingLimits())
    pending.see_workload(NEW, workload(1))
    assert pending.take("one", NOW, {}).workloads == (SeenWorkload(NEW, workload(1)),)
    pending.confirm()
    pending.see_workload(NEW, workload(1))
    assert pending.is_empty


@given(st.integers(1, 400))
def test_namespaces_are_bounded_like_all_else(count: int) -> None:
    pending = PendingEvidence(PendingLimits(workloads=100))
    for number in range(count):
        pending.see_namespace(f"team-{number}")
    assert len(pending.take("one", NOW, {}).namespaces) == min(count, 100)
