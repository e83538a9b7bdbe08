"""The one composition point: builds the real objects from the settings."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from webhook.decision.judge import ExistingViolations
from webhook.engines.factory import EngineFactory
from webhook.flows.decide import Decider
from webhook.flows.judging import DecisionRules
from webhook.flows.reload import Reloader
from webhook.policy.metadata import FailureAction
from webhook.server.application import Application
from webhook.server.checks import Health
from webhook.settings.groups import AdmissionSettings, Settings
from webhook.sources.folder import FolderSource
from webhook.telemetry.process import ProcessTelemetry


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Give the wall time in UTC."""
        return datetime.now(UTC)

    def now_ns(self) -> int:
        """Give the wall time in nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Give nanoseconds since some moment in the past."""
        return time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class BuildApplication:
    """Builds what one serving process needs; picklable, because each worker builds its own."""

    settings: Settings

    async def __call__(self, telemetry: ProcessTelemetry) -> Application:
        """Load the policies and wire the deciders.

        Raises:
            webhook.ports.source.SourceError: the policy folder cannot be read.
            webhook.policy.errors.PolicyError: a policy is broken.

        """
        settings, clock = self.settings, SystemClock()
        source = FolderSource(Path(settings.policies.folder))
        factory = EngineFactory(clock, settings.policies.step_budget)
        reloader = Reloader(source, factory, telemetry, clock, settings.policies.parameters)
        await reloader.load()
        decider = Decider(reloader, decision_rules(settings.admission), clock)

        def policies_health() -> Health:
            snapshot = reloader.current
            note = f"generation {snapshot.generation}, {len(snapshot.versions)} policies"
            if reloader.failure:
                # Still ready: the last good set serves.
                note += f"; the newest files are not in force: {reloader.failure}"
            return Health(ok=True, note=note)

        return Application(
            deciders={"validate": decider.validate, "mutate": decider.mutate},
            checks={"policies": policies_health},
            background={"policies": reloader.watch} if settings.policies.watch else {},
            aclose=reloader.aclose,
        )


def decision_rules(settings: AdmissionSettings) -> DecisionRules:
    """Translate the settings of admission."""
    return DecisionRules(
        existing_violations=ExistingViolations(settings.existing_violations),
        failure_action=FailureAction(settings.failure_action),
        exempt_namespaces=frozenset(settings.exempt_namespaces),
    )
