"""Watching a rollout: looking at its status again and again until it is over.

Must not know how a status is shown.
"""

import asyncio
import time
from collections.abc import Callable

from webhook.cli.desks import Desk
from webhook.cli.errors import NoAnswer
from webhook.flows.rollout_status import RolloutName
from webhook.flows.rollout_views import RolloutStatus
from webhook.ports.store import StoreUnavailable
from webhook.server.operation_table import ROLLOUT_STATUS

PATIENCE_SECONDS = 60.0
"""How long a server or a store that answered before is waited for: it is started anew, mostly."""


async def watch_rollout(
    desk: Desk,
    name: str,
    show: Callable[[RolloutStatus], None],
    *,
    interval_seconds: float,
    patience_seconds: float = PATIENCE_SECONDS,
) -> RolloutStatus:
    """Show the status of a rollout whenever it is looked at, and give the last one.

    Raises:
        CommandError, StoreError: nobody answers at first, or any more.

    """
    found = await desk.ask(ROLLOUT_STATUS, RolloutName(name=name))
    show(found)
    answered = time.monotonic()
    while found.rollout.phase.is_active:
        await asyncio.sleep(interval_seconds)
        try:
            # By its id: a policy may stand for another rollout by the next look.
            found = await desk.ask(ROLLOUT_STATUS, RolloutName(name=found.rollout.id))
        except (NoAnswer, StoreUnavailable):
            if time.monotonic() - answered > patience_seconds:
                raise
            continue
        answered = time.monotonic()
        show(found)
    return found
