"""Governance: which versions of which policies serve, and where.

Files say what there is; the store says what is stable and what is rolling out. Pure but for reading the store.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from webhook.policy.catalog import Catalog, restore_version
from webhook.policy.errors import PolicyError
from webhook.policy.version import PolicyVersion
from webhook.ports.store import Store
from webhook.rego.ast import Source
from webhook.rollout.life import Phase, Rollout
from webhook.rollout.policy_exception import PolicyException
from webhook.rollout.route import Route, route_of

_UNDER_WAY = (Phase.PROGRESSING, Phase.PAUSED)


@dataclass(frozen=True, slots=True)
class StoreState:
    """What the store said at one moment."""

    generation: int
    stables: Mapping[str, str | None]
    """Digest by policy."""
    rollouts: Mapping[str, Rollout]
    """Those under way, by policy."""
    exceptions: tuple[PolicyException, ...] = ()
    versions: Mapping[str, PolicyVersion] = field(default_factory=dict)
    """By digest: the content of everything that serves and that the files no longer hold."""


@dataclass(frozen=True, slots=True)
class Governed:
    """One version that serves."""

    version: PolicyVersion
    route: Route | None
    """None where it decides everywhere."""


async def read_state(store: Store, catalog: Catalog, known: Mapping[str, PolicyVersion]) -> StoreState:
    """Read what the store says, and the content that neither `catalog` nor `known` (by digest) has.

    Raises:
        StoreError: it cannot be read.
        PolicyError: what serves is not in the store, or not as it was.

    """
    generation = await store.generation()
    stables = await store.stables()
    active = await store.rollouts(active=True)
    rollouts = {rollout.policy: rollout for rollout in active if rollout.phase in _UNDER_WAY}
    exceptions = await store.exceptions()
    at_hand = {policy.digest for policy in catalog.policies}
    versions: dict[str, PolicyVersion] = {}
    for policy, digest in _serving(stables, rollouts):
        if digest in known:
            versions[digest] = known[digest]
        elif digest not in at_hand:
            versions[digest] = await restore_stored(store, policy, digest)
    return StoreState(generation, stables, rollouts, tuple(exceptions), versions)


def govern(catalog: Catalog, state: StoreState | None) -> tuple[Governed, ...]:
    """Give the versions that serve, in the order of the files; without a state the files decide everywhere.

    Raises:
        PolicyError: the content of a version that serves is nowhere.

    """
    if state is None:
        return tuple(Governed(version, None) for version in catalog.policies)
    content: dict[str, PolicyVersion] = dict(state.versions)
    content.update((version.digest, version) for version in catalog.policies)
    order = {version.name: position for position, version in enumerate(catalog.policies)}
    serving = sorted(
        _serving(state.stables, state.rollouts), key=lambda pair: (order.get(pair[0], len(order)), pair[0])
    )
    governed: list[Governed] = []
    for policy, digest in serving:
        if digest not in content:
            raise PolicyError(f"the content of version {digest} of policy {policy!r} is not in the store")
        rollout = state.rollouts.get(policy)
        governed.append(
            Governed(content[digest], None if rollout is None else route_of(rollout.stable, rollout))
        )
    return tuple(governed)


def _serving(stables: Mapping[str, str | None], rollouts: Mapping[str, Rollout]) -> Iterable[tuple[str, str]]:
    """Give (policy, digest) of everything that serves: stable first, then the candidate."""
    for policy in sorted({*stables, *rollouts}):
        rollout = rollouts.get(policy)
        stable = stables.get(policy)
        if stable is not None:
            yield policy, stable
        if rollout is not None and rollout.candidate != stable:
            yield policy, rollout.candidate


async def restore_stored(store: Store, policy: str, digest: str) -> PolicyVersion:
    """Make a version of what the store kept of it.

    Raises:
        StoreError: it cannot be read.
        PolicyError: it is not in the store, or not as it was.

    """
    for stored in await store.versions(policy):
        if stored.digest == digest:
            sources = [Source(path, text) for path, text in stored.sources]
            return restore_version(policy, sources, stored.metadata.get("parameters", {}), digest)
    raise PolicyError(f"the content of version {digest} of policy {policy!r} is not in the store")
