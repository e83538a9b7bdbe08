"""Evidence in SQLite: replicas' counters, distinct workloads and how they stand, known namespaces."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from webhook.ports.store import EvidenceBatch
from webhook.rollout.evidence import Counters, Evidence, add_counters, later_counters
from webhook.rollout.finding import Finding, FindingKind, Standing, Verdict, WorkloadDigest
from webhook.rollout.histogram import NO_DURATIONS, Histogram, add_histograms
from webhook.rollout.strategy import Mode
from webhook.stores.sqlite.connection import STANDINGS, reading, writing

_encode = msgspec.json.encode
_counters = msgspec.json.Decoder(Counters)


def record(connection: sqlite3.Connection, batch: EvidenceBatch) -> None:
    """Add a replica's news in one transaction: findings, then workloads, then counts."""
    with writing(connection):
        keys = _digest_keys(connection, _digests(batch))
        _put_findings(connection, batch.findings, keys)
        _put_workloads(connection, batch, keys)
        refresh_standings(
            connection, ((keys[finding.version], finding.workload) for finding in batch.findings)
        )
        _put_counters(connection, batch, keys)
        connection.executemany(
            "INSERT INTO namespace VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET seen_ns = max(seen_ns, excluded.seen_ns)",
            [(name, batch.at_ns) for name in batch.namespaces],
        )


def evidence(connection: sqlite3.Connection, candidate: str, stable: str | None) -> Evidence:
    """Sum up what is known of a candidate."""
    with reading(connection):
        key = _digest_key(connection, candidate)
        modes = _modes(connection, key)
        count, first_ns = connection.execute(
            "SELECT coalesce(sum(count), 0), min(first_ns) FROM workload_count WHERE digest = ?", (key,)
        ).fetchone()
        (reported_ns,) = connection.execute("SELECT max(reported_ns) FROM replica").fetchone()
        findings, disputed = _finding_counts(connection, key)
        return Evidence(
            modes=modes,
            workloads=count,
            standings=_standings(connection, key),
            findings=findings,
            disputed=disputed,
            stable_durations=None
            if stable is None
            else _durations(connection, _digest_key(connection, stable)),
            first_ns=first_ns,
            reported_ns=reported_ns,
        )


def namespaces(connection: sqlite3.Connection) -> Sequence[str]:
    """List the known namespaces."""
    return [name for (name,) in connection.execute("SELECT name FROM namespace ORDER BY name")]


def forget_namespaces(connection: sqlite3.Connection, names: Collection[str]) -> None:
    """Remove namespaces."""
    with writing(connection):
        connection.executemany("DELETE FROM namespace WHERE name = ?", [(name,) for name in names])


def refresh_standings(
    connection: sqlite3.Connection, workloads: Iterable[tuple[int, WorkloadDigest]]
) -> None:
    """Work out anew what workloads count as, after their findings changed; within a transaction.

    Each workload is (key of the version, workload digest).
    """
    connection.executemany(
        "UPDATE workload SET standing = coalesce((SELECT max(standing_of(kind, verdict)) FROM finding"
        " WHERE digest = ?1 AND workload = ?2), 0) WHERE digest = ?1 AND workload = ?2",
        [(key, bytes.fromhex(workload)) for key, workload in set(workloads)],
    )


def _digests(batch: EvidenceBatch) -> set[str]:
    return {
        *(finding.version for finding in batch.findings),
        *(seen.version for seen in batch.workloads),
        *(version for version, _ in batch.counters),
    }


def _digest_keys(connection: sqlite3.Connection, digests: Collection[str]) -> Mapping[str, int]:
    connection.executemany("INSERT OR IGNORE INTO digest (text) VALUES (?)", [(text,) for text in digests])
    keys = ((text, _digest_key(connection, text)) for text in digests)
    return {text: key for text, key in keys if key is not None}


def _digest_key(connection: sqlite3.Connection, digest: str) -> int | None:
    row = connection.execute("SELECT id FROM digest WHERE text = ?", (digest,)).fetchone()
    return None if row is None else int(row[0])


