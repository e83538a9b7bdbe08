from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.operating import CANDIDATE, NEXT, POLICY, SECOND, STABLE, Scene, finding, ids
from tests.support.policies import read_policy
from tests.support.rollouts import ENOUGH, NAMESPACES
from webhook.flows import operate
from webhook.flows.operate import PromoteRollout, RolloutVerb, StartRollout
from webhook.flows.operation_errors import InvalidField, OperationRefused, UnknownName
from webhook.flows.operator import Operator
from webhook.flows.review import JudgeFindings, judge_findings
from webhook.flows.rollout_status import (
    ListRollouts,
    RolloutName,
    explain_rollout,
    get_rollout,
    list_rollouts,
    rollout_history,
    rollout_status,
)
from webhook.flows.rollout_views import RolloutView
from webhook.ports.store import ROLLOUT_LEASE, StoredVersion, StoreError, StoreUnavailable
from webhook.rollout.finding import Verdict
from webhook.rollout.life import Event, Order, Outcome, Phase, Rollout, Transition
from webhook.rollout.states import abort, advance, pause, promote, record_checks
from webhook.rollout.strategy import Mode, Step, Strategy

NAMED = RolloutName(name=POLICY)
VERB = RolloutVerb(name=POLICY, reason="because")
THREE_STEPS = Strategy(steps=(Step(Mode.SHADOW, 100), Step(Mode.ENFORCE, 5), Step(Mode.ENFORCE, 100)))


@pytest.fixture
async def scene() -> Scene:
    return await Scene(MemoryStore()).open()


class Interrupted(MemoryStore):
    """A store in which somebody else is always a moment faster."""

    def __init__(self, others: Sequence[Outcome | None]) -> None:
        super().__init__()
        self.others = list(others)
        self.armed = False

    async def commit(self, outcome: Outcome) -> Rollout:
        if self.armed and self.others:
            other = self.others.pop(0)
            current = await self.rollout(outcome.rollout.id)
            if other is None:  # the leader marks its timer
                await super().commit(Outcome(current, None))
            else:
                await super().commit(
                    replace(other, rollout=replace(other.rollout, revision=current.revision))
                )
        return await super().commit(outcome)


# Looking


async def test_a_policy_stands_for_its_active_rollout_and_an_id_for_itself(scene: Scene) -> None:
    rollout = await scene.begun()
    for name in (POLICY, rollout.id):
        found = (await get_rollout(scene.operator(), RolloutName(name=name))).rollout
        assert (found.id, found.phase, found.step, found.steps) == (rollout.id, Phase.PROGRESSING, 1, 2)


async def test_the_status_says_step_cohort_evidence_bars_and_what_is_awaited(scene: Scene) -> None:
    await scene.begun()
    scene.clock.advance(3600)
    await scene.see(100, finding(1))
    status = await rollout_status(scene.operator(), NAMED)
    assert (status.cohort.size, status.cohort.eligible, status.cohort.share) == (2, 40, 0.05)
    assert status.evidence is not None
    assert (status.evidence.workloads, status.evidence.unreviewed) == (101, 1)
    assert status.evidence.workloads_needed == 22_536 - 101
    assert round(status.evidence.e_value_needed) == 20
    assert {bar.name.value: bar.state.value for bar in status.bars}["falsePositiveRate"] == "undecided"
    assert status.explanation.where.startswith(f"{POLICY} 1.1.0 is Progressing in step 1 of 2")
    assert (status.step_duration, status.hold) == ("72h", "")


async def test_a_pending_rollout_has_no_evidence_yet(scene: Scene) -> None:
    await scene.pending()
    status = await rollout_status(scene.operator(), NAMED)
    assert (status.evidence, status.bars, status.hold) == (None, (), "")
    assert "tests and probes run" in status.explanation.why


async def test_stale_evidence_is_said_to_hold(scene: Scene) -> None:
    await scene.begun()
    scene.clock.advance(3600)
    assert (await rollout_status(scene.operator(), NAMED)).hold == "no replica has reported lately"
    assert "It holds" in (await explain_rollout(scene.operator(), NAMED)).why


async def test_the_history_holds_every_change_with_its_evidence(scene: Scene) -> None:
    rollout = await scene.begun()
    await scene.see(10)
    await operate.abort_rollout(scene.operator(), VERB)
    (told,) = (await rollout_history(scene.operator(), NAMED)).items
    assert [one.event for one in told.transitions] == [Event.START, Event.CHECK, Event.BEGIN, Event.ABORT]
    last = told.transitions[-1]
    assert (last.actor, last.message) == ("maria", "aborted by maria: because")
    assert last.evidence is not None
    assert last.evidence.workloads == 10
    assert (await rollout_history(scene.operator(), RolloutName(name=rollout.id))).items == (told,)


