import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.operating import CANDIDATE, POLICY, STABLE, Scene, finding, ids
from webhook.flows import operate
from webhook.flows.exceptions import GrantException, grant_exception
from webhook.flows.operate import PromoteRollout, RolloutVerb, StartRollout
from webhook.flows.operation_errors import InvalidField, UnknownName
from webhook.flows.operator import Operator
from webhook.flows.review import (
    DisputeFinding,
    FindingName,
    FindingSelector,
    JudgeFindings,
    ListFindings,
    dispute_finding,
    judge_findings,
    list_findings,
    show_finding,
)
from webhook.rollout.finding import FindingKind, Verdict
from webhook.rollout.life import Phase

VERB = RolloutVerb(name=POLICY)
FINDINGS = tuple(finding(number) for number in range(6))
QUEUE = ListFindings(unreviewed=True)


def wrong(*identities: str, reason: str = "a test value") -> JudgeFindings:
    return JudgeFindings(ids=identities, verdict=Verdict.FALSE_POSITIVE, reason=reason)


@pytest.fixture
async def scene() -> Scene:
    scene = await Scene(MemoryStore()).open()
    await scene.begun()
    await scene.see(10, *FINDINGS)
    return scene


async def listed(scene: Scene, ask: ListFindings) -> list[str]:
    return [one.id for one in (await list_findings(scene.operator(), ask)).items]


# The queue


async def test_the_queue_holds_disputed_findings_first_then_unreviewed_then_settled_ones(
    scene: Scene,
) -> None:
    first, second, third, *_ = ids(*FINDINGS)
    operator = scene.operator()
    await judge_findings(operator, wrong(first))
    await dispute_finding(operator, DisputeFinding(id=third, reason="it is a placeholder"))
    order = await listed(scene, ListFindings())
    assert (order[0], order[-1], len(order)) == (third, first, 6)
    assert second in order[1:5]
    assert await listed(scene, ListFindings(disputed=True)) == [third]
    assert first not in await listed(scene, QUEUE)
    assert await listed(scene, ListFindings(verdict=Verdict.FALSE_POSITIVE)) == [first]


async def test_pages_of_the_queue_join_without_a_gap(scene: Scene) -> None:
    whole = await listed(scene, ListFindings())
    pages = [await listed(scene, ListFindings(limit=2, offset=start)) for start in (0, 2, 4, 6)]
    assert [one for page in pages for one in page] == whole
    assert (await list_findings(scene.operator(), ListFindings(limit=1))).total == 6


async def test_pages_join_over_several_versions(scene: Scene) -> None:
    await scene.see(0, *(finding(number, version=STABLE.digest) for number in range(50, 55)))
    whole = await listed(scene, ListFindings())
    assert len(whole) == 11
    pages = [await listed(scene, ListFindings(limit=4, offset=start)) for start in (0, 4, 8)]
    assert [one for page in pages for one in page] == whole


async def test_findings_are_selected_by_what_they_have_in_common(scene: Scene) -> None:
    one = FINDINGS[3]
    for selected in (
        ListFindings(namespace=one.namespace),
        ListFindings(owner=one.owner),
        ListFindings(policy=POLICY, version="1.1.0", owner=one.owner),
    ):
        assert await listed(scene, selected) == [one.id]
    assert await listed(scene, ListFindings(rule="violation")) == []
    assert await listed(scene, ListFindings(kind=FindingKind.AGREED)) == []


async def test_unknown_policies_and_versions_are_no_empty_queue(scene: Scene) -> None:
    with pytest.raises(UnknownName, match="did you mean credential-env"):
        await listed(scene, ListFindings(policy="credential-envs"))
    with pytest.raises(UnknownName, match=r"no version of credential-env '9\.9\.9'"):
        await listed(scene, ListFindings(policy=POLICY, version="9.9.9"))
    with pytest.raises(InvalidField, match="version: needs a policy"):
        await listed(scene, ListFindings(version="1.1.0"))


async def test_findings_of_a_superseded_version_leave_the_queue_but_can_be_listed(scene: Scene) -> None:
    scene.clock.advance(1)
    await operate.start_rollout(scene.operator(), StartRollout(policy=POLICY, version="1.2.0"))
    assert await listed(scene, QUEUE) == []
    assert len(await listed(scene, ListFindings(unreviewed=True, all_versions=True))) == 6


