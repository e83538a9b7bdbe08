"""A rollout rehearsed in memory: requests are decided for real, journalled for real, and stored in a dictionary."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.support.clocks import FakeClock
from tests.support.flows import HeldSnapshot, MemoryObserver
from tests.support.memory_store import MemoryStore
from tests.support.policies import version_of
from tests.support.reviews import pod_spec, review_of, workload
from tests.support.rollouts import begun
from webhook.decision.decision import Decision
from webhook.flows.decide import Decider
from webhook.flows.journal import Journal, JournalLimits
from webhook.flows.judging import DecisionRules
from webhook.flows.pace import PaceLimits
from webhook.policy.metadata import EnforcementAction
from webhook.policy.version import Digest, PolicyVersion
from webhook.ports.evaluator import Evaluation, EvaluationFailure, Purpose
from webhook.ports.store import FindingQuery
from webhook.rollout.cohort import EVERYBODY, NOBODY
from webhook.rollout.evidence import Evidence
from webhook.rollout.finding import Finding
from webhook.rollout.life import Rollout
from webhook.rollout.policy_exception import PolicyException
from webhook.rollout.route import route_of
from webhook.rollout.strategy import Mode, Step, Strategy

OLD, NEW = "sha256:old", "sha256:new"
POLICY = "credential-env"
FAR_NS = 10**18
HOUR_NS = 3600 * 10**9
TIRELESS = PaceLimits(least_share=1, urgent_share=1)
"""For a journal on a machine that may be busy with other tests."""
Outputs = Mapping[str, Sequence[object]]


class ImageEvaluator:
    """Speaks against images: gives what it was told to for each, nothing for others, and fails on some."""

    engine = "image"
    in_process = True
    mutates = False

    def __init__(
        self,
        images: Mapping[str, Outputs] | None = None,
        *,
        fails: Collection[str] = (),
        in_process: bool = True,
    ) -> None:
        self.images = images or {}
        self.fails = fails
        self.in_process = in_process
        self.asked = 0

    async def evaluate(self, document: Mapping[str, Any], purpose: Purpose, deadline_ns: int) -> Evaluation:
        self.asked += 1
        if not self.in_process:
            await asyncio.sleep(0)
        image = document["request"]["object"]["spec"]["containers"][0]["image"]
        if image in self.fails:
            return Evaluation(failure=EvaluationFailure("eval_conflict_error", "two values for one rule"))
        return Evaluation(self.images.get(image, {}))

    async def aclose(self) -> None:
        return None


def denying(*images: str, rule: str = "deny", **details: Any) -> ImageEvaluator:
    """Make an evaluator that denies some images."""
    outputs: dict[str, Outputs] = {}
    for image in images:
        violation = {"msg": f"{image} is not allowed", "path": ["spec", "containers", 0, "image"], **details}
        outputs[image] = {rule: [violation]}
    return ImageEvaluator(outputs)


def deployment(image: str, name: str = "web", **metadata: Any) -> dict[str, Any]:
    return workload("Deployment", pod_spec(image=image), name=name, **metadata)


def versions(action: EnforcementAction = EnforcementAction.DENY) -> tuple[PolicyVersion, PolicyVersion]:
    """Make stable and candidate; the action is the candidate's."""
    old = replace(version_of(POLICY, version="1.0.0"), digest=Digest(OLD))
    new = replace(version_of(POLICY, version="1.1.0", action=action), digest=Digest(NEW))
    return old, new


def rolling_out(mode: Mode, *, stable: str | None = OLD) -> Rollout:
    """Make a rollout whose candidate is evaluated in this mode everywhere."""
    step = Step(Mode.ENFORCE if mode is Mode.SHADOW else mode, 5, HOUR_NS)
    rollout = begun(Strategy(steps=(step, Step(Mode.ENFORCE, 100))), stable=stable)
    return replace(rollout, threshold=NOBODY if mode is Mode.SHADOW else EVERYBODY)


class Rehearsal:
    """One process in the middle of a rollout."""

    def __init__(
        self,
        *,
        old: ImageEvaluator | None,
        new: ImageEvaluator | None,
        mode: Mode = Mode.SHADOW,
        limits: JournalLimits | None = None,
        exceptions: Sequence[PolicyException] = (),
        new_action: EnforcementAction = EnforcementAction.DENY,
        store: MemoryStore | None = None,
        replica: str = "one",
    ) -> None:
        self.clock = FakeClock()
        self.store = store or MemoryStore()
        self.observer = MemoryObserver()
        limits = replace(limits or JournalLimits(), pace=TIRELESS)
        self.journal = Journal(self.store, self.clock, self.observer, replica, limits)
        rollout = rolling_out(mode, stable=None if old is None else OLD)
        route = route_of(rollout.stable, rollout)
        old_version, new_version = versions(new_action)
        loaded = [
            (version, evaluator, route)
            for version, evaluator in ((old_version, old), (new_version, new))
            if evaluator is not None
        ]
        self.snapshot = HeldSnapshot(*loaded, exceptions={POLICY: tuple(exceptions)})
        self.decider = Decider(self.snapshot, DecisionRules(), self.clock, self.journal)

    async def submit(self, sent: Any, **fields: Any) -> Decision:
        """Decide a request, a millisecond after the last one."""
        self.clock.advance(0.001)
        return await self.decider.validate(review_of(sent, **fields), FAR_NS)

    async def settle(self) -> Evidence:
        """Let the journal work off what waits, store it, and give the candidate's evidence."""
        await self.work_off()
        assert await self.journal.flush()
        return await self.evidence()

    async def work_off(self) -> None:
        working = asyncio.create_task(self.journal.run())
        await until(lambda: not self.journal.waiting)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    async def evidence(self) -> Evidence:
        return await self.store.evidence(NEW, OLD)

    async def eventually_findings(self) -> Sequence[Finding]:
        """Wait until somebody stores findings."""
        async with asyncio.timeout(30):
            while not (found := await self.findings()):  # noqa: ASYNC110  the store tells nobody, either
                await asyncio.sleep(0.005)
        return found

    async def findings(self) -> Sequence[Finding]:
        return await self.store.findings(FindingQuery(limit=1_000_000))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so, and a little longer."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  the journal tells nobody when it is done
            await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(journal: Journal) -> AsyncIterator[None]:
    """Run a journal in the background, as a serving process does, and end it as one does."""
    task = asyncio.create_task(journal.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await journal.aclose()
