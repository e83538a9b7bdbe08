import asyncio
from dataclasses import replace

import pytest

from tests.support.rollouts import NAMESPACES, NOW, USER, evidence, started
from webhook.ports.store import (
    NAMESPACE_QUIET_NS,
    EvidenceBatch,
    FindingQuery,
    NotInStore,
    RevisionConflict,
    RolloutExists,
    SeenWorkload,
    Store,
    StoredVersion,
)
from webhook.rollout.evidence import Counters, Evidence
from webhook.rollout.finding import (
    Dispute,
    Finding,
    FindingId,
    FindingKind,
    Judgement,
    Standing,
    Verdict,
    WorkloadDigest,
    finding_id,
)
from webhook.rollout.histogram import histogram_of
from webhook.rollout.life import Outcome, Phase, Rollout, RolloutId
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.rollout.states import abort, advance, pause, promote, record_checks, supersede, undo
from webhook.rollout.strategy import Mode

OLD, NEW = "sha256:old", "sha256:new"
SECOND, DAY = 10**9, 24 * 3600 * 10**9
TRUE_POSITIVE = Judgement(Verdict.TRUE_POSITIVE, "maria", "a real key", NOW)
FALSE_POSITIVE = Judgement(Verdict.FALSE_POSITIVE, "ali", "a test value", NOW + 1)


def workload(number: int) -> WorkloadDigest:
    return WorkloadDigest(f"{number:032x}")


def finding(
    number: int = 1, rule: str = "deny", kind: FindingKind = FindingKind.NEWLY_DENIED, version: str = NEW
) -> Finding:
    return Finding(
        finding_id(version, rule, workload(number)),
        "credential-env",
        version,
        rule,
        kind,
        workload(number),
        f"team-{number}",
        f"Deployment/web-{number}",
        first_seen_ns=NOW + number,
        last_seen_ns=NOW + number,
        sample={"message": "literal credential", "path": ["spec", "containers", 0]},
    )


def batch(*findings: Finding, workloads: int = 0, replica: str = "one", at_ns: int = NOW) -> EvidenceBatch:
    seen = [SeenWorkload(NEW, workload(number)) for number in range(1_000, 1_000 + workloads)]
    return EvidenceBatch(replica, at_ns, findings, seen)


async def begin(store: Store) -> Rollout:
    rollout = await store.commit(started())
    rollout = await store.commit(record_checks(rollout, passed=True, message="", now_ns=NOW))
    outcome = advance(rollout, None, NOW, NAMESPACES)
    assert outcome is not None
    return await store.commit(outcome)


# Versions and stable versions


async def test_a_version_is_kept_as_it_was_first_seen(store: Store) -> None:
    first = StoredVersion("p", OLD, "1.0.0", NOW, (("p.rego", "package p"),), {"severity": "high"})
    second = StoredVersion("p", NEW, "1.0.0", NOW + 1, (("p.rego", "package p # new"),))
    other = StoredVersion("q", OLD, "1.0.0", NOW, (("q.rego", "package q"),))
    await store.put_versions(first, other)
    await store.put_versions(second, replace(first, first_seen_ns=NOW + 9))
    assert list(await store.versions("p")) == [second, first]
    assert list(await store.versions("q")) == [other]
    assert not await store.versions("r")


async def test_stable_versions_are_adopted_only_where_there_is_none(store: Store) -> None:
    assert await store.stables() == {}
    await store.adopt_stables({"p": OLD})
    await store.adopt_stables({"p": NEW, "q": NEW})
    assert await store.stables() == {"p": OLD, "q": NEW}


async def test_a_deleted_policy_has_no_stable_version(store: Store) -> None:
    await store.adopt_stables({"p": OLD, "q": NEW})
    await store.forget_policy("p")
    assert await store.stables() == {"q": NEW}


# Rollouts


async def test_a_rollout_is_stored_with_its_transition(store: Store) -> None:
    outcome = started()
    stored = await store.commit(outcome)
    assert stored == replace(outcome.rollout, revision=1)
    assert await store.rollout(stored.id) == stored
    assert list(await store.transitions(stored.id)) == [outcome.transition]


