"""One decision for one request, combined from the verdicts of its policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhook.admission.patch import Operations
from webhook.admission.response import AdmissionResponse
from webhook.decision.verdict import Outcome, PolicyVerdict


@dataclass(frozen=True, slots=True)
class Decision:
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
    audit_annotations: Mapping[str, str] = field(default_factory=dict)
    patch: Operations = ()
    """Of the object sent; empty when denied."""
    verdicts: tuple[PolicyVerdict, ...] = ()

    def respond(self, uid: str) -> AdmissionResponse:
        """Give the response to the review with this uid."""
        raise NotImplementedError


PASSED = Decision(allowed=True, outcome=Outcome.ALLOW)
"""The decision on a request that nothing judges."""


def exempt(namespace: str) -> Decision:
    """Decide a request in an exempt namespace."""
    raise NotImplementedError


def combine(verdicts: Sequence[PolicyVerdict], patch: Operations = ()) -> Decision:
    """Combine verdicts, in declared order, into one decision."""
    raise NotImplementedError