async def test_a_finding_is_shown_with_its_sample_and_all_that_was_said_of_it(scene: Scene) -> None:
    (identity, *_) = ids(*FINDINGS)
    await judge_findings(scene.operator("ali"), wrong(identity))
    await dispute_finding(scene.operator("dev"), DisputeFinding(id=identity, reason="no secret"))
    await judge_findings(
        scene.operator(), JudgeFindings(ids=(identity,), verdict=Verdict.TRUE_POSITIVE, reason="it is one")
    )
    shown = await show_finding(scene.operator(), FindingName(id=identity))
    assert [(one.verdict.value, one.actor) for one in shown.judgements] == [
        ("false-positive", "ali"),
        ("true-positive", "maria"),
    ]
    assert [(one.actor, one.reason) for one in shown.disputes] == [("dev", "no secret")]
    assert shown.sample["stable"]["outcome"] == "allow"
    view = shown.finding
    assert (view.version, view.phase, view.judged_by) == ("1.1.0", Phase.PROGRESSING, "maria")
    assert (view.message, view.path) == ("container 0 holds a credential", "spec.containers[0].env[1]")
    assert (view.disputed, shown.note) == (False, "")


# Verdicts


async def test_a_verdict_on_several_findings_counts_at_once(scene: Scene) -> None:
    judged = await judge_findings(scene.operator(), wrong(*ids(*FINDINGS[:4])))
    assert (judged.count, len(judged.items), judged.notes) == (4, 4, ())
    evidence = await scene.store.evidence(CANDIDATE.digest, STABLE.digest)
    assert (evidence.confirmed_false_positives, evidence.unreviewed) == (4, 2)


async def test_an_unknown_finding_keeps_the_verdict_from_all_others(scene: Scene) -> None:
    with pytest.raises(UnknownName, match="there is no finding 'f-nope'"):
        await judge_findings(scene.operator(), wrong(FINDINGS[0].id, "f-nope"))
    assert len(await listed(scene, QUEUE)) == 6
    with pytest.raises(UnknownName, match="there is no finding 'f-nope'"):
        await show_finding(scene.operator(), FindingName(id="f-nope"))
    with pytest.raises(UnknownName, match="there is no finding 'f-nope'"):
        await dispute_finding(scene.operator(), DisputeFinding(id="f-nope", reason="x"))


FRESH = finding(77)
"""Named by a denial that is out, and stored a moment later."""


@pytest.mark.parametrize(
    "work",
    [
        lambda operator: dispute_finding(operator, DisputeFinding(id=FRESH.id, reason="no secret")),
        lambda operator: judge_findings(operator, wrong(FRESH.id)),
        lambda operator: show_finding(operator, FindingName(id=FRESH.id)),
        lambda operator: grant_exception(
            operator, GrantException(finding=FRESH.id, reason="legacy", owner="team", expires="1h")
        ),
    ],
    ids=["dispute", "verdict", "show", "exception"],
)
async def test_a_finding_is_known_from_the_moment_on_at_which_its_denial_is_out(
    scene: Scene, work: Callable[[Operator], Awaitable[object]]
) -> None:
    asked = asyncio.ensure_future(work(scene.operator()))
    await asyncio.sleep(0.01)
    assert not asked.done()
    await scene.see(0, FRESH)
    await asked
    assert (await scene.store.finding(FRESH.id)).owner == FRESH.owner


async def test_a_finding_that_never_comes_is_not_waited_for_for_ever(scene: Scene) -> None:
    hasty = replace(scene.operator(), patience_seconds=0.1)
    with pytest.raises(UnknownName, match=f"there is no finding '{FRESH.id}'"):
        await dispute_finding(hasty, DisputeFinding(id=FRESH.id, reason="no secret"))


async def test_verdicts_and_objections_have_a_reason(scene: Scene) -> None:
    with pytest.raises(InvalidField, match="reason: is empty"):
        await judge_findings(scene.operator(), wrong(FINDINGS[0].id, reason=" "))
    with pytest.raises(InvalidField, match="reason: is empty"):
        await dispute_finding(scene.operator(), DisputeFinding(id=FINDINGS[0].id, reason=""))


async def test_a_verdict_can_be_taken_back(scene: Scene) -> None:
    identity = FINDINGS[0].id
    await judge_findings(scene.operator(), wrong(identity))
    back = JudgeFindings(ids=(identity,), verdict=Verdict.UNREVIEWED, reason="misread")
    await judge_findings(scene.operator(), back)
    assert identity in await listed(scene, QUEUE)
    assert len((await show_finding(scene.operator(), FindingName(id=identity))).judgements) == 2