async def test_history_is_kept_in_order(store: Store) -> None:
    rollout = await begin(store)
    rollout = await store.commit(pause(rollout, USER, NOW))
    await store.commit(abort(rollout, USER, NOW, evidence(100)))
    history = await store.transitions(rollout.id)
    assert [transition.event.value for transition in history] == ["start", "check", "begin", "pause", "abort"]
    assert history[-1].evidence == evidence(100)


async def test_of_two_who_decide_at_once_one_is_told_to_look_again(store: Store) -> None:
    rollout = await begin(store)
    await store.commit(pause(rollout, USER, NOW))
    with pytest.raises(RevisionConflict):
        await store.commit(abort(rollout, USER, NOW))
    assert (await store.rollout(rollout.id)).phase is Phase.PAUSED
    assert len(await store.transitions(rollout.id)) == 4


async def test_a_rollout_is_not_started_twice(store: Store) -> None:
    await store.commit(started())
    with pytest.raises(RevisionConflict):
        await store.commit(started())


async def test_a_policy_has_one_active_rollout(store: Store) -> None:
    outcome = started()
    first = await store.commit(outcome)
    another = replace(outcome, rollout=replace(outcome.rollout, id=RolloutId("another")))
    with pytest.raises(RolloutExists):
        await store.commit(another)
    await store.commit(supersede(first, "2.0.0", NOW))
    await store.commit(another)
    assert [rollout.id for rollout in await store.rollouts(active=True)] == ["another"]


async def test_a_finished_rollout_does_not_become_a_second_active_one(store: Store) -> None:
    outcome = started()
    first = await store.commit(outcome)
    ended = await store.commit(supersede(first, "2.0.0", NOW))
    await store.commit(replace(outcome, rollout=replace(outcome.rollout, id=RolloutId("another"))))
    with pytest.raises(RolloutExists):
        await store.commit(replace(outcome, rollout=replace(ended, phase=Phase.PENDING)))


async def test_marking_the_time_leaves_no_transition(store: Store) -> None:
    rollout = await begin(store)
    marked = await store.commit(Outcome(replace(rollout, timer=replace(rollout.timer, served_ns=5)), None))
    assert marked.revision == rollout.revision + 1
    assert len(await store.transitions(rollout.id)) == 3


async def test_promotion_and_undo_change_the_stable_version_with_the_rollout(store: Store) -> None:
    await store.adopt_stables({"credential-env": OLD})
    rollout = await begin(store)
    healthy = await store.commit(promote(rollout, evidence(), NOW, NAMESPACES, USER, full=True))
    assert await store.stables() == {"credential-env": NEW}
    await store.commit(undo(healthy, USER, NOW, current_stable=NEW, under_way=None))
    assert await store.stables() == {"credential-env": OLD}


async def test_rollouts_are_listed_newest_first_and_by_policy(store: Store) -> None:
    older = started(now_ns=NOW)
    newer = started(now_ns=NOW + 1)
    await store.commit(older)
    await store.commit(replace(newer, rollout=replace(newer.rollout, id=RolloutId("b"), policy="other")))
    assert [rollout.policy for rollout in await store.rollouts()] == ["other", "credential-env"]
    assert [rollout.id for rollout in await store.rollouts("other")] == ["b"]
    assert not await store.rollouts("unknown")


async def test_an_unknown_rollout_is_not_in_the_store(store: Store) -> None:
    with pytest.raises(NotInStore, match="no rollout nowhere"):
        await store.rollout(RolloutId("nowhere"))
    assert not await store.transitions(RolloutId("nowhere"))


