"""Starting: what the leader does when the files hold other versions than before.

Every step is stored before the next, and all of it can be done again: a leader that dies half way is followed by
one that goes on.
"""

import secrets
from collections.abc import Callable, Sequence

from webhook.flows.checks import CheckResult, Checks
from webhook.flows.governance import restore_stored
from webhook.flows.stored_versions import stored_version
from webhook.policy.catalog import Catalog
from webhook.policy.errors import PolicyError
from webhook.policy.version import PolicyVersion
from webhook.ports.clock import Clock
from webhook.ports.observer import Observer
from webhook.ports.store import RevisionConflict, RolloutExists, Store
from webhook.rollout.duration import SECOND_NS
from webhook.rollout.evidence import Evidence
from webhook.rollout.life import ENGINE, Event, Order, Outcome, Phase, Rollout, RolloutId
from webhook.rollout.states import record_checks, start, supersede, withdraw
from webhook.rollout.strategy import Strategy, narrow_strategy

DELETION_GRACE_NS = 30 * SECOND_NS
"""How long a policy's file must be gone before the policy is: editors and `git checkout` take files away for a while."""

StrategyOf = Callable[[str], Strategy]
"""Gives the strategy of a policy by name."""


class Starter:
    """Starts, supersedes and withdraws rollouts as the files change; only the leader has one at work."""

    def __init__(
        self,
        store: Store,
        checks: Checks,
        strategy_of: StrategyOf,
        observer: Observer,
        clock: Clock,
        deletion_grace_ns: int = DELETION_GRACE_NS,
    ) -> None:
        self._deletion_grace_ns = deletion_grace_ns
        self._store = store
        self._checks = checks
        self._strategy_of = strategy_of
        self._observer = observer
        self._clock = clock
        self._missing_since_ns: dict[str, int] = {}
        self._noted: set[tuple[str, str]] = set()
        self._settled: dict[str, str] = {}
        """Digest by policy, as the files held it when all was settled."""

    @property
    def waits(self) -> bool:
        """Whether a file is gone and its grace is running."""
        return bool(self._missing_since_ns)

    async def settle(self, catalog: Catalog) -> None:
        """Make the store know what the files hold.

        Raises:
            StoreError: the store cannot be read or written; nothing is lost, it is tried again.

        """
        stables = await self._store.stables()
        for version in catalog.policies:
            await self._settle_version(version, stables.get(version.name))
            self._settled[version.name] = version.digest
        await self._settle_deleted({version.name for version in catalog.policies})

    async def check(self, rollout: Rollout, catalog: Catalog) -> None:
        """Run the checks of a pending candidate and note how they went.

        Raises:
            StoreError: what was found cannot be stored.

        """
        version = catalog.get(rollout.policy)
        if version is None or version.digest != rollout.candidate:
            # Somebody started what the files do not hold.
            try:
                version = await restore_stored(self._store, rollout.policy, rollout.candidate)
            except PolicyError as error:
                await self._note_checks(rollout, CheckResult(passed=False, message=str(error)))
                return
        await self._note_checks(rollout, await self._checks.run(version, catalog.tests))

    async def _note_checks(self, rollout: Rollout, result: CheckResult) -> None:
        outcome = record_checks(
            rollout, passed=result.passed, message=result.message, now_ns=self._clock.now_ns()
        )
        await self.commit(outcome)

    async def commit(self, outcome: Outcome) -> bool:
        """Store a decision, then announce it; False when somebody else was faster.

        Raises:
            StoreError: it cannot be stored.

        """
        try:
            rollout = await self._store.commit(outcome)
        except (RevisionConflict, RolloutExists):
            return False
        if outcome.transition is not None:
            self._observer.rollout_changed(outcome.transition, rollout)
        return True

    async def _settle_version(self, version: PolicyVersion, stable: str | None) -> None:
        rollouts = await self._store.rollouts(version.name)
        active = next((rollout for rollout in rollouts if rollout.phase.is_active), None)
        if active is not None and active.candidate == version.digest:
            return
        if await self._is_overruled(version, rollouts, stable):
            return
        if version.digest == stable:
            if active is not None:
                await self._supersede(active, version)
            return
        latest = next((rollout for rollout in rollouts if rollout.candidate == version.digest), None)
        if latest is not None and latest.phase is Phase.DEGRADED:
            self._note_once(
                version,
                f"version {version.semantic_version} was given up before ({latest.message}) and does not start "
                f"again; change it, or run: gradate rollout retry {version.name}",
            )
            return
        await self._start(version, stable, active)

    async def _is_overruled(
        self, version: PolicyVersion, rollouts: Sequence[Rollout], stable: str | None
    ) -> bool:
        """Tell whether somebody started another version on purpose, knowing this one; changed files end that."""
        if self._settled.get(version.name, version.digest) != version.digest:
            return False
        chosen = next(
            (
                rollout
                for rollout in rollouts
                if rollout.candidate != version.digest
                and (
                    rollout.phase.is_active
                    or (rollout.phase is Phase.HEALTHY and rollout.candidate == stable)
                )
            ),
            None,
        )
        if chosen is None:
            return False
        orders = [
            transition
            for transition in await self._store.transitions(chosen.id)
            if transition.event in (Event.START, Event.RETRY)
        ]
        if not orders or orders[-1].actor == ENGINE:
            return False
        known = {stored.digest: stored for stored in await self._store.versions(version.name)}
        stored = known.get(version.digest)
        if stored is None or stored.first_seen_ns > orders[-1].at_ns:
            return False
        self._note_once(
            version,
            f"the files hold version {version.semantic_version}, but {orders[-1].actor} started "
            f"{chosen.version}; for the files' own run: gradate rollout start {version.name}",
        )
        return True

    async def _start(self, version: PolicyVersion, stable: str | None, active: Rollout | None) -> None:
        now_ns = self._clock.now_ns()
        for earlier in await self._store.versions(version.name):
            if earlier.version == version.semantic_version and earlier.digest != version.digest:
                self._note_once(
                    version,
                    f"version {version.semantic_version} has changed content under an unchanged number; "
                    f"it is told apart by its digest {version.digest}",
                )
                break
        await self._store.put_versions(stored_version(version, now_ns))
        if active is not None and not await self._supersede(active, version):
            return
        judged = version.metadata.match.namespaces
        outcome = start(
            RolloutId(f"{version.name}-{secrets.token_hex(4)}"),
            version.name,
            candidate=version.digest,
            version=version.semantic_version,
            stable=stable,
            strategy=narrow_strategy(self._strategy_of(version.name), judged.include, judged.exclude),
            seed=secrets.token_hex(16),
            order=Order(ENGINE),
            now_ns=now_ns,
        )
        await self.commit(outcome)

    async def _supersede(self, active: Rollout, version: PolicyVersion) -> bool:
        evidence = await self._evidence(active)
        return await self.commit(supersede(active, version.semantic_version, self._clock.now_ns(), evidence))

    async def _evidence(self, rollout: Rollout) -> Evidence:
        return await self._store.evidence(rollout.candidate, rollout.stable)

    async def _settle_deleted(self, present: set[str]) -> None:
        now_ns = self._clock.now_ns()
        known = set(await self._store.stables())
        active = {rollout.policy: rollout for rollout in await self._store.rollouts(active=True)}
        missing = (known | active.keys()) - present
        self._missing_since_ns = {policy: self._missing_since_ns.get(policy, now_ns) for policy in missing}
        for policy, since_ns in self._missing_since_ns.items():
            if now_ns - since_ns < self._deletion_grace_ns:
                continue
            if policy in active:
                evidence = await self._evidence(active[policy])
                if not await self.commit(withdraw(active[policy], now_ns, evidence)):
                    continue
            if policy in known:
                await self._store.forget_policy(policy)
                self._observer.rollout_noted(policy, "its file is gone; the policy is no longer in force")

    def _note_once(self, version: PolicyVersion, message: str) -> None:
        if (version.digest, message) not in self._noted:
            self._noted.add((version.digest, message))
            self._observer.rollout_noted(version.name, message)
