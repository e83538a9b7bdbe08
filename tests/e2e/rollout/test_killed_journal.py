"""A process that is killed loses at most its last moments, and never what would speak against a candidate."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.journal_worker import is_denied, name_of
from tests.support.rehearsal import NEW, OLD
from webhook.ports.store import FindingQuery
from webhook.rollout.evidence import Evidence
from webhook.rollout.strategy import Mode
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore

ROOT = Path(__file__).parents[3]
LOST_AT_MOST_NS = 1_000_000_000
KILLS = 4


def run_and_kill(
    path: Path, run: int, first: int, after_seconds: float
) -> tuple[Sequence[tuple[int, int]], int]:
    """Let a worker journal for a while; give what it decided, each with its time, and when it was killed."""
    command = [sys.executable, "-m", "tests.support.journal_worker", str(path), f"run-{run}", str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        begun = process.stdout.readline()
        time.sleep(after_seconds)
        killed_ns = time.monotonic_ns()
        process.send_signal(signal.SIGKILL)
        # The last line may be torn.
        lines = [begun, *process.stdout.read().split(b"\n")[:-1]]
    decided = [(int(number), int(at_ns)) for number, at_ns in (line.split() for line in lines)]
    return decided, killed_ns


async def look(path: Path) -> tuple[Evidence, set[str]]:
    """Give the evidence of the candidate, and the owners of its findings."""
    store = SqliteStore(SqliteOptions(path))
    try:
        findings = await store.findings(FindingQuery(version=NEW, limit=1_000_000))
        return await store.evidence(NEW, OLD), {finding.owner for finding in findings}
    finally:
        await store.aclose()


def test_evidence_of_a_killed_process_is_whole_and_lacks_only_the_last_moments(tmp_path: Path) -> None:
    path, chance = tmp_path / "store.sqlite3", random.Random(4)  # noqa: S311  not for secrets
    first = stored_before = 0
    expected: set[str] = set()
    for run in range(KILLS):
        decided, killed_ns = run_and_kill(path, run, first, chance.uniform(0.05, 1.4))
        seen, owners = asyncio.run(look(path))
        # One queue keeps the order, and a batch holds whole trials: what is stored is what was decided first.
        kept = decided[: seen.workloads - stored_before]
        expected |= {f"Deployment/{name_of(number)}" for number, _ in kept if is_denied(number)}
        assert owners == expected
        assert seen.modes[Mode.SHADOW].evaluations == seen.workloads
        assert seen.modes[Mode.SHADOW].denials == seen.unreviewed == len(expected)
        lost = decided[len(kept) :]
        assert all(at_ns > killed_ns - LOST_AT_MOST_NS for _, at_ns in lost)
        stored_before, first = seen.workloads, decided[-1][0] + 2
    assert expected