async def test_the_generation_grows_with_what_others_must_see(store: Store) -> None:
    seen = [await store.generation()]
    rollout = await begin(store)
    seen.append(await store.generation())
    await store.adopt_stables({"p": OLD})
    seen.append(await store.generation())
    await store.grant(exception())
    seen.append(await store.generation())
    await store.revoke(ExceptionId("x-1"), "maria", NOW)
    seen.append(await store.generation())
    assert seen == sorted(set(seen))
    await store.record(batch(finding()))
    await store.commit(Outcome(rollout, None))
    assert await store.generation() == seen[-1]


# Evidence


async def test_nothing_recorded_is_no_evidence(store: Store) -> None:
    assert await store.evidence(NEW, None) == Evidence()


async def test_a_workload_counts_once_however_often_and_by_whom_it_is_seen(store: Store) -> None:
    await store.record(batch(workloads=10))
    await store.record(batch(workloads=12, replica="two", at_ns=NOW + SECOND))
    seen = await store.evidence(NEW, None)
    assert seen.workloads == 12
    assert (seen.first_ns, seen.reported_ns) == (NOW, NOW + SECOND)


async def test_workloads_of_another_version_are_its_own(store: Store) -> None:
    await store.record(batch(workloads=10))
    assert (await store.evidence(OLD, None)).workloads == 0


async def test_an_empty_batch_says_that_a_replica_lives(store: Store) -> None:
    await store.record(EvidenceBatch("one", NOW))
    assert (await store.evidence(NEW, None)).reported_ns == NOW


async def test_counters_of_replicas_add_and_sending_again_is_harmless(store: Store) -> None:
    one = Counters(10, 2, 1, 1, 0, histogram_of([1_000] * 10))
    more = Counters(15, 2, 1, 1, 0, histogram_of([1_000] * 15))
    for replica, counters in [("one", one), ("two", one), ("one", more), ("one", one), ("one", more)]:
        await store.record(EvidenceBatch(replica, NOW, counters={(NEW, Mode.SHADOW): counters}))
    await store.record(EvidenceBatch("one", NOW, counters={(NEW, Mode.ENFORCE): Counters(evaluations=7)}))
    modes = (await store.evidence(NEW, None)).modes
    assert modes[Mode.SHADOW] == Counters(25, 4, 2, 2, 0, histogram_of([1_000] * 25))
    assert modes[Mode.ENFORCE].evaluations == 7


async def test_stable_is_measured_beside_the_candidate(store: Store) -> None:
    times = histogram_of([5_000] * 20)
    await store.record(
        EvidenceBatch("one", NOW, counters={(OLD, Mode.ENFORCE): Counters(20, durations=times)})
    )
    assert (await store.evidence(NEW, OLD)).stable_durations == times
    assert (await store.evidence(NEW, None)).stable_durations is None


async def test_a_finding_makes_its_workload_count_as_what_it_is(store: Store) -> None:
    await store.record(
        batch(
            finding(1),
            finding(2, kind=FindingKind.AGREED),
            finding(3, kind=FindingKind.NEWLY_ALLOWED),
            finding(4),
            finding(5),
            workloads=10,
        )
    )
    await store.judge([finding(4).id], TRUE_POSITIVE)
    await store.judge([finding(5).id], FALSE_POSITIVE)
    seen = await store.evidence(NEW, None)
    assert seen.workloads == 15
    assert seen.standings == {
        Standing.UNREVIEWED: 1,
        Standing.VIOLATING: 2,
        Standing.TRUE_POSITIVE: 1,
        Standing.FALSE_POSITIVE: 1,
    }
    assert seen.findings[FindingKind.NEWLY_DENIED] == {
        Verdict.UNREVIEWED: 1,
        Verdict.TRUE_POSITIVE: 1,
        Verdict.FALSE_POSITIVE: 1,
    }


async def test_the_gravest_finding_of_a_workload_decides_what_it_counts_as(store: Store) -> None:
    one, other = finding(1, "deny"), finding(1, "deny_too")
    await store.record(batch(one, other))
    await store.judge([one.id], TRUE_POSITIVE)
    assert (await store.evidence(NEW, None)).standings == {Standing.UNREVIEWED: 1}
    await store.judge([other.id], FALSE_POSITIVE)
    assert (await store.evidence(NEW, None)).standings == {Standing.FALSE_POSITIVE: 1}
    await store.judge([other.id], TRUE_POSITIVE)
    assert (await store.evidence(NEW, None)).standings == {Standing.TRUE_POSITIVE: 1}


