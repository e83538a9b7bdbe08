"""The match index: which policies judge a request, at a cost linear in those that do."""

from collections.abc import Sequence
from dataclasses import dataclass

from webhook.admission.review import AdmissionRequest
from webhook.policy.version import PolicyVersion


@dataclass(frozen=True, slots=True)
class MatchedPolicy:
    """One policy that judges a request."""

    policy: PolicyVersion
    position: int
    """Index of the policy in the sequence that the index was built from."""
    as_pod: bool
    """Whether it judges the workload's Pod (`find_pod`) rather than the object as it was sent."""


class MatchIndex:
    """Finds policies by kind, operation and namespace; the answer is in declared order."""

    def __init__(self, policies: Sequence[PolicyVersion]) -> None:
        self._policies = tuple(policies)

    def find(self, request: AdmissionRequest) -> tuple[MatchedPolicy, ...]:
        """Find the policies that judge `request`; none for a request that `is_judged` passes."""
        raise NotImplementedError
