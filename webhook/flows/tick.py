"""The tick: one leader among the processes lets happen what is due; the others only watch.

Read rollouts and evidence, decide by the pure state machine, store by compare-and-swap, then announce.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webhook.flows.starting import Starter
from webhook.policy.catalog import Catalog
from webhook.ports.clock import Clock
from webhook.ports.observer import Observer, RolloutStanding
from webhook.ports.store import ROLLOUT_LEASE, Store, StoreError
from webhook.rollout.assessment import assess
from webhook.rollout.cohort import cohort_of, eligible_members, members
from webhook.rollout.duration import DAY_NS, HOUR_NS
from webhook.rollout.evidence import Evidence
from webhook.rollout.life import Checks, Phase, Rollout
from webhook.rollout.states import advance


@dataclass(frozen=True, slots=True)
class TickSettings:
    """How the leader works."""

    interval_seconds: float = 1.0
    lease_ns: int = 15_000_000_000
    retention_ns: int = 90 * DAY_NS


class Leader:
    """Runs the tick while it holds the lease."""

    def __init__(
        self,
        store: Store,
        starter: Starter,
        catalog: Callable[[], Catalog],
        observer: Observer,
        clock: Clock,
        holder: str,
        settings: TickSettings,
    ) -> None:
        """Take the parts; `holder` is unique to this process, `catalog` gives what the files hold now."""
        self._store = store
        self._starter = starter
        self._catalog = catalog
        self._observer = observer
        self._clock = clock
        self._holder = holder
        self._settings = settings
        self._settled: tuple[Catalog, int] | None = None
        self._pruned_ns = 0
        self._checking: dict[tuple[str, int], asyncio.Task[None]] = {}
        self.leads = False
        """Whether this process led at its last tick."""
        self.failure: str | None = None
        """Why the last tick could not be done; None when it could."""

    @property
    def is_checking(self) -> bool:
        """Whether tests of a candidate are running."""
        return bool(self._checking)

    async def run(self) -> None:
        """Tick until cancelled, then give the lease up."""
        try:
            while True:
                await self.tick()
                await asyncio.sleep(self._settings.interval_seconds)
        finally:
            for task in self._checking.values():
                task.cancel()
            await asyncio.gather(*self._checking.values(), return_exceptions=True)
            await self._resign()

    async def tick(self) -> None:
        """Do what is due; a store that fails holds every rollout, and is tried again at the next tick."""
        try:
            await self._tick()
        except StoreError as error:
            if self.failure != str(error):
                self.failure = str(error)
                self._observer.store_failed("lead the rollouts", self.failure)
            return
        self.failure = None

    async def _tick(self) -> None:
        now_ns = self._clock.now_ns()
        lease = await self._store.lead(ROLLOUT_LEASE, self._holder, now_ns, self._settings.lease_ns)
        self.leads = lease.holder == self._holder
        if not self.leads:
            self._observer.rollouts_observed(())
            return
        await self._settle()
        namespaces = await self._store.namespaces()
        standings: list[RolloutStanding] = []
        for rollout in await self._store.rollouts(active=True):
            self._start_checks(rollout)
            evidence = await self._read_evidence(rollout)
            outcome = advance(rollout, evidence, self._clock.now_ns(), namespaces)
            if outcome is not None:
                await self._starter.commit(outcome)
                rollout = outcome.rollout  # noqa: PLW2901 - how it stands from here on
            standings.append(_stand(rollout, evidence, namespaces, self._clock.now_ns()))
        self._observer.rollouts_observed(standings)
        await self._prune(now_ns)

    async def _settle(self) -> None:
        """Look at the files when they or the rollouts have changed; a missing file is looked at every time."""
        catalog = self._catalog()
        seen = (catalog, await self._store.generation())
        if self._settled != seen or self._starter.waits:
            await self._starter.settle(catalog)
            self._settled = (catalog, await self._store.generation())

    def _start_checks(self, rollout: Rollout) -> None:
        key = (rollout.id, rollout.attempt)
        if (
            rollout.phase is not Phase.PENDING
            or rollout.checks is not Checks.RUNNING
            or key in self._checking
        ):
            return
        # Tests may take longer than the lease lasts: beside the tick, not within it.
        task = asyncio.create_task(self._check(rollout))
        self._checking[key] = task
        task.add_done_callback(lambda _: self._checking.pop(key, None))

    async def _check(self, rollout: Rollout) -> None:
        try:
            await self._starter.check(rollout, self._catalog())
        except StoreError as error:
            self._observer.store_failed("note how a candidate's tests went", str(error))

    async def _read_evidence(self, rollout: Rollout) -> Evidence | None:
        try:
            return await self._store.evidence(rollout.candidate, rollout.stable)
        except StoreError as error:
            self._observer.store_failed("read evidence", str(error))
            return None

    async def _prune(self, now_ns: int) -> None:
        if now_ns - self._pruned_ns < HOUR_NS:
            return
        self._pruned_ns = now_ns
        await self._store.prune(now_ns - self._settings.retention_ns, now_ns)

    async def _resign(self) -> None:
        try:
            await self._store.resign(ROLLOUT_LEASE, self._holder)
        except StoreError:
            # The lease expires by itself.
            self.leads = False


def _stand(
    rollout: Rollout, evidence: Evidence | None, namespaces: Sequence[str], now_ns: int
) -> RolloutStanding:
    selection = rollout.strategy.namespaces
    eligible = eligible_members(rollout.salt, selection, namespaces)
    inside = members(cohort_of(rollout.salt, selection, rollout.threshold), eligible)
    assessment = assess(rollout, evidence, now_ns)
    return RolloutStanding(rollout, evidence, assessment, len(inside), len(eligible))
