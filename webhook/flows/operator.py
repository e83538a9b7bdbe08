"""The operator: somebody at work on rollouts, findings and exceptions, under a name and on a store.

Owns what every operation needs, and how names that people type find what they mean.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from webhook.flows.operation_errors import InvalidField, OperationRefused, UnknownName, unknown
from webhook.flows.stored_versions import stored_version
from webhook.policy.errors import PolicyError
from webhook.policy.version import PolicyVersion
from webhook.ports.clock import Clock
from webhook.ports.source import SourceError
from webhook.ports.store import NotInStore, Store, StoredVersion
from webhook.rollout.finding import Finding, FindingId
from webhook.rollout.life import ENGINE, Rollout, RolloutId, Transition
from webhook.rollout.strategy import Strategy

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")
_FINDING = re.compile(r"f-[0-9a-f]{16}")
_LOOKS_A_SECOND = 20
_LONGEST_NAME = 128
_SIGNALS = "signal:"
_SHOWN_DIGEST = len("sha256:") + 12


class Ask(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of what is asked for; camelCase outside, unknown fields are refused."""


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of what is answered; times are UTC, durations are written as Kubernetes writes them."""


Announce = Callable[[Transition, Rollout], None]
"""Hears of a transition after it is stored."""


async def _load_nothing() -> Sequence[PolicyVersion]:
    return ()


def _tell_nobody(_transition: Transition, _rollout: Rollout) -> None:
    """Announce nothing."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who operates, and on what."""

    name: str
    """Recorded with everything that is changed."""
    store: Store
    clock: Clock
    strategy_of: Callable[[str], Strategy]
    """Gives the strategy of a policy by name."""
    loaded: Callable[[], Awaitable[Sequence[PolicyVersion]]] = _load_nothing
    """Gives what the policy files hold now; raises PolicyError or SourceError."""
    announce: Announce = _tell_nobody
    patience_seconds: float = 5.0
    """How long a finding is waited for that a denial may have named and no replica has stored yet."""


def require_person(name: str) -> str:
    """Refuse names that stand for the engine or a signal, and what is no name.

    Raises:
        OperationRefused: nobody may act under it.

    """
    if not name.isprintable() or not name.strip() or len(name) > _LONGEST_NAME:
        raise OperationRefused(f"a user's name is 1 to {_LONGEST_NAME} printable characters")
    if name == ENGINE or name.startswith(_SIGNALS):
        raise OperationRefused(f"{name} is no person; act under a name of your own, with --user")
    return name


async def known_policies(store: Store) -> set[str]:
    """Give the names of all policies that the store has heard of."""
    return {*await store.stables(), *(rollout.policy for rollout in await store.rollouts())}


async def require_policy(store: Store, name: str) -> None:
    """Refuse a policy that the store has never heard of.

    Raises:
        UnknownName: there is none of this name.

    """
    known = await known_policies(store)
    if name not in known:
        raise unknown("policy", name, known)


async def find_rollout(store: Store, name: str) -> Rollout:
    """Find a rollout by its id, or the active or else newest one of a policy.

    Raises:
        UnknownName: there is none.

    """
    rollouts = await store.rollouts(name)
    if rollouts:
        return next((rollout for rollout in rollouts if rollout.phase.is_active), rollouts[0])
    try:
        return await store.rollout(RolloutId(name))
    except NotInStore:
        pass
    if name in await store.stables():
        raise UnknownName(f"{name} has no rollout: its stable version was in force when the store was new")
    known = {rollout.id: None for rollout in await store.rollouts()}
    raise unknown("policy or rollout", name, [*await known_policies(store), *known])


async def find_finding(operator: Operator, identity: str) -> Finding:
    """Find a finding by its id, from the moment on at which a denial names it.

    The denial is out before the finding is stored, so one that may be on its way is waited for.

    Raises:
        UnknownName: there is none.

    """
    looks = 1 + int(operator.patience_seconds * _LOOKS_A_SECOND if _FINDING.fullmatch(identity) else 0)
    for look in range(looks):
        if look:
            await asyncio.sleep(1 / _LOOKS_A_SECOND)
        try:
            return await operator.store.finding(FindingId(identity))
        except NotInStore:
            continue
    raise UnknownName(
        f"there is no finding {identity!r}; `gradate review list --all-versions` lists those there are"
    )


async def known_versions(operator: Operator, policy: str) -> Sequence[StoredVersion]:
    """List a policy's versions, newest first: what the store has, and what the files hold besides.

    Raises:
        UnknownName: there is no such policy.

    """
    stored = list(await operator.store.versions(policy))
    try:
        loaded = list(await operator.loaded())
    except (PolicyError, SourceError):
        loaded = []  # what is stored can be told all the same
    for version in loaded:
        if version.name == policy and version.digest not in {known.digest for known in stored}:
            stored.insert(0, stored_version(version, operator.clock.now_ns()))
    if not stored:
        names = {*await known_policies(operator.store), *(version.name for version in loaded)}
        if policy in names:
            raise UnknownName(f"no version of {policy} is in the store")
        raise unknown("policy", policy, names)
    return stored


async def find_version(
    operator: Operator, policy: str, text: str, *, field: str = "version"
) -> StoredVersion:
    """Find one version by semantic version, by digest or the beginning of one, or as `stable` or `candidate`.

    Raises:
        UnknownName: there is no such policy or version.
        InvalidField: it stands for several versions.

    """
    versions = await known_versions(operator, policy)
    if text in ("stable", "candidate"):
        digest = await _role(operator.store, policy, text)
        found = [version for version in versions if version.digest == digest]
    else:
        found = _select(versions, text)
    if len(found) > 1:
        digests = ", ".join(short_digest(version.digest) for version in found)
        raise InvalidField(
            field, f"{text} stands for {len(found)} versions of {policy}; name one by digest: {digests}"
        )
    if not found:
        raise unknown(f"version of {policy}", text, {version.version for version in versions})
    return found[0]


def short_digest(digest: str) -> str:
    """Abbreviate a digest as far as people need it."""
    return digest[:_SHOWN_DIGEST]


def _select(versions: Sequence[StoredVersion], text: str) -> list[StoredVersion]:
    by_number = [version for version in versions if version.version == text.removeprefix("v")]
    if by_number:
        return by_number
    prefix = _DIGEST.fullmatch(text)
    if prefix is None:
        return [version for version in versions if version.digest == text]
    return [version for version in versions if version.digest.removeprefix("sha256:").startswith(prefix[1])]


async def _role(store: Store, policy: str, role: str) -> str:
    if role == "stable":
        stable = (await store.stables()).get(policy)
        if stable is None:
            raise OperationRefused(f"{policy} has no stable version")
        return stable
    active = await store.rollouts(policy, active=True)
    if not active:
        raise OperationRefused(f"nothing of {policy} is being rolled out")
    return active[0].candidate