async def test_whoever_leads_can_be_told_without_taking_part(store: Store) -> None:
    assert await store.lease("tick") is None
    taken = await store.lead("tick", "a", NOW, 10 * SECOND)
    assert await store.lease("tick") == taken
    await store.resign("tick", "a")
    left = await store.lease("tick")
    assert left is not None
    assert (left.holder, left.expires_ns) == ("a", 0)


async def test_namespaces_are_learned_and_forgotten(store: Store) -> None:
    await store.record(EvidenceBatch("one", NOW, namespaces=["b", "a"]))
    await store.record(EvidenceBatch("two", NOW, namespaces=["c", "a"]))
    assert list(await store.namespaces()) == ["a", "b", "c"]
    await store.forget_namespaces(["b", "unknown"])
    assert list(await store.namespaces()) == ["a", "c"]


async def test_namespaces_that_no_request_comes_from_any_more_are_forgotten(store: Store) -> None:
    later = NOW + NAMESPACE_QUIET_NS + 1
    await store.record(EvidenceBatch("one", NOW, namespaces=["gone", "busy"]))
    await store.record(EvidenceBatch("one", later, namespaces=["busy"]))
    assert (await store.prune(NOW, later)).namespaces == 1
    assert list(await store.namespaces()) == ["busy"]


async def test_no_clock_that_jumps_makes_namespaces_forgotten(store: Store) -> None:
    far = NOW + 10 * NAMESPACE_QUIET_NS
    await store.record(EvidenceBatch("one", NOW, namespaces=["a", "b"]))
    assert (await store.prune(NOW, far)).namespaces == 0  # the leader's clock
    await store.record(EvidenceBatch("two", far, namespaces=["b"]))
    assert (await store.prune(NOW, NOW + DAY)).namespaces == 0  # a replica's
    assert (await store.prune(NOW, NOW + NAMESPACE_QUIET_NS)).namespaces == 0
    assert list(await store.namespaces()) == ["a", "b"]


# Findings


async def test_a_finding_is_kept_as_it_was_reported(store: Store) -> None:
    await store.record(batch(finding()))
    assert await store.finding(finding().id) == finding()


async def test_a_repeated_finding_is_one_with_a_count(store: Store) -> None:
    await store.record(batch(finding()))
    await store.record(batch(replace(finding(), count=4, last_seen_ns=NOW + 99, sample={"message": "later"})))
    assert await store.finding(finding().id) == replace(finding(), count=5, last_seen_ns=NOW + 99)


async def test_a_report_cannot_bring_its_own_verdict(store: Store) -> None:
    await store.record(batch(replace(finding(), verdict=Verdict.TRUE_POSITIVE, disputed=True)))
    assert await store.finding(finding().id) == finding()


async def test_a_repeated_finding_keeps_its_verdict(store: Store) -> None:
    await store.record(batch(finding()))
    await store.judge([finding().id], TRUE_POSITIVE)
    await store.record(batch(finding()))
    assert (await store.finding(finding().id)).verdict is Verdict.TRUE_POSITIVE
    assert (await store.evidence(NEW, None)).standings == {Standing.TRUE_POSITIVE: 1}


async def test_an_agreed_finding_can_become_new_but_not_the_other_way_round(store: Store) -> None:
    await store.record(batch(finding(kind=FindingKind.AGREED)))
    await store.record(batch(finding(kind=FindingKind.NEWLY_DENIED)))
    await store.record(batch(finding(kind=FindingKind.AGREED)))
    assert (await store.finding(finding().id)).kind is FindingKind.NEWLY_DENIED
    assert (await store.evidence(NEW, None)).standings == {Standing.UNREVIEWED: 1}


