import json
from typing import Any

import msgspec
import pytest

from webhook.admission.response import encode_response
from webhook.decision.decision import PASSED, Decision, combine, exempt
from webhook.decision.verdict import EvaluationProblem, Outcome, PolicyVerdict, Violation
from webhook.policy.metadata import EnforcementAction, FailureAction

ALLOW = PolicyVerdict("quiet", "1.0.0", Outcome.ALLOW)
PATCH = ({"op": "add", "path": "/spec/x", "value": 1},)


def violation(action: str = "deny", message: str = "no", **fields: Any) -> Violation:
    return Violation(
        **{
            "policy": "credential-env",
            "version": "1.2.0",
            "rule": "deny",
            "remediation": "Use a Secret.",
            **fields,
        },
        action=EnforcementAction(action),
        message=message,
    )


def verdict(*violations: Violation, policy: str = "credential-env", outcome: str = "deny") -> PolicyVerdict:
    return PolicyVerdict(policy, "1.2.0", Outcome(outcome), violations)


def error(action: str) -> PolicyVerdict:
    problem = EvaluationProblem("deadline_exceeded", "it took too long")
    return PolicyVerdict("slow", "0.1.0", Outcome.ERROR, error=problem, failure_action=FailureAction(action))


def respond(decision: Decision) -> dict[str, Any]:
    response: dict[str, Any] = json.loads(encode_response(decision.respond("u-1")))["response"]
    return response


@pytest.mark.parametrize("verdicts", [[], [ALLOW], [ALLOW, ALLOW]])
def test_nothing_but_allowances_is_a_plain_allowance(verdicts: list[PolicyVerdict]) -> None:
    decision = combine(verdicts)

    assert (decision.allowed, decision.outcome, decision.code) == (True, Outcome.ALLOW, 200)
    assert respond(decision) == {"uid": "u-1", "allowed": True}


def test_a_denial_counts_the_violations_that_it_leaves_out() -> None:
    decision = combine([msgspec.structs.replace(verdict(violation()), omitted=41)])

    assert decision.message.startswith("42 violations of 1 policy\n")
    assert "\n  … and 41 more\n  Fix: Use a Secret." in decision.message
    assert decision.audit_annotations == {"deny": "credential-env@1.2.0 (42)"}


def test_a_denial_lists_every_violation_with_policy_version_path_and_remedy() -> None:
    first = verdict(
        violation(message="AWS_SECRET_ACCESS_KEY holds a literal", path=("spec", "containers", 0, "env", 3)),
        violation(
            message="DB_PASSWORD holds a literal\nof two lines", path=("spec", "initContainers", 1, "env", 0)
        ),
    )
    second = verdict(
        violation(policy="unsafe-sysctls", remediation="", message="kernel.msgmax"), policy="unsafe-sysctls"
    )

    decision = combine([first, ALLOW, second])

    assert (decision.allowed, decision.code, decision.reason) == (False, 403, "Forbidden")
    assert decision.message == (
        "3 violations of 2 policies\n"
        "\n"
        "credential-env 1.2.0\n"
        "  spec.containers[0].env[3]: AWS_SECRET_ACCESS_KEY holds a literal\n"
        "  spec.initContainers[1].env[0]: DB_PASSWORD holds a literal\n"
        "    of two lines\n"
        "  Fix: Use a Secret.\n"
        "\n"
        "unsafe-sysctls 1.2.0\n"
        "  kernel.msgmax"
    )


def test_one_violation_is_counted_in_the_singular() -> None:
    assert combine([verdict(violation())]).message.startswith("1 violation of 1 policy\n")


def test_a_denial_is_answered_with_its_status() -> None:
    response = respond(combine([verdict(violation())]))

    assert response["allowed"] is False
    assert (response["status"]["code"], response["status"]["reason"]) == (403, "Forbidden")
    assert "credential-env 1.2.0" in response["status"]["message"]


def test_warnings_tell_the_policy_and_the_place_and_allow() -> None:
    decision = combine([verdict(violation("warn", "soon", path=("spec", "x")), outcome="warn")])

    assert (decision.allowed, decision.outcome) == (True, Outcome.WARN)
    assert decision.warnings == ("credential-env 1.2.0: spec.x: soon",)
    assert decision.message == ""


