import time
from typing import Any

import pytest

from tests.support.policies import version_of
from tests.support.reviews import pod, pod_spec, request_of, workload
from webhook.admission.workload import PodView, find_pod
from webhook.decision.finding import MESSAGE_CHARACTERS, MOST_FINDINGS
from webhook.decision.judge import VIOLATIONS_KEPT, ExistingViolations, Judge
from webhook.decision.verdict import EvaluationProblem, Outcome, PolicyVerdict
from webhook.policy.metadata import EnforcementAction, FailureAction

SECRET = "hunter2-is-my-password"
PATH = ["spec", "containers", 0, "env", 0]


def judge_for(sent: Any, **fields: Any) -> Judge:
    settings = {key: fields.pop(key) for key in ("existing", "failure_action") if key in fields}
    request = request_of(sent, **fields)
    view = find_pod(request)
    return Judge(request, view if isinstance(view, PodView) else None, **settings)


def judge(
    outputs: Any, sent: Any = None, *, old: Any = None, old_outputs: Any = None, **metadata: Any
) -> PolicyVerdict:
    return judge_for(sent or pod(), old=old).judge(
        version_of(**metadata), outputs, as_pod=True, old_outputs=old_outputs, duration_ns=7
    )


def test_no_findings_allow() -> None:
    assert judge({}) == PolicyVerdict(
        "example", "0.0.0", Outcome.ALLOW, duration_ns=7, digest="sha256:example"
    )


@pytest.mark.parametrize(
    ("action", "outcomes"),
    [
        (EnforcementAction.DENY, {"deny": Outcome.DENY, "violation": Outcome.DENY, "warn": Outcome.WARN}),
        (EnforcementAction.WARN, {"deny": Outcome.WARN, "violation": Outcome.WARN, "warn": Outcome.WARN}),
        (EnforcementAction.AUDIT, {"deny": Outcome.AUDIT, "violation": Outcome.AUDIT, "warn": Outcome.AUDIT}),
    ],
)
def test_a_rule_does_what_the_policys_action_allows(
    action: EnforcementAction, outcomes: dict[str, Outcome]
) -> None:
    assert {rule: judge({rule: ["m"]}, action=action).outcome for rule in outcomes} == outcomes


def test_the_strongest_violation_makes_the_outcome() -> None:
    assert judge({"warn": ["w"], "deny": ["d"]}).outcome is Outcome.DENY


def test_a_violation_carries_what_a_developer_needs() -> None:
    (violation,) = judge(
        {"deny": [{"msg": "m", "path": PATH, "details": {"a": 1}}]},
        workload("Deployment"),
        remediation="Fix it.",
    ).violations

    assert (violation.policy, violation.version, violation.rule) == ("example", "0.0.0", "deny")
    assert violation.path == ("spec", "template", "spec", "containers", 0, "env", 0)
    assert (violation.message, violation.details, violation.remediation) == ("m", {"a": 1}, "Fix it.")
    assert violation.action is EnforcementAction.DENY


def test_a_policy_that_judges_the_object_itself_keeps_its_paths() -> None:
    verdict = judge_for(workload("Deployment")).judge(
        version_of(), {"deny": [{"msg": "m", "path": "spec.replicas"}]}, as_pod=False
    )

    assert verdict.violations[0].path == ("spec", "replicas")


@pytest.mark.parametrize("kind", ["Pod", "CronJob"])
def test_no_text_of_a_verdict_holds_an_env_value(kind: str) -> None:
    sent = workload(kind, pod_spec(env=[{"name": "X", "value": SECRET}]))
    finding = {"msg": f"X={SECRET}", "path": ["spec", SECRET], "details": {SECRET: [SECRET]}}

    verdict = judge({"deny": [finding, SECRET, {"value": SECRET}]}, sent)

    assert len(verdict.violations) == 3
    assert SECRET not in repr(verdict)


@pytest.mark.parametrize(
    ("value", "given"),
    [
        (SECRET, {"msg": "x" * (MESSAGE_CHARACTERS - 5) + SECRET}),
        ("k" * 3_000, {"msg": f"X={'k' * 3_000}"}),
        ("k" * 3_000, "k" * 3_000),
        ("kkkk\x01kkkk", {"msg": "X=kkkk\x01kkkk"}),
        ("kkkk.kkkk.kkkk", {"msg": "m", "path": "spec.env.kkkk.kkkk.kkkk"}),
        ("kkkk/kkkk/kkkk", {"msg": "m", "path": "/spec/env/kkkk/kkkk/kkkk"}),
        ("4711471147114711", {"msg": "m", "details": {"x": [4711471147114711]}}),
    ],
    ids=["across-the-cut", "longer-than-a-message", "as-a-text", "unprintable", "dots", "slashes", "number"],
)
def test_no_part_of_an_env_value_is_left_by_what_is_done_to_a_text(value: str, given: Any) -> None:
    sent = pod(pod_spec(env=[{"name": "X", "value": value}]))
    (violation,) = judge({"deny": [given]}, sent).violations
    told = f"{violation.message} {violation.path} {violation.details}"
    assert value[:5] not in told
    assert "[red" in told