async def test_the_review_queue_begins_with_disputes_and_ends_with_what_is_settled(store: Store) -> None:
    await store.record(
        batch(finding(4), finding(1), finding(2), finding(3), finding(5, kind=FindingKind.AGREED))
    )
    await store.judge([finding(1).id], TRUE_POSITIVE)
    await store.dispute(finding(3).id, Dispute("dev", "not a key", NOW))
    everything = await store.findings(FindingQuery())
    assert [found.workload for found in everything] == [workload(number) for number in (3, 2, 4, 1, 5)]
    awaiting = await store.findings(FindingQuery(awaits_review=True))
    assert [found.workload for found in awaiting] == [workload(number) for number in (3, 2, 4)]
    settled = await store.findings(FindingQuery(awaits_review=False))
    assert [found.workload for found in settled] == [workload(number) for number in (1, 5)]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (FindingQuery(policy="credential-env"), [1, 2, 3, 4]),
        (FindingQuery(policy="other"), []),
        (FindingQuery(version=NEW), [1, 2, 3]),
        (FindingQuery(version="sha256:unknown"), []),
        (FindingQuery(kind=FindingKind.NEWLY_ALLOWED), [3]),
        (FindingQuery(verdict=Verdict.TRUE_POSITIVE), [2]),
        (FindingQuery(rule="deny_more"), [2]),
        (FindingQuery(namespace="team-1"), [1]),
        (FindingQuery(owner="Deployment/web-2", namespace="team-2"), [2]),
        (FindingQuery(owner="Deployment/web-2", namespace="team-1"), []),
        (FindingQuery(disputed=True), []),
        (FindingQuery(limit=2), [1, 3]),
        (FindingQuery(limit=2, offset=2), [4, 2]),
    ],
)
async def test_findings_are_found_by_what_they_are(
    store: Store, query: FindingQuery, numbers: list[int]
) -> None:
    more = finding(2, "deny_more")
    await store.record(
        batch(finding(1), more, finding(3, kind=FindingKind.NEWLY_ALLOWED), finding(4, version=OLD))
    )
    await store.judge([more.id], TRUE_POSITIVE)
    found = await store.findings(query)
    assert {f.workload for f in found} == {workload(number) for number in numbers}
    assert await store.count_findings(replace(query, limit=0, offset=0)) == (
        len(numbers) if query.limit == 100 else 4
    )


async def test_a_verdict_says_who_when_and_why_and_can_be_revised(store: Store) -> None:
    await store.record(batch(finding()))
    await store.judge([finding().id], TRUE_POSITIVE)
    (judged,) = await store.judge([finding().id], FALSE_POSITIVE, fixed_ns=NOW + 7)
    assert (judged.verdict, judged.judgement, judged.fixed_ns) == (
        Verdict.FALSE_POSITIVE,
        FALSE_POSITIVE,
        NOW + 7,
    )
    assert list(await store.judgements(finding().id)) == [TRUE_POSITIVE, FALSE_POSITIVE]
    assert await store.finding(finding().id) == judged


async def test_verdicts_are_given_to_all_or_none(store: Store) -> None:
    await store.record(batch(finding(1), finding(2)))
    with pytest.raises(NotInStore, match="f-unknown"):
        await store.judge([finding(1).id, FindingId("f-unknown"), finding(2).id], TRUE_POSITIVE)
    assert await store.count_findings(FindingQuery(verdict=Verdict.UNREVIEWED)) == 2
    assert not await store.judgements(finding(1).id)
    assert len(await store.judge([finding(1).id, finding(2).id], TRUE_POSITIVE)) == 2


async def test_a_dispute_is_kept_and_settled_by_the_next_verdict(store: Store) -> None:
    await store.record(batch(finding()))
    await store.judge([finding().id], TRUE_POSITIVE)
    objections = [Dispute("dev", "not a key", NOW), Dispute("dev", "really not", NOW + 1)]
    for objection in objections:
        disputed = await store.dispute(finding().id, objection)
    assert disputed.disputed
    assert disputed.verdict is Verdict.TRUE_POSITIVE
    assert (await store.evidence(NEW, None)).disputed == 1
    (judged,) = await store.judge([finding().id], FALSE_POSITIVE)
    assert not judged.disputed
    assert (await store.evidence(NEW, None)).disputed == 0
    assert list(await store.disputes(finding().id)) == objections


