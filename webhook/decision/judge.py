"""From what the rules of one policy gave to its verdict.

Owns: reading rule outputs, comparing with the old object, paths of the object sent, redaction. Every verdict
that leaves this module is redacted, so nothing after it can leak. Must not know how rules are evaluated.
"""

import enum
from collections.abc import Mapping, Sequence

from webhook.admission.review import AdmissionRequest
from webhook.admission.workload import PodView
from webhook.decision.verdict import EvaluationProblem, PolicyVerdict
from webhook.policy.metadata import FailureAction
from webhook.policy.version import PolicyVersion

Outputs = Mapping[str, Sequence[object]]
"""JSON values by rule name, as `webhook.ports.evaluator.Evaluation.outputs`."""


class ExistingViolations(enum.StrEnum):
    """What happens to an UPDATE whose violations stood in the old object."""

    ALLOW = "allow"
    DENY = "deny"


class Judge:
    """Makes the verdicts of one request; holds what they share, made when it is first needed."""

    def __init__(
        self,
        request: AdmissionRequest,
        view: PodView | None,
        *,
        existing: ExistingViolations = ExistingViolations.ALLOW,
        failure_action: FailureAction = FailureAction.DENY,
    ) -> None:
        """Take the request, its Pod if it has one, and the settings' defaults."""

    def needs_old(self, outputs: Outputs) -> bool:
        """Tell whether the old object has to be evaluated too: an UPDATE with a violation that may stand."""
        raise NotImplementedError

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
        raise NotImplementedError

    def fail(
        self, policy: PolicyVersion, problem: EvaluationProblem, *, duration_ns: int = 0
    ) -> PolicyVerdict:
        """Make the verdict of a policy that gave no answer."""
        raise NotImplementedError
