"""The Snapshot: everything that the path of a request reads, immutable, swapped as one reference."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from webhook.policy.index import MatchIndex
from webhook.policy.version import PolicyVersion
from webhook.ports.evaluator import Evaluator
from webhook.rollout.policy_exception import PolicyException
from webhook.rollout.route import Route


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A policy version with its evaluator, and where it counts."""

    version: PolicyVersion
    evaluator: Evaluator
    route: Route | None = None
    """Which version of its policy does what, by namespace; None where this one decides everywhere."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent set of compiled policies."""

    generation: int
    """Counts the snapshots of this process, from 1."""
    built_at: datetime
    versions: tuple[LoadedVersion, ...]
    """In declared order, a policy's stable version before its candidate; `MatchedPolicy.position` points in here."""
    index: MatchIndex
    exceptions: Mapping[str, tuple[PolicyException, ...]] = field(default_factory=dict)
    """Those in force when the snapshot was built, by policy."""


class SnapshotHolder(Protocol):
    """Whoever knows the snapshot in force."""

    @property
    def current(self) -> Snapshot:
        """The snapshot that requests are decided by now."""
