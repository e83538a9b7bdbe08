"""Patches of several policies merged into one, with the policies whose patch cannot stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook.admission.errors import InapplicablePatchError, MalformedPatchError, PatchConflictError
from webhook.admission.merge import diff_objects, merge_objects
from webhook.admission.patch import Operations, apply_patch, read_patch, translate_patch
from webhook.admission.review import AdmissionRequest
from webhook.admission.workload import PodView
from webhook.decision.verdict import EvaluationProblem

MALFORMED_PATCH = "malformed_patch"
INAPPLICABLE_PATCH = "inapplicable_patch"
PATCH_CONFLICT = "patch_conflict"


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
    """From the object sent to the merged one; empty where nothing changes."""
    problems: Mapping[str, EvaluationProblem] = field(default_factory=dict)
    """By policy: malformed, conflicting with a policy declared before, or not applicable. Pass to `Judge.fail`."""


def mutate(request: AdmissionRequest, view: PodView | None, proposals: Sequence[PatchProposal]) -> Mutation:
    """Merge proposals in declared order; a policy whose patch cannot stand leaves no trace in the result."""
    base = request.object
    merged = base
    accepted: dict[str, dict[str, Any]] = {}
    problems: dict[str, EvaluationProblem] = {}
    for proposal in proposals:
        try:
            patched = _apply(base, view, proposal)
            merged = merge_objects(base, merged, patched)
        except MalformedPatchError as error:
            problems[proposal.policy] = EvaluationProblem(MALFORMED_PATCH, str(error))
        except InapplicablePatchError as error:
            problems[proposal.policy] = EvaluationProblem(INAPPLICABLE_PATCH, str(error))
        except PatchConflictError as error:
            other = _find_opponent(base, patched, accepted)
            message = f"its patch conflicts with that of {other}: {error}"
            problems[proposal.policy] = EvaluationProblem(PATCH_CONFLICT, message)
        else:
            accepted[proposal.policy] = patched
    return Mutation(diff_objects(base, merged), problems)


def _apply(base: dict[str, Any], view: PodView | None, proposal: PatchProposal) -> dict[str, Any]:
    operations = read_patch(proposal.values)
    if proposal.as_pod and view is not None:
        operations = translate_patch(operations, view)
    return apply_patch(base, operations)


def _find_opponent(
    base: dict[str, Any], patched: dict[str, Any], accepted: Mapping[str, dict[str, Any]]
) -> str:
    """Name the accepted policy with which a patch conflicts; together they may conflict where no single one does."""
    for policy, other in accepted.items():
        try:
            merge_objects(base, other, patched)
        except PatchConflictError:
            return policy
    return " and ".join(accepted)