async def test_what_is_unknown_is_not_in_the_store(store: Store) -> None:
    unknown = FindingId("f-unknown")
    with pytest.raises(NotInStore, match="no finding f-unknown"):
        await store.finding(unknown)
    with pytest.raises(NotInStore, match="no finding f-unknown"):
        await store.dispute(unknown, Dispute("dev", "", NOW))
    assert not await store.judgements(unknown)
    assert not await store.disputes(unknown)


# Exceptions


def exception(
    identity: str = "x-1", granted_ns: int = NOW, expires_ns: int | None = NOW + DAY
) -> PolicyException:
    return PolicyException(
        ExceptionId(identity),
        "credential-env",
        "team-1",
        "*",
        "migration",
        "ali",
        "maria",
        granted_ns,
        expires_ns,
    )


async def test_exceptions_are_listed_newest_first(store: Store) -> None:
    await store.grant(exception("x-1"))
    await store.grant(exception("x-2", NOW + 1))
    await store.grant(replace(exception("x-3", NOW + 2), policy="other"))
    assert [found.id for found in await store.exceptions()] == ["x-3", "x-2", "x-1"]
    assert list(await store.exceptions("other")) == [replace(exception("x-3", NOW + 2), policy="other")]


async def test_revoking_an_exception_ends_it_once(store: Store) -> None:
    await store.grant(exception())
    revoked = await store.revoke(ExceptionId("x-1"), "maria", NOW + 5)
    assert (revoked.revoked_ns, revoked.revoked_by) == (NOW + 5, "maria")
    assert await store.revoke(ExceptionId("x-1"), "ali", NOW + 9) == revoked
    assert list(await store.exceptions()) == [revoked]
    with pytest.raises(NotInStore, match="no exception x-9"):
        await store.revoke(ExceptionId("x-9"), "ali", NOW)


async def test_the_last_use_of_an_exception_is_known(store: Store) -> None:
    await store.grant(exception())
    for at_ns in (NOW + 5, NOW + 3):
        await store.mark_used([ExceptionId("x-1"), ExceptionId("x-9")], at_ns)
    assert [found.used_ns for found in await store.exceptions()] == [NOW + 5]


# Leadership


async def test_one_leads_at_a_time(store: Store) -> None:
    assert (await store.lead("tick", "a", NOW, 10 * SECOND)).holder == "a"
    assert (await store.lead("tick", "b", NOW + 9 * SECOND, 10 * SECOND)).holder == "a"
    assert (await store.lead("other", "b", NOW, 10 * SECOND)).holder == "b"


async def test_a_leader_renews_and_an_expired_one_is_replaced_by_a_later_term(store: Store) -> None:
    first = await store.lead("tick", "a", NOW, 10 * SECOND)
    renewed = await store.lead("tick", "a", NOW + 9 * SECOND, 10 * SECOND)
    assert (renewed.term, renewed.expires_ns) == (first.term, NOW + 19 * SECOND)
    successor = await store.lead("tick", "b", NOW + 19 * SECOND, 10 * SECOND)
    assert (successor.holder, successor.term) == ("b", first.term + 1)


async def test_a_leader_that_resigns_makes_room_at_once(store: Store) -> None:
    first = await store.lead("tick", "a", NOW, 10 * SECOND)
    await store.resign("tick", "b")
    assert (await store.lead("tick", "b", NOW, 10 * SECOND)).holder == "a"
    await store.resign("tick", "a")
    successor = await store.lead("tick", "b", NOW, 10 * SECOND)
    assert (successor.holder, successor.term) == ("b", first.term + 1)


