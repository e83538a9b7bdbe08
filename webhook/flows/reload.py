"""Reload: policy files become a Snapshot, built aside and swapped whole; a broken set changes nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from webhook.flows.snapshot import LoadedVersion, Snapshot
from webhook.policy.catalog import Catalog, override_parameters, read_catalog
from webhook.policy.errors import PolicyError
from webhook.policy.index import MatchIndex
from webhook.policy.version import Digest
from webhook.ports.clock import Clock
from webhook.ports.evaluator import Evaluator, EvaluatorFactory
from webhook.ports.observer import Observer
from webhook.ports.source import PolicySource, SourceError

# Longer than any request may take, so nobody evaluates on what is closed.
_RETIREMENT_SECONDS = 60.0


class Reloader:
    """Holds the snapshot in force and replaces it when its source changes."""

    def __init__(
        self,
        source: PolicySource,
        factory: EvaluatorFactory,
        observer: Observer,
        clock: Clock,
        parameters: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._source = source
        self._factory = factory
        self._observer = observer
        self._clock = clock
        self._parameters = parameters
        self._current = Snapshot(0, clock.now(), (), MatchIndex(()))
        self._retiring: set[asyncio.Task[None]] = set()
        self.failure: str | None = None
        """Why the newest files are not in force; None when they are."""

    @property
    def current(self) -> Snapshot:
        """The snapshot in force."""
        return self._current

    async def load(self) -> Snapshot:
        """Read, compile and swap.

        Raises:
            SourceError: the source cannot be read.
            PolicyError: a policy is broken; the last snapshot stays in force.

        """
        try:
            snapshot = await self._build()
        except (SourceError, PolicyError) as error:
            self.failure = str(error)
            self._observer.reload_failed(self.failure)
            raise
        previous, self._current, self.failure = self._current, snapshot, None
        self._retire(previous, snapshot)
        served = [(policy.version.name, policy.version.semantic_version) for policy in snapshot.versions]
        self._observer.snapshot_loaded(snapshot.generation, snapshot.built_at, served)
        return snapshot

    async def watch(self) -> None:
        """Reload after every change, until cancelled."""
        async with aclosing(self._source.changes()) as changes:
            async for _ in changes:
                try:
                    await self.load()
                except (SourceError, PolicyError):
                    # Told to the observer; the last good set keeps serving.
                    continue

    async def aclose(self) -> None:
        """Close every evaluator."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await _close(policy.evaluator for policy in self._current.versions)

    async def _build(self) -> Snapshot:
        sources = await self._source.read()
        # Parsing and compiling take milliseconds a policy: not on the loop that answers requests.
        catalog = await asyncio.to_thread(self._read_catalog, sources)
        known = {policy.version.digest: policy.evaluator for policy in self._current.versions}
        policies = await self._build_evaluators(catalog, known)
        index = MatchIndex([policy.version for policy in policies])
        return Snapshot(self._current.generation + 1, self._clock.now(), policies, index)

    def _read_catalog(self, sources: Sequence[Any]) -> Catalog:
        return override_parameters(read_catalog(sources), self._parameters)

    async def _build_evaluators(
        self, catalog: Catalog, known: Mapping[Digest, Evaluator]
    ) -> tuple[LoadedVersion, ...]:
        policies: list[LoadedVersion] = []
        built: list[Evaluator] = []
        broken: list[str] = []
        for version in catalog.policies:
            evaluator = known.get(version.digest)
            if evaluator is None:
                try:
                    evaluator = await self._factory.build(version)
                except PolicyError as error:
                    broken.append(str(error))
                    continue
                built.append(evaluator)
            policies.append(LoadedVersion(version, evaluator))
        if broken:
            await _close(built)
            raise PolicyError("\n".join(broken))
        return tuple(policies)

    def _retire(self, previous: Snapshot, current: Snapshot) -> None:
        kept = {id(policy.evaluator) for policy in current.versions}
        gone = [policy.evaluator for policy in previous.versions if id(policy.evaluator) not in kept]
        if gone:
            task = asyncio.create_task(_close_later(gone))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)


async def _close_later(evaluators: Sequence[Evaluator]) -> None:
    try:
        await asyncio.sleep(_RETIREMENT_SECONDS)
    finally:
        await _close(evaluators)


async def _close(evaluators: Any) -> None:
    for evaluator in evaluators:
        await evaluator.aclose()
