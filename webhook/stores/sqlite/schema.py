"""The tables, as numbered migrations: each one is applied once, in order, and never edited after a release.

`PRAGMA user_version` holds the number of the last one, `PRAGMA application_id` marks the file as ours.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from webhook.ports.store import StoreCorrupt, StoreTooNew

APPLICATION_ID = 0x47726474  # "Grdt"

_FIRST = """
-- Digests are long and repeated by every workload: a small number stands for each.
CREATE TABLE digest (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE policy_version (
    policy TEXT NOT NULL, digest TEXT NOT NULL, first_seen_ns INTEGER NOT NULL, document BLOB NOT NULL,
    PRIMARY KEY (policy, digest)
) STRICT;
CREATE TABLE stable (policy TEXT PRIMARY KEY, digest TEXT) STRICT;

CREATE TABLE rollout (
    id TEXT PRIMARY KEY, policy TEXT NOT NULL, candidate TEXT NOT NULL, active INTEGER NOT NULL,
    created_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, revision INTEGER NOT NULL, document BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX rollout_active ON rollout (policy) WHERE active;
CREATE INDEX rollout_policy ON rollout (policy, created_ns);
CREATE TABLE transition (
    rollout TEXT NOT NULL REFERENCES rollout (id), position INTEGER NOT NULL, document BLOB NOT NULL,
    PRIMARY KEY (rollout, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE replica (name TEXT PRIMARY KEY, reported_ns INTEGER NOT NULL, folded INTEGER NOT NULL) STRICT;
CREATE TABLE counters (
    digest INTEGER NOT NULL REFERENCES digest (id), mode TEXT NOT NULL, replica TEXT NOT NULL,
    document BLOB NOT NULL, PRIMARY KEY (digest, mode, replica)
) STRICT, WITHOUT ROWID;
CREATE TABLE workload (
    digest INTEGER NOT NULL REFERENCES digest (id), workload BLOB NOT NULL,
    standing INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (digest, workload)
) STRICT, WITHOUT ROWID;
-- Few workloads stand otherwise than benign; the status counts those.
CREATE INDEX workload_standing ON workload (digest, standing) WHERE standing > 0;
CREATE TABLE workload_count (
    digest INTEGER PRIMARY KEY REFERENCES digest (id), count INTEGER NOT NULL, first_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE namespace (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE finding (
    id TEXT PRIMARY KEY, digest INTEGER NOT NULL REFERENCES digest (id), policy TEXT NOT NULL, rule TEXT NOT NULL,
    kind TEXT NOT NULL, workload BLOB NOT NULL, namespace TEXT NOT NULL, owner TEXT NOT NULL,
    first_seen_ns INTEGER NOT NULL, last_seen_ns INTEGER NOT NULL, count INTEGER NOT NULL, sample BLOB NOT NULL,
    verdict TEXT NOT NULL, judgement BLOB, disputed INTEGER NOT NULL, fixed_ns INTEGER,
    -- Place in the review queue: disputed, awaiting review, settled.
    urgency INTEGER GENERATED ALWAYS AS
        (CASE WHEN disputed THEN 2 WHEN verdict = 'unreviewed' AND kind <> 'agreed' THEN 1 ELSE 0 END) VIRTUAL
) STRICT;
CREATE INDEX finding_workload ON finding (digest, workload);
CREATE INDEX finding_count ON finding (digest, kind, verdict, disputed);
CREATE INDEX finding_queue ON finding (urgency DESC, first_seen_ns, id);
CREATE INDEX finding_version_queue ON finding (digest, urgency DESC, first_seen_ns, id);
CREATE INDEX finding_owner ON finding (namespace, owner, verdict);
CREATE TABLE judgement (
    finding TEXT NOT NULL REFERENCES finding (id) ON DELETE CASCADE, position INTEGER NOT NULL,
    document BLOB NOT NULL, PRIMARY KEY (finding, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE dispute (
    finding TEXT NOT NULL REFERENCES finding (id) ON DELETE CASCADE, position INTEGER NOT NULL,
    document BLOB NOT NULL, PRIMARY KEY (finding, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE exception (
    id TEXT PRIMARY KEY, policy TEXT NOT NULL, granted_ns INTEGER NOT NULL, ended_ns INTEGER,
    document BLOB NOT NULL
) STRICT;
CREATE TABLE lease (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires_ns INTEGER NOT NULL, term INTEGER NOT NULL
) STRICT;
CREATE TABLE generation (number INTEGER NOT NULL) STRICT;
INSERT INTO generation VALUES (0);
"""

_SECOND = """
-- When a request last came from a namespace; of those known before, nobody knows: they are given their time anew.
ALTER TABLE namespace ADD COLUMN seen_ns INTEGER NOT NULL DEFAULT 0;
UPDATE namespace SET seen_ns = CAST(strftime('%s', 'now') AS INTEGER) * 1000000000;
"""

MIGRATIONS = (_FIRST, _SECOND)
LATEST = len(MIGRATIONS)


def refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is not ours or that a newer release has written; an empty one passes.

    Raises:
        StoreCorrupt: another program's database.
        StoreTooNew: its schema is not known here.

    """
    found = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
    if found != APPLICATION_ID and _pragma(connection, "schema_version"):
        raise StoreCorrupt(f"{path}: it is a database of another program; name another file with --store")
    if version > LATEST:
        raise StoreTooNew(
            f"{path}: a newer release of Gradate has written it (schema {version}, this release knows {LATEST}); "
            "start that release, or restore the back-up made before the upgrade"
        )


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an open, writable database to the latest schema; several processes may do so at once."""
    if _pragma(connection, "user_version") == LATEST:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited.
        version = _pragma(connection, "user_version")
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    # executescript would commit the transaction it finds.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