async def test_findings_are_judged_by_what_they_have_in_common(scene: Scene) -> None:
    many = [finding(number, rule="violation") for number in range(100, 1_300)]
    await scene.see(0, *many)
    ask = JudgeFindings(
        where=FindingSelector(policy=POLICY, rule="violation"), verdict=Verdict.TRUE_POSITIVE, reason="keys"
    )
    counted = await judge_findings(scene.operator(), replace_dry(ask))
    assert (counted.count, counted.dry_run) == (1_200, True)
    assert len(await listed(scene, ListFindings(unreviewed=True, limit=1000))) == 1_000
    judged = await judge_findings(scene.operator(), ask)
    assert (judged.count, len(judged.items)) == (1_200, 100)
    assert sorted(await listed(scene, QUEUE)) == sorted(ids(*FINDINGS))


def replace_dry(ask: JudgeFindings) -> JudgeFindings:
    return JudgeFindings(where=ask.where, verdict=ask.verdict, reason=ask.reason, dry_run=True)


async def test_what_is_judged_already_is_left_alone_by_a_bulk_verdict(scene: Scene) -> None:
    await judge_findings(scene.operator("ali"), wrong(FINDINGS[0].id))
    bulk = JudgeFindings(
        where=FindingSelector(policy=POLICY), verdict=Verdict.TRUE_POSITIVE, reason="all of them"
    )
    assert (await judge_findings(scene.operator(), bulk)).count == 5
    kept = await show_finding(scene.operator(), FindingName(id=FINDINGS[0].id))
    assert kept.finding.verdict is Verdict.FALSE_POSITIVE


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (JudgeFindings(verdict=Verdict.TRUE_POSITIVE, reason="x"), "ids"),
        (
            JudgeFindings(
                ids=("a",), where=FindingSelector(rule="r"), verdict=Verdict.TRUE_POSITIVE, reason="x"
            ),
            "ids",
        ),
        (JudgeFindings(where=FindingSelector(), verdict=Verdict.TRUE_POSITIVE, reason="x"), "where"),
        (JudgeFindings(where=FindingSelector(rule="r"), verdict=Verdict.UNREVIEWED, reason="x"), "verdict"),
    ],
)
async def test_a_verdict_says_what_it_is_about(scene: Scene, ask: JudgeFindings, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        await judge_findings(scene.operator(), ask)
    assert refused.value.field == field


# Findings whose version is not under way


async def test_a_verdict_on_a_superseded_version_is_kept_and_says_that_it_changes_nothing(
    scene: Scene,
) -> None:
    scene.clock.advance(1)
    await operate.start_rollout(scene.operator(), StartRollout(policy=POLICY, version="1.2.0"))
    judged = await judge_findings(scene.operator(), wrong(FINDINGS[0].id))
    (note,) = judged.notes
    assert note.endswith("version 1.1.0 is superseded; a verdict is only kept for the record")
    shown = await show_finding(scene.operator(), FindingName(id=FINDINGS[0].id))
    assert (shown.finding.verdict, shown.note) == (Verdict.FALSE_POSITIVE, note.partition(": ")[2])


async def test_a_verdict_on_a_version_that_was_given_up_counts_for_the_next_try(scene: Scene) -> None:
    await operate.abort_rollout(scene.operator(), VERB)
    judged = await judge_findings(scene.operator(), wrong(FINDINGS[0].id))
    assert "a verdict counts when it is tried again" in judged.notes[0]


async def test_a_verdict_on_a_stable_version_does_not_undo_it(scene: Scene) -> None:
    full = PromoteRollout(name=POLICY, full=True, force=True, reason="x")
    await operate.promote_rollout(scene.operator(), full)
    judged = await judge_findings(scene.operator(), wrong(FINDINGS[0].id))
    assert "is stable already" in judged.notes[0]


async def test_a_finding_that_stable_shares_says_so(scene: Scene) -> None:
    agreed = finding(77, kind=FindingKind.AGREED)
    await scene.see(0, agreed)
    judged = await judge_findings(scene.operator(), wrong(agreed.id))
    assert "stable denies it, too" in judged.notes[0]


async def test_a_finding_whose_rollout_is_unknown_is_judged_for_the_record(scene: Scene) -> None:
    stray = replace(finding(5, version="sha256:gone"))
    await scene.see(0, stray)
    judged = await judge_findings(scene.operator(), wrong(stray.id))
    assert "not in the store any more" in judged.notes[0]
    assert judged.items[0].phase is None