def test_a_violation_that_stood_before_says_so_in_its_warning() -> None:
    decision = combine([verdict(violation("warn", "old", standing=True), outcome="warn")])

    assert decision.warnings == ("credential-env 1.2.0: already in the old object: old",)


def test_a_denial_still_warns_of_what_only_warns_and_does_not_list_it() -> None:
    decision = combine([verdict(violation(message="hard"), violation("warn", "soft"))])

    assert decision.warnings == ("credential-env 1.2.0: soft",)
    assert "hard" in decision.message
    assert "soft" not in decision.message
    assert decision.message.startswith("1 violation of 1 policy")


def test_an_audit_violation_is_told_to_nobody_but_the_audit_log() -> None:
    decision = combine([verdict(violation("audit", "quietly", path=("spec", "x")), outcome="audit")])

    assert (decision.allowed, decision.outcome, decision.warnings) == (True, Outcome.AUDIT, ())
    assert decision.audit_annotations == {
        "audit": "credential-env@1.2.0 (1)",
        "violations": "credential-env@1.2.0: spec.x: quietly",
    }


def test_audit_annotations_name_the_policies_by_outcome() -> None:
    decision = combine(
        [verdict(violation(), violation()), ALLOW, error("warn"), verdict(violation(), policy="other")]
    )

    assert decision.audit_annotations == {
        "deny": "credential-env@1.2.0 (2), other@1.2.0 (1)",
        "error": "slow@0.1.0 (deadline_exceeded)",
    }


def test_an_error_denies_warns_or_allows_by_its_failure_action() -> None:
    denied, warned, allowed = (combine([error(action)]) for action in ("deny", "warn", "allow"))

    assert (denied.allowed, denied.code, denied.outcome) == (False, 403, Outcome.DENY)
    assert denied.message == (
        "1 policy could not be evaluated\n\nslow 0.1.0\n"
        "  could not be evaluated (deadline_exceeded): it took too long; its failure action is deny"
    )
    assert (warned.allowed, warned.outcome) == (True, Outcome.WARN)
    assert warned.warnings == ("slow 0.1.0: could not be evaluated (deadline_exceeded): it took too long",)
    assert (allowed.allowed, allowed.outcome, allowed.warnings) == (True, Outcome.ALLOW, ())
    assert allowed.audit_annotations == {"error": "slow@0.1.0 (deadline_exceeded)"}


def test_a_denial_tells_violations_and_errors_apart() -> None:
    message = combine([verdict(violation()), error("deny"), error("deny")]).message

    assert message.startswith("1 violation of 1 policy; 2 policies could not be evaluated\n\n")


def test_an_endless_message_says_what_it_leaves_out() -> None:
    decision = combine([verdict(*(violation(message=f"{number} " + "x" * 1000) for number in range(200)))])

    assert len(decision.message) < 70_000
    assert decision.message.splitlines()[-1].startswith("… and 1")


def test_a_patch_is_sent_with_an_allowance_and_never_with_a_denial() -> None:
    assert combine([ALLOW], PATCH).patch == PATCH
    assert combine([verdict(violation("warn"), outcome="warn")], PATCH).patch == PATCH
    assert combine([error("allow")], PATCH).patch == PATCH
    assert combine([verdict(violation())], PATCH).patch == ()
    assert "patch" in respond(combine([ALLOW], PATCH))


def test_an_exempt_namespace_is_allowed_and_leaves_a_trace() -> None:
    decision = exempt("kube-system")

    assert (decision.allowed, decision.outcome) == (True, Outcome.EXEMPT)
    assert respond(decision)["auditAnnotations"] == {"exempt": "namespace kube-system"}


def test_what_nothing_judges_is_a_plain_allowance() -> None:
    assert respond(PASSED) == {"uid": "u-1", "allowed": True}


def test_verdicts_are_kept_in_declared_order() -> None:
    verdicts = [verdict(violation()), ALLOW, error("allow")]

    assert combine(verdicts).verdicts == tuple(verdicts)
