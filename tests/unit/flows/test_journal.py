"""Trials become evidence."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.rehearsal import (
    NEW,
    POLICY,
    ImageEvaluator,
    Rehearsal,
    denying,
    deployment,
)
from tests.support.reviews import pod, pod_spec, review_of
from webhook.flows.journal import JournalLimits
from webhook.policy.metadata import EnforcementAction
from webhook.ports.store import EvidenceBatch
from webhook.rollout.evidence import Counters
from webhook.rollout.finding import FindingKind, Standing, finding_id
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.rollout.strategy import Mode

BAD, WORSE, GOOD = "bad", "worse", "good"


def permission(**fields: Any) -> PolicyException:
    exception = PolicyException(ExceptionId("x-1"), POLICY, "shop", "*", "legacy", "team-a", "maria", 0)
    return replace(exception, **fields)


# What one trial counts as


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_workload_that_both_versions_let_pass_is_one_benign_trial(mode: Mode) -> None:
    rehearsal = Rehearsal(old=denying(BAD), new=denying(BAD), mode=mode)
    await rehearsal.submit(deployment(GOOD))
    seen = await rehearsal.settle()
    assert (seen.workloads, seen.trials, seen.standings, seen.findings) == (1, 1, {}, {})
    assert seen.modes[mode] == Counters(1, durations=seen.modes[mode].durations)
    assert seen.modes[mode].durations.total == 1


@pytest.mark.parametrize("mode", list(Mode))
async def test_what_only_the_candidate_denies_is_newly_denied_and_waits_for_review(mode: Mode) -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), mode=mode)
    await rehearsal.submit(deployment(BAD))
    seen = await rehearsal.settle()
    assert seen.standings == {Standing.UNREVIEWED: 1}
    assert (seen.modes[mode].denials, seen.modes[mode].divergences) == (1, 1)
    (finding,) = await rehearsal.findings()
    assert (finding.kind, finding.rule, finding.version) == (FindingKind.NEWLY_DENIED, "deny", NEW)
    assert (finding.policy, finding.namespace, finding.owner) == (POLICY, "shop", "Deployment/web")


@pytest.mark.parametrize("mode", list(Mode))
async def test_what_only_stable_denies_is_newly_allowed(mode: Mode) -> None:
    rehearsal = Rehearsal(old=denying(BAD), new=denying(), mode=mode)
    await rehearsal.submit(deployment(BAD))
    seen = await rehearsal.settle()
    assert [finding.kind for finding in await rehearsal.findings()] == [FindingKind.NEWLY_ALLOWED]
    assert (seen.modes[mode].denials, seen.modes[mode].divergences) == (0, 1)
    assert seen.standings == {Standing.VIOLATING: 1}


@pytest.mark.parametrize("mode", list(Mode))
async def test_what_both_deny_is_agreed_and_needs_no_review(mode: Mode) -> None:
    rehearsal = Rehearsal(old=denying(BAD), new=denying(BAD), mode=mode)
    await rehearsal.submit(deployment(BAD))
    seen = await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    assert finding.kind is FindingKind.AGREED
    assert not finding.awaits_review
    assert (seen.modes[mode].denials, seen.modes[mode].divergences) == (1, 0)


async def test_a_first_version_is_newly_denying_whatever_it_denies() -> None:
    rehearsal = Rehearsal(old=None, new=denying(BAD), mode=Mode.ENFORCE)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    assert [finding.kind for finding in await rehearsal.findings()] == [FindingKind.NEWLY_DENIED]


async def test_a_candidate_that_does_not_judge_what_stable_denies_allows_it_newly() -> None:
    rehearsal = Rehearsal(old=denying(BAD), new=None)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.submit(deployment(GOOD, "other"))
    seen = await rehearsal.settle()
    assert [finding.kind for finding in await rehearsal.findings()] == [FindingKind.NEWLY_ALLOWED]
    assert seen.workloads == 1
    assert seen.modes == {}


async def test_a_denial_that_was_a_warning_before_is_new() -> None:
    rehearsal = Rehearsal(old=denying(BAD, rule="warn"), new=denying(BAD), mode=Mode.ENFORCE)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    assert [finding.kind for finding in await rehearsal.findings()] == [FindingKind.NEWLY_DENIED]


async def test_a_candidate_that_only_warns_of_what_stable_denies_allows_it_newly() -> None:
    rehearsal = Rehearsal(old=denying(BAD), new=denying(BAD), new_action=EnforcementAction.WARN)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    assert [finding.kind for finding in await rehearsal.findings()] == [FindingKind.NEWLY_ALLOWED]


async def test_each_rule_that_is_violated_is_a_finding_of_its_own() -> None:
    both = ImageEvaluator({BAD: {"deny": ["no", "never"], "violation": [{"msg": "not at all"}]}})
    rehearsal = Rehearsal(old=denying(), new=both)
    await rehearsal.submit(deployment(BAD))
    seen = await rehearsal.settle()
    assert sorted(finding.rule for finding in await rehearsal.findings()) == ["deny", "violation"]
    assert seen.workloads == 1


async def test_a_candidate_that_fails_is_an_error_and_never_a_trial() -> None:
    for mode in Mode:
        rehearsal = Rehearsal(old=denying(BAD), new=ImageEvaluator(fails=(BAD,)), mode=mode)
        await rehearsal.submit(deployment(BAD))
        seen = await rehearsal.settle()
        assert seen.modes[mode].errors == 1
        assert seen.modes[mode].evaluations == 1
        assert (seen.workloads, seen.findings) == (0, {})


async def test_where_stable_fails_a_candidate_that_passes_proves_nothing() -> None:
    rehearsal = Rehearsal(old=ImageEvaluator(fails=(GOOD, BAD)), new=denying(BAD))
    await rehearsal.submit(deployment(GOOD))
    await rehearsal.submit(deployment(BAD, "other"))
    seen = await rehearsal.settle()
    assert seen.standings == {Standing.UNREVIEWED: 1}
    assert seen.workloads == 1


async def test_what_an_exception_permits_is_neither_a_denial_nor_a_benign_workload() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), mode=Mode.ENFORCE, exceptions=[permission()])
    decision = await rehearsal.submit(deployment(BAD))
    assert decision.allowed
    seen = await rehearsal.settle()
    assert seen.modes[Mode.ENFORCE].evaluations == 1
    assert (seen.modes[Mode.ENFORCE].denials, seen.workloads, seen.findings) == (0, 0, {})


async def test_an_object_that_no_version_can_read_is_no_evidence() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying())
    await rehearsal.submit({**deployment(GOOD), "spec": {"template": "x"}})
    seen = await rehearsal.settle()
    assert seen.modes == {}
    assert seen.workloads == 0


async def test_a_version_that_was_not_asked_in_time_is_counted_as_dropped() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(), mode=Mode.ENFORCE)
    await rehearsal.decider.validate(review_of(deployment(GOOD)), 0)
    seen = await rehearsal.settle()
    assert seen.modes[Mode.ENFORCE] == Counters(dropped=1)


# Repetition


async def test_a_workload_that_is_tried_again_and_again_is_one_workload_and_one_finding_with_a_count() -> (
    None
):
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), mode=Mode.ENFORCE)
    for round_ in range(2):
        for _ in range(50):
            await rehearsal.submit(deployment(BAD))
            await rehearsal.submit(deployment(GOOD, "other"))
        seen = await rehearsal.settle()
        assert seen.workloads == 2
        (finding,) = await rehearsal.findings()
        assert finding.count == 50 * (round_ + 1)
    assert seen.modes[Mode.ENFORCE].evaluations == 200
    assert finding.last_seen_ns > finding.first_seen_ns


async def test_a_stored_workload_is_not_told_to_the_store_again() -> None:
    batches: list[EvidenceBatch] = []

    class Watched(MemoryStore):
        async def record(self, batch: EvidenceBatch) -> None:
            batches.append(batch)
            await super().record(batch)

    rehearsal = Rehearsal(old=denying(), new=denying(), store=Watched())
    for _ in range(2):
        await rehearsal.submit(deployment(GOOD))
        await rehearsal.settle()
    assert [len(batch.workloads) for batch in batches] == [1, 0]


async def test_a_finding_is_named_as_the_denial_named_it() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), mode=Mode.ENFORCE)
    decision = await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    assert finding.id in decision.message
    assert finding.id == finding_id(NEW, "deny", finding.workload)


# The sample


async def test_the_sample_shows_both_answers_and_where_the_violation_is() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD, details={"image": BAD}), mode=Mode.ENFORCE)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    assert finding.sample == {
        "message": "bad is not allowed",
        "path": "spec.template.spec.containers[0].image",
        "details": {"image": BAD},
        "violations": 1,
        "mode": "enforce",
        "operation": "CREATE",
        "kind": "Deployment",
        "stable": {"version": "1.0.0", "outcome": "allow"},
        "candidate": {
            "version": "1.1.0",
            "outcome": "deny",
            "violations": [
                {
                    "rule": "deny",
                    "action": "deny",
                    "message": "bad is not allowed",
                    "path": "spec.template.spec.containers[0].image",
                }
            ],
        },
    }


async def test_no_value_of_the_environment_gets_into_the_sample() -> None:
    secret = "hunter2hunter2"
    telling = ImageEvaluator({BAD: {"deny": [{"msg": f"found {secret}", "details": {"value": secret}}]}})
    rehearsal = Rehearsal(old=denying(), new=telling)
    spec = pod_spec(image=BAD, env=[{"name": "PASSWORD", "value": secret}])
    await rehearsal.submit(pod(spec))
    await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    assert "redacted" in finding.sample["message"]
    assert secret not in str(finding.sample)


async def test_a_sample_stays_small_whatever_the_policy_says() -> None:
    shouting = ImageEvaluator(
        {BAD: {"deny": [{"msg": "x" * 5_000, "details": {"all": ["y" * 100] * 10_000}}] * 50}}
    )
    rehearsal = Rehearsal(old=denying(), new=shouting)
    await rehearsal.submit(deployment(BAD))
    await rehearsal.settle()
    (finding,) = await rehearsal.findings()
    assert len(str(finding.sample)) < 8_000
    assert finding.sample["violations"] == 50


# Stable


async def test_the_times_of_stable_are_recorded_beside_those_of_the_candidate() -> None:
    for mode in Mode:
        rehearsal = Rehearsal(old=denying(BAD), new=denying(), mode=mode)
        await rehearsal.submit(deployment(GOOD))
        seen = await rehearsal.settle()
        assert seen.stable_durations is not None
        assert seen.stable_durations.total == 1


async def test_in_the_cohort_stable_is_evaluated_after_the_answer() -> None:
    old = denying(BAD)
    rehearsal = Rehearsal(old=old, new=denying(BAD), mode=Mode.ENFORCE)
    await rehearsal.submit(deployment(BAD))
    asked = [old.asked]
    await rehearsal.settle()
    asked.append(old.asked)
    assert asked == [0, 1]


async def test_a_version_in_another_process_is_evaluated_too() -> None:
    new = ImageEvaluator({BAD: {"deny": ["no"]}}, in_process=False)
    rehearsal = Rehearsal(old=denying(), new=new)
    await rehearsal.submit(deployment(BAD))
    seen = await rehearsal.settle()
    assert seen.standings == {Standing.UNREVIEWED: 1}


# Shedding


async def test_shadow_trials_that_do_not_fit_are_shed_and_counted() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(BAD), limits=JournalLimits(open_trials=10))
    for number in range(25):
        await rehearsal.submit(deployment(GOOD, f"web-{number}"))
    seen = await rehearsal.settle()
    assert seen.workloads == 10
    assert (seen.modes[Mode.SHADOW].evaluations, seen.modes[Mode.SHADOW].dropped) == (10, 15)
    assert rehearsal.observer.reports[-1].dropped == {(POLICY, "1.1.0", Mode.SHADOW): 15}


async def test_a_denial_that_a_user_has_heard_of_is_not_shed_with_the_shadow_trials() -> None:
    rehearsal = Rehearsal(
        old=denying(), new=denying(BAD), mode=Mode.ENFORCE, limits=JournalLimits(open_trials=1)
    )
    for number in range(5):
        await rehearsal.submit(deployment(GOOD, f"good-{number}"))
        await rehearsal.submit(deployment(BAD, f"bad-{number}"))
    seen = await rehearsal.settle()
    assert seen.standings == {Standing.UNREVIEWED: 5}
    assert seen.modes[Mode.ENFORCE].dropped == 4


async def test_large_objects_fill_the_queue_before_many_do() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(), limits=JournalLimits(queue_bytes=1_000_000))
    for number in range(10):
        await rehearsal.submit(deployment(GOOD, f"web-{number}", annotations={"padding": "x" * 300_000}))
    seen = await rehearsal.settle()
    assert seen.workloads == 3
    assert seen.modes[Mode.SHADOW].dropped == 7


async def test_one_object_larger_than_the_whole_queue_is_still_a_trial() -> None:
    rehearsal = Rehearsal(old=denying(), new=denying(), limits=JournalLimits(queue_bytes=1_000))
    await rehearsal.submit(deployment(GOOD, annotations={"padding": "x" * 10_000}))
    assert (await rehearsal.settle()).workloads == 1
