"""Leadership, retention, integrity check and back-up of the file."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from webhook.ports.store import NAMESPACE_QUIET_NS, Lease, Pruned, StoreCorrupt
from webhook.rollout.evidence import Counters, add_counters
from webhook.stores.sqlite.connection import translated, writing

_counters = msgspec.json.Decoder(Counters)
_ROWS_AT_ONCE = 10_000
_REPLICA_GONE_NS = 24 * 3600 * 1_000_000_000
_EVERYBODY_GONE = ""  # the replica that stands for all folded ones


def lead(connection: sqlite3.Connection, name: str, holder: str, now_ns: int, duration_ns: int) -> Lease:
    """Take or renew a lease if it can be had, and tell who holds it."""
    with writing(connection):
        row = connection.execute(
            "SELECT holder, expires_ns, term FROM lease WHERE name = ?", (name,)
        ).fetchone()
        if row is not None and row[0] != holder and _is_held(row[1], now_ns, duration_ns):
            return Lease(*row)
        term = 1 if row is None else row[2] + (row[0] != holder)
        taken = Lease(holder, now_ns + duration_ns, term)
        connection.execute(
            "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)", (name, holder, taken.expires_ns, term)
        )
        return taken


def lease(connection: sqlite3.Connection, name: str) -> Lease | None:
    """Tell who holds a lease, or held it last."""
    row = connection.execute("SELECT holder, expires_ns, term FROM lease WHERE name = ?", (name,)).fetchone()
    return None if row is None else Lease(*row)


def resign(connection: sqlite3.Connection, name: str, holder: str) -> None:
    """Give up a lease; its term stays, so that the next one is larger."""
    with writing(connection):
        connection.execute("UPDATE lease SET expires_ns = 0 WHERE name = ? AND holder = ?", (name, holder))


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StoreCorrupt unless the file is intact."""
    problems = [text for (text,) in connection.execute("PRAGMA quick_check(3)") if text != "ok"]
    if problems:
        raise StoreCorrupt(f"{path}: it is damaged ({'; '.join(problems)}); restore a back-up")


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the database, consistent while others write, to a file that appears only when it is whole.

    Raises:
        OSError, StoreError: the target cannot be written; nothing of it is left.

    """
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        _copy(connection, partial, target)
        partial.chmod(0o600)
        partial.replace(target)
    except BaseException:
        # A disk that is full must not stay so by what was of no use.
        partial.unlink(missing_ok=True)
        raise


def _copy(connection: sqlite3.Connection, partial: Path, target: Path) -> None:
    with translated(target):
        copy = sqlite3.connect(partial)
    try:
        with translated(target):
            connection.backup(copy)
            # One file, not three: the copy is made to be carried away.
            copy.execute("PRAGMA journal_mode = DELETE")
        check(copy, partial)
    finally:
        copy.close()


def prune(connection: sqlite3.Connection, before_ns: int, now_ns: int) -> Pruned:
    """Remove evidence of what ended before a time; see the port."""
    workloads = findings = 0
    for ended in _ended_versions(connection, before_ns):
        # The count goes first: what is removed half-way is smaller evidence, never rosier.
        with writing(connection):
            connection.execute("DELETE FROM workload_count WHERE digest = ?", (ended.key,))
            if not ended.is_stable:  # its times are what the next candidate is measured against
                connection.execute("DELETE FROM counters WHERE digest = ?", (ended.key,))
        workloads += _delete_in_parts(connection, "workload", "workload", ended.key)
        findings += _delete_in_parts(connection, "finding", "id", ended.key)
    with writing(connection):
        exceptions = connection.execute("DELETE FROM exception WHERE ended_ns < ?", (before_ns,)).rowcount
    _fold_replicas(connection, now_ns)
    namespaces = _forget_quiet_namespaces(connection, now_ns)
    connection.execute("PRAGMA incremental_vacuum").fetchall()
    return Pruned(workloads, findings, exceptions, namespaces)


def _forget_quiet_namespaces(connection: sqlite3.Connection, now_ns: int) -> int:
    with writing(connection):
        # What a replica told whose clock was ahead must not make all others look old.
        connection.execute("UPDATE namespace SET seen_ns = ?1 WHERE seen_ns > ?1", (now_ns,))
        return connection.execute(
            "DELETE FROM namespace WHERE seen_ns < (SELECT max(seen_ns) FROM namespace) - ?",
            (NAMESPACE_QUIET_NS,),
        ).rowcount


def _is_held(expires_ns: int, now_ns: int, duration_ns: int) -> bool:
    # A lease that reaches far beyond any that could be given now was given by a clock that was wrong.
    return now_ns < expires_ns <= now_ns + 2 * duration_ns


@dataclass(frozen=True, slots=True)
class _Ended:
    key: int
    is_stable: bool


def _ended_versions(connection: sqlite3.Connection, before_ns: int) -> Sequence[_Ended]:
    rows = connection.execute(
        "SELECT digest.id, EXISTS (SELECT 1 FROM stable WHERE stable.digest = candidate)"
        " FROM rollout JOIN digest ON digest.text = candidate"
        " GROUP BY candidate HAVING max(active) = 0 AND max(changed_ns) < ?",
        (before_ns,),
    )
    return [_Ended(key, bool(is_stable)) for key, is_stable in rows.fetchall()]


def _delete_in_parts(connection: sqlite3.Connection, table: str, column: str, key: int) -> int:
    """Delete a version's rows in short transactions, so that others can write in between."""
    deleted = 0
    while True:
        with writing(connection):
            rows = connection.execute(
                f"DELETE FROM {table} WHERE digest = ?1 AND {column} IN"  # noqa: S608 - names of ours
                f" (SELECT {column} FROM {table} WHERE digest = ?1 LIMIT {_ROWS_AT_ONCE})",
                (key,),
            ).rowcount
        deleted += rows
        if rows < _ROWS_AT_ONCE:
            return deleted


def _fold_replicas(connection: sqlite3.Connection, now_ns: int) -> None:
    """Add the counters of processes that are gone into one row, so that restarts do not pile up."""
    with writing(connection):
        gone = connection.execute(
            "SELECT name FROM replica WHERE NOT folded AND abs(? - reported_ns) > ?",
            (now_ns, _REPLICA_GONE_NS),
        ).fetchall()
        for (name,) in gone:
            for key, mode, document in connection.execute(
                "SELECT digest, mode, document FROM counters WHERE replica = ?", (name,)
            ).fetchall():
                _fold(connection, key, mode, _counters.decode(document))
            connection.execute("DELETE FROM counters WHERE replica = ?", (name,))
            # Its report must not look like one from the future for ever.
            connection.execute(
                "UPDATE replica SET folded = 1, reported_ns = min(reported_ns, ?) WHERE name = ?",
                (now_ns, name),
            )


def _fold(connection: sqlite3.Connection, key: int, mode: str, counters: Counters) -> None:
    place = (key, mode, _EVERYBODY_GONE)
    row = connection.execute(
        "SELECT document FROM counters WHERE digest = ? AND mode = ? AND replica = ?", place
    ).fetchone()
    known = Counters() if row is None else _counters.decode(row[0])
    document = msgspec.json.encode(add_counters(known, counters))
    connection.execute("INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?)", (*place, document))