async def test_whatever_happens_after_the_beginning_is_kept_with_the_evidence_of_then(scene: Scene) -> None:
    await scene.begun()
    await scene.see(ENOUGH)
    operator = scene.operator()
    for verb in (operate.pause_rollout, operate.resume_rollout, operate.abort_rollout, operate.retry_rollout):
        await verb(operator, VERB)
    rollout = await scene.store.rollout((await scene.store.rollouts())[0].id)
    checked = record_checks(rollout, passed=True, message="12 pass", now_ns=scene.now_ns)
    outcome = advance(await scene.store.commit(checked), None, scene.now_ns, NAMESPACES)
    assert outcome is not None
    await scene.store.commit(outcome)
    forced = PromoteRollout(name=POLICY, full=True, force=True, reason="incident 7")
    await operate.promote_rollout(operator, forced)
    await operate.undo_rollout(operator, VERB)
    (told,) = (await rollout_history(operator, NAMED)).items
    later = [one for one in told.transitions if one.event not in (Event.START, Event.CHECK, Event.BEGIN)]
    assert [one.event.value for one in later] == ["pause", "resume", "abort", "retry", "promote", "undo"]
    assert {one.evidence.workloads if one.evidence else 0 for one in later} == {ENOUGH}
    assert [one.message for one in later][1::2] == [
        "resumed by maria: because",
        "retried by maria: because",
        "undone by maria, the version before it is stable again: because",
    ]


async def test_a_replaced_rollout_keeps_the_evidence_that_it_had(scene: Scene) -> None:
    replaced = await scene.begun()
    await scene.see(10)
    await operate.start_rollout(scene.operator(), StartRollout(policy=POLICY))
    *_, last = await scene.store.transitions(replaced.id)
    assert (last.event, last.evidence and last.evidence.workloads) == (Event.SUPERSEDE, 10)


async def test_when_a_retried_step_ends_is_told_from_what_it_has_seen_since(scene: Scene) -> None:
    rollout = await scene.begun()
    await scene.see(100)
    await operate.abort_rollout(scene.operator(), VERB)
    scene.clock.advance(30 * 24 * 3600)
    await operate.retry_rollout(scene.operator(), VERB)
    checked = record_checks(
        await scene.store.rollout(rollout.id), passed=True, message="", now_ns=scene.now_ns
    )
    outcome = advance(await scene.store.commit(checked), None, scene.now_ns, NAMESPACES)
    assert outcome is not None
    await scene.store.commit(outcome)
    scene.clock.advance(3600)
    await scene.see(1_100)
    await scene.lead()
    for told in (
        await explain_rollout(scene.operator(), NAMED),
        (await rollout_status(scene.operator(), NAMED)).explanation,
    ):
        assert "at 1,000 new workloads an hour" in told.expected


async def test_rollouts_are_listed_by_policy_and_by_being_active(scene: Scene) -> None:
    await scene.begun()
    operator = scene.operator()
    assert len((await list_rollouts(operator, ListRollouts(policy=POLICY, active=True))).items) == 1
    await operate.abort_rollout(operator, VERB)
    assert (await list_rollouts(operator, ListRollouts(active=True))).items == ()
    assert len((await list_rollouts(operator, ListRollouts())).items) == 1


async def test_an_unknown_name_is_answered_with_the_nearest_one(scene: Scene) -> None:
    await scene.begun()
    with pytest.raises(UnknownName, match=f"no policy or rollout 'credental-env'; did you mean {POLICY}"):
        await get_rollout(scene.operator(), RolloutName(name="credental-env"))
    with pytest.raises(UnknownName, match=r"there is no policy 'zzz'$"):
        await list_rollouts(scene.operator(), ListRollouts(policy="zzz"))


async def test_the_list_says_when_nobody_lets_rollouts_move(scene: Scene) -> None:
    operator, asked = scene.operator(), ListRollouts()
    await scene.begun()
    assert (await list_rollouts(operator, asked)).note.startswith("nobody leads the rollouts: no server runs")
    await scene.store.lead(ROLLOUT_LEASE, "one", scene.now_ns, 15 * SECOND)
    assert (await list_rollouts(operator, asked)).note == ""
    scene.clock.advance(18)  # a successor has a moment
    assert (await list_rollouts(operator, asked)).note == ""
    scene.clock.advance(60)
    assert "nobody leads the rollouts since 2" in (await list_rollouts(operator, asked)).note
    await operate.abort_rollout(operator, VERB)
    assert (await list_rollouts(operator, asked)).note == ""  # nothing waits for a leader


