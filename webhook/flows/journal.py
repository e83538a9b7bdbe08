"""The journal: what the path of the requests leaves behind becomes evidence in the store.

A request offers its trial and goes on. Afterwards, and only while nobody waits, the version that did not answer is
evaluated, both answers are compared, and findings, workloads and counts are written in batches of about a second.

Owns the order of all that: the queues and what is shed, what one trial counts as, when a batch is sent and what
happens when it cannot be. What is lost is lost as a whole: a trial that is not counted raises no finding, and one
whose finding cannot be kept is not counted, so evidence gets smaller and never rosier.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from webhook.decision.verdict import PolicyVerdict
from webhook.flows.divergence import Divergence, compare, diverges, is_clean_trial, make_sample
from webhook.flows.judging import LATE, judge_version
from webhook.flows.pace import Pace, PaceLimits
from webhook.flows.pending import PendingEvidence, PendingLimits
from webhook.flows.recency import RecentSet
from webhook.flows.signals import Signals
from webhook.flows.tally import Tallies
from webhook.flows.trial import Contender, Trial
from webhook.flows.waiting import TrialQueue, WaitingTrial
from webhook.ports.clock import Clock
from webhook.ports.observer import Fix, JournalReport, Observer
from webhook.ports.store import Store, StoreError
from webhook.rollout.duration import MILLISECOND_NS, MINUTE_NS, SECOND_NS
from webhook.rollout.finding import Finding, FindingId, FindingKind, finding_id
from webhook.rollout.policy_exception import ExceptionId

_MARKED_EXCEPTIONS = 4_096
_RELEARN_NS = 5 * MINUTE_NS


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """How much the journal may hold, and how often it writes."""

    open_trials: int = 512
    """Trials that wait for a shadow evaluation: the first thing that is shed."""
    settled_trials: int = 2_048
    """Trials that need none, or whose user was told of a violation."""
    queue_bytes: int = 8 * 1024 * 1024
    """Bodies of the requests in each of the two queues, all together."""
    evaluation_ns: int = 100 * MILLISECOND_NS
    """Longest a shadow evaluation may take; one in process holds up the loop meanwhile."""
    flush_seconds: float = 1.0
    """Between batches, and so what a crash can lose."""
    heartbeat_ns: int = 5 * SECOND_NS
    """Between batches that say nothing but that this process lives."""
    farewell_seconds: float = 5.0
    """Longest that the last batch may take."""
    pending: PendingLimits = field(default_factory=PendingLimits)
    pace: PaceLimits = field(default_factory=PaceLimits)


class Journal:
    """Turns trials into evidence; implements `webhook.flows.trial.TrialSink`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        observer: Observer,
        replica: str,
        limits: JournalLimits | None = None,
    ) -> None:
        """Take the parts; `replica` names this life of this process, and no other, in the store."""
        limits = limits or JournalLimits()
        self._store = store
        self._clock = clock
        self._observer = observer
        self._replica = replica
        self._limits = limits
        self._open = TrialQueue(limits.open_trials, limits.queue_bytes)
        self._settled = TrialQueue(limits.settled_trials, limits.queue_bytes)
        self._awake = asyncio.Event()
        self._idle = False
        self._hurry = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._pace = Pace(clock, limits.pace)
        self._tallies = Tallies()
        self._pending = PendingEvidence(limits.pending)
        self._signals = Signals(store)
        self._exceptions: set[ExceptionId] = set()
        self._marked = RecentSet(_MARKED_EXCEPTIONS)
        self._report = _Report()
        self._flushed_ns = 0
        self._relearned_ns = clock.monotonic_ns()
        self.failure: str | None = None
        """Why evidence cannot be stored; None while it can."""

    # webhook.flows.trial.TrialSink

    def offer(self, trial: Trial) -> None:
        """Take a trial, or shed it and count that."""
        queue = self._settled if _is_settled(trial) else self._open
        if self._pending.is_full or not queue.has_room(trial):
            self._drop(trial)
            return
        queue.put(trial, self._clock.now_ns())
        if self._idle:
            self._idle = False
            self._awake.set()

    def saw_namespace(self, namespace: str) -> None:
        """Note a namespace that requests come from."""
        self._pending.see_namespace(namespace)

    def used_exception(self, identity: str) -> None:
        """Note that an exception permitted something."""
        if identity not in self._marked:
            self._exceptions.add(ExceptionId(identity))

    @property
    def waiting(self) -> int:
        """How many trials wait."""
        return len(self._open) + len(self._settled)

    # The background of a serving process

    async def run(self) -> None:
        """Work until cancelled; what waits then is written by `aclose`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._work_off(), name="journal-trials")
            tasks.create_task(self._keep_writing(), name="journal-batches")

    async def aclose(self) -> None:
        """Write what is known, for at most a few seconds; to be called after `run` was cancelled."""
        while len(self._open):
            self._drop(self._open.oldest)
            self._open.remove_oldest()
        try:
            async with asyncio.timeout(self._limits.farewell_seconds):
                while len(self._settled):
                    await self._take_oldest(self._settled)
                    await asyncio.sleep(0)
                await self.flush()
        except TimeoutError:
            self._fail("it did not answer before this process had to end")

    async def flush(self) -> bool:
        """Store what was found; False when the store cannot take it now, and it is kept."""
        async with self._flushing:
            try:
                await self._write()
            except StoreError as error:
                self._report.failed_flushes += 1
                self._fail(str(error))
                return False
            finally:
                self._tell()
            self.failure = None
            return True

    # Trials

    async def _work_off(self) -> None:
        while True:
            if not len(self._settled) and not len(self._open):
                self._awake.clear()
                self._idle = True
                await self._awake.wait()
                # The answer that the trial stems from goes out first: it may need two turns of the loop.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                self._pace.resume()
            if len(self._settled):
                await self._take_oldest(self._settled)
                await self._pace.step_aside(urgent=True)
            else:
                await self._take_oldest(self._open)
                await self._pace.step_aside()

    async def _take_oldest(self, queue: TrialQueue) -> None:
        """Take the trial whose turn it is; when this is cancelled, it is still its turn."""
        waiting = queue.oldest
        try:
            await self._take(waiting)
        except Exception:
            # A fault of ours, not of the policy; it is told where background work is watched.
            self._drop(waiting)
            queue.remove_oldest()
            raise
        queue.remove_oldest()

    async def _take(self, waiting: WaitingTrial) -> None:
        trial = waiting.open()
        if _is_malformed(trial):
            return
        await self._pace.breathe()
        candidate = await self._judge(trial, trial.candidate)
        stable = await self._judge(trial, trial.stable)
        await self._pace.breathe()
        if self._pending.is_full or _came_too_late(candidate) or _came_too_late(stable):
            self._drop(waiting)
            return
        self._count(trial, candidate, stable, waiting.at_ns)
        if self._pending.is_large:
            self._hurry.set()

    async def _judge(self, trial: Trial, contender: Contender | None) -> PolicyVerdict | None:
        if contender is None or contender.verdict is not None:
            return None if contender is None else contender.verdict
        deadline_ns = self._clock.monotonic_ns() + self._limits.evaluation_ns
        verdict = await judge_version(
            contender.loaded, contender.match, trial.case, deadline_ns, self._clock, trial.exceptions
        )
        if verdict.permitted_by:
            self.used_exception(verdict.permitted_by)
        return verdict

    def _count(
        self, trial: Trial, candidate: PolicyVerdict | None, stable: PolicyVerdict | None, at_ns: int
    ) -> None:
        """Count one trial as a whole: nothing in here may wait, so that a batch holds all of it or nothing."""
        rollout, mode, case = trial.rollout, trial.mode, trial.case
        divergences = compare(candidate, stable)
        if stable is not None:
            self._tallies.of(stable.digest, mode).count(stable)
        if candidate is not None:
            tally = self._tallies.of_candidate(rollout, mode)
            tally.count(candidate, diverges=diverges(divergences))
        raised = [self._raise(trial, divergence, candidate, stable, at_ns) for divergence in divergences]
        if raised and candidate is not None and candidate.violates:
            self._signals.note_dispute(case, raised, at_ns)
        elif not raised and is_clean_trial(candidate, stable):
            self._pending.see_workload(rollout.candidate, case.workload)
            self._signals.note_passed(trial, at_ns)

    def _raise(
        self,
        trial: Trial,
        divergence: Divergence,
        candidate: PolicyVerdict | None,
        stable: PolicyVerdict | None,
        at_ns: int,
    ) -> FindingId:
        rollout, case = trial.rollout, trial.case
        identity = finding_id(rollout.candidate, divergence.rule, case.workload)

        def make() -> Finding:
            return Finding(
                id=identity,
                policy=rollout.policy,
                version=rollout.candidate,
                rule=divergence.rule,
                kind=divergence.kind,
                workload=case.workload,
                namespace=case.request.namespace,
                owner=str(case.owner),
                first_seen_ns=at_ns,
                last_seen_ns=at_ns,
                sample=make_sample(case, trial.mode, divergence, candidate, stable),
            )

        self._pending.raise_finding(identity, divergence.kind, at_ns, make)
        self._report.findings[rollout.policy, rollout.version, divergence.kind] += 1
        return identity

    def _drop(self, trial: Trial | WaitingTrial) -> None:
        self._tallies.of_candidate(trial.rollout, trial.mode).drop()

    # Batches

    async def _keep_writing(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._limits.flush_seconds):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()
            if not await self.flush():
                await asyncio.sleep(self._limits.flush_seconds)

    async def _write(self) -> None:
        now_ns = self._clock.now_ns()
        counters = self._tallies.take_changed()
        is_silent = self._pending.is_empty and not counters
        if not is_silent or abs(now_ns - self._flushed_ns) >= self._limits.heartbeat_ns:
            batch = self._pending.take(self._replica, now_ns, counters)
            try:
                await self._store.record(batch)
            except BaseException:
                self._pending.put_back()
                self._tallies.put_back(counters)
                raise
            self._pending.confirm()
            self._flushed_ns = now_ns
            self._report.flushes += 1
        await self._mark_exceptions(now_ns)
        self._report.fixes += await self._signals.send()

    async def _mark_exceptions(self, now_ns: int) -> None:
        if self._exceptions:
            used = frozenset(self._exceptions)
            await self._store.mark_used(used, now_ns)
            self._exceptions -= used
            self._marked.update(used)

    def _fail(self, reason: str) -> None:
        if reason != self.failure:
            self._observer.store_failed("keep evidence", reason)
        self.failure = reason

    def _tell(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._relearned_ns >= _RELEARN_NS:
            # What was deleted in the store and made anew in the cluster is learned anew; uses stay fresh.
            self._relearned_ns = now_ns
            self._pending.forget_namespaces()
            self._marked.clear()
        arrivals = (queue.oldest_ns for queue in (self._open, self._settled))
        oldest_ns = min((arrival for arrival in arrivals if arrival is not None), default=None)
        lag_ns = 0 if oldest_ns is None else max(self._clock.now_ns() - oldest_ns, 0)
        report, self._report = self._report, _Report()
        progress = self._tallies.take_progress()
        self._observer.journal_reported(
            JournalReport(
                trials={key: moved.evaluations for key, moved in progress.items() if moved.evaluations},
                dropped={key: moved.dropped for key, moved in progress.items() if moved.dropped},
                findings=report.findings,
                fixes=tuple(report.fixes),
                flushes=report.flushes,
                failed_flushes=report.failed_flushes,
                open_trials=len(self._open),
                settled_trials=len(self._settled),
                lag_ns=lag_ns,
            )
        )


@dataclass(slots=True)
class _Report:
    """What is told at the next report."""

    findings: Counter[tuple[str, str, FindingKind]] = field(default_factory=Counter)
    fixes: list[Fix] = field(default_factory=list)
    flushes: int = 0
    failed_flushes: int = 0


def _is_settled(trial: Trial) -> bool:
    """Tell whether a trial is complete, or its user has heard of a finding that must therefore exist."""
    candidate, stable = trial.candidate, trial.stable
    if candidate is not None:
        verdict = candidate.verdict
        if verdict is None:
            return False
        if verdict.violations:
            return True
    return stable is None or stable.verdict is not None


def _is_malformed(trial: Trial) -> bool:
    """Tell whether the object cannot be judged at all, which is no version's error."""
    contenders = (trial.candidate, trial.stable)
    return any(contender and trial.case.problem(contender.match) for contender in contenders)


def _came_too_late(verdict: PolicyVerdict | None) -> bool:
    """Tell whether a version was not even asked, which says nothing about it."""
    return verdict is not None and verdict.error is not None and verdict.error == LATE
