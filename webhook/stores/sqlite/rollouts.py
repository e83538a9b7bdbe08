"""Rollouts, their history, policy versions and stable versions in SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from webhook.ports.store import NotInStore, RevisionConflict, RolloutExists, StoredVersion
from webhook.rollout.life import Outcome, Rollout, RolloutId, Transition
from webhook.stores.sqlite.connection import writing

_encode = msgspec.json.encode
_rollouts = msgspec.json.Decoder(Rollout)
_transitions = msgspec.json.Decoder(Transition)
_versions = msgspec.json.Decoder(StoredVersion)


def commit(connection: sqlite3.Connection, outcome: Outcome) -> Rollout:
    """Store rollout, transition and stable version in one transaction; see the port."""
    stored = replace(outcome.rollout, revision=outcome.rollout.revision + 1)
    with writing(connection):
        if outcome.rollout.revision:
            _update(connection, stored)
        else:
            _insert(connection, stored)
        if outcome.transition is not None:
            connection.execute(
                "INSERT INTO transition SELECT ?1, count(*), ?2 FROM transition WHERE rollout = ?1",
                (stored.id, _encode(outcome.transition)),
            )
            bump_generation(connection)
        if change := outcome.stable_change:
            connection.execute("INSERT OR REPLACE INTO stable VALUES (?, ?)", (change.policy, change.version))
    return stored


def rollouts(connection: sqlite3.Connection, policy: str | None, *, active: bool) -> Sequence[Rollout]:
    """List rollouts, newest first."""
    rows = connection.execute(
        "SELECT document FROM rollout WHERE (?1 IS NULL OR policy = ?1) AND (active OR NOT ?2)"
        " ORDER BY created_ns DESC, rowid DESC",
        (policy, active),
    )
    return [_rollouts.decode(document) for (document,) in rows]


def rollout(connection: sqlite3.Connection, identity: RolloutId) -> Rollout:
    """Give one rollout or raise NotInStore."""
    row = connection.execute("SELECT document FROM rollout WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise NotInStore(f"there is no rollout {identity}")
    return _rollouts.decode(row[0])


def transitions(connection: sqlite3.Connection, identity: RolloutId) -> Sequence[Transition]:
    """Give a rollout's history, oldest first."""
    rows = connection.execute(
        "SELECT document FROM transition WHERE rollout = ? ORDER BY position", (identity,)
    )
    return [_transitions.decode(document) for (document,) in rows]


def put_versions(connection: sqlite3.Connection, *versions: StoredVersion) -> None:
    """Keep the content of versions, unless it is known; in one transaction, because each waits for the disk."""
    rows = [(one.policy, one.digest, one.first_seen_ns, _encode(one)) for one in versions]
    with writing(connection):
        connection.executemany("INSERT OR IGNORE INTO policy_version VALUES (?, ?, ?, ?)", rows)


def versions(connection: sqlite3.Connection, policy: str) -> Sequence[StoredVersion]:
    """List a policy's versions, newest first."""
    rows = connection.execute(
        "SELECT document FROM policy_version WHERE policy = ? ORDER BY first_seen_ns DESC, rowid DESC",
        (policy,),
    )
    return [_versions.decode(document) for (document,) in rows]


def stables(connection: sqlite3.Connection) -> Mapping[str, str | None]:
    """Give the stable version by policy."""
    return dict(connection.execute("SELECT policy, digest FROM stable ORDER BY policy").fetchall())


def adopt_stables(connection: sqlite3.Connection, adopted: Mapping[str, str]) -> None:
    """Make versions stable where the policy has no entry."""
    with writing(connection):
        connection.executemany("INSERT OR IGNORE INTO stable VALUES (?, ?)", list(adopted.items()))
        bump_generation(connection)


def forget_policy(connection: sqlite3.Connection, policy: str) -> None:
    """Remove a policy's stable entry."""
    with writing(connection):
        connection.execute("DELETE FROM stable WHERE policy = ?", (policy,))
        bump_generation(connection)


def generation(connection: sqlite3.Connection) -> int:
    """Give the number that grows with each change."""
    (number,) = connection.execute("SELECT number FROM generation").fetchone()
    return int(number)


def bump_generation(connection: sqlite3.Connection) -> None:
    """Count a change that others should see; within a transaction."""
    connection.execute("UPDATE generation SET number = number + 1")


def _insert(connection: sqlite3.Connection, stored: Rollout) -> None:
    row = connection.execute("SELECT 1 FROM rollout WHERE id = ?", (stored.id,)).fetchone()
    if row is not None:
        raise RevisionConflict(f"the rollout {stored.id} exists already")
    _refuse_second_active(connection, stored)
    connection.execute(
        "INSERT INTO rollout VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            stored.id, stored.policy, stored.candidate, stored.phase.is_active,
            stored.created_ns, stored.changed_ns, stored.revision, _encode(stored),
        ),
    )  # fmt: skip


def _update(connection: sqlite3.Connection, stored: Rollout) -> None:
    _refuse_second_active(connection, stored)
    updated = connection.execute(
        "UPDATE rollout SET active = ?, changed_ns = ?, revision = ?, document = ? WHERE id = ? AND revision = ?",
        (
            stored.phase.is_active, stored.changed_ns, stored.revision, _encode(stored),
            stored.id, stored.revision - 1,
        ),
    )  # fmt: skip
    if not updated.rowcount:
        raise RevisionConflict(f"the rollout {stored.id} was changed by somebody else meanwhile")


def _refuse_second_active(connection: sqlite3.Connection, stored: Rollout) -> None:
    if not stored.phase.is_active:
        return
    row = connection.execute(
        "SELECT id FROM rollout WHERE policy = ? AND active AND id <> ?", (stored.policy, stored.id)
    ).fetchone()
    if row is not None:
        raise RolloutExists(f"{stored.policy} has an active rollout already: {row[0]}")
