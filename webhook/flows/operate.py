"""The verbs on rollouts: start, promote, pause, resume, abort, retry, undo.

Each reads the rollout, lets the state machine decide, stores by compare-and-swap, then announces. A verb is meant
for what its author saw: when the rollout has moved on meanwhile, it is refused rather than applied to the next
step, except abort and pause, which are wanted wherever it is by now.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from webhook.flows.operation_errors import InvalidField, OperationRefused
from webhook.flows.operator import Ask, Operator, find_rollout, find_version, known_versions
from webhook.flows.rollout_views import RolloutView, view_rollout
from webhook.flows.stored_versions import judged_namespaces
from webhook.ports.store import RevisionConflict, RolloutExists, StoredVersion
from webhook.rollout import states
from webhook.rollout.errors import InvalidStrategy, TransitionRefused
from webhook.rollout.evidence import Evidence
from webhook.rollout.life import Order, Outcome, Phase, Rollout, RolloutId
from webhook.rollout.strategy import Strategy, narrow_strategy
from webhook.rollout.strategy_document import parse_strategy

_ATTEMPTS = 8
_Decide = Callable[[Rollout], Awaitable[Outcome]]


class StartRollout(Ask, frozen=True, kw_only=True):
    """A version that shall be rolled out."""

    policy: str
    version: str = ""
    """Semantic version, digest or the beginning of one; empty for what the policy files hold."""
    reason: str = ""
    strategy: dict[str, Any] | None = None
    """Instead of the one that the settings give."""


class RolloutVerb(Ask, frozen=True, kw_only=True):
    """A rollout, and why."""

    name: str
    """The rollout's id or its policy."""
    reason: str = ""


class PromoteRollout(Ask, frozen=True, kw_only=True):
    """A rollout that shall go on now."""

    name: str
    reason: str = ""
    full: bool = False
    """To the end, not only to the next step."""
    force: bool = False
    """Against the evidence; needs a reason."""


Verb = Callable[[Operator, RolloutVerb], Awaitable[RolloutView]]


async def promote_rollout(operator: Operator, ask: PromoteRollout) -> RolloutView:
    """Go to the next step, or to the end, without waiting for the step's time."""
    order = Order(operator.name, ask.reason.strip(), ask.force)

    async def decide(rollout: Rollout) -> Outcome:
        evidence = await _evidence(operator, rollout)
        namespaces = await operator.store.namespaces()
        return states.promote(rollout, evidence, operator.clock.now_ns(), namespaces, order, full=ask.full)

    return await _change(operator, await find_rollout(operator.store, ask.name), decide)


async def pause_rollout(operator: Operator, ask: RolloutVerb) -> RolloutView:
    """Stay where it is; a missed bar still rolls back."""

    async def decide(rollout: Rollout) -> Outcome:
        evidence = await _evidence(operator, rollout)
        return states.pause(rollout, _order(operator, ask), operator.clock.now_ns(), evidence)

    return await _change(operator, await find_rollout(operator.store, ask.name), decide, wherever=True)


async def resume_rollout(operator: Operator, ask: RolloutVerb) -> RolloutView:
    """Go on from where it was paused."""

    async def decide(rollout: Rollout) -> Outcome:
        evidence = await _evidence(operator, rollout)
        return states.resume(rollout, _order(operator, ask), operator.clock.now_ns(), evidence)

    return await _change(operator, await find_rollout(operator.store, ask.name), decide)


async def abort_rollout(operator: Operator, ask: RolloutVerb) -> RolloutView:
    """Give up the candidate at once; stable decides everywhere again."""

    async def decide(rollout: Rollout) -> Outcome:
        evidence = await _evidence(operator, rollout)
        return states.abort(rollout, _order(operator, ask), operator.clock.now_ns(), evidence)

    return await _change(operator, await find_rollout(operator.store, ask.name), decide, wherever=True)


async def retry_rollout(operator: Operator, ask: RolloutVerb) -> RolloutView:
    """Begin a given-up candidate anew from its first step, or run failed checks again; verdicts stay."""

    async def decide(rollout: Rollout) -> Outcome:
        return await _retry(operator, rollout, _order(operator, ask))

    return await _change(operator, await find_rollout(operator.store, ask.name), decide)


async def undo_rollout(operator: Operator, ask: RolloutVerb) -> RolloutView:
    """Take back a promotion: the version that was stable before is stable again."""
    rollout = await _promoted(operator, ask.name)

    async def decide(rollout: Rollout) -> Outcome:
        store = operator.store
        current = (await store.stables()).get(rollout.policy)
        active = await store.rollouts(rollout.policy, active=True)
        under_way = active[0] if active else None
        evidence = await _evidence(operator, rollout)
        order, now_ns = _order(operator, ask), operator.clock.now_ns()
        return states.undo(rollout, order, now_ns, current, under_way, evidence)

    return await _change(operator, rollout, decide)


