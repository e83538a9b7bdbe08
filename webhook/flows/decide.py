"""Decide: one AdmissionReview and one Snapshot become one Decision.

The path of every request. Reads the snapshot in force and nothing else: no store, no lock, no file.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from webhook.admission.document import Document, build_document, build_old_document, with_parameters
from webhook.admission.review import AdmissionRequest, Review
from webhook.admission.workload import PodView, ShapeProblem, find_pod, is_judged
from webhook.decision.decision import PASSED, Decision, combine, exempt
from webhook.decision.judge import ExistingViolations, Judge
from webhook.decision.mutation import PatchProposal, mutate
from webhook.decision.verdict import EvaluationProblem, PolicyVerdict
from webhook.flows.snapshot import LoadedPolicy, Snapshot, SnapshotHolder
from webhook.policy.index import MatchedPolicy
from webhook.policy.metadata import FailureAction
from webhook.ports.clock import Clock
from webhook.ports.evaluator import Evaluation, EvaluationFailure, Purpose

_LATE = EvaluationProblem(
    "deadline_exceeded", "the request's deadline passed before the policy was evaluated"
)


@dataclass(frozen=True, slots=True)
class DecisionRules:
    """What the settings say about verdicts."""

    existing_violations: ExistingViolations = ExistingViolations.ALLOW
    failure_action: FailureAction = FailureAction.DENY
    exempt_namespaces: frozenset[str] = frozenset()


class _Case:
    """One request under judgement: what its policies share, made when first needed."""

    __slots__ = ("_documents", "judge", "review", "shape_problem", "view")

    def __init__(self, review: Review, rules: DecisionRules) -> None:
        self.review = review
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

    @property
    def request(self) -> AdmissionRequest:
        return self.review.request

    def document(self, match: MatchedPolicy) -> Document:
        document = self._documents.get(match.as_pod)
        if document is None:
            view = self.view if match.as_pod else None
            document = self._documents[match.as_pod] = build_document(self.review, view)
        return with_parameters(document, match.policy.parameters)

    def lacks_pod(self, match: MatchedPolicy) -> bool:
        """Tell whether a Pod policy has nothing to judge: a controller without a template."""
        return match.as_pod and self.view is None and self.shape_problem is None


class Decider:
    """Answers reviews by the snapshot in force."""

    def __init__(self, snapshots: SnapshotHolder, rules: DecisionRules, clock: Clock) -> None:
        self._snapshots = snapshots
        self._rules = rules
        self._clock = clock

    async def validate(self, review: Review, deadline_ns: int) -> Decision:
        """Decide whether the request is admitted; `deadline_ns` is on the monotonic clock."""
        request = review.request
        snapshot = self._snapshots.current
        if not is_judged(request):
            return PASSED
        matches = snapshot.index.find(request)
        if not matches:
            return PASSED
        if request.namespace in self._rules.exempt_namespaces:
            return exempt(request.namespace)
        case = _Case(review, self._rules)
        verdicts = await self._judge_all(snapshot, matches, case, deadline_ns)
        return combine(verdicts)

    async def mutate(self, review: Review, deadline_ns: int) -> Decision:
        """Decide how the request is patched; a policy that errs here meets its failure action too."""
        request = review.request
        snapshot = self._snapshots.current
        if not is_judged(request):
            return PASSED
        matches = [
            match
            for match in snapshot.index.find(request)
            if snapshot.policies[match.position].evaluator.mutates
        ]
        if not matches:
            return PASSED
        if request.namespace in self._rules.exempt_namespaces:
            return exempt(request.namespace)
        case = _Case(review, self._rules)
        if case.view is not None and not case.view.patchable:
            matches = [match for match in matches if not match.as_pod]
        return await self._mutate(snapshot, matches, case, deadline_ns)

    async def _judge_all(
        self, snapshot: Snapshot, matches: tuple[MatchedPolicy, ...], case: _Case, deadline_ns: int
    ) -> list[PolicyVerdict]:
        verdicts: list[PolicyVerdict | None] = []
        remote: list[tuple[int, Awaitable[PolicyVerdict]]] = []
        for match in matches:
            if case.lacks_pod(match):
                continue
            loaded = snapshot.policies[match.position]
            verdict = self._judge(loaded, match, case, deadline_ns)
            if loaded.evaluator.in_process:
                verdicts.append(await verdict)
            else:
                remote.append((len(verdicts), verdict))
                verdicts.append(None)
        if remote:
            for (position, _), result in zip(
                remote, await asyncio.gather(*(waiting for _, waiting in remote)), strict=True
            ):
                verdicts[position] = result
        return [verdict for verdict in verdicts if verdict is not None]

    async def _judge(
        self, loaded: LoadedPolicy, match: MatchedPolicy, case: _Case, deadline_ns: int
    ) -> PolicyVerdict:
        start_ns = self._clock.monotonic_ns()
        if start_ns >= deadline_ns:
            return case.judge.fail(match.policy, _LATE)
        if match.as_pod and case.shape_problem is not None:
            problem = EvaluationProblem("malformed_object", str(case.shape_problem))
            return case.judge.fail(match.policy, problem)
        document = case.document(match)
        evaluation = await loaded.evaluator.evaluate(document, Purpose.VALIDATE, deadline_ns)
        if evaluation.failure is not None:
            duration_ns = self._clock.monotonic_ns() - start_ns
            return case.judge.fail(match.policy, _problem(evaluation.failure), duration_ns=duration_ns)
        old: Evaluation | None = None
        if evaluation.outputs and case.judge.needs_old(evaluation.outputs):
            old = await self._evaluate_old(loaded, document, deadline_ns)
        return case.judge.judge(
            match.policy,
            evaluation.outputs,
            as_pod=match.as_pod,
            old_outputs=None if old is None or old.failure else old.outputs,
            duration_ns=self._clock.monotonic_ns() - start_ns,
        )

    @staticmethod
    async def _evaluate_old(loaded: LoadedPolicy, document: Document, deadline_ns: int) -> Evaluation | None:
        old_document = build_old_document(document)
        if old_document is None:
            return None
        return await loaded.evaluator.evaluate(old_document, Purpose.VALIDATE, deadline_ns)

    async def _mutate(
        self, snapshot: Snapshot, matches: list[MatchedPolicy], case: _Case, deadline_ns: int
    ) -> Decision:
        proposals: list[PatchProposal] = []
        problems: dict[str, EvaluationProblem] = {}
        durations_ns: dict[str, int] = {}
        judged = [match for match in matches if not case.lacks_pod(match)]
        for match in judged:
            name = match.policy.name
            start_ns = self._clock.monotonic_ns()
            if match.as_pod and case.shape_problem is not None:
                problems[name] = EvaluationProblem("malformed_object", str(case.shape_problem))
            elif start_ns >= deadline_ns:
                problems[name] = _LATE
            else:
                evaluator = snapshot.policies[match.position].evaluator
                evaluation = await evaluator.evaluate(case.document(match), Purpose.MUTATE, deadline_ns)
                if evaluation.failure is not None:
                    problems[name] = _problem(evaluation.failure)
                elif values := evaluation.outputs.get("patch"):
                    proposals.append(PatchProposal(name, values, match.as_pod))
            durations_ns[name] = self._clock.monotonic_ns() - start_ns
        mutation = mutate(case.request, case.view, proposals)
        problems.update(mutation.problems)
        verdicts = [
            case.judge.fail(match.policy, problem, duration_ns=durations_ns[match.policy.name])
            if (problem := problems.get(match.policy.name)) is not None
            else case.judge.judge(
                match.policy, {}, as_pod=match.as_pod, duration_ns=durations_ns[match.policy.name]
            )
            for match in judged
        ]
        return combine(verdicts, mutation.operations)


def _problem(failure: EvaluationFailure) -> EvaluationProblem:
    return EvaluationProblem(failure.code, failure.message)
