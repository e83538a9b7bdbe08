"""Looking at rollouts: list, get, status, explanation, history. Changes nothing."""

from collections.abc import Sequence

from webhook.flows.operator import Ask, Operator, View, find_rollout, require_policy
from webhook.flows.rollout_views import (
    ExplanationView,
    RolloutDetail,
    RolloutHistory,
    RolloutStatus,
    RolloutView,
    moment,
    view_detail,
    view_explanation,
    view_rollout,
    view_status,
    view_transition,
)
from webhook.ports.store import ROLLOUT_LEASE, Store
from webhook.rollout.duration import SECOND_NS
from webhook.rollout.explain import Seen
from webhook.rollout.life import Event, Rollout

_HANDOVER_NS = 5 * SECOND_NS


class ListRollouts(Ask, frozen=True, kw_only=True):
    """Which rollouts."""

    policy: str | None = None
    active: bool = False
    """Only those that are not over."""


class RolloutList(View, frozen=True, kw_only=True):
    """Rollouts, newest first."""

    items: tuple[RolloutView, ...]
    note: str = ""
    """What keeps all of them where they are; empty when nothing does."""


class RolloutName(Ask, frozen=True, kw_only=True):
    """One rollout: its id, or a policy, which stands for its active or else newest rollout."""

    name: str


class Histories(View, frozen=True, kw_only=True):
    """What happened to rollouts, the oldest rollout first."""

    items: tuple[RolloutHistory, ...]


async def list_rollouts(operator: Operator, ask: ListRollouts) -> RolloutList:
    """List rollouts, newest first."""
    if ask.policy is not None:
        await require_policy(operator.store, ask.policy)
    found = await operator.store.rollouts(ask.policy, active=ask.active)
    note = await _leadership_note(operator, found)
    return RolloutList(items=tuple(map(view_rollout, found)), note=note)


async def get_rollout(operator: Operator, ask: RolloutName) -> RolloutDetail:
    """Give one rollout with its strategy."""
    return view_detail(await find_rollout(operator.store, ask.name))


async def rollout_status(operator: Operator, ask: RolloutName) -> RolloutStatus:
    """Give everything about a rollout: step, cohort, evidence, bars, what it waits for."""
    store = operator.store
    rollout = await find_rollout(store, ask.name)
    evidence = await store.evidence(rollout.candidate, rollout.stable)
    since = await _attempt_begun(store, rollout)
    note = await _leadership_note(operator, [rollout])
    return view_status(rollout, evidence, await store.namespaces(), operator.clock.now_ns(), since, note)


async def explain_rollout(operator: Operator, ask: RolloutName) -> ExplanationView:
    """Say in plain words why a rollout is where it is, what it needs, and when that is expected."""
    store = operator.store
    rollout = await find_rollout(store, ask.name)
    evidence = await store.evidence(rollout.candidate, rollout.stable)
    since = await _attempt_begun(store, rollout)
    note = await _leadership_note(operator, [rollout])
    return view_explanation(rollout, evidence, operator.clock.now_ns(), since, note)


async def rollout_history(operator: Operator, ask: RolloutName) -> Histories:
    """Give all that happened to the rollouts of a policy, or to one rollout."""
    found = await find_rollout(operator.store, ask.name)
    chosen = [found] if found.id == ask.name else list(await operator.store.rollouts(found.policy))
    histories = []
    for rollout in reversed(chosen):
        transitions = await operator.store.transitions(rollout.id)
        analysis = rollout.strategy.analysis
        views = tuple(view_transition(transition, analysis) for transition in transitions)
        histories.append(RolloutHistory(rollout=view_rollout(rollout), transitions=views))
    return Histories(items=tuple(histories))


async def _attempt_begun(store: Store, rollout: Rollout) -> Seen | None:
    """Tell where the present attempt began; None for the first one, which began with nothing."""
    if rollout.attempt == 1:
        return None
    retried = (one for one in reversed(await store.transitions(rollout.id)) if one.event is Event.RETRY)
    for transition in retried:
        if transition.evidence is not None:
            return Seen(transition.evidence.workloads, transition.at_ns)
    return None


async def _leadership_note(operator: Operator, rollouts: Sequence[Rollout]) -> str:
    """Say that nobody lets rollouts move, as far as the store can tell: whoever leads renews a lease in it."""
    if not any(rollout.phase.is_active for rollout in rollouts):
        return ""
    lease, now_ns = await operator.store.lease(ROLLOUT_LEASE), operator.clock.now_ns()
    if lease is not None and now_ns <= lease.expires_ns + _HANDOVER_NS:
        return ""
    known = lease is not None and lease.expires_ns
    since = f" since {moment(lease.expires_ns):%Y-%m-%d %H:%M:%SZ}" if lease is not None and known else ""
    return f"nobody leads the rollouts{since}: no server runs, or none can write the store; all of them hold"
