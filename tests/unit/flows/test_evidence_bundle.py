from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.support.memory_store import MemoryStore
from tests.support.operating import POLICY, Scene, finding, ids
from tests.support.rollouts import ENOUGH
from webhook.flows import operate
from webhook.flows.bundle_check import verify_bundle
from webhook.flows.evidence_bundle import (
    MANIFEST,
    Bundle,
    FileDigest,
    collect,
    pack,
    read_bundle,
    read_manifest,
    rollout_evidence,
    unpack,
    write_bundle,
)
from webhook.flows.operate import PromoteRollout, RolloutVerb, StartRollout
from webhook.flows.review import DisputeFinding as Objection
from webhook.flows.review import JudgeFindings, dispute_finding, judge_findings
from webhook.flows.rollout_status import RolloutName
from webhook.flows.verification import Verification
from webhook.ports.store import EvidenceBatch
from webhook.rollout.evidence import Evidence
from webhook.rollout.finding import Finding, FindingKind, Verdict
from webhook.rollout.life import Event, Reason
from webhook.rollout.states import advance, record_checks
from webhook.rollout.strategy import Mode, NamespaceSelection, Step, Strategy, narrow_strategy

QUICK = Strategy(steps=(Step(Mode.ENFORCE, 5), Step(Mode.ENFORCE, 100)))
TOLD = RolloutName(name=POLICY)


async def opened(strategy: Strategy = QUICK) -> Scene:
    scene = await Scene(MemoryStore(), strategy=strategy).open()
    await scene.begun()
    return scene


async def tick(scene: Scene) -> None:
    """Let happen what happens by itself."""
    (rollout,) = await scene.store.rollouts(active=True)
    evidence = await scene.store.evidence(rollout.candidate, rollout.stable)
    outcome = advance(rollout, evidence, scene.now_ns, await scene.store.namespaces())
    assert outcome is not None
    await scene.store.commit(outcome)


async def promoted() -> Scene:
    """A version that earned its way, with findings that were judged on it."""
    scene = await opened()
    right, disputed = finding(1), finding(2)
    await scene.see(ENOUGH, right, disputed, finding(3, kind=FindingKind.AGREED))
    await dispute_finding(scene.operator("dev"), Objection(id=disputed.id, reason="a placeholder"))
    judged = JudgeFindings(ids=ids(right, disputed), verdict=Verdict.TRUE_POSITIVE, reason="real keys")
    await judge_findings(scene.operator(), judged)
    await tick(scene)
    await tick(scene)
    return scene


async def rolled_back() -> Scene:
    scene = await opened()
    wrong = [finding(number) for number in range(40)]
    await scene.see(100, *wrong)
    judged = JudgeFindings(ids=ids(*wrong), verdict=Verdict.FALSE_POSITIVE, reason="test values")
    await judge_findings(scene.operator(), judged)
    await tick(scene)
    return scene


async def bundle_of(scene: Scene) -> bytes:
    return await rollout_evidence(scene.operator(), TOLD)


async def contents(scene: Scene) -> Bundle:
    return await collect(scene.store, (await scene.store.rollouts())[0])


def failed(verification: Verification) -> dict[str, str]:
    return {fact.name: fact.detail for fact in verification.facts if not fact.passed}


# What a bundle is


async def test_the_same_state_always_gives_the_same_bytes() -> None:
    scene = await promoted()
    first = await bundle_of(scene)
    scene.clock.advance(86_400)
    assert await bundle_of(scene) == first


async def test_a_bundle_holds_versions_difference_verdicts_with_reviewer_and_who_decided() -> None:
    bundle = read_bundle(unpack(await bundle_of(await promoted())))
    assert "+deny contains 2 if true" in bundle.diff
    assert bundle.candidate is not None
    assert bundle.stable is not None
    judged = [one for one in bundle.findings if one.judgements]
    assert {one.judgements[-1].actor for one in judged} == {"maria"}
    assert [one.disputes[0].actor for one in judged if one.disputes] == ["dev"]
    assert [(one.event, one.actor) for one in bundle.transitions][-2:] == [
        (Event.ADVANCE, "gradate"),
        (Event.COMPLETE, "gradate"),
    ]
    assert bundle.bounds.evidence.e_value > bundle.bounds.evidence.e_value_needed


@pytest.mark.parametrize("made", [opened, promoted, rolled_back])
async def test_a_genuine_bundle_passes_every_check(made: Callable[[], Any]) -> None:
    verification = verify_bundle(await bundle_of(await made()))
    assert failed(verification) == {}
    assert verification.passed
    assert len(verification.facts) == 10
    assert verification.policy == POLICY


