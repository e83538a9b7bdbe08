"""Patches of several policies merged into one, with the policies whose patch cannot stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhook.admission.patch import Operations
from webhook.admission.review import AdmissionRequest
from webhook.admission.workload import PodView
from webhook.decision.verdict import EvaluationProblem


@dataclass(frozen=True, slots=True)
class PatchProposal:
    """What the `patch` rule of one policy gave."""

    policy: str
    values: Sequence[object]
    as_pod: bool
    """Whether its paths are those of the Pod."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """The merged patch of one request."""

    operations: Operations = ()
    problems: Mapping[str, EvaluationProblem] = field(default_factory=dict)
    """By policy: malformed, conflicting with a policy declared before, or not applicable. Pass to `Judge.fail`."""


def mutate(request: AdmissionRequest, view: PodView | None, proposals: Sequence[PatchProposal]) -> Mutation:
    """Merge proposals in declared order; a policy whose patch cannot stand leaves no trace in the result."""
    raise NotImplementedError
