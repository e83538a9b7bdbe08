import asyncio
import re
import resource
import signal
import sqlite3
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.clocks import FakeClock
from tests.support.rollouts import NAMESPACES, NOW, started
from webhook.flows.operator import Operator
from webhook.flows.review import FindingList, ListFindings, list_findings
from webhook.flows.rollout_status import RolloutName, rollout_status
from webhook.flows.rollout_views import RolloutStatus
from webhook.ports.store import (
    EvidenceBatch,
    FindingQuery,
    SeenWorkload,
    Store,
    StoreCorrupt,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
    StoreUnavailable,
)
from webhook.rollout.finding import Standing, Verdict, WorkloadDigest
from webhook.rollout.states import advance, record_checks
from webhook.rollout.strategy import Strategy
from webhook.stores.sqlite.connection import SqliteOptions, translate
from webhook.stores.sqlite.schema import APPLICATION_ID, LATEST
from webhook.stores.sqlite.store import SqliteStore

NEW = "sha256:new"


def opened(path: Path, **options: Any) -> SqliteStore:
    return SqliteStore(SqliteOptions(path, **options))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


def batch(first: int, count: int) -> EvidenceBatch:
    return EvidenceBatch(
        "one",
        NOW,
        workloads=[SeenWorkload(NEW, WorkloadDigest(f"{n:032x}")) for n in range(first, first + count)],
    )


def test_it_is_a_store(path: Path) -> None:
    store: Store = opened(path)
    asyncio.run(store.aclose())


async def test_what_is_stored_is_there_after_a_restart(path: Path) -> None:
    store = opened(path)
    await store.commit(started())
    await store.aclose()
    again = opened(path)
    assert len(await again.rollouts()) == 1
    await again.aclose()


async def test_the_file_can_be_read_by_its_owner_only(path: Path) -> None:
    store = opened(path)
    await store.record(batch(0, 1))
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await store.aclose()
    assert modes == {0o600}


async def test_a_store_of_a_newer_release_is_refused_with_the_reason(path: Path) -> None:
    await opened(path).aclose()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {LATEST + 1}")
    connection.close()
    with pytest.raises(StoreTooNew, match=f"{path}: .*schema {LATEST + 1}, this release knows {LATEST}"):
        opened(path)


async def test_a_store_that_the_first_release_wrote_is_brought_up_to_date_with_all_that_it_holds(
    path: Path,
) -> None:
    old = sqlite3.connect(path)
    old.executescript(Path(__file__).with_name("schema-1.sql").read_text(encoding="utf-8"))
    old.execute("PRAGMA user_version = 1")
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.close()
    looked_at = opened(path, read_only=True)  # a back-up before the upgrade
    assert len(await looked_at.namespaces()) == 40
    await looked_at.aclose()

    store = opened(path)
    (rollout,) = await store.rollouts(active=True)
    assert [one.event for one in await store.transitions(rollout.id)] == ["start", "check", "begin"]
    assert {finding.verdict: finding.disputed for finding in await store.findings(FindingQuery())} == {
        Verdict.TRUE_POSITIVE: False,
        Verdict.UNREVIEWED: True,
    }
    seen = await store.evidence(rollout.candidate, rollout.stable)
    assert (seen.workloads, seen.standing(Standing.TRUE_POSITIVE)) == (5, 1)
    (exception,) = await store.exceptions()
    assert exception.workload == "*/web"
    # Nobody knows when they were last seen: that is no reason to forget them.
    assert (await store.prune(0, time.time_ns())).namespaces == 0
    assert len(await store.namespaces()) == 40
    await store.aclose()
    new = sqlite3.connect(path)
    assert new.execute("PRAGMA user_version").fetchone() == (LATEST,)
    new.close()