async def start_rollout(operator: Operator, ask: StartRollout) -> RolloutView:
    """Roll out a version that the store or the policy files hold, also one that was given up before."""
    store, strategy = operator.store, _strategy(operator, ask)
    version = await _version_to_start(operator, ask)
    judged = judged_namespaces(version)
    strategy = narrow_strategy(strategy, judged.include, judged.exclude)
    rollouts = await store.rollouts(ask.policy)
    active = next((rollout for rollout in rollouts if rollout.phase.is_active), None)
    if active is not None and active.candidate == version.digest:
        raise OperationRefused(
            f"{ask.policy} {version.version} is being rolled out already: it is {active.phase}"
        )
    outcome = await _begin(operator, ask, version, strategy, rollouts)
    await store.put_versions(version)
    if active is not None:
        evidence = await _evidence(operator, active)
        await _commit(operator, states.supersede(active, version.version, operator.clock.now_ns(), evidence))
    return view_rollout(await _commit(operator, outcome))


async def _begin(
    operator: Operator,
    ask: StartRollout,
    version: StoredVersion,
    strategy: Strategy,
    rollouts: Sequence[Rollout],
) -> Outcome:
    """Decide how a version starts; one that was given up keeps its evidence and is tried again."""
    stable = (await operator.store.stables()).get(ask.policy)
    if stable == version.digest:
        raise OperationRefused(f"{ask.policy} {version.version} is stable already")
    order = Order(operator.name, ask.reason.strip())
    earlier = next((rollout for rollout in rollouts if rollout.candidate == version.digest), None)
    if earlier is not None and earlier.phase is Phase.DEGRADED:
        try:
            return await _retry(operator, replace(earlier, strategy=strategy), order)
        except TransitionRefused as error:
            raise OperationRefused(str(error)) from error
    return states.start(
        RolloutId(f"{ask.policy}-{secrets.token_hex(4)}"),
        ask.policy,
        candidate=version.digest,
        version=version.version,
        stable=stable,
        strategy=strategy,
        seed=secrets.token_hex(16),
        order=order,
        now_ns=operator.clock.now_ns(),
    )


async def _version_to_start(operator: Operator, ask: StartRollout) -> StoredVersion:
    if ask.version:
        return await find_version(operator, ask.policy, ask.version)
    loaded = {version.digest for version in await operator.loaded() if version.name == ask.policy}
    found = [version for version in await known_versions(operator, ask.policy) if version.digest in loaded]
    if not found:
        raise InvalidField("version", f"the policy files hold no {ask.policy}; name a version")
    return found[0]


def _strategy(operator: Operator, ask: StartRollout) -> Strategy:
    if ask.strategy is None:
        return operator.strategy_of(ask.policy)
    try:
        return parse_strategy(ask.strategy)
    except InvalidStrategy as error:
        raise InvalidField("strategy", str(error)) from error


async def _promoted(operator: Operator, name: str) -> Rollout:
    """Find the rollout whose promotion would be undone: a policy stands for that of its stable version."""
    found = await find_rollout(operator.store, name)
    if found.id == name:
        return found
    stable = (await operator.store.stables()).get(name)
    healthy = (
        rollout
        for rollout in await operator.store.rollouts(name)
        if rollout.phase is Phase.HEALTHY and rollout.candidate == stable
    )
    return next(healthy, found)


async def _retry(operator: Operator, rollout: Rollout, order: Order) -> Outcome:
    stable = (await operator.store.stables()).get(rollout.policy)
    evidence = await operator.store.evidence(rollout.candidate, stable)
    return states.retry(rollout, order, operator.clock.now_ns(), evidence, stable)


async def _evidence(operator: Operator, rollout: Rollout) -> Evidence:
    return await operator.store.evidence(rollout.candidate, rollout.stable)


async def _change(
    operator: Operator, rollout: Rollout, decide: _Decide, *, wherever: bool = False
) -> RolloutView:
    """Decide and store, again when only bookkeeping changed in between."""
    seen = rollout
    for _ in range(_ATTEMPTS):
        try:
            outcome = await decide(rollout)
        except TransitionRefused as error:
            raise OperationRefused(str(error)) from error
        try:
            return view_rollout(await _store(operator, outcome))
        except RevisionConflict:
            rollout = await operator.store.rollout(rollout.id)
        if _place(rollout) != _place(seen) and not wherever:
            raise OperationRefused(
                f"the rollout of {rollout.policy} changed meanwhile, it is {rollout.phase} now "
                f"({rollout.message}); look again"
            )
    raise OperationRefused(f"the rollout of {rollout.policy} keeps changing; try again")


async def _commit(operator: Operator, outcome: Outcome) -> Rollout:
    try:
        return await _store(operator, outcome)
    except RevisionConflict as error:
        raise OperationRefused(f"{error}; look again") from error


async def _store(operator: Operator, outcome: Outcome) -> Rollout:
    try:
        rollout = await operator.store.commit(outcome)
    except RolloutExists as error:
        raise OperationRefused(f"{error}; abort that first") from error
    if outcome.transition is not None:
        operator.announce(outcome.transition, rollout)
    return rollout


def _place(rollout: Rollout) -> tuple[Phase, int, int]:
    """Give what an author of a verb has seen of a rollout; timers and cohorts move beneath it."""
    return rollout.phase, rollout.step, rollout.attempt


def _order(operator: Operator, ask: RolloutVerb) -> Order:
    return Order(operator.name, ask.reason.strip())