async def test_status_and_explanation_expect_nothing_while_nobody_lets_rollouts_move(scene: Scene) -> None:
    await scene.begun()
    await scene.see(100)
    operator = scene.operator()
    for led in (False, True):
        if led:
            await scene.lead()
        for told in (
            await explain_rollout(operator, NAMED),
            (await rollout_status(operator, NAMED)).explanation,
        ):
            assert told.note.startswith("nobody leads the rollouts") is not led
            assert bool(told.expected) is led


async def test_a_policy_that_was_never_rolled_out_is_no_unknown_name(scene: Scene) -> None:
    with pytest.raises(UnknownName, match="has no rollout: its stable version was in force"):
        await get_rollout(scene.operator(), NAMED)


# Verbs


async def test_verbs_record_who_and_why_and_are_announced_once_they_are_stored(scene: Scene) -> None:
    await scene.begun()
    heard: list[Transition] = []
    operator = replace(scene.operator(), announce=lambda transition, _: heard.append(transition))
    assert (await operate.pause_rollout(operator, VERB)).phase is Phase.PAUSED
    assert (await operate.resume_rollout(operator, VERB)).phase is Phase.PROGRESSING
    assert (await operate.abort_rollout(operator, VERB)).phase is Phase.DEGRADED
    assert [(one.event, one.actor) for one in heard] == [
        (Event.PAUSE, "maria"),
        (Event.RESUME, "maria"),
        (Event.ABORT, "maria"),
    ]
    assert heard == list(await scene.store.transitions(heard[0].rollout))[-3:]


async def test_a_promotion_against_the_evidence_needs_force_and_a_reason(scene: Scene) -> None:
    await scene.begun()
    await scene.see(10)
    operator = scene.operator()
    with pytest.raises(OperationRefused, match="takes --force and --reason"):
        await operate.promote_rollout(operator, PromoteRollout(name=POLICY))
    with pytest.raises(OperationRefused, match="needs a reason"):
        await operate.promote_rollout(operator, PromoteRollout(name=POLICY, force=True, reason=" "))
    promoted = await operate.promote_rollout(
        operator, PromoteRollout(name=POLICY, force=True, reason="incident 7")
    )
    assert (promoted.phase, promoted.step) == (Phase.PROGRESSING, 2)
    history = await scene.store.transitions((await scene.store.rollouts())[0].id)
    assert history[-1].forced


async def test_a_promotion_that_the_evidence_supports_needs_neither(scene: Scene) -> None:
    await scene.begun()
    await scene.see(ENOUGH)
    promoted = await operate.promote_rollout(scene.operator(), PromoteRollout(name=POLICY, full=True))
    assert promoted.phase is Phase.HEALTHY
    assert await scene.store.stables() == {POLICY: CANDIDATE.digest}


@pytest.mark.parametrize("verb", [operate.resume_rollout, operate.retry_rollout, operate.undo_rollout])
async def test_a_verb_that_does_not_apply_says_which_would(scene: Scene, verb: operate.Verb) -> None:
    await scene.begun()
    with pytest.raises(OperationRefused, match=r"is Progressing; possible: .*pause"):
        await verb(scene.operator(), VERB)


async def test_an_undone_promotion_makes_the_earlier_version_stable_again(scene: Scene) -> None:
    await scene.begun()
    await scene.see(ENOUGH)
    operator = scene.operator()
    await operate.promote_rollout(operator, PromoteRollout(name=POLICY, full=True))
    assert (await operate.undo_rollout(operator, VERB)).phase is Phase.DEGRADED
    assert await scene.store.stables() == {POLICY: STABLE.digest}
    with pytest.raises(OperationRefused, match="is Degraded; possible: retry"):
        await operate.undo_rollout(operator, VERB)


async def test_a_policy_stands_for_the_promotion_of_its_stable_version_when_that_is_undone(
    scene: Scene,
) -> None:
    await scene.begun()
    await scene.see(ENOUGH)
    operator = scene.operator()
    promoted = await operate.promote_rollout(operator, PromoteRollout(name=POLICY, full=True))
    scene.clock.advance(1)
    await operate.start_rollout(operator, StartRollout(policy=POLICY))
    with pytest.raises(OperationRefused, match=r"1\.2\.0 is being rolled out; abort that first"):
        await operate.undo_rollout(operator, VERB)
    await operate.abort_rollout(operator, VERB)
    assert (await operate.undo_rollout(operator, VERB)).id == promoted.id


