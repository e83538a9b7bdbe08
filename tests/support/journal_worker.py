"""A process that journals requests to a SQLite store until it is killed, and says which it has decided.

Usage: python -m tests.support.journal_worker PATH REPLICA FIRST

Every third workload is denied by the candidate, which is shadow-evaluated. After each decision it prints the
workload's number and the monotonic time in nanoseconds.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from tests.support.flows import HeldSnapshot, MemoryObserver
from tests.support.rehearsal import TIRELESS, denying, deployment, rolling_out, versions
from tests.support.reviews import review_of
from webhook.compose.clock import SystemClock
from webhook.flows.decide import Decider
from webhook.flows.journal import Journal, JournalLimits
from webhook.flows.judging import DecisionRules
from webhook.rollout.route import route_of
from webhook.rollout.strategy import Mode
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore

FLUSH_SECONDS = 0.05
BAD, GOOD = "bad", "good"


def is_denied(number: int) -> bool:
    return number % 3 == 0


def name_of(number: int) -> str:
    return f"web-{number}"


async def work(path: Path, replica: str, first: int) -> None:
    clock = SystemClock()
    store = SqliteStore(SqliteOptions(path, busy_seconds=30))
    journal = Journal(
        store, clock, MemoryObserver(), replica, JournalLimits(flush_seconds=FLUSH_SECONDS, pace=TIRELESS)
    )
    rollout = rolling_out(Mode.SHADOW)
    old, new = versions()
    route = route_of(rollout.stable, rollout)
    snapshot = HeldSnapshot((old, denying(), route), (new, denying(BAD), route))
    decider = Decider(snapshot, DecisionRules(), clock, journal)
    running = asyncio.create_task(journal.run())
    number = first
    while not running.done():
        sent = deployment(BAD if is_denied(number) else GOOD, name_of(number))
        await decider.validate(review_of(sent), clock.monotonic_ns() + 10**10)
        os.write(1, f"{number} {time.monotonic_ns()}\n".encode())
        number += 1
        await asyncio.sleep(0.001)
    await running


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