async def test_a_strategy_that_was_narrowed_to_the_namespaces_of_its_policy_is_genuine() -> None:
    # Payments is the last to be touched, says the strategy; the policy never touches it.
    selection = NamespaceSelection(critical=("payments", "team-3"))
    narrowed = narrow_strategy(replace(QUICK, namespaces=selection), ["team-*"], ["team-3"])
    assert failed(verify_bundle(await bundle_of(await opened(narrowed)))) == {}


async def test_a_check_names_what_it_takes_on_trust() -> None:
    verification = verify_bundle(await bundle_of(await promoted()))
    assert any("counted, not listed" in trust for trust in verification.taken_on_trust)


async def test_forced_promotions_retries_and_undone_ones_pass_too() -> None:
    scene = await opened()
    operator, verb = scene.operator(), RolloutVerb(name=POLICY)
    await scene.see(10, errors=20)
    await operate.abort_rollout(operator, verb)
    await operate.start_rollout(operator, StartRollout(policy=POLICY, version="1.1.0"))
    (rollout,) = await scene.store.rollouts(active=True)
    await scene.store.commit(record_checks(rollout, passed=True, message="", now_ns=scene.now_ns))
    await tick(scene)
    await operate.promote_rollout(operator, PromoteRollout(name=POLICY, force=True, reason="urgent"))
    await operate.promote_rollout(
        operator, PromoteRollout(name=POLICY, full=True, force=True, reason="urgent")
    )
    await operate.undo_rollout(operator, verb)
    verification = verify_bundle(await bundle_of(scene))
    assert failed(verification) == {}
    assert any("2 decisions of attempt 2" in fact.detail for fact in verification.facts)


async def test_a_promotion_from_the_start_by_force_passes() -> None:
    scene = await Scene(MemoryStore()).open()
    rollout = await scene.pending()
    await scene.store.commit(record_checks(rollout, passed=True, message="", now_ns=scene.now_ns))
    full = PromoteRollout(name=POLICY, full=True, force=True, reason="urgent")
    await operate.promote_rollout(scene.operator(), full)
    assert failed(verify_bundle(await bundle_of(scene))) == {}


async def test_evidence_that_moves_while_it_is_read_still_agrees_with_itself() -> None:
    class Busy(MemoryStore):
        """Each look at the evidence is followed by another finding."""

        looks = 0

        async def evidence(self, candidate: str, stable: str | None) -> Evidence:
            self.looks += 1
            await self.record(EvidenceBatch("replica", 1, [finding(1000 + self.looks)]))
            return await super().evidence(candidate, stable)

    scene = await Scene(Busy()).open()
    await scene.begun()
    assert failed(verify_bundle(await bundle_of(scene))) == {}


async def test_a_version_whose_content_is_unknown_is_left_out_and_said_to_be() -> None:
    bundle = replace(await contents(await promoted()), candidate=None, stable=None, diff="")
    verification = verify_bundle(write_bundle(bundle))
    assert verification.passed
    assert "the candidate's content is not in the bundle" in {fact.detail for fact in verification.facts}


# Tampering


async def test_every_single_flipped_byte_is_noticed() -> None:
    data = await bundle_of(await opened())
    # Every byte would take minutes; a stride that is prime to everything visits headers and contents alike.
    for position in range(0, len(data), 97):
        flipped = bytearray(data)
        flipped[position] ^= 1
        assert not verify_bundle(bytes(flipped)).passed, position


@pytest.mark.parametrize("length", [0, 1, 100, -1, -100])
async def test_a_bundle_that_was_cut_is_none(length: int) -> None:
    data = await bundle_of(await opened())
    verification = verify_bundle(data[:length])
    assert not verification.passed
    assert verification.facts[0].name == "archive"


async def test_files_that_are_added_or_missing_are_noticed() -> None:
    files = unpack(await bundle_of(await promoted()))
    assert "notes.txt" in failed(verify_bundle(pack({**files, "notes.txt": b"x"})))["checksums"]
    del files["diff.patch"]
    assert failed(verify_bundle(pack(files))) == {"archive": "diff.patch is missing"}


async def test_a_bundle_of_another_format_is_refused() -> None:
    files = unpack(await bundle_of(await promoted()))
    files[MANIFEST] = msgspec.json.encode(replace(read_manifest(files), format="gradate-evidence/9"))
    assert "this release reads" in failed(verify_bundle(pack(files)))["checksums"]


async def test_a_wrong_checksum_is_noticed() -> None:
    files = unpack(await bundle_of(await promoted()))
    manifest = read_manifest(files)
    files[MANIFEST] = msgspec.json.encode(replace(manifest, files=[FileDigest("diff.patch", "0" * 64)]))
    assert "diff.patch" in failed(verify_bundle(pack(files)))["checksums"]


def another_finding(bundle: Bundle, **changes: Any) -> Bundle:
    first, *rest = bundle.findings
    return replace(bundle, findings=[replace(first, finding=replace(first.finding, **changes)), *rest])