async def test_a_candidate_whose_findings_would_roll_it_back_is_not_tried_again(scene: Scene) -> None:
    await scene.begun()
    wrong = [finding(number) for number in range(30)]
    await scene.see(100, *wrong)
    operator = scene.operator()
    judged = JudgeFindings(ids=ids(*wrong), verdict=Verdict.FALSE_POSITIVE, reason="test values")
    await judge_findings(operator, judged)
    await operate.abort_rollout(operator, VERB)
    with pytest.raises(OperationRefused, match="would roll back at once"):
        await operate.retry_rollout(operator, VERB)
    await judge_findings(operator, replace_verdict(judged, Verdict.TRUE_POSITIVE))
    assert (await operate.retry_rollout(operator, VERB)).attempt == 2


def replace_verdict(ask: JudgeFindings, verdict: Verdict) -> JudgeFindings:
    return JudgeFindings(ids=ask.ids, verdict=verdict, reason=ask.reason)


async def test_a_store_that_fails_changes_nothing_and_says_so() -> None:
    store = MemoryStore()
    scene = await Scene(store).open()
    await scene.begun()
    store.failure = StoreUnavailable("data/gradate.db: another process is writing for too long")
    with pytest.raises(StoreError, match="too long"):
        await operate.abort_rollout(scene.operator(), VERB)
    store.failure = None
    assert (await get_rollout(scene.operator(), NAMED)).rollout.phase is Phase.PROGRESSING


# Overlapping commands


async def test_bookkeeping_of_the_leader_does_not_get_in_the_way_of_a_verb() -> None:
    store = Interrupted([None, None])
    scene = await Scene(store).open()
    await scene.begun()
    store.armed = True
    promoted = await operate.promote_rollout(
        scene.operator(), PromoteRollout(name=POLICY, force=True, reason="x")
    )
    assert (promoted.step, store.others) == (2, [])


async def test_two_promotions_at_once_go_one_step_not_two() -> None:
    scene = await Scene(MemoryStore(), strategy=THREE_STEPS).open()
    rollout = await scene.begun()
    other = promote(rollout, None, scene.now_ns, ["team-1"], Order("ali", "first", force=True))
    store = Interrupted([other])
    scene = await Scene(store, strategy=THREE_STEPS).open()
    await scene.begun()
    store.armed = True
    with pytest.raises(
        OperationRefused, match=r"changed meanwhile, it is Progressing now .*promoted by ali: first"
    ):
        await operate.promote_rollout(scene.operator(), PromoteRollout(name=POLICY, force=True, reason="x"))
    assert (await get_rollout(scene.operator(), NAMED)).rollout.step == 2


async def test_an_abort_is_meant_wherever_the_rollout_is_by_now(scene: Scene) -> None:
    paused = pause(await scene.begun(), Order("ali"), scene.now_ns)
    store = Interrupted([paused])
    scene = await Scene(store).open()
    await scene.begun()
    store.armed = True
    assert (await operate.abort_rollout(scene.operator(), VERB)).phase is Phase.DEGRADED


async def test_an_abort_after_another_abort_is_refused_and_changes_nothing(scene: Scene) -> None:
    aborted = abort(await scene.begun(), Order("ali", "me first"), scene.now_ns)
    store = Interrupted([aborted])
    scene = await Scene(store).open()
    await scene.begun()
    store.armed = True
    with pytest.raises(OperationRefused, match="is Degraded"):
        await operate.abort_rollout(scene.operator(), VERB)
    assert (await get_rollout(scene.operator(), NAMED)).rollout.message == "aborted by ali: me first"


async def test_a_rollout_that_never_stands_still_is_given_up_on() -> None:
    store = Interrupted([None] * 100)
    scene = await Scene(store).open()
    await scene.begun()
    store.armed = True
    with pytest.raises(OperationRefused, match="keeps changing"):
        await operate.pause_rollout(scene.operator(), VERB)


# Starting


async def started(
    operator: Operator, version: str = "", strategy: dict[str, Any] | None = None
) -> RolloutView:
    ask = StartRollout(policy=POLICY, version=version, reason="try it", strategy=strategy)
    return await operate.start_rollout(operator, ask)


