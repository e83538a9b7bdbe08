"""Decide: one AdmissionReview and one Snapshot become one Decision.

The path of every request. Reads the snapshot in force and nothing else: no store, no lock, no file.
"""

import asyncio
from collections.abc import Awaitable, Sequence

from msgspec.structs import replace

from webhook.admission.review import AdmissionRequest, Review
from webhook.admission.workload import is_judged
from webhook.decision.decision import PASSED, Decision, combine, exempt
from webhook.decision.mutation import PatchProposal, mutate
from webhook.decision.verdict import EvaluationProblem, Outcome, PolicyVerdict, soften
from webhook.flows.agenda import Agenda, Agendas, Roles, RollingPolicy
from webhook.flows.judging import LATE, Case, DecisionRules, judge_version, problem_of
from webhook.flows.snapshot import LoadedVersion, Snapshot, SnapshotHolder
from webhook.flows.trial import Contender, Trial, TrialSink
from webhook.policy.index import MatchedPolicy
from webhook.ports.clock import Clock
from webhook.ports.evaluator import Purpose
from webhook.rollout.finding import finding_id
from webhook.rollout.life import Rollout
from webhook.rollout.policy_exception import PolicyException


class Decider:
    """Answers reviews by the snapshot in force."""

    def __init__(
        self, snapshots: SnapshotHolder, rules: DecisionRules, clock: Clock, sink: TrialSink | None = None
    ) -> None:
        self._snapshots = snapshots
        self._rules = rules
        self._clock = clock
        self._sink = sink
        self._agendas = Agendas(snapshots.current)

    async def validate(self, review: Review, deadline_ns: int) -> Decision:
        """Decide whether the request is admitted; `deadline_ns` is on the monotonic clock."""
        request = review.request
        snapshot = self._snapshots.current
        if not is_judged(request):
            return PASSED
        is_exempt = request.namespace in self._rules.exempt_namespaces
        sink = self._sink_of(request)
        if sink is not None and request.namespace and not is_exempt:
            # A cohort of namespaces that nothing governs would try nothing.
            sink.saw_namespace(request.namespace)
        matches = snapshot.index.find(request)
        if not matches:
            return PASSED
        if is_exempt:
            return exempt(request.namespace)
        if self._agendas.snapshot is not snapshot:
            self._agendas = Agendas(snapshot)
        case = Case(review, self._rules)
        if case.lacks_pod and any(match.as_pod for match in matches):
            agenda = Agenda(snapshot, [match for match in matches if not match.as_pod])
        else:
            agenda = self._agendas.find(matches)
        return combine(await self._judge_all(agenda, case, deadline_ns))

    async def mutate(self, review: Review, deadline_ns: int) -> Decision:
        """Decide how the request is patched; a policy that errs here meets its failure action too."""
        request = review.request
        snapshot = self._snapshots.current
        if not is_judged(request):
            return PASSED
        matches = [
            match
            for match in snapshot.index.find(request)
            if _patches(snapshot.versions[match.position], request.namespace)
        ]
        if not matches:
            return PASSED
        if request.namespace in self._rules.exempt_namespaces:
            return exempt(request.namespace)
        case = Case(review, self._rules)
        if case.view is not None and not case.view.patchable:
            matches = [match for match in matches if not match.as_pod]
        return await self._mutate(snapshot, matches, case, deadline_ns)

    async def _judge_all(self, agenda: Agenda, case: Case, deadline_ns: int) -> list[PolicyVerdict]:
        verdicts: list[PolicyVerdict | None] = []
        waiting: list[tuple[int, Awaitable[PolicyVerdict | None]]] = []
        for asked in agenda.alone:
            judging = self._judge(case, asked.contender, asked.exceptions, deadline_ns)
            if asked.in_process:
                verdicts.append(await judging)
            else:
                waiting.append((len(verdicts), judging))
                verdicts.append(None)
        for policy in agenda.rolling:
            deciding = self._judge_rolling(case, policy, deadline_ns)
            if policy.in_process:
                # Without a task of its own the answer is out before the loop turns to anything else.
                verdicts.append(await deciding)
            else:
                waiting.append((len(verdicts), deciding))
                verdicts.append(None)
        if waiting:
            results = await asyncio.gather(*(verdict for _, verdict in waiting))
            for (position, _), verdict in zip(waiting, results, strict=True):
                verdicts[position] = verdict
        return [verdict for verdict in verdicts if verdict is not None]

    async def _judge(
        self, case: Case, asked: Contender, exceptions: Sequence[PolicyException], deadline_ns: int
    ) -> PolicyVerdict:
        verdict = await judge_version(asked.loaded, asked.match, case, deadline_ns, self._clock, exceptions)
        sink = self._sink_of(case.request)
        if verdict.permitted_by and sink is not None:
            sink.used_exception(verdict.permitted_by)
        return verdict

    def _sink_of(self, request: AdmissionRequest) -> TrialSink | None:
        """Give whom a request may leave something with: a dry run has no side effect, as the registrations promise."""
        return None if request.dry_run else self._sink

    async def _judge_rolling(
        self, case: Case, policy: RollingPolicy, deadline_ns: int
    ) -> PolicyVerdict | None:
        """Judge by a policy that is rolling out: the route says which version decides in this namespace."""
        roles = policy.roles(case.request.namespace)
        rollout = roles.assignment.rollout
        known: dict[str, PolicyVerdict] = {}
        verdict: PolicyVerdict | None = None
        if roles.decide is not None:
            verdict = await self._judge(case, roles.decide, policy.exceptions, deadline_ns)
            known[verdict.digest] = verdict
            if verdict.error is not None and rollout is not None:
                # A candidate that errs never endangers admission: stable answers, and the error is evidence.
                verdict = await self._fall_back(case, policy, roles, known, deadline_ns) or _unless_candidate(
                    verdict, rollout
                )
        if roles.warn is not None:
            warned = await self._judge(case, roles.warn, policy.exceptions, deadline_ns)
            known[warned.digest] = warned
            verdict = _add_warnings(verdict, soften(warned))
        if rollout is None:
            return verdict
        mode, sink = roles.assignment.mode, self._sink_of(case.request)
        if sink is not None and mode is not None:
            candidate, stable = _tell(roles.candidate, known), _tell(roles.stable, known)
            sink.offer(Trial(rollout, mode, case, candidate, stable, policy.exceptions))
        if verdict is not None and verdict.violates and verdict.digest == rollout.candidate:
            verdict = replace(verdict, note=_explain_step(rollout, verdict, case))
        return verdict

    async def _fall_back(
        self,
        case: Case,
        policy: RollingPolicy,
        roles: Roles,
        known: dict[str, PolicyVerdict],
        deadline_ns: int,
    ) -> PolicyVerdict | None:
        if roles.fallback is None:
            return None
        verdict = await self._judge(case, roles.fallback, policy.exceptions, deadline_ns)
        known[verdict.digest] = verdict
        return verdict

    async def _mutate(
        self, snapshot: Snapshot, matches: list[MatchedPolicy], case: Case, deadline_ns: int
    ) -> Decision:
        proposals: list[PatchProposal] = []
        problems: dict[str, EvaluationProblem] = {}
        durations_ns: dict[str, int] = {}
        judged = [match for match in matches if not (match.as_pod and case.lacks_pod)]
        for match in judged:
            name = match.policy.name
            start_ns = self._clock.monotonic_ns()
            problem = LATE if start_ns >= deadline_ns else case.problem(match)
            if problem is None:
                evaluator = snapshot.versions[match.position].evaluator
                evaluation = await evaluator.evaluate(case.document(match), Purpose.MUTATE, deadline_ns)
                if evaluation.failure is not None:
                    problem = problem_of(evaluation.failure)
                elif values := evaluation.outputs.get("patch"):
                    proposals.append(PatchProposal(name, values, match.as_pod))
            if problem is not None:
                problems[name] = problem
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


