"""The versions of a policy: which there were, what became of each, and how two of them differ."""

import difflib
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import zip_longest
from typing import Any

import msgspec

from webhook.flows.operator import Ask, Operator, View, find_version, known_versions
from webhook.flows.rollout_views import moment
from webhook.ports.store import StoredVersion
from webhook.rollout.life import Phase, Rollout


class PolicyName(Ask, frozen=True, kw_only=True):
    """One policy."""

    policy: str


class DiffVersions(Ask, frozen=True, kw_only=True):
    """Two versions of a policy: semantic versions, digests or their beginnings, `stable` or `candidate`."""

    policy: str
    before: str
    after: str


class RolloutOutcome(View, frozen=True, kw_only=True):
    """What became of a version once it was rolled out."""

    id: str
    phase: Phase
    message: str
    changed_at: datetime


class VersionView(View, frozen=True, kw_only=True):
    """One version."""

    version: str
    digest: str
    first_seen_at: datetime
    stable: bool
    rollouts: tuple[RolloutOutcome, ...]
    """Newest first; none for what was in force when the store was new, or has not started."""


class VersionHistory(View, frozen=True, kw_only=True):
    """The versions of a policy, newest first."""

    policy: str
    items: tuple[VersionView, ...]


class VersionName(View, frozen=True, kw_only=True):
    """How a version is called."""

    version: str
    digest: str


class VersionDiff(View, frozen=True, kw_only=True):
    """How two versions differ."""

    policy: str
    before: VersionName
    after: VersionName
    text: str
    """Unified diff of modules, then of metadata and parameters; empty when they are the same."""


async def version_history(operator: Operator, ask: PolicyName) -> VersionHistory:
    """List the versions of a policy and what became of each, newest first."""
    versions = await known_versions(operator, ask.policy)
    rollouts = await operator.store.rollouts(ask.policy)
    stable = (await operator.store.stables()).get(ask.policy)
    items = (
        VersionView(
            version=version.version,
            digest=version.digest,
            first_seen_at=moment(version.first_seen_ns),
            stable=version.digest == stable,
            rollouts=tuple(_outcome(one) for one in rollouts if one.candidate == version.digest),
        )
        for version in versions
    )
    return VersionHistory(policy=ask.policy, items=tuple(items))


async def diff_versions(operator: Operator, ask: DiffVersions) -> VersionDiff:
    """Show how two versions of a policy differ."""
    before = await find_version(operator, ask.policy, ask.before, field="before")
    after = await find_version(operator, ask.policy, ask.after, field="after")
    return VersionDiff(
        policy=ask.policy,
        before=VersionName(version=before.version, digest=before.digest),
        after=VersionName(version=after.version, digest=after.digest),
        text=diff_text(before, after),
    )


def diff_text(before: StoredVersion | None, after: StoredVersion) -> str:
    """Write the unified diff of two versions; None is a policy that did not exist."""
    return "".join(_diff(before, after))


def _diff(before: StoredVersion | None, after: StoredVersion) -> Iterator[str]:
    old = () if before is None else before.sources
    # The policy's own module comes first in both, wherever its file stands by now.
    pairs = [*zip_longest(old[:1], after.sources[:1]), *_pair_by_path(dict(old[1:]), dict(after.sources[1:]))]
    for one, other in pairs:
        yield from _diff_texts(one, other)
    documents = [None if version is None else _document(version) for version in (before, after)]
    yield from _diff_texts(
        *(None if text is None else ("metadata and parameters", text) for text in documents)
    )


def _pair_by_path(
    old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[tuple[tuple[str, str] | None, tuple[str, str] | None]]:
    for path in sorted({*old, *new}):
        yield (path, old[path]) if path in old else None, (path, new[path]) if path in new else None


def _diff_texts(before: tuple[str, str] | None, after: tuple[str, str] | None) -> Iterator[str]:
    (old_path, old), (new_path, new) = before or ("/dev/null", ""), after or ("/dev/null", "")
    lines = difflib.unified_diff(_lines(old), _lines(new), old_path, new_path)
    for line in lines:
        yield line if line.endswith("\n") else line + "\n"


def _lines(text: str) -> list[str]:
    # As git shows it: a last line that does not end differs from one that does.
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n\\ No newline at end of file\n"
    return lines


def _document(version: StoredVersion) -> str:
    tree: dict[str, Any] = msgspec.to_builtins(version.metadata, order="sorted")
    match = tree.get("metadata", {}).get("match", {})
    if "operations" in match:
        # A set, written in the order that the process happened to have it in.
        match["operations"] = sorted(match["operations"])
    # The modules say the rest; a parameter may come from the settings.
    return msgspec.json.format(msgspec.json.encode(tree), indent=2).decode() + "\n"


def _outcome(rollout: Rollout) -> RolloutOutcome:
    return RolloutOutcome(
        id=rollout.id, phase=rollout.phase, message=rollout.message, changed_at=moment(rollout.changed_ns)
    )
