"""From what the rules of one policy gave to its verdict.

Owns: the action of each rule, comparing with the old object, paths of the object sent, redaction. Every verdict
that leaves this module is redacted, so nothing after it can leak. Must not know how rules are evaluated.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Sequence

from webhook.admission.review import AdmissionRequest, Operation
from webhook.admission.workload import PodView
from webhook.decision.finding import (
    VIOLATION_RULES,
    Finding,
    Outputs,
    are_complete,
    mark_standing,
    message_text,
    read_findings,
)
from webhook.decision.redaction import Redactor
from webhook.decision.verdict import EvaluationProblem, Outcome, PolicyVerdict, Violation
from webhook.policy.metadata import EnforcementAction, FailureAction
from webhook.policy.version import PolicyVersion


class ExistingViolations(enum.StrEnum):
    """What happens to an UPDATE whose violations stood in the old object."""

    ALLOW = "allow"
    """They become warnings: a running Pod must stay deletable and its finalizers removable."""
    DENY = "deny"


VIOLATIONS_KEPT = 100
"""Of one rule in one verdict; the others are counted."""

_OUTCOMES = {
    EnforcementAction.AUDIT: Outcome.AUDIT,
    EnforcementAction.WARN: Outcome.WARN,
    EnforcementAction.DENY: Outcome.DENY,
}
_STRENGTH = {outcome: rank for rank, outcome in enumerate(Outcome)}


class Judge:
    """Makes the verdicts of one request; holds what they share, made when it is first needed."""

    __slots__ = ("_existing", "_failure_action", "_redactor", "_request", "_view")

    def __init__(
        self,
        request: AdmissionRequest,
        view: PodView | None,
        *,
        existing: ExistingViolations = ExistingViolations.ALLOW,
        failure_action: FailureAction = FailureAction.DENY,
    ) -> None:
        """Take the request, its Pod if it has one, and the settings' defaults."""
        self._request = request
        self._view = view
        self._existing = existing
        self._failure_action = failure_action
        self._redactor: Redactor | None = None

    def needs_old(self, outputs: Outputs) -> bool:
        """Tell whether the old object has to be evaluated too: an UPDATE with a violation that may stand."""
        return (
            self._existing is ExistingViolations.ALLOW
            and self._request.operation is Operation.UPDATE
            and self._request.old_object is not None
            and any(outputs.get(rule) for rule in VIOLATION_RULES)
        )

    def judge(
        self,
        policy: PolicyVersion,
        outputs: Outputs,
        *,
        as_pod: bool,
        old_outputs: Outputs | None = None,
        duration_ns: int = 0,
    ) -> PolicyVerdict:
        """Make the verdict of a policy that was evaluated.

        `as_pod` as in `MatchedPolicy`; `old_outputs` is what the policy said of the old object, None when it
        was not asked or gave no answer (then every violation counts as new).
        """
        findings = read_findings(outputs) if outputs else ()
        violations: tuple[Violation, ...] = ()
        if findings:
            # Where not all is read, what is not read may be new.
            old = old_outputs if are_complete(outputs) else None
            violations = self._make_violations(policy, findings, as_pod, old)
        outcome = max(
            (_OUTCOMES[violation.action] for violation in violations),
            key=_STRENGTH.__getitem__,
            default=Outcome.ALLOW,
        )
        return PolicyVerdict(
            policy=policy.metadata.name,
            version=policy.metadata.version,
            outcome=outcome,
            violations=violations,
            omitted=len(findings) - len(violations),
            duration_ns=duration_ns,
            digest=policy.digest,
        )

    def fail(
        self, policy: PolicyVersion, problem: EvaluationProblem, *, duration_ns: int = 0
    ) -> PolicyVerdict:
        """Make the verdict of a policy that gave no answer."""
        return PolicyVerdict(
            policy=policy.metadata.name,
            version=policy.metadata.version,
            outcome=Outcome.ERROR,
            error=EvaluationProblem(problem.code, self._redact().text(problem.message)),
            failure_action=policy.metadata.failure_action or self._failure_action,
            duration_ns=duration_ns,
            digest=policy.digest,
        )

    def redact(self, text: str) -> str:
        """Hide the values of the request's objects in a text that stands beside its verdicts."""
        return self._redact().text(text)

    def _make_violations(
        self, policy: PolicyVersion, findings: Sequence[Finding], as_pod: bool, old_outputs: Outputs | None
    ) -> tuple[Violation, ...]:
        standing = self._mark_standing(findings, as_pod, old_outputs)
        redactor = self._redact()
        prefix = self._view.prefix if as_pod and self._view is not None else ()
        return tuple(
            Violation(
                policy=policy.metadata.name,
                version=policy.metadata.version,
                rule=finding.rule,
                action=_decide_action(finding.rule, policy.metadata.action, stands),
                message=message_text(finding, redactor.beginning),
                path=(*prefix, *redactor.place(finding.path)),
                details=redactor.value(dict(finding.details)),
                remediation=policy.metadata.remediation,
                standing=stands,
            )
            for finding, stands in _choose(zip(findings, standing, strict=True))
        )

    def _mark_standing(
        self, findings: Sequence[Finding], as_pod: bool, old_outputs: Outputs | None
    ) -> Sequence[bool]:
        if old_outputs is None or self._existing is ExistingViolations.DENY:
            return (False,) * len(findings)
        judged, old_judged = self._request.object, self._request.old_object
        if as_pod and self._view is not None:
            judged, old_judged = self._view.pod, self._view.old_pod
        return mark_standing(findings, judged, read_findings(old_outputs), old_judged)

    def _redact(self) -> Redactor:
        if self._redactor is None:
            self._redactor = Redactor.of(self._request.object, self._request.old_object)
        return self._redactor


def _choose(found: Iterable[tuple[Finding, bool]]) -> Sequence[tuple[Finding, bool]]:
    """Choose the findings that a verdict keeps: the first of each rule, new ones before those that stood."""
    numbered = list(enumerate(found))
    if len(numbered) <= VIOLATIONS_KEPT:
        return [one for _, one in numbered]
    room = Counter(dict.fromkeys(VIOLATION_RULES, VIOLATIONS_KEPT))
    chosen = []
    for number, (finding, stands) in sorted(numbered, key=lambda one: one[1][1]):
        room[finding.rule] -= 1
        if room[finding.rule] >= 0:
            chosen.append((number, (finding, stands)))
    return [one for _, one in sorted(chosen, key=lambda one: one[0])]


def _decide_action(rule: str, action: EnforcementAction, standing: bool) -> EnforcementAction:
    """Decide what a violation does: the policy's action, which `warn` and a standing violation only soften."""
    if action is EnforcementAction.DENY and (rule == "warn" or standing):
        return EnforcementAction.WARN
    return action
