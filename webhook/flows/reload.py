"""Reload: policy files and the store's state become a Snapshot, built aside and swapped whole.

Whatever is broken changes nothing: the last good snapshot keeps serving.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from webhook.flows.governance import Governed, StoreState, govern, read_state
from webhook.flows.snapshot import LoadedVersion, Snapshot
from webhook.flows.stored_versions import stored_version
from webhook.policy.catalog import Catalog, override_parameters, read_catalog
from webhook.policy.errors import PolicyError
from webhook.policy.index import MatchIndex
from webhook.policy.version import Digest, PolicyVersion
from webhook.ports.clock import Clock
from webhook.ports.evaluator import Evaluator, EvaluatorFactory
from webhook.ports.observer import Observer
from webhook.ports.source import PolicySource, SourceError
from webhook.ports.store import Store, StoreError
from webhook.rego.ast import Source
from webhook.rollout.policy_exception import PolicyException

# Longer than any request may take, so nobody evaluates on what is closed.
_RETIREMENT_SECONDS = 60.0
_NO_POLICY = (
    "the policy folder holds no policy; put a .rego file with deny, warn, violation or patch rules into it, "
    "or name another folder with --policies"
)


class Reloader:
    """Holds the snapshot in force and replaces it when files or rollouts change."""

    def __init__(
        self,
        source: PolicySource,
        factory: EvaluatorFactory,
        observer: Observer,
        clock: Clock,
        parameters: Mapping[str, Mapping[str, Any]],
        store: Store | None = None,
    ) -> None:
        """Take the parts; without a store the files decide everywhere, at once."""
        self._source = source
        self._factory = factory
        self._observer = observer
        self._clock = clock
        self._parameters = parameters
        self._store = store
        self._current = Snapshot(0, clock.now(), (), MatchIndex(()))
        self._catalog = Catalog()
        self._state: StoreState | None = None
        # Of everything that serves or stands in the files: a candidate is compiled before it starts.
        self._evaluators: dict[Digest, Evaluator] = {}
        self._building = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self.failure: str | None = None
        """Why the newest files are not in force; None when they are."""
        self.store_failure: str | None = None
        """Why the store's newest state is not in force; None when it is."""

    @property
    def current(self) -> Snapshot:
        """The snapshot in force."""
        return self._current

    @property
    def catalog(self) -> Catalog:
        """What the files hold, as last read without an error."""
        return self._catalog

    async def load(self) -> None:
        """Read the files, compile what is new, and swap.

        Raises:
            SourceError: the source cannot be read.
            PolicyError: a policy is broken, or there is none.
            StoreError: there is no last good state, and the store cannot be read.

        """
        async with self._building:
            try:
                sources = await self._source.read()
                # Parsing takes milliseconds a policy: not on the loop that answers requests.
                catalog = await asyncio.to_thread(self._read_catalog, sources)
                await self._prepare(catalog)
                await self._build(catalog.without_modules())
            except (SourceError, PolicyError) as error:
                self.failure = str(error)
                if self._current.generation:
                    # The first time nothing can serve: whoever starts the process is told by the exception.
                    self._observer.reload_failed(self.failure)
                raise
            self.failure = None

    async def watch(self) -> None:
        """Reload after every change of the files, until cancelled."""
        async with aclosing(self._source.changes()) as changes:
            async for _ in changes:
                try:
                    await self.load()
                except (SourceError, PolicyError, StoreError):
                    # Told to the observer; the last good set keeps serving.
                    continue

    async def follow(self, interval_seconds: float) -> None:
        """Take over what changes in the store, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(interval_seconds)

    async def refresh(self) -> None:
        """Take over what changed in the store, if anything did; when it cannot be read, nothing changes."""
        if self._store is None:
            return
        try:
            generation = await self._store.generation()
            stale = self._state is None or generation != self._state.generation or self.store_failure
            if stale:
                async with self._building:
                    # Without news there is nothing to build.
                    await self._build(self._catalog, must_read=True)
        except (StoreError, PolicyError) as error:
            if self.store_failure != str(error):
                self.store_failure = str(error)
                self._observer.store_failed("read what is stable and what is rolling out", str(error))
            return
        self.store_failure = None

    async def aclose(self) -> None:
        """Close every evaluator."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await _close(self._evaluators.values())

    def _read_catalog(self, sources: Sequence[Source]) -> Catalog:
        catalog = read_catalog(sources)
        if not catalog.policies:
            # A folder that is empty by mistake, such as a mount that failed, must not open the gate.
            raise PolicyError(_NO_POLICY)
        return override_parameters(catalog, self._parameters)

    async def _prepare(self, catalog: Catalog) -> None:
        """Compile what the files hold and is new, so that every mistake shows when it is saved."""
        built: dict[Digest, Evaluator] = {}
        broken: list[str] = []
        for version in catalog.policies:
            if version.digest not in self._evaluators:
                try:
                    built[version.digest] = await self._factory.build(version)
                except PolicyError as error:
                    broken.append(str(error))
        if broken:
            await _close(built.values())
            raise PolicyError("\n".join(broken))
        self._evaluators.update(built)

    async def _build(self, catalog: Catalog, *, must_read: bool = False) -> None:
        """Build and swap; `self._building` is held."""
        state = None
        if self._store is not None:
            try:
                state = await self._read_state(self._store, catalog)
            except StoreError:
                if self._state is None or must_read:
                    raise
                # New files cannot start anything while the store is away; what serves goes on.
                state = self._state
        governed = govern(catalog, state)
        versions = await self._load_versions(governed)
        self._catalog, self._state = catalog, state
        index = MatchIndex([loaded.version for loaded in versions])
        exceptions = _by_policy(() if state is None else state.exceptions, self._clock.now_ns())
        generation = self._current.generation + 1
        self._current = Snapshot(generation, self._clock.now(), versions, index, exceptions)
        self._retire()
        served = [(loaded.version.name, loaded.version.semantic_version) for loaded in versions]
        self._observer.snapshot_loaded(self._current.generation, self._current.built_at, served)

    async def _read_state(self, store: Store, catalog: Catalog) -> StoreState:
        known: dict[str, PolicyVersion] = {
            loaded.version.digest: loaded.version for loaded in self._current.versions
        }
        state = await read_state(store, catalog, known)
        if not state.stables and not await store.rollouts():
            # The first start of a new store: nothing was in force before, so what there is becomes stable.
            now_ns = self._clock.now_ns()
            await store.put_versions(*(stored_version(version, now_ns) for version in catalog.policies))
            await store.adopt_stables({version.name: version.digest for version in catalog.policies})
            names = ", ".join(version.name for version in catalog.policies) or "none"
            self._observer.rollout_noted("*", f"the store is new: all loaded policies are stable ({names})")
            state = await read_state(store, catalog, known)
        return state

    async def _load_versions(self, governed: Sequence[Governed]) -> tuple[LoadedVersion, ...]:
        versions: list[LoadedVersion] = []
        for one in governed:
            evaluator = self._evaluators.get(one.version.digest)
            if evaluator is None:
                evaluator = self._evaluators[one.version.digest] = await self._factory.build(one.version)
            versions.append(LoadedVersion(one.version, evaluator, one.route))
        return tuple(versions)

    def _retire(self) -> None:
        """Let go of what neither serves nor stands in the files, once nobody can be evaluating on it."""
        needed = {loaded.version.digest for loaded in self._current.versions}
        needed.update(version.digest for version in self._catalog.policies)
        gone = [self._evaluators.pop(digest) for digest in self._evaluators.keys() - needed]
        if gone:
            task = asyncio.create_task(_close_later(gone))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)


def _by_policy(
    exceptions: Iterable[PolicyException], now_ns: int
) -> Mapping[str, tuple[PolicyException, ...]]:
    found: defaultdict[str, list[PolicyException]] = defaultdict(list)
    for exception in exceptions:
        if exception.is_in_force(now_ns):
            found[exception.policy].append(exception)
    return {policy: tuple(granted) for policy, granted in found.items()}


async def _close_later(evaluators: Sequence[Evaluator]) -> None:
    try:
        await asyncio.sleep(_RETIREMENT_SECONDS)
    finally:
        await _close(evaluators)


async def _close(evaluators: Iterable[Evaluator]) -> None:
    for evaluator in evaluators:
        await evaluator.aclose()