def other_transition(bundle: Bundle, index: int, **changes: Any) -> Bundle:
    transitions = list(bundle.transitions)
    transitions[index] = replace(transitions[index], **changes)
    return replace(bundle, transitions=transitions)


def other_source(bundle: Bundle) -> Bundle:
    assert bundle.candidate is not None
    ((path, text),) = bundle.candidate.sources
    return replace(bundle, candidate=replace(bundle.candidate, sources=((path, text.replace("2", "4")),)))


def other_version(bundle: Bundle) -> Bundle:
    assert bundle.candidate is not None
    return replace(bundle, candidate=replace(bundle.candidate, version="9.9.9"))


def other_decision_evidence(bundle: Bundle) -> Bundle:
    weaker = bundle.transitions[-1].evidence
    assert weaker is not None
    return other_transition(bundle, -1, evidence=replace(weaker, workloads=ENOUGH // 2))


def other_stable(bundle: Bundle) -> Bundle:
    return replace(bundle, stable=bundle.candidate)


def stolen_finding(bundle: Bundle) -> Bundle:
    first, *rest = bundle.findings
    stolen: Finding = replace(first.finding, policy="another")
    return replace(bundle, findings=[replace(first, finding=stolen), *rest])


FORGERIES: dict[str, tuple[str, Callable[[Bundle], Bundle]]] = {
    "another module": ("versions", other_source),
    "another version number": ("versions", other_version),
    "another stable version": ("versions", other_stable),
    "another difference": ("versions", lambda b: replace(b, diff=b.diff + "\n")),
    "another strategy": ("strategy", lambda b: replace(b, strategy={})),
    "one more member": ("cohort", lambda b: replace(b, cohort=replace(b.cohort, members=["x"]))),
    "another threshold": ("cohort", lambda b: replace(b, cohort=replace(b.cohort, threshold=1))),
    "a verdict nobody gave": ("findings", lambda b: another_finding(b, verdict=Verdict.FALSE_POSITIVE)),
    "a finding of another version": ("findings", lambda b: another_finding(b, version="sha256:x")),
    "a finding of another policy": ("findings", stolen_finding),
    "an objection nobody made": ("findings", lambda b: replace(
        b, findings=[replace(one, finding=replace(one.finding, disputed=True), disputes=()) for one in b.findings]
    )),
    "a verdict without its history": ("findings", lambda b: replace(
        b, findings=[replace(one, judgements=()) for one in b.findings]
    )),
    "a finding twice": ("findings", lambda b: replace(b, findings=[*b.findings, b.findings[0]])),
    "a finding left out": ("counts", lambda b: replace(b, findings=b.findings[1:])),
    "fewer false positives": ("counts", lambda b: replace(b, evidence=replace(b.evidence, standings={}))),
    "fewer workloads than findings": ("counts", lambda b: replace(b, evidence=replace(b.evidence, workloads=1))),
    "more workloads": ("bounds", lambda b: replace(b, evidence=replace(b.evidence, workloads=10**6))),
    "a step left out": ("history", lambda b: replace(b, transitions=[*b.transitions[:2], *b.transitions[3:]])),
    "no history": ("history", lambda b: replace(b, transitions=[])),
    "another end": ("history", lambda b: replace(b, rollout=replace(b.rollout, reason=Reason.PROMOTED_BY_USER))),
    "another attempt": ("history", lambda b: replace(b, rollout=replace(b.rollout, attempt=2))),
    "another rollout's transition": ("history", lambda b: other_transition(b, 1, rollout="other")),
    "a decision without evidence": ("decisions", lambda b: other_transition(b, -1, evidence=None)),
    "a decision on weaker evidence": ("decisions", other_decision_evidence),
    "a decision by a user": ("decisions", lambda b: other_transition(b, -1, actor="eve")),
    "a baseline": ("decisions", lambda b: replace(b, rollout=replace(b.rollout, baseline=b.evidence.total))),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_with_correct_checksums_is_noticed_by_what_it_contradicts(name: str) -> None:
    check, forge = FORGERIES[name]
    genuine = await contents(await promoted())
    assert check in failed(verify_bundle(write_bundle(forge(genuine))))


async def test_a_rollback_that_no_evidence_proves_is_noticed() -> None:
    bundle = await contents(await rolled_back())
    mild = bundle.transitions[-1].evidence
    assert mild is not None
    forged = other_transition(bundle, -1, evidence=replace(mild, standings={}, findings={}))
    assert "proves no bar to be missed" in failed(verify_bundle(write_bundle(forged)))["decisions"]


async def test_a_forced_promotion_that_is_called_earned_is_noticed() -> None:
    scene = await opened()
    await scene.see(10)
    await operate.promote_rollout(scene.operator(), PromoteRollout(name=POLICY, force=True, reason="urgent"))
    forged = other_transition(await contents(scene), -1, forced=False)
    assert "forced" in failed(verify_bundle(write_bundle(forged)))["decisions"]