def test_the_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match=f"{path}: it is a database of another program; name another file"):
        opened(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StoreCorrupt, match="restore a back-up"):
        opened(path)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as on a disk that is nearly full."""
    unlimited = resource.RLIM_INFINITY
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.prlimit(0, resource.RLIMIT_FSIZE, (size, unlimited))
    try:
        yield
    finally:
        resource.prlimit(0, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        signal.signal(signal.SIGXFSZ, before)


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 6_000] = b"\xff" * 6_000
    path.write_bytes(content)


async def test_a_damaged_file_is_found_at_the_start(path: Path) -> None:
    store = opened(path)
    for first in range(0, 4_000, 1_000):
        await store.record(batch(first, 1_000))
    await store.aclose()
    _damage(path)
    with pytest.raises(StoreCorrupt, match="damaged"):
        opened(path)


@pytest.mark.parametrize("document", [b"{", b"{}", b"\xff"])
async def test_a_damaged_record_is_told_as_what_it_is(path: Path, document: bytes) -> None:
    store = opened(path)
    await store.commit(started())
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE rollout SET document = ?", (document,))
    connection.close()
    with pytest.raises(StoreCorrupt, match=r"a record in it is damaged .* restore a back-up"):
        await store.rollouts()
    await store.aclose()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="it is a folder; name a file in it"):
        opened(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="missing"):
        opened(tmp_path / "missing" / "store.sqlite3")


async def test_a_full_disk_stops_writing_and_nothing_else(path: Path) -> None:
    store = opened(path, max_bytes=400_000)
    await store.record(batch(0, 100))
    with pytest.raises(StoreFull, match="no room left"):
        await store.record(batch(1_000, 50_000))
    assert (await store.evidence(NEW, None)).workloads == 100
    await store.record(batch(0, 101))
    assert (await store.evidence(NEW, None)).workloads == 101
    await store.aclose()


async def test_a_start_without_room_names_what_is_missing(path: Path) -> None:
    await opened(path).aclose()
    with (
        files_of_at_most(10_000),
        pytest.raises(StoreUnavailable, match="check that there is room left on it"),
    ):
        opened(path)
    await opened(path).aclose()


async def test_a_store_opened_for_reading_is_not_written(path: Path) -> None:
    writer = opened(path)
    await writer.commit(started())
    reader = opened(path, read_only=True)
    assert len(await reader.rollouts()) == 1
    with pytest.raises(StoreReadOnly, match="for reading only"):
        await reader.record(batch(0, 1))
    await reader.aclose()
    await writer.aclose()


async def test_waiting_for_another_writer_ends(path: Path) -> None:
    store = opened(path, busy_seconds=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process"):
        await store.record(batch(0, 1))
    assert (await store.evidence(NEW, None)).workloads == 0  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    await store.record(batch(0, 1))
    await store.aclose()


async def test_a_closed_store_says_so(path: Path) -> None:
    store = opened(path)
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.generation()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_READONLY, StoreReadOnly),
        (sqlite3.SQLITE_BUSY, StoreUnavailable),
        (sqlite3.SQLITE_LOCKED, StoreUnavailable),
        (sqlite3.SQLITE_CORRUPT, StoreCorrupt),
        (sqlite3.SQLITE_NOTADB, StoreCorrupt),
        (sqlite3.SQLITE_CANTOPEN, StoreUnavailable),
        (sqlite3.SQLITE_IOERR, StoreUnavailable),
        (sqlite3.SQLITE_READONLY | 4 << 8, StoreReadOnly),  # an extended code
    ],
)
def test_every_error_of_sqlite_has_a_meaning(code: int, kind: type[Exception]) -> None:
    error = sqlite3.OperationalError("something")
    error.sqlite_errorcode = code
    translated = translate(error, Path("store.sqlite3"))
    assert type(translated) is kind
    assert str(translated).startswith("store.sqlite3: ")


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_back_up_is_a_whole_store_taken_while_others_write(path: Path, tmp_path: Path) -> None:
    store = opened(path)
    await store.record(batch(0, 1_000))
    target = tmp_path / "backup.sqlite3"
    await asyncio.gather(store.back_up(target), store.record(batch(1_000, 1_000)))
    await store.aclose()
    assert _names(tmp_path) == ["backup.sqlite3", "store.sqlite3"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    restored = opened(target)
    assert (await restored.evidence(NEW, None)).workloads in (1_000, 2_000)
    await restored.aclose()


async def test_a_back_up_to_nowhere_is_refused(path: Path, tmp_path: Path) -> None:
    store = opened(path)
    target = tmp_path / "missing" / "backup.sqlite3"
    with pytest.raises(StoreUnavailable, match=rf"^{re.escape(str(target))}: it cannot be opened"):
        await store.back_up(target)
    await store.aclose()


async def test_a_back_up_without_room_leaves_nothing_behind(path: Path, tmp_path: Path) -> None:
    store = opened(path)
    await store.record(batch(0, 4_000))
    target = tmp_path / "backup.sqlite3"
    with files_of_at_most(50_000), pytest.raises(StoreUnavailable, match=rf"^{re.escape(str(target))}: "):
        await store.back_up(target)
    assert not [name for name in _names(tmp_path) if name.startswith("backup")]
    await store.aclose()


def _fill(path: Path, workloads: int, findings: int) -> None:
    """Write straight to the tables: what is measured is reading."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        "CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"
        " SELECT i, randomblob(16) AS workload FROM n",
        (workloads,),
    )
    connection.execute("INSERT INTO digest VALUES (1, ?)", (NEW,))
    connection.execute(
        "INSERT INTO workload SELECT 1, workload, CASE WHEN i < ? THEN 3 ELSE 0 END FROM n", (findings,)
    )
    connection.execute("INSERT INTO workload_count VALUES (1, ?, 1)", (workloads,))
    connection.execute("INSERT INTO replica VALUES ('one', ?, 0)", (NOW,))
    connection.execute(
        "INSERT INTO finding SELECT 'f-' || i, 1, 'credential-env', 'deny', 'newly-denied', workload, 'ns-' || (i % 200),"
        " 'Deployment/' || i, i, i, 1, CAST('{}' AS BLOB), 'unreviewed', NULL, 0, NULL FROM n WHERE i < ?",
        (findings,),
    )
    connection.commit()
    connection.close()


