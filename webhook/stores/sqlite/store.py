"""The Store port on SQLite: each call runs on one of two threads, beside the event loop.

One thread writes and one reads, each with its own connection: a slow status never waits for a batch of evidence,
nor the other way round (WAL), and no statement blocks the loop. The SQL stands in the modules beside this one.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from webhook.ports.store import (
    EvidenceBatch,
    FindingQuery,
    Lease,
    Pruned,
    StoredVersion,
    StoreReadOnly,
    StoreUnavailable,
)
from webhook.rollout.evidence import Evidence
from webhook.rollout.finding import Dispute, Finding, FindingId, Judgement
from webhook.rollout.life import Outcome, Rollout, RolloutId, Transition
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.stores.sqlite import evidence as evidence_table
from webhook.stores.sqlite import exceptions as exception_table
from webhook.stores.sqlite import findings as finding_table
from webhook.stores.sqlite import rollouts as rollout_table
from webhook.stores.sqlite import upkeep
from webhook.stores.sqlite.connection import SqliteOptions, connect, translated

P = ParamSpec("P")
R = TypeVar("R")
_Query = Callable[Concatenate[sqlite3.Connection, P], R]


class _Lane:
    """One thread with one connection."""

    def __init__(self, options: SqliteOptions, name: str) -> None:
        self._path = options.path
        self._connection = connect(options)
        self._identity = _identify(options.path)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"store-{name}")
        self._closed = False

    async def run(self, query: _Query[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if self._closed:
            raise StoreUnavailable(f"{self._path}: the store is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: self._call(query, *args, **kwargs))

    def _call(self, query: _Query[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if _identify(self._path) != self._identity:
            # SQLite would go on in a file that has no name any more: evidence and promotions that nobody ever finds.
            raise StoreUnavailable(
                f"{self._path}: the file was removed or replaced while in use; restore it, then restart"
            )
        with translated(self._path):
            return query(self._connection, *args, **kwargs)

    def close(self) -> None:
        self._closed = True
        self._executor.shutdown(wait=True)
        self._connection.close()


def _identify(path: Path) -> tuple[int, int] | None:
    """Tell a file from others of the same name; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class SqliteStore:
    """State in one SQLite file; implements `webhook.ports.store.Store`, whose docstrings say what each call does."""

    def __init__(self, options: SqliteOptions) -> None:
        """Open the file, creating or migrating it, and check that it is intact.

        Raises:
            StoreError: it cannot be used; the message says why.

        """
        self._options = options
        self._writer = _Lane(options, "write")
        try:
            self._reader = _Lane(options, "read")
            self._reader._call(upkeep.check, options.path)  # noqa: SLF001 - before the loop runs
        except BaseException:
            self._writer.close()
            raise

    async def aclose(self) -> None:
        """Finish what was begun and close the file."""
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._reader.close)

    async def back_up(self, target: Path) -> None:
        """Write a consistent copy of the store to a file, while it is in use.

        Raises:
            StoreUnavailable: the target cannot be written.

        """
        try:
            await self._reader.run(upkeep.back_up, target)
        except OSError as error:
            raise StoreUnavailable(f"{target}: {error.strerror or error}") from error

    async def generation(self) -> int:
        """See the port."""
        return await self._reader.run(rollout_table.generation)

    async def put_versions(self, *versions: StoredVersion) -> None:
        """See the port."""
        await self._write(rollout_table.put_versions, *versions)

    async def versions(self, policy: str) -> Sequence[StoredVersion]:
        """See the port."""
        return await self._reader.run(rollout_table.versions, policy)

    async def stables(self) -> Mapping[str, str | None]:
        """See the port."""
        return await self._reader.run(rollout_table.stables)

    async def adopt_stables(self, versions: Mapping[str, str]) -> None:
        """See the port."""
        await self._write(rollout_table.adopt_stables, versions)

    async def forget_policy(self, policy: str) -> None:
        """See the port."""
        await self._write(rollout_table.forget_policy, policy)

    async def commit(self, outcome: Outcome) -> Rollout:
        """See the port."""
        return await self._write(rollout_table.commit, outcome)

    async def rollouts(self, policy: str | None = None, *, active: bool = False) -> Sequence[Rollout]:
        """See the port."""
        return await self._reader.run(rollout_table.rollouts, policy, active=active)

    async def rollout(self, identity: RolloutId) -> Rollout:
        """See the port."""
        return await self._reader.run(rollout_table.rollout, identity)

    async def transitions(self, identity: RolloutId) -> Sequence[Transition]:
        """See the port."""
        return await self._reader.run(rollout_table.transitions, identity)

    async def record(self, batch: EvidenceBatch) -> None:
        """See the port."""
        await self._write(evidence_table.record, batch)

    async def evidence(self, candidate: str, stable: str | None) -> Evidence:
        """See the port."""
        return await self._reader.run(evidence_table.evidence, candidate, stable)

    async def namespaces(self) -> Sequence[str]:
        """See the port."""
        return await self._reader.run(evidence_table.namespaces)

    async def forget_namespaces(self, names: Collection[str]) -> None:
        """See the port."""
        await self._write(evidence_table.forget_namespaces, names)

    async def findings(self, query: FindingQuery) -> Sequence[Finding]:
        """See the port."""
        return await self._reader.run(finding_table.findings, query)

    async def count_findings(self, query: FindingQuery) -> int:
        """See the port."""
        return await self._reader.run(finding_table.count_findings, query)

    async def finding(self, identity: FindingId) -> Finding:
        """See the port."""
        return await self._reader.run(finding_table.finding, identity)

    async def judge(
        self, identities: Collection[FindingId], judgement: Judgement, *, fixed_ns: int | None = None
    ) -> Sequence[Finding]:
        """See the port."""
        return await self._write(finding_table.judge, identities, judgement, fixed_ns)

    async def judgements(self, identity: FindingId) -> Sequence[Judgement]:
        """See the port."""
        return await self._reader.run(finding_table.judgements, identity)

    async def dispute(self, identity: FindingId, dispute: Dispute) -> Finding:
        """See the port."""
        return await self._write(finding_table.dispute, identity, dispute)

    async def disputes(self, identity: FindingId) -> Sequence[Dispute]:
        """See the port."""
        return await self._reader.run(finding_table.disputes, identity)

    async def grant(self, exception: PolicyException) -> None:
        """See the port."""
        await self._write(exception_table.grant, exception)

    async def exceptions(self, policy: str | None = None) -> Sequence[PolicyException]:
        """See the port."""
        return await self._reader.run(exception_table.exceptions, policy)

    async def revoke(self, identity: ExceptionId, actor: str, at_ns: int) -> PolicyException:
        """See the port."""
        return await self._write(exception_table.revoke, identity, actor, at_ns)

    async def mark_used(self, identities: Collection[ExceptionId], at_ns: int) -> None:
        """See the port."""
        await self._write(exception_table.mark_used, identities, at_ns)

    async def lead(self, name: str, holder: str, now_ns: int, duration_ns: int) -> Lease:
        """See the port."""
        return await self._write(upkeep.lead, name, holder, now_ns, duration_ns)

    async def lease(self, name: str) -> Lease | None:
        """See the port."""
        return await self._reader.run(upkeep.lease, name)

    async def resign(self, name: str, holder: str) -> None:
        """See the port."""
        await self._write(upkeep.resign, name, holder)

    async def prune(self, before_ns: int, now_ns: int) -> Pruned:
        """See the port."""
        return await self._write(upkeep.prune, before_ns, now_ns)

    async def _write(self, query: _Query[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if self._options.read_only:
            raise StoreReadOnly(f"{self._options.path}: it was opened for reading only")
        return await self._writer.run(query, *args, **kwargs)
