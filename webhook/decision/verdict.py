"""Violations and verdicts: what one policy said of one request, redacted."""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from webhook.admission.path import FieldPath
from webhook.policy.metadata import EnforcementAction, FailureAction


class Outcome(enum.StrEnum):
    """What one policy's verdict does to the request; declared from harmless to blocking."""

    EXEMPT = "exempt"
    """Not judged, since the namespace is exempt; or permitted by an exception."""
    ALLOW = "allow"
    AUDIT = "audit"
    WARN = "warn"
    ERROR = "error"
    """Not judged: the policy could not be evaluated; its failure action applies."""
    DENY = "deny"


class Violation(msgspec.Struct, frozen=True):
    """One finding of one evaluation; every text in it is redacted."""

    policy: str
    version: str
    """Semantic version of the policy."""
    rule: str
    """`deny`, `warn` or `violation`."""
    action: EnforcementAction
    """What this violation does."""
    message: str
    path: FieldPath = ()
    """Inside the object that was sent."""
    details: Mapping[str, Any] = {}
    """What the rule added beside `msg` and `path`."""
    remediation: str = ""
    standing: bool = False
    """Whether the old object of an UPDATE had this violation already."""


class EvaluationProblem(msgspec.Struct, frozen=True):
    """Why a policy gave no answer."""

    code: str
    message: str
    """Redacted in a verdict."""


class PolicyVerdict(msgspec.Struct, frozen=True):
    """What one policy said of one request."""

    policy: str
    version: str
    outcome: Outcome
    violations: tuple[Violation, ...] = ()
    omitted: int = 0
    """Further violations, which are counted but not kept."""
    error: EvaluationProblem | None = None
    """Set exactly when `outcome` is ERROR."""
    failure_action: FailureAction = FailureAction.DENY
    """What an error means."""
    duration_ns: int = 0
    digest: str = ""
    note: str = ""
    """What a reader should know beside the violations: the rollout step that this version is at and how to
    object, or the exception that permits it."""
    permitted_by: str = ""
    """Identity of the exception that lets the violations pass."""

    @property
    def violates(self) -> bool:
        """Whether the version speaks against the object, whatever its action is."""
        return bool(self.violations) and self.outcome is not Outcome.EXEMPT


def soften(verdict: PolicyVerdict) -> PolicyVerdict:
    """Turn denials into warnings: what a version says that may warn only."""
    violations = tuple(
        replace(violation, action=EnforcementAction.WARN)
        if violation.action is EnforcementAction.DENY
        else violation
        for violation in verdict.violations
    )
    outcome = Outcome.WARN if verdict.outcome is Outcome.DENY else verdict.outcome
    return replace(verdict, violations=violations, outcome=outcome)


def permit(verdict: PolicyVerdict, exception: str, note: str) -> PolicyVerdict:
    """Let the violations of a verdict pass by an exception; they are kept, and do nothing."""
    return replace(verdict, outcome=Outcome.EXEMPT, permitted_by=exception, note=note)