def _tell(contender: Contender | None, known: dict[str, PolicyVerdict]) -> Contender | None:
    """Give a contender with its verdict, if it has one."""
    if contender is None or (verdict := known.get(contender.match.policy.digest)) is None:
        return contender
    return Contender(contender.loaded, contender.match, verdict)


def _patches(loaded: LoadedVersion, namespace: str) -> bool:
    """Tell whether a version patches objects in a namespace: only the one that decides there may."""
    if not loaded.evaluator.mutates:
        return False
    return loaded.route is None or loaded.route.assign(namespace).decide == loaded.version.digest


def _unless_candidate(verdict: PolicyVerdict, rollout: Rollout) -> PolicyVerdict | None:
    """Drop a candidate's error where no stable version answers instead: without it nothing would decide."""
    return None if verdict.digest == rollout.candidate else verdict


def _add_warnings(verdict: PolicyVerdict | None, warned: PolicyVerdict) -> PolicyVerdict:
    """Lay a candidate's warnings beside stable's verdict; where stable speaks itself, it is enough."""
    if verdict is None or (not verdict.violations and verdict.error is None):
        return warned if warned.outcome is not Outcome.ERROR or verdict is None else verdict
    return verdict


def _explain_step(rollout: Rollout, verdict: PolicyVerdict, case: Case) -> str:
    step = (
        f"This version is rolling out, step {rollout.step + 1} of {len(rollout.strategy.steps)} "
        f"({rollout.current_step.describe()})"
    )
    if case.request.dry_run:
        return f"{step}; a dry run leaves no finding to object to."
    rules = dict.fromkeys(violation.rule for violation in verdict.violations)
    findings = " ".join(finding_id(rollout.candidate, rule, case.workload) for rule in rules)
    return (
        f"{step}; finding {findings}. "
        f"Wrong? Annotate the object with gradate.dev/dispute: <why>, or run gradate dispute {findings} --reason <why>"
    )
