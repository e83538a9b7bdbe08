"""Findings, their verdicts and disputes in SQLite."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from webhook.ports.store import FindingQuery, NotInStore
from webhook.rollout.finding import (
    Dispute,
    Finding,
    FindingId,
    FindingKind,
    Judgement,
    Verdict,
    WorkloadDigest,
)
from webhook.stores.sqlite.connection import reading, writing
from webhook.stores.sqlite.evidence import refresh_standings

_encode = msgspec.json.encode
_judgements = msgspec.json.Decoder(Judgement)
_disputes = msgspec.json.Decoder(Dispute)
_SELECT = (
    "SELECT finding.id, policy, digest.text, rule, kind, workload, namespace, owner, first_seen_ns, last_seen_ns,"
    " count, sample, verdict, judgement, disputed, fixed_ns FROM finding JOIN digest ON digest.id = finding.digest"
)
_Row = tuple[Any, ...]


def findings(connection: sqlite3.Connection, query: FindingQuery) -> Sequence[Finding]:
    """List findings in the order of the review queue."""
    where, values = _where(query)
    rows = connection.execute(
        f"{_SELECT} {where} ORDER BY urgency DESC, first_seen_ns, finding.id LIMIT ? OFFSET ?",
        (*values, query.limit, query.offset),
    )
    return [_finding(row) for row in rows]


def count_findings(connection: sqlite3.Connection, query: FindingQuery) -> int:
    """Count findings."""
    where, values = _where(query)
    (count,) = connection.execute(
        f"SELECT count(*) FROM finding {where}",  # noqa: S608 - no values in it
        values,
    ).fetchone()
    return int(count)


def finding(connection: sqlite3.Connection, identity: FindingId) -> Finding:
    """Give one finding or raise NotInStore."""
    row = connection.execute(f"{_SELECT} WHERE finding.id = ?", (identity,)).fetchone()
    if row is None:
        raise NotInStore(f"there is no finding {identity}")
    return _finding(row)


def judge(
    connection: sqlite3.Connection,
    identities: Collection[FindingId],
    judgement: Judgement,
    fixed_ns: int | None,
) -> Sequence[Finding]:
    """Give findings a verdict, all or none."""
    document = _encode(judgement)
    with writing(connection):
        workloads: list[tuple[int, WorkloadDigest]] = []
        for identity in identities:
            row = connection.execute(
                "SELECT digest, workload FROM finding WHERE id = ?", (identity,)
            ).fetchone()
            if row is None:
                raise NotInStore(f"there is no finding {identity}; no verdict was given")
            workloads.append((row[0], WorkloadDigest(row[1].hex())))
            _append(connection, "judgement", identity, document)
            connection.execute(
                "UPDATE finding SET verdict = ?, judgement = ?, disputed = 0, fixed_ns = coalesce(?, fixed_ns)"
                " WHERE id = ?",
                (judgement.verdict, document, fixed_ns, identity),
            )
        refresh_standings(connection, workloads)
    with reading(connection):
        return [finding(connection, identity) for identity in identities]


def judgements(connection: sqlite3.Connection, identity: FindingId) -> Sequence[Judgement]:
    """Give every verdict of a finding, oldest first."""
    rows = connection.execute(
        "SELECT document FROM judgement WHERE finding = ? ORDER BY position", (identity,)
    )
    return [_judgements.decode(document) for (document,) in rows]


def dispute(connection: sqlite3.Connection, identity: FindingId, objection: Dispute) -> Finding:
    """Note an objection and put the finding at the head of the queue."""
    with writing(connection):
        updated = connection.execute("UPDATE finding SET disputed = 1 WHERE id = ?", (identity,))
        if not updated.rowcount:
            raise NotInStore(f"there is no finding {identity}")
        _append(connection, "dispute", identity, _encode(objection))
    return finding(connection, identity)


def disputes(connection: sqlite3.Connection, identity: FindingId) -> Sequence[Dispute]:
    """Give every objection to a finding, oldest first."""
    rows = connection.execute("SELECT document FROM dispute WHERE finding = ? ORDER BY position", (identity,))
    return [_disputes.decode(document) for (document,) in rows]


def _append(connection: sqlite3.Connection, table: str, identity: FindingId, document: bytes) -> None:
    connection.execute(
        f"INSERT INTO {table} SELECT ?1, count(*), ?2 FROM {table} WHERE finding = ?1",  # noqa: S608 - a name of ours
        (identity, document),
    )


def _where(query: FindingQuery) -> tuple[str, tuple[Any, ...]]:
    wanted = {
        "policy = ?": query.policy,
        "finding.digest = (SELECT id FROM digest WHERE text = ?)": query.version,
        "kind = ?": query.kind,
        "verdict = ?": query.verdict,
        "rule = ?": query.rule,
        "namespace = ?": query.namespace,
        "owner = ?": query.owner,
    }
    asked = {condition: value for condition, value in wanted.items() if value is not None}
    conditions = list(asked)
    if query.disputed is not None:  # by the place in the queue, which has an index
        conditions.append("urgency = 2" if query.disputed else "urgency < 2")
    if query.awaits_review is not None:
        conditions.append("urgency > 0" if query.awaits_review else "urgency = 0")
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), tuple(asked.values())


def _finding(row: _Row) -> Finding:
    return Finding(
        id=FindingId(row[0]),
        policy=row[1],
        version=row[2],
        rule=row[3],
        kind=FindingKind(row[4]),
        workload=WorkloadDigest(row[5].hex()),
        namespace=row[6],
        owner=row[7],
        first_seen_ns=row[8],
        last_seen_ns=row[9],
        count=row[10],
        sample=msgspec.json.decode(row[11]),
        verdict=Verdict(row[12]),
        judgement=None if row[13] is None else _judgements.decode(row[13]),
        disputed=bool(row[14]),
        fixed_ns=row[15],
    )