def _put_findings(
    connection: sqlite3.Connection, findings: Sequence[Finding], keys: Mapping[str, int]
) -> None:
    # A finding that was agreed becomes new when stable changes its mind, and never goes back unreviewed.
    connection.executemany(
        "INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'unreviewed', NULL, 0, NULL)"
        " ON CONFLICT (id) DO UPDATE SET count = count + excluded.count,"
        " last_seen_ns = max(last_seen_ns, excluded.last_seen_ns),"
        " first_seen_ns = min(first_seen_ns, excluded.first_seen_ns),"
        " kind = CASE kind WHEN 'agreed' THEN excluded.kind ELSE kind END",
        [
            (
                finding.id, keys[finding.version], finding.policy, finding.rule, finding.kind,
                bytes.fromhex(finding.workload), finding.namespace, finding.owner,
                finding.first_seen_ns, finding.last_seen_ns, finding.count, _encode(finding.sample),
            )
            for finding in findings
        ],
    )  # fmt: skip


def _put_workloads(connection: sqlite3.Connection, batch: EvidenceBatch, keys: Mapping[str, int]) -> None:
    by_version: dict[str, set[str]] = defaultdict(set)
    for seen in batch.workloads:
        by_version[seen.version].add(seen.workload)
    for finding in batch.findings:
        by_version[finding.version].add(finding.workload)
    for version, workloads in by_version.items():
        key, before = keys[version], connection.total_changes
        # In order of their key, neighbours share a page.
        connection.executemany(
            "INSERT OR IGNORE INTO workload (digest, workload) VALUES (?, ?)",
            [(key, bytes.fromhex(workload)) for workload in sorted(workloads)],
        )
        if new := connection.total_changes - before:
            connection.execute(
                "INSERT INTO workload_count VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE SET"
                " count = count + excluded.count, first_ns = min(first_ns, excluded.first_ns)",
                (key, new, batch.at_ns),
            )


def _put_counters(connection: sqlite3.Connection, batch: EvidenceBatch, keys: Mapping[str, int]) -> None:
    row = connection.execute("SELECT folded FROM replica WHERE name = ?", (batch.replica,)).fetchone()
    connection.execute(
        "INSERT INTO replica VALUES (?, ?, 0) ON CONFLICT (name) DO UPDATE SET reported_ns = excluded.reported_ns",
        (batch.replica, batch.at_ns),
    )
    if row is not None and row[0]:
        return  # it came back after its counters were added to the rest: they would count twice
    for (version, mode), counters in batch.counters.items():
        place = (keys[version], mode, batch.replica)
        known = connection.execute(
            "SELECT document FROM counters WHERE digest = ? AND mode = ? AND replica = ?", place
        ).fetchone()
        state = counters if known is None else later_counters(_counters.decode(known[0]), counters)
        connection.execute("INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?)", (*place, _encode(state)))


def _modes(connection: sqlite3.Connection, key: int | None) -> dict[Mode, Counters]:
    modes: dict[Mode, Counters] = {}
    for mode, document in connection.execute("SELECT mode, document FROM counters WHERE digest = ?", (key,)):
        known = modes.get(Mode(mode), Counters())
        modes[Mode(mode)] = add_counters(known, _counters.decode(document))
    return modes


def _durations(connection: sqlite3.Connection, key: int | None) -> Histogram:
    total = NO_DURATIONS
    for counters in _modes(connection, key).values():
        total = add_histograms(total, counters.durations)
    return total


def _standings(connection: sqlite3.Connection, key: int | None) -> dict[Standing, int]:
    rows = connection.execute(
        "SELECT standing, count(*) FROM workload WHERE digest = ? AND standing > 0 GROUP BY standing", (key,)
    )
    return {STANDINGS[number]: count for number, count in rows}


def _finding_counts(
    connection: sqlite3.Connection, key: int | None
) -> tuple[dict[FindingKind, dict[Verdict, int]], int]:
    counts: dict[FindingKind, dict[Verdict, int]] = {}
    disputed = 0
    for kind, verdict, objections, count in connection.execute(
        "SELECT kind, verdict, disputed, count(*) FROM finding WHERE digest = ? GROUP BY kind, verdict, disputed",
        (key,),
    ):
        verdicts = counts.setdefault(FindingKind(kind), {})
        verdicts[Verdict(verdict)] = verdicts.get(Verdict(verdict), 0) + count
        disputed += count if objections else 0
    return counts, disputed
