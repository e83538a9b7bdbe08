"""One decision for one request, combined from the verdicts of its policies."""

from collections.abc import Mapping, Sequence

import msgspec

from webhook.admission.patch import Operations
from webhook.admission.response import AdmissionResponse, fit_warnings
from webhook.decision.explanation import explain_audit, explain_denial, explain_warnings
from webhook.decision.verdict import Outcome, PolicyVerdict
from webhook.policy.metadata import FailureAction

FORBIDDEN_CODE = 403
FORBIDDEN_REASON = "Forbidden"
"""The `metav1.StatusReason` of code 403; kubectl prints it in parentheses."""


class Decision(msgspec.Struct, frozen=True):
    """The answer to one request."""

    allowed: bool
    outcome: Outcome
    """The strongest outcome of any verdict, after failure actions."""
    code: int = 200
    """403 when denied."""
    reason: str = ""
    """`Forbidden` when denied."""
    message: str = ""
    """Every violation that denies, for kubectl; empty when allowed."""
    warnings: tuple[str, ...] = ()
    """Cut to the API server's limits."""
    audit_annotations: Mapping[str, str] = {}
    patch: Operations = ()
    """Of the object sent; empty when denied."""
    verdicts: tuple[PolicyVerdict, ...] = ()

    def respond(self, uid: str) -> AdmissionResponse:
        """Give the response to the review with this uid."""
        if self.allowed and not (self.warnings or self.audit_annotations or self.patch):
            return AdmissionResponse(uid=uid, allowed=True)
        return AdmissionResponse(
            uid=uid,
            allowed=self.allowed,
            code=0 if self.allowed else self.code,
            reason=self.reason,
            message=self.message,
            warnings=self.warnings,
            audit_annotations=self.audit_annotations,
            patch=self.patch,
        )


PASSED = Decision(allowed=True, outcome=Outcome.ALLOW)
"""The decision on a request that nothing judges."""


def exempt(namespace: str) -> Decision:
    """Decide a request in an exempt namespace."""
    return Decision(
        allowed=True, outcome=Outcome.EXEMPT, audit_annotations={"exempt": f"namespace {namespace}"}
    )


def combine(verdicts: Sequence[PolicyVerdict], patch: Operations = ()) -> Decision:
    """Combine verdicts, in declared order, into one decision."""
    outcomes = {_effective(verdict) for verdict in verdicts}
    if outcomes <= {Outcome.ALLOW} and not any(verdict.error for verdict in verdicts):
        return Decision(allowed=True, outcome=Outcome.ALLOW, patch=patch, verdicts=tuple(verdicts))
    warnings = fit_warnings(explain_warnings(verdicts))
    annotations = explain_audit(verdicts)
    if Outcome.DENY in outcomes:
        return Decision(
            allowed=False,
            outcome=Outcome.DENY,
            code=FORBIDDEN_CODE,
            reason=FORBIDDEN_REASON,
            message=explain_denial(verdicts),
            warnings=warnings,
            audit_annotations=annotations,
            verdicts=tuple(verdicts),
        )
    strongest = next(outcome for outcome in _HARMLESS if outcome in outcomes)
    return Decision(
        allowed=True,
        outcome=strongest,
        warnings=warnings,
        audit_annotations=annotations,
        patch=patch,
        verdicts=tuple(verdicts),
    )


def _effective(verdict: PolicyVerdict) -> Outcome:
    """Give what a verdict does, its failure action included."""
    if verdict.outcome is Outcome.ERROR:
        return _FAILURES[verdict.failure_action]
    return verdict.outcome


_HARMLESS = (Outcome.WARN, Outcome.AUDIT, Outcome.ALLOW, Outcome.EXEMPT)
_FAILURES = {
    FailureAction.DENY: Outcome.DENY,
    FailureAction.WARN: Outcome.WARN,
    FailureAction.ALLOW: Outcome.ALLOW,
}
