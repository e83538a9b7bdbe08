"""The Snapshot: everything that the path of a request reads, immutable, swapped as one reference."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from webhook.policy.index import MatchIndex
from webhook.policy.version import PolicyVersion
from webhook.ports.evaluator import Evaluator


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy version with its evaluator."""

    version: PolicyVersion
    evaluator: Evaluator


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent set of compiled policies."""

    generation: int
    """Counts the snapshots of this process, from 1."""
    built_at: datetime
    policies: tuple[LoadedPolicy, ...]
    """In declared order; `MatchedPolicy.position` points in here."""
    index: MatchIndex


class SnapshotHolder(Protocol):
    """Whoever knows the snapshot in force."""

    @property
    def current(self) -> Snapshot:
        """The snapshot that requests are decided by now."""