Asked = Callable[[Operator], Awaitable[RolloutStatus | FindingList]]
POLICY = "credential-env"
QUESTIONS: dict[str, tuple[Asked, int]] = {
    "status": (lambda operator: rollout_status(operator, RolloutName(name=POLICY)), 1_000_000),
    "queue": (lambda operator: list_findings(operator, ListFindings(policy=POLICY)), 100_000),
    "open": (lambda operator: list_findings(operator, ListFindings(policy=POLICY, unreviewed=True)), 100_000),
    "disputed": (lambda operator: list_findings(operator, ListFindings(policy=POLICY, disputed=True)), 0),
}


async def test_status_and_queue_are_quick_with_a_hundred_thousand_findings_and_a_million_workloads(
    path: Path,
) -> None:
    await opened(path).aclose()
    _fill(path, workloads=1_000_000, findings=100_000)
    store = opened(path)
    rollout = await store.commit(started())
    checked = await store.commit(record_checks(rollout, passed=True, message="", now_ns=NOW))
    begun = advance(checked, None, NOW, NAMESPACES)
    assert begun is not None
    await store.commit(begun)
    operator = Operator("maria", store, FakeClock(), lambda _: Strategy())
    took: dict[str, float] = {}
    for name, (ask, expected) in QUESTIONS.items():
        durations: list[float] = []
        for _ in range(3):
            # Processor time of the store's thread, too, and not of whatever else the machine does.
            begin = time.process_time()
            answer = await ask(operator)
            durations.append(time.process_time() - begin)
        if isinstance(answer, RolloutStatus):
            assert answer.evidence is not None
            assert (answer.evidence.workloads, answer.evidence.unreviewed) == (expected, 100_000)
        else:
            assert (answer.total, len(answer.items)) == (expected, min(expected, 100))
        took[name] = min(durations)
    await store.aclose()
    assert max(took.values()) < 0.2, took


def test_a_file_that_was_removed_or_replaced_is_no_store_any_more(path: Path) -> None:
    store = opened(path)
    aside = path.rename(path.with_name("aside"))
    for _ in ("removed", "replaced"):
        for call in (store.stables(), store.adopt_stables({"p": "sha256:1"})):
            with pytest.raises(StoreUnavailable, match="removed or replaced while in use"):
                asyncio.run(call)
        path.touch()
    aside.replace(path)
    assert asyncio.run(store.stables()) == {}
    asyncio.run(store.aclose())
