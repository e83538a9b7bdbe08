"""Judging: one policy version evaluated on one request, giving its verdict.

Shared by the path of the request and by what is evaluated after the answer, so that both judge alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from webhook.admission.document import Document, build_document, build_old_document, with_parameters
from webhook.admission.review import AdmissionRequest, Review
from webhook.admission.workload import PodView, ShapeProblem, find_pod
from webhook.decision.judge import ExistingViolations, Judge
from webhook.decision.verdict import EvaluationProblem, PolicyVerdict, permit
from webhook.flows.snapshot import LoadedVersion
from webhook.policy.index import MatchedPolicy
from webhook.policy.metadata import FailureAction
from webhook.ports.clock import Clock
from webhook.ports.evaluator import Evaluation, EvaluationFailure, Purpose
from webhook.rollout.finding import WorkloadDigest
from webhook.rollout.identity import Owner, owner_of, workload_digest
from webhook.rollout.policy_exception import PolicyException

LATE = EvaluationProblem("deadline_exceeded", "the request's deadline passed before the policy was evaluated")


@dataclass(frozen=True, slots=True)
class DecisionRules:
    """What the settings say about verdicts."""

    existing_violations: ExistingViolations = ExistingViolations.ALLOW
    failure_action: FailureAction = FailureAction.DENY
    exempt_namespaces: frozenset[str] = frozenset()


class Case:
    """One request under judgement: what its policies share, made when it is first needed."""

    __slots__ = ("_documents", "_owner", "_workload", "judge", "review", "rules", "shape_problem", "view")

    def __init__(self, review: Review, rules: DecisionRules) -> None:
        self.review = review
        self.rules = rules
        found = find_pod(review.request)
        self.view: PodView | None = found if isinstance(found, PodView) else None
        self.shape_problem: ShapeProblem | None = found if isinstance(found, ShapeProblem) else None
        self.judge = Judge(
            review.request,
            self.view,
            existing=rules.existing_violations,
            failure_action=rules.failure_action,
        )
        self._documents: dict[bool, Document] = {}
        self._owner: Owner | None = None
        self._workload: WorkloadDigest | None = None

    @property
    def request(self) -> AdmissionRequest:
        """The request."""
        return self.review.request

    @property
    def owner(self) -> Owner:
        """The outermost owner that can be told from the object."""
        if self._owner is None:
            metadata = self.request.object.get("metadata")
            known = metadata if isinstance(metadata, dict) else {}
            self._owner = owner_of(self.request.kind.kind, known)
        return self._owner

    @property
    def workload(self) -> WorkloadDigest:
        """The identity of the workload; for an object without a Pod, that of its spec."""
        if self._workload is None:
            spec = (self.request.object if self.view is None else self.view.pod).get("spec")
            self._workload = workload_digest(self.request.namespace, self.owner, spec)
        return self._workload

    def document(self, match: MatchedPolicy) -> Document:
        """Give the input document of a policy, everything but its parameters shared."""
        document = self._documents.get(match.as_pod)
        if document is None:
            view = self.view if match.as_pod else None
            document = self._documents[match.as_pod] = build_document(self.review, view)
        return with_parameters(document, match.policy.parameters)

    @property
    def lacks_pod(self) -> bool:
        """Whether a Pod policy has nothing to judge: a controller without a template."""
        return self.view is None and self.shape_problem is None

    def problem(self, match: MatchedPolicy) -> EvaluationProblem | None:
        """Tell why a policy cannot judge this object."""
        if match.as_pod and self.shape_problem is not None:
            return EvaluationProblem("malformed_object", str(self.shape_problem))
        return None


async def judge_version(
    loaded: LoadedVersion,
    match: MatchedPolicy,
    case: Case,
    deadline_ns: int,
    clock: Clock,
    exceptions: Sequence[PolicyException] = (),
) -> PolicyVerdict:
    """Evaluate one version on one request and judge what it says; errors are verdicts, too.

    Args:
        loaded: the version and its evaluator.
        match: how the version matched.
        case: the request.
        deadline_ns: monotonic.
        clock: for durations, and for exceptions that expire.
        exceptions: those of the policy.

    """
    start_ns = clock.monotonic_ns()
    if start_ns >= deadline_ns:
        return case.judge.fail(match.policy, LATE)
    problem = case.problem(match)
    if problem is not None:
        return case.judge.fail(match.policy, problem)
    document = case.document(match)
    evaluation = await loaded.evaluator.evaluate(document, Purpose.VALIDATE, deadline_ns)
    if evaluation.failure is not None:
        duration_ns = clock.monotonic_ns() - start_ns
        return case.judge.fail(match.policy, problem_of(evaluation.failure), duration_ns=duration_ns)
    # Its own time is what a version is measured by: judging the old object is not the candidate's cost.
    duration_ns = clock.monotonic_ns() - start_ns
    old: Evaluation | None = None
    if evaluation.outputs and case.judge.needs_old(evaluation.outputs):
        old_document = build_old_document(document)
        if old_document is not None:
            old = await loaded.evaluator.evaluate(old_document, Purpose.VALIDATE, deadline_ns)
    verdict = case.judge.judge(
        match.policy,
        evaluation.outputs,
        as_pod=match.as_pod,
        old_outputs=None if old is None or old.failure else old.outputs,
        duration_ns=duration_ns,
    )
    if exceptions and verdict.violations:
        return _permit(verdict, exceptions, case, clock.now_ns())
    return verdict


def problem_of(failure: EvaluationFailure) -> EvaluationProblem:
    """Turn an evaluator's failure into a verdict's."""
    return EvaluationProblem(failure.code, failure.message)


def _permit(
    verdict: PolicyVerdict, exceptions: Sequence[PolicyException], case: Case, now_ns: int
) -> PolicyVerdict:
    owner = str(case.owner)
    for exception in exceptions:
        if exception.covers(verdict.policy, case.request.namespace, owner, now_ns):
            note = f"permitted by exception {exception.id}, owned by {exception.owner}: {exception.reason}"
            return permit(verdict, exception.id, note)
    return verdict
