import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.rollouts import NOW
from tests.support.store_worker import VERSION, finding_of
from webhook.ports.store import FindingQuery
from webhook.rollout.finding import Standing, Verdict
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore

ROOT = Path(__file__).parents[4]


def worker(path: Path, name: str, first: int, count: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.store_worker", str(path), name, str(first), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def acknowledged_before_kill(process: "subprocess.Popen[str]", lines: int) -> dict[str, set[int]]:
    """Read some acknowledgements, kill -9 at whatever it is doing then, and give all that it said."""
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    told: dict[str, set[int]] = {"recorded": set(), "judged": set()}
    for line in said:
        deed, _, number = line.strip().partition(" ")
        if line.endswith("\n") and deed in told:
            told[deed].add(int(number))
    return told


async def test_kill_9_loses_nothing_that_was_acknowledged_and_never_flatters_the_candidate(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.sqlite3"
    recorded: set[int] = set()
    judged: set[int] = set()
    for life in range(4):
        told = acknowledged_before_kill(worker(path, f"life-{life}", life * 10_000, 10_000), 7 + 12 * life)
        recorded |= told["recorded"]
        judged |= told["judged"]

        store = SqliteStore(SqliteOptions(path))
        seen = await store.evidence(VERSION, None)
        found = {finding.id: finding for finding in await store.findings(FindingQuery(limit=100_000))}
        await store.aclose()

        assert {finding_of(number).id for number in recorded} <= found.keys()
        assert all(found[finding_of(number).id].verdict is Verdict.TRUE_POSITIVE for number in judged)
        # Each workload has a finding: a count without it would be a clean trial that never was.
        assert seen.workloads == len(found)
        assert sum(seen.standings.values()) == len(found)
        assert seen.total.evaluations == len(found)
    assert len(judged) >= 4 * 3


async def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    workers = [
        worker(path, f"worker-{number}", 20 * number, 40) for number in range(3)
    ]  # half of it overlaps
    for process in workers:
        process.communicate(timeout=60)
    assert [process.returncode for process in workers] == [0, 0, 0]

    store = SqliteStore(SqliteOptions(path))
    seen = await store.evidence(VERSION, None)
    await store.aclose()
    assert seen.workloads == 80
    assert seen.standing(Standing.TRUE_POSITIVE) == 80
    assert seen.total.evaluations == 120


@pytest.mark.parametrize("processes", [2])
async def test_of_two_leaders_the_later_one_wins_and_the_other_is_told(
    tmp_path: Path, processes: int
) -> None:
    stores = [SqliteStore(SqliteOptions(tmp_path / "store.sqlite3")) for _ in range(processes)]
    first = await stores[0].lead("tick", "a", NOW, 10)
    second = await stores[1].lead("tick", "b", NOW + 10, 10)
    again = await stores[0].lead("tick", "a", NOW + 11, 10)
    for store in stores:
        await store.aclose()
    assert (first.holder, second.holder, again.holder) == ("a", "b", "b")
    assert second.term > first.term
