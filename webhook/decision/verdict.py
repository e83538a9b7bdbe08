"""Violations and verdicts: what one policy said of one request, redacted."""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from webhook.admission.path import FieldPath
from webhook.policy.metadata import EnforcementAction, FailureAction


class Outcome(enum.StrEnum):
    """What one policy's verdict does to the request; declared from harmless to blocking."""

    EXEMPT = "exempt"
    """Not judged: the namespace is exempt."""
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
    error: EvaluationProblem | None = None
    """Set exactly when `outcome` is ERROR."""
    failure_action: FailureAction = FailureAction.DENY
    """What an error means."""
    duration_ns: int = 0
    digest: str = ""
