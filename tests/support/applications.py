"""Applications that a served process builds in tests; importable in worker processes, too."""

import asyncio
import os
import time
from collections.abc import Mapping

from webhook.admission.review import Review
from webhook.decision.decision import PASSED, Decision
from webhook.decision.verdict import Outcome, PolicyVerdict
from webhook.server.application import Application
from webhook.server.checks import Health
from webhook.server.endpoints import Decide
from webhook.telemetry.process import ProcessTelemetry


async def build_obedient(telemetry: ProcessTelemetry) -> Application:
    """An application whose deciders do what the object's name says."""
    deciders: Mapping[str, Decide] = {"validate": obey, "mutate": obey}
    return Application(deciders, checks={"snapshot": lambda: Health(ok=True, note="generation 1")})


async def build_nothing(telemetry: ProcessTelemetry) -> Application:
    """Fail as a missing policy folder would."""
    raise FileNotFoundError("policies: there is no such folder; pass --policies")


async def obey(review: Review, deadline_ns: int) -> Decision:
    match review.request.name.split("-"):
        case ["sleep", milliseconds]:
            await asyncio.sleep(int(milliseconds) / 1000)
        case ["hang"]:
            time.sleep(60)  # noqa: ASYNC251  a loop that hangs is the point
        case ["die"]:
            os._exit(9)
        case ["deny"]:
            verdict = PolicyVerdict("obedience", "1.0.0", Outcome.DENY, duration_ns=1000)
            return Decision(allowed=False, outcome=Outcome.DENY, code=403, verdicts=(verdict,))
        case _:
            pass
    return PASSED