async def test_a_lease_from_a_clock_that_was_wrong_does_not_last_for_ever(store: Store) -> None:
    await store.lead("tick", "a", NOW + 1_000 * DAY, 10 * SECOND)
    assert (await store.lead("tick", "b", NOW, 10 * SECOND)).holder == "b"


async def test_of_many_who_want_to_lead_all_are_told_the_same(store: Store) -> None:
    leases = await asyncio.gather(*(store.lead("tick", f"replica-{n}", NOW, SECOND) for n in range(20)))
    assert len({lease.holder for lease in leases}) == 1


# Upkeep


async def end(store: Store, rollout: Rollout, at_ns: int) -> None:
    await store.commit(abort(rollout, USER, at_ns))


async def test_retention_removes_the_evidence_of_rollouts_that_ended_long_ago(store: Store) -> None:
    rollout = await begin(store)
    await store.record(batch(finding(1), finding(2), workloads=10))
    await store.judge([finding(1).id], TRUE_POSITIVE)
    await end(store, rollout, NOW)
    pruned = await store.prune(NOW + DAY, NOW + DAY)
    assert (pruned.workloads, pruned.findings) == (12, 2)
    seen = await store.evidence(NEW, None)
    assert (seen.workloads, seen.findings, seen.first_ns) == (0, {}, None)
    assert not await store.judgements(finding(1).id)
    assert (await store.rollout(rollout.id)).phase is Phase.DEGRADED
    assert await store.transitions(rollout.id)


@pytest.mark.parametrize("ended_ns", [None, NOW + DAY])
async def test_retention_keeps_the_evidence_of_what_runs_or_ended_lately(
    store: Store, ended_ns: int | None
) -> None:
    rollout = await begin(store)
    await store.record(batch(finding(1), workloads=10))
    if ended_ns is not None:
        await end(store, rollout, ended_ns)
    assert (await store.prune(NOW + DAY, NOW + DAY)).workloads == 0
    assert (await store.evidence(NEW, None)).workloads == 11


async def test_retention_keeps_the_times_of_what_is_stable(store: Store) -> None:
    rollout = await begin(store)
    await store.commit(promote(rollout, evidence(), NOW, NAMESPACES, USER, full=True))
    counters = Counters(5, durations=histogram_of([1_000] * 5))
    await store.record(EvidenceBatch("one", NOW, counters={(NEW, Mode.ENFORCE): counters}))
    await store.prune(NOW + 1, NOW + 1)
    assert (await store.evidence("sha256:newer", NEW)).stable_durations == counters.durations


async def test_retention_removes_exceptions_that_ended(store: Store) -> None:
    await store.grant(exception("expired", expires_ns=NOW + 5))
    await store.grant(exception("revoked", expires_ns=None))
    await store.grant(exception("lasting", expires_ns=None))
    await store.mark_used([ExceptionId("expired"), ExceptionId("lasting")], NOW)
    await store.revoke(ExceptionId("revoked"), "maria", NOW)
    assert (await store.prune(NOW + DAY, NOW + DAY)).exceptions == 2
    assert [found.id for found in await store.exceptions()] == ["lasting"]


async def test_processes_that_are_gone_leave_their_counts_behind(store: Store) -> None:
    for replica, at_ns in (
        ("gone", NOW),
        ("also-gone", NOW),
        ("from-the-future", NOW + 99 * DAY),
        ("here", NOW + 2 * DAY),
    ):
        counters = {(NEW, Mode.SHADOW): Counters(evaluations=10)}
        await store.record(EvidenceBatch(replica, at_ns, counters=counters))
    await store.prune(NOW - DAY, NOW + 2 * DAY)
    seen = await store.evidence(NEW, None)
    assert seen.total.evaluations == 40
    assert seen.reported_ns == NOW + 2 * DAY
    # One that was only asleep must not be counted twice.
    counters = {(NEW, Mode.SHADOW): Counters(evaluations=12)}
    await store.record(EvidenceBatch("gone", NOW + 2 * DAY, counters=counters))
    assert (await store.evidence(NEW, None)).total.evaluations == 40
