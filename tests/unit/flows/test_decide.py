"""One review and one snapshot become one decision."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support.clocks import FakeClock
from tests.support.flows import HeldSnapshot, MemorySink, ScriptedEvaluator
from tests.support.policies import version_of
from tests.support.reviews import pod, pod_spec, review_of, workload
from tests.support.rollouts import begun
from webhook.decision.decision import Decision
from webhook.decision.verdict import Outcome
from webhook.flows.decide import Decider
from webhook.flows.judging import DecisionRules
from webhook.policy.metadata import FailureAction
from webhook.policy.version import Digest, PolicyVersion
from webhook.ports.evaluator import Evaluator
from webhook.rollout.cohort import EVERYBODY, NOBODY
from webhook.rollout.finding import finding_id
from webhook.rollout.life import Rollout
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.rollout.route import route_of
from webhook.rollout.strategy import Mode, Step, Strategy

FAR_NS = 10**18
DENIES = {"deny": [{"msg": "no", "path": ["spec", "containers", 0]}]}


def decider(snapshot: HeldSnapshot, sink: MemorySink | None = None, **rules: Any) -> Decider:
    return Decider(snapshot, DecisionRules(**rules), FakeClock(), sink)


async def test_a_denial_names_policy_version_and_the_place_in_the_object_that_was_sent() -> None:
    snapshot = HeldSnapshot((version_of("strict", version="2.1.0"), ScriptedEvaluator(DENIES)))
    decision = await decider(snapshot).validate(review_of(workload("Deployment")), FAR_NS)
    assert not decision.allowed
    assert decision.code == 403
    assert "strict 2.1.0" in decision.message
    assert "spec.template.spec.containers[0]: no" in decision.message


async def test_a_delete_is_allowed_without_asking_any_policy() -> None:
    evaluator = ScriptedEvaluator(DENIES)
    snapshot = HeldSnapshot((version_of(), evaluator))
    decision = await decider(snapshot).validate(review_of(pod(), operation="DELETE", old=pod()), FAR_NS)
    assert decision.allowed
    assert not evaluator.asked


async def test_an_exempt_namespace_is_allowed_and_says_so_in_the_audit_log() -> None:
    evaluator = ScriptedEvaluator(DENIES)
    review, sink = review_of(pod(), namespace="kube-system"), MemorySink()
    decision = await decider(
        HeldSnapshot((version_of(), evaluator)), sink, exempt_namespaces=frozenset({"kube-system"})
    ).validate(review, FAR_NS)
    assert decision.allowed
    assert decision.audit_annotations == {"exempt": "namespace kube-system"}
    assert not evaluator.asked
    # A cohort may not consist of namespaces in which nothing is enforced.
    assert sink.namespaces == []


@pytest.mark.parametrize(
    ("action", "allowed", "warned"),
    [
        (FailureAction.DENY, False, False),
        (FailureAction.ALLOW, True, False),
        (FailureAction.WARN, True, True),
    ],
)
async def test_an_evaluation_error_meets_the_failure_action(
    action: FailureAction, allowed: bool, warned: bool
) -> None:
    snapshot = HeldSnapshot((version_of(failure_action=action), ScriptedEvaluator(failure="it died")))
    decision = await decider(snapshot).validate(review_of(pod()), FAR_NS)
    assert decision.allowed is allowed
    assert bool(decision.warnings) is warned


async def test_a_deadline_that_has_passed_is_an_error_and_no_policy_is_asked() -> None:
    evaluator = ScriptedEvaluator()
    decision = await decider(HeldSnapshot((version_of(), evaluator))).validate(review_of(pod()), 0)
    assert not decision.allowed
    assert "deadline_exceeded" in decision.message
    assert not evaluator.asked


async def test_an_object_whose_shape_no_policy_expects_meets_the_failure_action() -> None:
    evaluator = ScriptedEvaluator()
    review = review_of({**workload("Deployment"), "spec": {"template": "x"}})
    decision = await decider(HeldSnapshot((version_of(), evaluator))).validate(review, FAR_NS)
    assert not decision.allowed
    assert "malformed_object" in decision.message
    assert not evaluator.asked


async def test_verdicts_of_engines_in_other_processes_are_combined_with_the_others() -> None:
    snapshot = HeldSnapshot(
        (version_of("near"), ScriptedEvaluator(DENIES)),
        (version_of("far"), ScriptedEvaluator(DENIES, in_process=False)),
    )
    decision = await decider(snapshot).validate(review_of(pod()), FAR_NS)
    assert {verdict.policy for verdict in decision.verdicts} == {"near", "far"}
    assert "near" in decision.message
    assert "far" in decision.message


async def test_an_update_is_not_blocked_by_what_stood_in_the_old_object() -> None:
    snapshot = HeldSnapshot((version_of(), ScriptedEvaluator(DENIES)))
    decision = await decider(snapshot).validate(review_of(pod(), old=pod()), FAR_NS)
    assert decision.allowed
    assert "already in the old object" in decision.warnings[0]


async def test_mutation_answers_with_the_patch_of_the_object_that_was_sent() -> None:
    patch = {"op": "add", "path": "/spec/securityContext", "value": {"runAsNonRoot": True}}
    snapshot = HeldSnapshot((version_of(), ScriptedEvaluator({"patch": [patch]}, mutates=True)))
    decision = await decider(snapshot).mutate(review_of(workload("Deployment")), FAR_NS)
    assert decision.allowed
    assert decision.patch == ({**patch, "path": "/spec/template/spec/securityContext"},)


async def test_mutation_never_patches_a_running_pod() -> None:
    evaluator = ScriptedEvaluator({"patch": []}, mutates=True)
    decision = await decider(HeldSnapshot((version_of(), evaluator))).mutate(
        review_of(pod(pod_spec(image="b")), old=pod()), FAR_NS
    )
    assert decision.allowed
    assert not decision.patch
    assert not evaluator.asked


async def test_mutation_that_fails_meets_the_failure_action() -> None:
    snapshot = HeldSnapshot((version_of(), ScriptedEvaluator(failure="it died", mutates=True)))
    decision = await decider(snapshot).mutate(review_of(pod()), FAR_NS)
    assert not decision.allowed


# A policy that is rolling out


def rolling(evaluators: dict[str, Evaluator], rollout: Rollout, **snapshot: Any) -> HeldSnapshot:
    """Make a snapshot of `credential-env`: its stable version `old`, its candidate `new`."""
    versions: dict[str, PolicyVersion] = {
        name: replace(version_of("credential-env", version=number), digest=Digest(f"sha256:{name}"))
        for name, number in (("old", "1.0.0"), ("new", "1.1.0"))
    }
    route = route_of("sha256:old" if "old" in evaluators else None, rollout)
    loaded = [(versions[name], evaluator, route) for name, evaluator in evaluators.items()]
    return HeldSnapshot(*loaded, **snapshot)


def enforced(threshold: int, *, mode: Mode = Mode.ENFORCE, stable: str | None = "sha256:old") -> Rollout:
    steps = (Step(mode, 5, 3600 * 10**9), Step(Mode.ENFORCE, 100, 0))
    return replace(begun(Strategy(steps=steps), stable=stable), threshold=threshold)


async def test_inside_the_cohort_the_candidate_decides_and_the_denial_says_how_to_object() -> None:
    rollout, sink = enforced(EVERYBODY), MemorySink()
    snapshot = rolling({"old": ScriptedEvaluator(), "new": ScriptedEvaluator(DENIES)}, rollout)
    decision = await decider(snapshot, sink).validate(review_of(pod()), FAR_NS)
    assert not decision.allowed
    assert "credential-env 1.1.0" in decision.message
    assert "step 1 of 2" in decision.message
    (trial,) = sink.trials
    finding = finding_id("sha256:new", "deny", trial.case.workload)
    assert finding in decision.message
    assert trial.mode is Mode.ENFORCE
    assert trial.candidate is not None
    assert trial.candidate.verdict is not None
    assert trial.stable is not None
    assert trial.stable.verdict is None


async def test_outside_the_cohort_stable_decides_and_the_candidate_waits_for_its_shadow() -> None:
    candidate, sink = ScriptedEvaluator(DENIES), MemorySink()
    snapshot = rolling({"old": ScriptedEvaluator(), "new": candidate}, enforced(NOBODY))
    decision = await decider(snapshot, sink).validate(review_of(pod()), FAR_NS)
    assert decision.allowed
    assert not candidate.asked
    (trial,) = sink.trials
    assert trial.mode is Mode.SHADOW
    assert trial.candidate is not None
    assert trial.candidate.verdict is None
    assert trial.stable is not None
    assert trial.stable.verdict is not None


async def test_a_candidate_that_errs_in_its_cohort_leaves_the_answer_to_stable() -> None:
    sink = MemorySink()
    snapshot = rolling(
        {"old": ScriptedEvaluator(DENIES), "new": ScriptedEvaluator(failure="it died")}, enforced(EVERYBODY)
    )
    decision = await decider(snapshot, sink).validate(review_of(pod()), FAR_NS)
    assert not decision.allowed
    assert "credential-env 1.0.0" in decision.message
    assert sink.trials[0].candidate is not None
    assert sink.trials[0].candidate.verdict is not None
    assert sink.trials[0].candidate.verdict.outcome is Outcome.ERROR


async def test_a_first_version_that_errs_in_its_cohort_blocks_nobody() -> None:
    rollout = enforced(EVERYBODY, stable=None)
    decision = await decider(rolling({"new": ScriptedEvaluator(failure="it died")}, rollout)).validate(
        review_of(pod()), FAR_NS
    )
    assert decision.allowed


async def test_a_first_version_decides_nothing_outside_its_cohort() -> None:
    sink = MemorySink()
    rollout = enforced(NOBODY, stable=None)
    decision = await decider(rolling({"new": ScriptedEvaluator(DENIES)}, rollout), sink).validate(
        review_of(pod()), FAR_NS
    )
    assert decision.allowed
    assert sink.trials[0].stable is None


async def test_in_a_warning_step_the_candidate_warns_and_stable_decides() -> None:
    snapshot = rolling(
        {"old": ScriptedEvaluator(), "new": ScriptedEvaluator(DENIES)}, enforced(EVERYBODY, mode=Mode.WARN)
    )
    decision = await decider(snapshot).validate(review_of(pod()), FAR_NS)
    assert decision.allowed
    violation, note = decision.warnings
    assert violation.startswith("credential-env 1.1.0: ")
    assert re.match(
        r"credential-env 1\.1\.0: This version is rolling out, step 1 of 2 .*; finding f-[0-9a-f]{16}", note
    )


async def test_a_dry_run_is_never_evidence() -> None:
    sink = MemorySink()
    snapshot = rolling({"old": ScriptedEvaluator(), "new": ScriptedEvaluator(DENIES)}, enforced(EVERYBODY))
    decision = await decider(snapshot, sink).validate(review_of(pod(), dryRun=True), FAR_NS)
    assert not decision.allowed
    assert not sink.trials
    assert not sink.namespaces
    # What is not kept cannot be objected to.
    assert "step 1 of 2" in decision.message
    assert "a dry run leaves no finding" in decision.message
    assert "gradate dispute" not in decision.message


async def test_only_the_version_that_decides_patches() -> None:
    def patching(value: str) -> ScriptedEvaluator:
        operation = {"op": "add", "path": "/metadata/labels", "value": {"by": value}}
        return ScriptedEvaluator({"patch": [operation]}, mutates=True)

    for threshold, expected in ((NOBODY, "old"), (EVERYBODY, "new")):
        snapshot = rolling({"old": patching("old"), "new": patching("new")}, enforced(threshold))
        decision = await decider(snapshot).mutate(review_of(pod()), FAR_NS)
        assert [operation["value"] for operation in decision.patch] == [{"by": expected}]


async def _decide_with(exception: PolicyException, sink: MemorySink, **fields: Any) -> Decision:
    snapshot = HeldSnapshot(
        (version_of("strict"), ScriptedEvaluator(DENIES)), exceptions={"strict": (exception,)}
    )
    return await decider(snapshot, sink).validate(review_of(workload("Deployment"), **fields), FAR_NS)


async def test_an_exception_permits_the_named_workload_and_its_use_is_noted() -> None:
    exception = PolicyException(
        ExceptionId("e-1"), "strict", "shop", "Deployment/web", "legacy", "team-a", "maria", 0
    )
    sink = MemorySink()
    decision = await _decide_with(exception, sink)
    assert decision.allowed
    assert decision.outcome is Outcome.EXEMPT
    assert "permitted by exception e-1, owned by team-a: legacy" in decision.warnings[0]
    assert sink.exceptions == ["e-1"]
    rehearsed = MemorySink()
    assert (await _decide_with(exception, rehearsed, dryRun=True)).allowed
    assert not rehearsed.exceptions


async def test_an_exception_for_another_workload_or_an_expired_one_permits_nothing() -> None:
    exception = PolicyException(
        ExceptionId("e-1"), "strict", "shop", "Deployment/other", "legacy", "team-a", "maria", 0
    )
    for useless in (exception, replace(exception, workload="*", expires_ns=1)):
        sink = MemorySink()
        decision = await _decide_with(useless, sink)
        assert not decision.allowed
        assert not sink.exceptions
