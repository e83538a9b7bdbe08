"""What people do says something of findings."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.rehearsal import NEW, POLICY, Rehearsal, denying, deployment
from tests.support.reviews import pod, pod_spec, review_of
from webhook.flows.judging import Case, DecisionRules
from webhook.flows.signals import dispute_reason, settle_by_exception
from webhook.ports.store import EvidenceBatch, StoreUnavailable
from webhook.rollout.finding import Finding, FindingKind, Judgement, Verdict, WorkloadDigest, finding_id
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.rollout.strategy import Mode

BAD, WORSE, GOOD, OTHER = "bad", "worse", "good", "other"
TELLING = [Mode.ENFORCE, Mode.WARN]
SECOND_NS = 10**9


def rehearse(mode: Mode = Mode.ENFORCE, **fields: Any) -> Rehearsal:
    return Rehearsal(old=denying(), new=denying(BAD, WORSE), mode=mode, **fields)


def disputing(image: str, why: str, name: str = "web") -> dict[str, Any]:
    return deployment(image, name, annotations={"gradate.dev/dispute": why})


async def verdicts(rehearsal: Rehearsal) -> dict[str, Verdict]:
    """Give the verdict of each finding by its owner."""
    return {finding.owner: finding.verdict for finding in await rehearsal.findings()}


# Fixed


@pytest.mark.parametrize("mode", TELLING)
async def test_a_workload_that_comes_back_without_the_violation_was_rightly_denied(mode: Mode) -> None:
    rehearsal = rehearse(mode)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    rehearsal.clock.advance(600)
    await rehearsal.submit(deployment(GOOD))
    seen = await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    assert finding.verdict is Verdict.TRUE_POSITIVE
    assert finding.judgement is not None
    assert finding.judgement.actor == "signal:fixed"
    assert finding.time_to_fix_ns == 600 * SECOND_NS + 1_000_000
    assert seen.unreviewed == 0
    (fix,) = rehearsal.observer.reports[-1].fixes
    assert (fix.policy, fix.version, fix.time_to_fix_ns) == (POLICY, "1.1.0", finding.time_to_fix_ns)


async def test_denial_and_fix_within_one_batch_are_seen_in_their_order() -> None:
    rehearsal = rehearse()
    await rehearsal.submit(deployment(BAD))
    await rehearsal.submit(deployment(GOOD))
    await rehearsal.submit(deployment(GOOD, "later"))
    await rehearsal.submit(deployment(BAD, "later"))
    await rehearsal.settle()
    assert await verdicts(rehearsal) == {
        "Deployment/web": Verdict.TRUE_POSITIVE,
        "Deployment/later": Verdict.UNREVIEWED,
    }


async def test_the_fix_may_arrive_at_another_replica() -> None:
    one = rehearse()
    other = rehearse(store=one.store, replica="two")
    await one.submit(deployment(BAD))
    await one.settle()
    other.clock.advance(60)
    await other.submit(deployment(GOOD))
    await other.settle()
    assert await verdicts(one) == {"Deployment/web": Verdict.TRUE_POSITIVE}


async def test_an_update_without_the_violation_is_a_fix_of_what_was_only_warned_of() -> None:
    rehearsal = rehearse(Mode.WARN)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.submit(deployment(GOOD), old=deployment(BAD))
    await rehearsal.settle()
    assert await verdicts(rehearsal) == {"Deployment/web": Verdict.TRUE_POSITIVE}


def from_replica_set() -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-abc", "controller": True}
    metadata = {"labels": {"pod-template-hash": "abc"}, "ownerReferences": [owner], "name": "web-abc-1"}
    return pod(pod_spec(image=GOOD), **metadata)


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        pytest.param(deployment(GOOD, "another"), {}, id="another workload"),
        pytest.param(deployment(GOOD), {"namespace": "elsewhere"}, id="another namespace"),
        pytest.param(deployment(WORSE), {}, id="another violation"),
        pytest.param(from_replica_set(), {}, id="an old Pod that its controller makes again"),
        pytest.param(deployment(GOOD), {"old": deployment(GOOD)}, id="a change beside the template"),
    ],
)
async def test_nothing_else_that_passes_settles_a_finding(sent: Any, fields: dict[str, Any]) -> None:
    rehearsal = rehearse()
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    rehearsal.clock.advance(60)
    await rehearsal.submit(sent, **fields)
    await rehearsal.settle()
    assert (await verdicts(rehearsal))["Deployment/web"] is Verdict.UNREVIEWED


async def test_the_same_workload_passing_by_other_fields_is_not_a_fix() -> None:
    rehearsal = rehearse()
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    rehearsal.snapshot.current.versions[1].evaluator.images = {}  # type: ignore[attr-defined]
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    assert (await rehearsal.store.finding(finding.id)).verdict is Verdict.UNREVIEWED


async def test_in_shadow_nobody_was_told_so_nobody_has_fixed_anything() -> None:
    shadow = rehearse(Mode.SHADOW)
    await shadow.submit(deployment(BAD))
    await shadow.settle()
    await shadow.submit(deployment(GOOD))
    await shadow.settle()
    assert await verdicts(shadow) == {"Deployment/web": Verdict.UNREVIEWED}
    enforced = rehearse(Mode.ENFORCE, store=shadow.store)
    enforced.clock.advance(60)
    await enforced.submit(deployment(OTHER))
    await enforced.settle()
    assert await verdicts(shadow) == {"Deployment/web": Verdict.UNREVIEWED}


async def test_a_fix_never_overrides_what_a_person_said_or_disputes() -> None:
    rehearsal = rehearse()
    await rehearsal.submit(deployment(BAD, "judged"))
    await rehearsal.submit(disputing(BAD, "it is a test", "disputed"))
    await rehearsal.settle()
    judged = next(f for f in await rehearsal.findings() if f.owner == "Deployment/judged")
    await rehearsal.store.judge([judged.id], Judgement(Verdict.FALSE_POSITIVE, "maria", "no key", 1))
    rehearsal.clock.advance(60)
    await rehearsal.submit(deployment(GOOD, "judged"))
    await rehearsal.submit(deployment(GOOD, "disputed"))
    await rehearsal.settle()
    assert await verdicts(rehearsal) == {
        "Deployment/judged": Verdict.FALSE_POSITIVE,
        "Deployment/disputed": Verdict.UNREVIEWED,
    }


async def test_a_fix_waits_for_a_store_that_is_away() -> None:
    rehearsal = rehearse()
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    rehearsal.store.failure = StoreUnavailable("away")
    rehearsal.clock.advance(60)
    await rehearsal.submit(deployment(GOOD))
    await rehearsal.work_off()
    assert not await rehearsal.journal.flush()
    rehearsal.store.failure = None
    await rehearsal.settle()
    assert await verdicts(rehearsal) == {"Deployment/web": Verdict.TRUE_POSITIVE}


# Disputed


@pytest.mark.parametrize("mode", list(Mode))
async def test_the_annotation_on_a_denied_object_is_a_dispute_by_its_user(mode: Mode) -> None:
    rehearsal = rehearse(mode)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.submit(disputing(BAD, "  it is\na test "))
    seen = await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    assert finding.disputed
    assert seen.disputed == 1
    (dispute,) = await rehearsal.store.disputes(finding.id)
    assert (dispute.actor, dispute.reason) == ("maria", "it is a test")


async def test_a_pod_template_may_carry_the_annotation() -> None:
    rehearsal = rehearse()
    sent = deployment(BAD)
    sent["spec"]["template"]["metadata"]["annotations"] = {"gradate.dev/dispute": "it is a test"}
    await rehearsal.submit(sent)
    await rehearsal.settle()
    assert [finding.disputed for finding in await rehearsal.findings()] == [True]


async def test_an_object_that_passes_disputes_nothing() -> None:
    rehearsal = rehearse()
    await rehearsal.submit(disputing(GOOD, "just in case"))
    assert (await rehearsal.settle()).disputed == 0


async def test_an_object_that_is_tried_again_disputes_once() -> None:
    rehearsal = rehearse()
    for _ in range(3):
        await rehearsal.submit(disputing(BAD, "it is a test"))
        await rehearsal.submit(disputing(BAD, "it is a test"))
        await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    assert len(await rehearsal.store.disputes(finding.id)) == 1


async def test_an_objection_that_was_judged_is_not_raised_again_by_a_retry_but_by_a_new_reason() -> None:
    first = rehearse()
    await first.submit(disputing(BAD, "it is a test"))
    await first.settle()
    (finding,) = await first.findings()
    await first.store.judge([finding.id], Judgement(Verdict.TRUE_POSITIVE, "ali", "a real key", 2))
    restarted = rehearse(store=first.store, replica="two")
    await restarted.submit(disputing(BAD, "it is a test"))
    await restarted.settle()
    assert not (await first.store.finding(finding.id)).disputed
    await restarted.submit(disputing(BAD, "look again, it is public"))
    await restarted.settle()
    assert (await first.store.finding(finding.id)).disputed
    assert len(await first.store.disputes(finding.id)) == 2


async def test_a_dispute_of_a_finding_that_is_gone_is_passed_over() -> None:
    class Forgetful(MemoryStore):
        async def record(self, batch: EvidenceBatch) -> None:
            await super().record(replace(batch, findings=()))

    rehearsal = rehearse(store=Forgetful())
    await rehearsal.submit(disputing(BAD, "it is a test"))
    await rehearsal.settle()


@pytest.mark.parametrize(
    "annotations", [None, [], {"gradate.dev/dispute": ""}, {"gradate.dev/dispute": " \n"}, {"gradate.dev/dispute": 7}]
)  # fmt: skip
def test_an_annotation_without_a_reason_is_no_dispute(annotations: Any) -> None:
    case = Case(review_of(deployment(BAD, annotations=annotations)), DecisionRules())
    assert dispute_reason(case) is None


def test_a_long_reason_is_cut() -> None:
    case = Case(review_of(disputing(BAD, "x" * 10_000)), DecisionRules())
    assert len(dispute_reason(case) or "") == 500


def test_a_reason_never_quotes_an_environment_value() -> None:
    sent = disputing(BAD, "hunter2-and-then-some is a test value")
    (container,) = sent["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "DB_PASSWORD", "value": "hunter2-and-then-some"}]
    assert dispute_reason(Case(review_of(sent), DecisionRules())) == "[redacted] is a test value"


# Excepted


def finding(number: int, **fields: Any) -> Finding:
    workload = WorkloadDigest(f"{number:032x}")
    known = Finding(
        finding_id(NEW, "deny", workload), POLICY, NEW, "deny", FindingKind.NEWLY_DENIED, workload,
        "shop", f"Deployment/web-{number}", number, number,
    )  # fmt: skip
    return replace(known, **fields)


def exception(**fields: Any) -> PolicyException:
    known = PolicyException(
        ExceptionId("x-1"), POLICY, "shop", "Deployment/web-*", "a test key", "team-a", "maria", 0
    )
    return replace(known, **fields)


async def stored(*findings: Finding) -> MemoryStore:
    store = MemoryStore()
    await store.record(EvidenceBatch("one", 1, findings))
    return store


async def test_an_exception_makes_the_open_findings_that_it_covers_false_positives() -> None:
    covered, agreed = finding(1), finding(2, kind=FindingKind.AGREED)
    elsewhere, other = finding(3, namespace="pay"), finding(4, owner="Job/web-4")
    alien = finding(5, policy="another")
    store = await stored(covered, agreed, elsewhere, other, alien)
    judged = await settle_by_exception(store, exception(), 7)
    assert [found.id for found in judged] == [covered.id]
    assert judged[0].verdict is Verdict.FALSE_POSITIVE
    assert judged[0].judgement == Judgement(
        Verdict.FALSE_POSITIVE, "signal:exception", "exception x-1, granted by maria: a test key", 7
    )
    assert await settle_by_exception(store, exception(), 8) == []


async def test_an_exception_for_many_namespaces_settles_findings_in_all_of_them() -> None:
    store = await stored(*(finding(number, namespace=f"shop-{number % 7}") for number in range(1_200)))
    judged = await settle_by_exception(store, exception(namespace="shop-*"), 7)
    assert len(judged) == 1_200


async def test_an_exception_does_not_override_a_person_and_does_nothing_once_expired() -> None:
    store = await stored(finding(1), finding(2))
    await store.judge([finding(1).id], Judgement(Verdict.TRUE_POSITIVE, "ali", "a real key", 2))
    assert not await settle_by_exception(store, exception(expires_ns=5), 7)
    judged = await settle_by_exception(store, exception(), 7)
    assert [found.id for found in judged] == [finding(2).id]
