"""What `gradate serve` serves: the application of each process, and the operations API of the first."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from webhook.compose.clock import SystemClock
from webhook.compose.operators import StoreOperators
from webhook.compose.store import open_store
from webhook.compose.strategies import Strategies
from webhook.decision.judge import ExistingViolations
from webhook.engines.factory import EngineFactory
from webhook.flows.checks import Checks
from webhook.flows.decide import Decider
from webhook.flows.journal import Journal
from webhook.flows.judging import DecisionRules
from webhook.flows.probes import PROBE_SUFFIX, Probes
from webhook.flows.reload import Reloader
from webhook.flows.starting import Starter
from webhook.flows.tick import Leader, TickSettings
from webhook.policy.metadata import FailureAction
from webhook.ports.store import Store
from webhook.rollout.duration import DAY_NS, SECOND_NS
from webhook.server.application import Application
from webhook.server.checks import Health
from webhook.server.operations import Routes
from webhook.server.operations_api import OperationsApi
from webhook.server.serve import RoutesOf
from webhook.server.token import TokenFile
from webhook.settings.groups import AdmissionSettings, Settings
from webhook.sources.folder import FolderSource
from webhook.telemetry import vocabulary
from webhook.telemetry.process import ProcessTelemetry, product_version


@dataclass(frozen=True, slots=True)
class BuildApplication:
    """Builds what one serving process needs; picklable, because each worker builds its own."""

    settings: Settings

    async def __call__(self, telemetry: ProcessTelemetry) -> Application:
        """Load the policies and wire the deciders.

        Raises:
            SourceError: the policy folder cannot be read.
            PolicyError: a policy is broken.
            StoreError: the store cannot be used.
            RolloutError: a strategy contradicts itself.

        """
        settings, clock = self.settings, SystemClock()
        strategies = Strategies(settings.rollout)
        source = FolderSource(Path(settings.policies.folder))
        factory = EngineFactory(clock, settings.policies.step_budget)
        store = open_store(settings) if settings.rollout.enabled else None
        reloader = Reloader(source, factory, telemetry, clock, settings.policies.parameters, store)
        try:
            await reloader.load()
        except BaseException:
            await reloader.aclose()
            if store is not None:
                await store.aclose()
            raise
        rules = decision_rules(settings.admission)
        background = {"policies": reloader.watch} if settings.policies.watch else {}
        checks = {"policies": partial(_policies_health, reloader)}
        telemetry.metrics.gauge(
            vocabulary.RELOAD_FAILING, lambda: reloader.failure is not None, ("policies",)
        )
        journal: Journal | None = None
        if store is not None:
            name = _process_name()
            probes = self._build_probes(factory, rules, clock)
            leader = self._build_leader(store, reloader, strategies, probes, telemetry, clock, name)
            journal = Journal(store, clock, telemetry, name)
            background["store"] = lambda: reloader.follow(settings.rollout.tick_seconds)
            background["rollouts"] = leader.run
            background["journal"] = journal.run
            checks["store"] = partial(_store_health, reloader, leader, journal)
            _show_store(telemetry, reloader, leader, journal)
        decider = Decider(reloader, rules, clock, journal)

        async def aclose() -> None:
            if journal is not None:
                await journal.aclose()
            await reloader.aclose()
            if store is not None:
                await store.aclose()

        return Application(
            deciders={"validate": decider.validate, "mutate": decider.mutate},
            checks=checks,
            background=background,
            aclose=aclose,
        )

    def _build_probes(self, factory: EngineFactory, rules: DecisionRules, clock: SystemClock) -> Probes:
        folder = Path(self.settings.policies.tests)
        source = FolderSource(folder, optional=not folder.is_dir(), suffix=PROBE_SUFFIX)
        return Probes(source, factory, rules, clock)

    def _build_leader(
        self,
        store: Store,
        reloader: Reloader,
        strategies: Strategies,
        probes: Probes,
        telemetry: ProcessTelemetry,
        clock: SystemClock,
        name: str,
    ) -> Leader:
        settings = self.settings
        folder = Path(settings.policies.tests)
        # One that was there and is gone must not let a candidate begin untested.
        tests = FolderSource(folder, optional=not folder.is_dir())
        grace_ns = int(settings.rollout.deletion_grace_seconds * SECOND_NS)
        checks = Checks(tests, clock, probes)
        starter = Starter(store, checks, strategies.of, telemetry, clock, grace_ns)
        tick = TickSettings(
            interval_seconds=settings.rollout.tick_seconds,
            lease_ns=int(settings.rollout.lease_seconds * SECOND_NS),
            retention_ns=settings.rollout.retention_days * DAY_NS,
        )
        return Leader(store, starter, lambda: reloader.catalog, telemetry, clock, name, tick)


@contextmanager
def operations_routes(settings: Settings) -> Iterator[RoutesOf]:
    """Make the routes of the operations API, and its token; without rollouts there is nothing to operate.

    Raises:
        webhook.server.errors.TokenFileError: the token can be neither made nor read.
        webhook.rollout.errors.InvalidStrategy: a strategy contradicts itself.

    """
    if not settings.rollout.enabled:
        yield lambda _telemetry: ()
        return
    token = TokenFile(Path(settings.server.token_file))
    token.ensure()
    opened: list[StoreOperators] = []

    def routes(telemetry: ProcessTelemetry) -> Routes:
        operators = StoreOperators(settings, telemetry.rollout_changed)
        opened.append(operators)
        return OperationsApi(operators.open, token, settings.server.operations_user, product_version()).routes

    try:
        yield routes
    finally:
        for operators in opened:
            asyncio.run(operators.aclose())


def decision_rules(settings: AdmissionSettings) -> DecisionRules:
    """Translate the settings of admission."""
    return DecisionRules(
        existing_violations=ExistingViolations(settings.existing_violations),
        failure_action=FailureAction(settings.failure_action),
        exempt_namespaces=frozenset(settings.exempt_namespaces),
    )


def _policies_health(reloader: Reloader) -> Health:
    snapshot = reloader.current
    count = len(snapshot.versions)
    note = f"generation {snapshot.generation}, {count} version{'' if count == 1 else 's'} in force"
    if reloader.failure:
        # Still ready: the last good set serves.
        note += f"; the newest files are not in force: {reloader.failure}"
    return Health(ok=True, note=note)


def _store_health(reloader: Reloader, leader: Leader, journal: Journal) -> Health:
    failure = leader.failure or reloader.store_failure or journal.failure
    if failure:
        # Still ready: a store that is away holds rollouts, never admission.
        return Health(ok=True, note=f"rollouts hold, the store fails: {failure}")
    return Health(
        ok=True, note="leads the rollouts" if leader.leads else "another process leads the rollouts"
    )


def _show_store(telemetry: ProcessTelemetry, reloader: Reloader, leader: Leader, journal: Journal) -> None:
    """Expose whether this process leads, and what the store cannot do now."""
    show = telemetry.metrics.gauge
    show(vocabulary.LEADER, lambda: leader.leads and leader.failure is None)
    show(vocabulary.STORE_FAILING, lambda: leader.failure is not None, ("lead",))
    show(vocabulary.STORE_FAILING, lambda: reloader.store_failure is not None, ("follow",))
    show(vocabulary.STORE_FAILING, lambda: journal.failure is not None, ("journal",))


def _process_name() -> str:
    """Name this life of this process."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
