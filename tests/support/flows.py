"""Ports for the tests of flows: a source in memory, observers that remember, evaluators that do as they are told."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime

from tests.support.clocks import FakeClock
from webhook.engines.compiled import compile_policy
from webhook.flows.snapshot import LoadedVersion, Snapshot
from webhook.flows.trial import Trial
from webhook.policy.errors import PolicySyntaxError
from webhook.policy.index import MatchIndex
from webhook.policy.version import PolicyVersion
from webhook.ports.evaluator import Evaluation, EvaluationFailure, Evaluator, Purpose
from webhook.ports.observer import JournalReport, RolloutStanding
from webhook.ports.source import SourceError
from webhook.rego.ast import Source
from webhook.rollout.life import Rollout, Transition
from webhook.rollout.policy_exception import PolicyException
from webhook.rollout.route import Route


class MemorySource:
    """Policy files in a dictionary; `save` wakes whoever watches."""

    def __init__(self, **files: str) -> None:
        self.files: dict[str, str] = {f"policies/{name}.rego": text for name, text in files.items()}
        self.failure: SourceError | None = None
        self._saved = asyncio.Event()

    async def read(self) -> Sequence[Source]:
        if self.failure is not None:
            raise self.failure
        return [Source(path, text) for path, text in sorted(self.files.items())]

    async def changes(self) -> AsyncGenerator[None, None]:
        while True:
            await self._saved.wait()
            self._saved.clear()
            yield

    def save(self, name: str, text: str) -> None:
        self.files[f"policies/{name}.rego"] = text
        self._saved.set()


class MemoryObserver:
    """Remembers what it hears, as lines."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.transitions: list[Transition] = []
        self.reports: list[JournalReport] = []
        self.standings: Sequence[RolloutStanding] = ()

    def snapshot_loaded(
        self, generation: int, built_at: datetime, policies: Sequence[tuple[str, str]]
    ) -> None:
        self.heard.append("loaded " + " ".join(f"{name}@{version}" for name, version in policies))

    def reload_failed(self, reason: str) -> None:
        self.heard.append(f"reload failed: {reason}")

    def rollout_changed(self, transition: Transition, rollout: Rollout) -> None:
        self.transitions.append(transition)

    def rollout_noted(self, policy: str, message: str) -> None:
        self.heard.append(f"{policy}: {message}")

    def store_failed(self, doing: str, reason: str) -> None:
        self.heard.append(f"store failed to {doing}: {reason}")

    def journal_reported(self, report: JournalReport) -> None:
        self.reports.append(report)

    def rollouts_observed(self, standings: Sequence[RolloutStanding]) -> None:
        self.standings = standings


class ScriptedEvaluator:
    """Answers what it was told to; counts what it was asked."""

    engine = "scripted"

    def __init__(
        self,
        outputs: Mapping[str, Sequence[object]] | None = None,
        *,
        failure: str | None = None,
        in_process: bool = True,
        mutates: bool = False,
    ) -> None:
        self.outputs = outputs or {}
        self.failure = failure
        self.in_process = in_process
        self.mutates = mutates
        self.asked: list[Mapping[str, object]] = []
        self.closed = False

    async def evaluate(
        self, document: Mapping[str, object], purpose: Purpose, deadline_ns: int
    ) -> Evaluation:
        self.asked.append(document)
        if not self.in_process:
            await asyncio.sleep(0)
        if self.failure is not None:
            return Evaluation(failure=EvaluationFailure("engine_crashed", self.failure))
        return Evaluation(self.outputs)

    async def aclose(self) -> None:
        self.closed = True


class CompilingFactory:
    """Compiles for real, and counts."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.parsed: list[bool] = []
        """Whether the modules of each were handed on as they had been parsed."""

    async def build(self, version: PolicyVersion) -> Evaluator:
        self.built.append(f"{version.name}@{version.semantic_version}")
        self.parsed.append(bool(version.modules))
        if "BROKEN" in version.sources[0].text:
            raise PolicySyntaxError(f"{version.path}: broken on purpose")
        return compile_policy(version, 100_000)


class MemorySink:
    """Keeps what decisions leave behind."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.namespaces: list[str] = []
        self.exceptions: list[str] = []

    def offer(self, trial: Trial) -> None:
        self.trials.append(trial)

    def saw_namespace(self, namespace: str) -> None:
        self.namespaces.append(namespace)

    def used_exception(self, identity: str) -> None:
        self.exceptions.append(identity)


class HeldSnapshot:
    """A snapshot that stays."""

    def __init__(
        self,
        *loaded: tuple[PolicyVersion, Evaluator] | tuple[PolicyVersion, Evaluator, Route | None],
        exceptions: Mapping[str, tuple[PolicyException, ...]] | None = None,
    ) -> None:
        versions = tuple(LoadedVersion(*entry) for entry in loaded)
        index = MatchIndex([entry.version for entry in versions])
        self.current = Snapshot(1, FakeClock().now(), versions, index, exceptions or {})