def test_no_error_holds_an_env_value() -> None:
    judging = judge_for(pod(pod_spec(env=[{"name": "X", "value": SECRET}])))

    verdict = judging.fail(
        version_of(), EvaluationProblem("eval_conflict_error", f"two values, {SECRET} and 2")
    )

    assert verdict.error == EvaluationProblem("eval_conflict_error", "two values, [redacted] and 2")


@pytest.mark.parametrize(
    ("own", "default", "applied"),
    [
        (None, FailureAction.DENY, FailureAction.DENY),
        (None, FailureAction.ALLOW, FailureAction.ALLOW),
        (FailureAction.WARN, FailureAction.DENY, FailureAction.WARN),
        (FailureAction.DENY, FailureAction.ALLOW, FailureAction.DENY),
    ],
)
def test_a_policys_own_failure_action_wins_over_the_settings(
    own: FailureAction | None, default: FailureAction, applied: FailureAction
) -> None:
    judging = judge_for(pod(), failure_action=default)

    verdict = judging.fail(
        version_of(failure_action=own), EvaluationProblem("engine_crashed", "it died"), duration_ns=9
    )

    assert (verdict.outcome, verdict.failure_action, verdict.duration_ns) == (Outcome.ERROR, applied, 9)


FAULT = {"deny": [{"msg": "m", "path": PATH}]}


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_an_update_whose_violations_all_stood_before_only_warns(kind: str) -> None:
    verdict = judge(FAULT, workload(kind, labels={"new": "label"}), old=workload(kind), old_outputs=FAULT)

    assert verdict.outcome is Outcome.WARN
    assert verdict.violations[0].standing


def test_an_update_that_adds_a_violation_is_denied_for_that_one() -> None:
    outputs = {"deny": [*FAULT["deny"], "a new one"]}

    verdict = judge(outputs, pod(), old=pod(), old_outputs=FAULT)

    assert verdict.outcome is Outcome.DENY
    assert [(v.message, v.action.value, v.standing) for v in verdict.violations] == [
        ("m", "warn", True),
        ("a new one", "deny", False),
    ]


def test_the_setting_can_deny_what_stood_before() -> None:
    judging = judge_for(pod(), old=pod(), existing=ExistingViolations.DENY)

    assert not judging.needs_old(FAULT)
    assert judging.judge(version_of(), FAULT, as_pod=True, old_outputs=FAULT).outcome is Outcome.DENY


def test_violations_count_as_new_when_the_old_object_could_not_be_judged() -> None:
    assert judge(FAULT, pod(), old=pod(), old_outputs=None).outcome is Outcome.DENY


def test_a_standing_violation_of_an_audit_policy_stays_audit() -> None:
    verdict = judge(FAULT, pod(), old=pod(), old_outputs=FAULT, action=EnforcementAction.AUDIT)

    assert verdict.outcome is Outcome.AUDIT


@pytest.mark.parametrize(
    ("old", "outputs", "needed"),
    [
        (None, FAULT, False),
        (pod(), {}, False),
        (pod(), {"deny": []}, False),
        (pod(), {"patch": [1]}, False),
        (pod(), {"warn": ["w"]}, True),
        (pod(), FAULT, True),
    ],
)
def test_the_old_object_is_judged_only_when_it_can_excuse_something(
    old: Any, outputs: Any, needed: bool
) -> None:
    assert judge_for(pod(), old=old).needs_old(outputs) is needed


def many(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"msg": f"m{number}"} for number in range(first, first + count)]


def test_a_verdict_keeps_the_first_violations_of_each_rule_and_counts_the_others() -> None:
    verdict = judge({"deny": many(VIOLATIONS_KEPT + 7), "warn": many(3)})

    assert [violation.message for violation in verdict.violations if violation.rule == "deny"] == [
        f"m{number}" for number in range(VIOLATIONS_KEPT)
    ]
    assert sum(violation.rule == "warn" for violation in verdict.violations) == 3
    assert verdict.omitted == 7


def test_a_new_violation_is_never_lost_behind_those_that_stood_before() -> None:
    old, new = many(VIOLATIONS_KEPT), {"msg": "a new one"}

    verdict = judge({"deny": [*old, new]}, pod(), old=pod(), old_outputs={"deny": old})

    assert verdict.outcome is Outcome.DENY
    assert "a new one" in {violation.message for violation in verdict.violations}


def test_more_violations_than_are_read_are_never_excused() -> None:
    outputs = {"deny": many(MOST_FINDINGS)}

    assert judge(outputs, pod(), old=pod(), old_outputs=outputs).outcome is Outcome.DENY


def test_an_object_made_of_violations_is_judged_in_a_moment() -> None:
    """Each text is searched for each value: without limits these would take a minute."""
    env = [{"name": f"TOKEN_{number}", "value": f"hunter-{number}-secret"} for number in range(20_000)]
    began = time.process_time()

    verdict = judge({"deny": many(20_000), "warn": many(20_000)}, pod(pod_spec(env=env)))

    assert time.process_time() - began < 3
    assert verdict.omitted == 2 * (MOST_FINDINGS - VIOLATIONS_KEPT)
