"""A process that writes to a SQLite store until it is killed, and says what was acknowledged.

Usage: python -m tests.support.store_worker PATH NAME FIRST COUNT

For each number it records a workload with its finding, then judges the finding, and prints both once the store
has acknowledged them.
"""

import asyncio
import sys
from pathlib import Path

from webhook.ports.store import EvidenceBatch
from webhook.rollout.evidence import Counters
from webhook.rollout.finding import Finding, FindingKind, Judgement, Verdict, WorkloadDigest, finding_id
from webhook.rollout.strategy import Mode
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore

VERSION = "sha256:new"


def finding_of(number: int) -> Finding:
    workload = WorkloadDigest(f"{number:032x}")
    identity = finding_id(VERSION, "deny", workload)
    return Finding(
        identity, "p", VERSION, "deny", FindingKind.NEWLY_DENIED, workload, "ns", f"Deployment/{number}", 1, 1
    )


def say(deed: str, number: int) -> None:
    sys.stdout.write(f"{deed} {number}\n")
    sys.stdout.flush()


async def write(path: Path, name: str, first: int, count: int) -> None:
    store = SqliteStore(SqliteOptions(path, busy_seconds=30))
    for number in range(first, first + count):
        finding = finding_of(number)
        counters = {(VERSION, Mode.SHADOW): Counters(evaluations=number - first + 1)}
        await store.record(EvidenceBatch(name, number, [finding], counters=counters))
        say("recorded", number)
        await store.judge([finding.id], Judgement(Verdict.TRUE_POSITIVE, name, "", number))
        say("judged", number)
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