async def test_what_the_files_hold_is_started_and_kept(scene: Scene) -> None:
    rollout = await started(scene.operator())
    assert (rollout.version, rollout.phase, rollout.stable) == ("1.2.0", Phase.PENDING, STABLE.digest)
    assert NEXT.digest in {version.digest for version in await scene.store.versions(POLICY)}


@pytest.mark.parametrize(
    "text", ["1.1.0", "v1.1.0", CANDIDATE.digest, CANDIDATE.digest[:20], CANDIDATE.digest[7:15]]
)
async def test_a_version_is_named_by_number_or_digest(scene: Scene, text: str) -> None:
    assert (await started(scene.operator(), text)).candidate == CANDIDATE.digest


async def test_a_number_that_stands_for_two_versions_is_refused_with_their_digests(scene: Scene) -> None:
    await scene.store.put_versions(StoredVersion(POLICY, "sha256:" + "0" * 64, "1.1.0", 0, ()))
    with pytest.raises(InvalidField, match=r"version: 1\.1\.0 stands for 2 versions .*sha256:000000000000"):
        await started(scene.operator(), "1.1.0")


async def test_a_version_that_does_not_exist_is_answered_with_the_nearest(scene: Scene) -> None:
    with pytest.raises(UnknownName, match=r"no version of credential-env '1\.1\.9'; did you mean 1\."):
        await started(scene.operator(), "1.1.9")
    with pytest.raises(UnknownName, match="no policy 'credental-env'; did you mean credential-env"):
        await operate.start_rollout(scene.operator(), StartRollout(policy="credental-env", version="1.0.0"))


async def test_a_start_touches_only_namespaces_that_the_version_judges(scene: Scene) -> None:
    header = f"custom: {{name: {POLICY}, version: 1.3.0, match: {{namespaces: {{exclude: [team-7]}}}}}}"
    scene.loaded = (read_policy(header),)
    rollout = await started(scene.operator())
    detail = await get_rollout(scene.operator(), RolloutName(name=rollout.id))
    assert detail.strategy["namespaces"]["exclude"] == ["team-7"]


async def test_the_stable_version_and_one_under_way_are_not_started(scene: Scene) -> None:
    with pytest.raises(OperationRefused, match=r"1\.0\.0 is stable already"):
        await started(scene.operator(), "1.0.0")
    await scene.begun()
    with pytest.raises(OperationRefused, match=r"1\.1\.0 is being rolled out already: it is Progressing"):
        await started(scene.operator(), "1.1.0")


async def test_another_version_takes_the_place_of_one_under_way(scene: Scene) -> None:
    before = await scene.begun()
    after = await started(scene.operator(), "1.2.0")
    assert (await scene.store.rollout(before.id)).phase is Phase.SUPERSEDED
    assert [one.id for one in await scene.store.rollouts(active=True)] == [after.id]


async def test_a_version_that_was_given_up_is_tried_again_with_its_verdicts_and_the_strategy_of_today(
    scene: Scene,
) -> None:
    given_up = await scene.begun()
    await scene.see(100, finding(1), errors=50)
    await operate.abort_rollout(scene.operator(), VERB)
    scene.strategy = THREE_STEPS
    again = await started(scene.operator(), "1.1.0")
    assert (again.id, again.attempt, again.steps) == (given_up.id, 2, 3)
    baseline = (await scene.store.rollout(given_up.id)).baseline
    assert baseline is not None
    assert baseline.errors == 50


async def test_a_strategy_given_at_the_start_is_read_as_any_other(scene: Scene) -> None:
    with pytest.raises(InvalidField, match=r"strategy: steps\[0\]\.percent"):
        await started(scene.operator(), strategy={"steps": [{"mode": "enforce", "percent": 0}]})
    one_step = {"steps": [{"mode": "enforce", "percent": 100}]}
    assert (await started(scene.operator(), strategy=one_step)).steps == 1


async def test_without_a_version_the_files_must_hold_the_policy(scene: Scene) -> None:
    scene.loaded = ()
    with pytest.raises(InvalidField, match="version: the policy files hold no credential-env"):
        await started(scene.operator())


async def test_a_rollout_that_began_meanwhile_is_not_run_over() -> None:
    class Crowded(MemoryStore):
        async def rollouts(self, policy: str | None = None, *, active: bool = False) -> Sequence[Rollout]:
            return [] if policy else await super().rollouts(policy, active=active)

    scene = await Scene(Crowded()).open()
    await scene.begun()
    with pytest.raises(OperationRefused, match=r"active rollout already.*; abort that first"):
        await started(scene.operator(), "1.2.0")
