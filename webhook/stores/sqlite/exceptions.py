"""Granted exceptions in SQLite."""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace

import msgspec

from webhook.ports.store import NotInStore
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.stores.sqlite.connection import writing
from webhook.stores.sqlite.rollouts import bump_generation

_encode = msgspec.json.encode
_exceptions = msgspec.json.Decoder(PolicyException)


def grant(connection: sqlite3.Connection, exception: PolicyException) -> None:
    """Store a new exception."""
    with writing(connection):
        connection.execute(
            "INSERT INTO exception VALUES (?, ?, ?, ?, ?)",
            (exception.id, exception.policy, exception.granted_ns, exception.expires_ns, _encode(exception)),
        )
        bump_generation(connection)


def exceptions(connection: sqlite3.Connection, policy: str | None) -> Sequence[PolicyException]:
    """List exceptions, newest first."""
    rows = connection.execute(
        "SELECT document FROM exception WHERE ?1 IS NULL OR policy = ?1 ORDER BY granted_ns DESC, rowid DESC",
        (policy,),
    )
    return [_exceptions.decode(document) for (document,) in rows]


def revoke(connection: sqlite3.Connection, identity: ExceptionId, actor: str, at_ns: int) -> PolicyException:
    """End an exception."""
    with writing(connection):
        known = _find(connection, identity)
        if known is None:
            raise NotInStore(f"there is no exception {identity}")
        if known.revoked_ns is not None:
            return known
        revoked = replace(known, revoked_ns=at_ns, revoked_by=actor)
        _put(connection, revoked, at_ns)
        bump_generation(connection)
        return revoked


def mark_used(connection: sqlite3.Connection, identities: Collection[ExceptionId], at_ns: int) -> None:
    """Note that exceptions permitted something."""
    with writing(connection):
        for identity in identities:
            known = _find(connection, identity)
            if known is not None and (known.used_ns is None or known.used_ns < at_ns):
                ended_ns = known.revoked_ns if known.revoked_ns is not None else known.expires_ns
                _put(connection, replace(known, used_ns=at_ns), ended_ns)


def _find(connection: sqlite3.Connection, identity: ExceptionId) -> PolicyException | None:
    row = connection.execute("SELECT document FROM exception WHERE id = ?", (identity,)).fetchone()
    return None if row is None else _exceptions.decode(row[0])


def _put(connection: sqlite3.Connection, exception: PolicyException, ended_ns: int | None) -> None:
    connection.execute(
        "UPDATE exception SET ended_ns = ?, document = ? WHERE id = ?",
        (ended_ns, _encode(exception), exception.id),
    )
