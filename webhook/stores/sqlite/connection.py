"""Connections to the file: how they are opened, how a transaction runs, and what SQLite's errors mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from webhook.ports.store import (
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)
from webhook.rollout.finding import FindingKind, Standing, Verdict, standing_of
from webhook.stores.sqlite.schema import migrate, refuse_foreign

STANDINGS = tuple(Standing)
"""A standing is stored as its place in order of gravity."""


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """How the file is used."""

    path: Path
    read_only: bool = False
    """Look, but change nothing: the file must exist."""
    busy_seconds: float = 5.0
    """How long a write waits for another process's."""
    max_bytes: int | None = None
    """Largest size the file may reach; beyond it, writing fails as on a full disk."""


def connect(options: SqliteOptions) -> sqlite3.Connection:
    """Open a connection and bring the schema up to date.

    Raises:
        StoreError: of the kind that fits.

    """
    if not options.read_only:
        _create_private(options.path)
    with translated(options.path):
        mode = "ro" if options.read_only else "rw"
        # as_uri() needs an absolute path and quotes what a URI would misread.
        connection = sqlite3.connect(
            f"{options.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=options.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _prepare(connection, options)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block as one transaction that either happens or does not."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block on one consistent state of the database."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors, and those of records that are not as they were written, into the port's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreCorrupt(f"{path}: a record in it is damaged ({error}); restore a back-up") from error


def translate(error: sqlite3.Error, path: Path) -> StoreError:
    """Say in the port's terms what an error of SQLite means."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    match primary:
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"{path}: there is no room left; free some, or raise the store's maximum size")
        case sqlite3.SQLITE_READONLY:
            return StoreReadOnly(
                f"{path}: it cannot be written; check its permissions and those of its folder"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnavailable(f"{path}: another process is writing for too long")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreCorrupt(f"{path}: it is damaged or no database ({error}); restore a back-up")
        case sqlite3.SQLITE_IOERR:
            return StoreUnavailable(
                f"{path}: its disk cannot be read or written ({error}); check that there is room left on it"
            )
        case sqlite3.SQLITE_CANTOPEN:
            return StoreUnavailable(
                f"{path}: it cannot be opened; check that its folder exists and is writable"
            )
        case _:
            return StoreUnavailable(f"{path}: {error}")


def _create_private(path: Path) -> None:
    if path.is_dir():
        raise StoreUnavailable(f"{path}: it is a folder; name a file in it with --store")
    # SQLite would create it readable by everybody; its journal files take after it.
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreUnavailable(f"{path}: it cannot be opened: {error.strerror or error}") from error


def _prepare(connection: sqlite3.Connection, options: SqliteOptions) -> None:
    refuse_foreign(connection, options.path)
    connection.create_function("standing_of", 2, _standing_number, deterministic=True)
    connection.execute("PRAGMA foreign_keys = ON")
    if options.read_only:
        connection.execute("PRAGMA query_only = ON")
        return
    if not connection.execute("PRAGMA schema_version").fetchone()[0]:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # A verdict that was acknowledged survives a power cut, too; there is about one commit a second.
    connection.execute("PRAGMA synchronous = FULL")
    if options.max_bytes is not None:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute(f"PRAGMA max_page_count = {max(options.max_bytes // page_size, 1)}")
    migrate(connection)


def _standing_number(kind: str, verdict: str) -> int:
    return STANDINGS.index(standing_of(FindingKind(kind), Verdict(verdict)))
