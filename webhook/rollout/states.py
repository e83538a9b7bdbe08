"""The state machine of a rollout: one table, `advance` for what happens by itself, and the verbs.

Pure: every function takes the rollout as it stands and gives what should be stored, or refuses. Whoever calls
compares and swaps the revision, and announces only afterwards. The diagram in docs/rollout-states.md is drawn
from `ARROWS`.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from webhook.rollout.assessment import Assessment, assess, mark
from webhook.rollout.bars import BarName, BarState, evaluate_bars
from webhook.rollout.cohort import EVERYBODY, NOBODY, cohort_of, representative_salt, threshold_for
from webhook.rollout.duration import format_duration
from webhook.rollout.errors import TransitionRefused
from webhook.rollout.evidence import Evidence
from webhook.rollout.life import (
    ENGINE,
    Checks,
    Event,
    Order,
    Outcome,
    Phase,
    Reason,
    Rollout,
    RolloutId,
    StableChange,
    StepTimer,
    Transition,
)
from webhook.rollout.strategy import OnInconclusive, Strategy


@dataclass(frozen=True, slots=True)
class Arrow:
    """One thing that can happen."""

    source: Phase | None
    event: Event
    target: Phase
    meaning: str


ARROWS = (
    Arrow(None, Event.START, Phase.PENDING, "new content for a policy"),
    Arrow(Phase.PENDING, Event.CHECK, Phase.PENDING, "its tests and probes passed or failed"),
    Arrow(Phase.PENDING, Event.BEGIN, Phase.PROGRESSING, "checks passed and a namespace is known"),
    Arrow(Phase.PENDING, Event.PROMOTE, Phase.HEALTHY, "in full, by force"),
    Arrow(Phase.PENDING, Event.RETRY, Phase.PENDING, "by a user, after failed checks: they run again"),
    Arrow(Phase.PENDING, Event.ABORT, Phase.DEGRADED, "by a user"),
    Arrow(Phase.PENDING, Event.SUPERSEDE, Phase.SUPERSEDED, "a newer version came"),
    Arrow(Phase.PENDING, Event.WITHDRAW, Phase.SUPERSEDED, "the policy was deleted"),
    Arrow(Phase.PROGRESSING, Event.ADVANCE, Phase.PROGRESSING, "time served, bars cleared: the next step"),
    Arrow(Phase.PROGRESSING, Event.EXTEND, Phase.PROGRESSING, "time served, bars undecided: the step again"),
    Arrow(Phase.PROGRESSING, Event.WIDEN, Phase.PROGRESSING, "the cohort's namespaces are all gone"),
    Arrow(Phase.PROGRESSING, Event.COMPLETE, Phase.HEALTHY, "the last step is done: it is stable now"),
    Arrow(Phase.PROGRESSING, Event.PROMOTE, Phase.PROGRESSING, "by a user, to the next step"),
    Arrow(Phase.PROGRESSING, Event.PROMOTE, Phase.HEALTHY, "by a user, from the last step or in full"),
    Arrow(Phase.PROGRESSING, Event.PAUSE, Phase.PAUSED, "by a user; the cohort stays"),
    Arrow(Phase.PROGRESSING, Event.ROLL_BACK, Phase.DEGRADED, "a bar is provably missed, or inconclusive"),
    Arrow(Phase.PROGRESSING, Event.ABORT, Phase.DEGRADED, "by a user, at once"),
    Arrow(Phase.PROGRESSING, Event.SUPERSEDE, Phase.SUPERSEDED, "a newer version came"),
    Arrow(Phase.PROGRESSING, Event.WITHDRAW, Phase.SUPERSEDED, "the policy was deleted"),
    Arrow(Phase.PAUSED, Event.RESUME, Phase.PROGRESSING, "by a user"),
    Arrow(Phase.PAUSED, Event.PROMOTE, Phase.PROGRESSING, "by a user, to the next step"),
    Arrow(Phase.PAUSED, Event.PROMOTE, Phase.HEALTHY, "by a user, from the last step or in full"),
    Arrow(Phase.PAUSED, Event.ROLL_BACK, Phase.DEGRADED, "a bar is provably missed"),
    Arrow(Phase.PAUSED, Event.ABORT, Phase.DEGRADED, "by a user, at once"),
    Arrow(Phase.PAUSED, Event.SUPERSEDE, Phase.SUPERSEDED, "a newer version came"),
    Arrow(Phase.PAUSED, Event.WITHDRAW, Phase.SUPERSEDED, "the policy was deleted"),
    Arrow(Phase.HEALTHY, Event.UNDO, Phase.DEGRADED, "by a user: the version before is stable again"),
    Arrow(Phase.DEGRADED, Event.RETRY, Phase.PENDING, "by a user, from the first step"),
)
"""Everything that can happen; nothing else does."""

_VERBS = frozenset(
    event.value for event in (Event.PROMOTE, Event.PAUSE, Event.RESUME, Event.ABORT, Event.RETRY, Event.UNDO)
)
"""What people ask for; the rest happens by itself."""
_ALLOWED = frozenset((arrow.source, arrow.event, arrow.target) for arrow in ARROWS)


def start(
    identity: RolloutId,
    policy: str,
    *,
    candidate: str,
    version: str,
    stable: str | None,
    strategy: Strategy,
    seed: str,
    order: Order,
    now_ns: int,
) -> Outcome:
    """Start a rollout; it is Pending until its checks have passed.

    Args:
        identity: new and unique.
        policy: its name.
        candidate: digest of the version that is rolled out.
        version: its semantic version.
        stable: digest of the version that decides now, None for a first version.
        strategy: how it goes.
        seed: unguessable text that the cohort is drawn with.
        order: who or what started it.
        now_ns: wall-clock time.

    """
    message = order.reason or f"version {version} waits for its tests and probes"
    rollout = Rollout(
        identity, policy, candidate, version, stable, strategy, salt=seed,
        phase=Phase.PENDING, reason=Reason.CHECKS_RUNNING, message=message,
        created_ns=now_ns, changed_ns=now_ns, timer=StepTimer(0, now_ns),
    )  # fmt: skip
    transition = Transition(
        identity, Event.START, None, Phase.PENDING, 0, NOBODY, rollout.reason, message, order.actor, now_ns
    )
    return Outcome(rollout, transition)


def advance(
    rollout: Rollout, evidence: Evidence | None, now_ns: int, namespaces: Collection[str]
) -> Outcome | None:
    """Let happen what happens by itself, one thing at a time; None when nothing does.

    Args:
        rollout: as it stands.
        evidence: as it is now; None when it cannot be read, which holds.
        now_ns: wall-clock time; it may jump.
        namespaces: those known.

    """
    if rollout.phase is Phase.PENDING:
        return _begin(rollout, namespaces, now_ns)
    if rollout.phase not in (Phase.PROGRESSING, Phase.PAUSED):
        return None
    assessment = assess(rollout, evidence, now_ns)
    if missed := assessment.missed:
        message = f"rolled back, {missed.name} is missed: {missed.missing}"
        change = _Change(Event.ROLL_BACK, Phase.DEGRADED, Reason.BAR_MISSED, message, evidence)
        return _apply(rollout, change, _by_itself(), now_ns, threshold=NOBODY)
    if rollout.phase is Phase.PAUSED:
        return None
    return (
        _end_step(rollout, assessment, evidence, now_ns, namespaces)
        or _widen(rollout, evidence, namespaces, now_ns)
        or _mark(rollout, assessment, now_ns)
    )


def record_checks(rollout: Rollout, *, passed: bool, message: str, now_ns: int) -> Outcome:
    """Note how a candidate's tests and probes went; one that fails never begins.

    Raises:
        TransitionRefused: it is not Pending.

    """
    reason = Reason.CHECKS_PASSED if passed else Reason.CHECKS_FAILED
    change = _Change(Event.CHECK, Phase.PENDING, reason, message)
    checks = Checks.PASSED if passed else Checks.FAILED
    return _apply(rollout, change, _by_itself(), now_ns, checks=checks)


def promote(
    rollout: Rollout,
    evidence: Evidence | None,
    now_ns: int,
    namespaces: Collection[str],
    order: Order,
    *,
    full: bool = False,
) -> Outcome:
    """Go to the next step, or to the end, without waiting for the step's time.

    Raises:
        TransitionRefused: the phase has no such verb, the checks failed, or the evidence does not support it and
            the order does not say force with a reason.

    """
    if rollout.phase is Phase.PENDING and not (full and rollout.checks is Checks.PASSED):
        raise TransitionRefused(f"{rollout.policy} has not begun: {rollout.message}")
    finish = full or rollout.is_last_step
    target = Phase.HEALTHY if finish else Phase.PROGRESSING
    _require(rollout, Event.PROMOTE, target)
    assessment = assess(rollout, evidence, now_ns)
    against = rollout.phase is Phase.PENDING or not assessment.clears
    if against and not order.force:
        raise TransitionRefused(
            f"the evidence does not support it: {_objections(assessment)}; to do it all the same takes --force and --reason"
        )
    if against and not order.reason.strip():
        raise TransitionRefused("a promotion against the evidence needs a reason")
    message = f"promoted by {order.actor}" + (f": {order.reason}" if order.reason else "")
    change = _Change(Event.PROMOTE, target, Reason.PROMOTED_BY_USER, message, evidence, forced=against)
    if finish:
        return _complete(rollout, change, order, now_ns)
    return _enter_step(rollout, rollout.step + 1, change, order, now_ns, namespaces)


def pause(rollout: Rollout, order: Order, now_ns: int, evidence: Evidence | None = None) -> Outcome:
    """Stay where it is: the cohort keeps its candidate, time does not count, a missed bar still rolls back.

    Raises:
        TransitionRefused: it is not Progressing.

    """
    message = f"paused by {order.actor}" + (f": {order.reason}" if order.reason else "")
    change = _Change(Event.PAUSE, Phase.PAUSED, Reason.PAUSED, message, evidence)
    return _apply(rollout, change, order, now_ns)


def resume(rollout: Rollout, order: Order, now_ns: int, evidence: Evidence | None = None) -> Outcome:
    """Go on from where it was paused.

    Raises:
        TransitionRefused: it is not Paused.

    """
    message = f"resumed by {order.actor}" + (f": {order.reason}" if order.reason else "")
    change = _Change(Event.RESUME, Phase.PROGRESSING, Reason.RESUMED, message, evidence)
    timer = replace(rollout.timer, marked_ns=now_ns)
    return _apply(rollout, change, order, now_ns, timer=timer)


def abort(rollout: Rollout, order: Order, now_ns: int, evidence: Evidence | None = None) -> Outcome:
    """Give up the candidate; stable decides everywhere again.

    Raises:
        TransitionRefused: it is over already.

    """
    message = f"aborted by {order.actor}" + (f": {order.reason}" if order.reason else "")
    change = _Change(Event.ABORT, Phase.DEGRADED, Reason.ABORTED, message, evidence)
    return _apply(rollout, change, order, now_ns, threshold=NOBODY)


def retry(
    rollout: Rollout, order: Order, now_ns: int, evidence: Evidence | None, current_stable: str | None
) -> Outcome:
    """Begin a given-up candidate anew from its first step, against what is stable by now; run failed checks again.

    Workloads and verdicts stay: dropping them would let a bad version try until it is lucky. Errors and times
    count afresh, since their cause may lie outside the policy.

    Raises:
        TransitionRefused: it is neither Degraded nor kept by failed checks, its findings would roll it back at
            once, or it is stable already.

    """
    _require(rollout, Event.RETRY, Phase.PENDING)
    if rollout.phase is Phase.PENDING and rollout.checks is not Checks.FAILED:
        raise TransitionRefused(f"{rollout.policy} is about to begin: {rollout.message}")
    if current_stable == rollout.candidate:
        raise TransitionRefused(f"{rollout.policy} {rollout.version} is stable already")
    if evidence is not None:
        for bar in evaluate_bars(rollout.strategy.analysis, evidence, evidence.total):
            if bar.state is BarState.MISSED and bar.name in (
                BarName.FALSE_POSITIVE_RATE,
                BarName.INTERCEPTION_ACCURACY,
            ):
                raise TransitionRefused(
                    f"it would roll back at once: {bar.missing}; revise the verdicts first"
                )
    message = f"retried by {order.actor}" + (f": {order.reason}" if order.reason else "")
    change = _Change(Event.RETRY, Phase.PENDING, Reason.RETRIED, message, evidence)
    return _apply(
        rollout, change, order, now_ns,
        stable=current_stable, step=0, threshold=NOBODY, attempt=rollout.attempt + 1, checks=Checks.RUNNING,
        timer=StepTimer(0, now_ns), baseline=None if evidence is None else evidence.total,
    )  # fmt: skip


def undo(
    rollout: Rollout,
    order: Order,
    now_ns: int,
    current_stable: str | None,
    under_way: Rollout | None,
    evidence: Evidence | None = None,
) -> Outcome:
    """Take back a promotion: the version that was stable before is stable again.

    Args:
        rollout: the one that was promoted.
        order: by whom, and why.
        now_ns: wall-clock time.
        current_stable: digest of the policy's stable version.
        under_way: the policy's active rollout.
        evidence: as it is now, for the record.

    Raises:
        TransitionRefused: it is not Healthy, a later version has become stable since, or one is on its way.

    """
    _require(rollout, Event.UNDO, Phase.DEGRADED)
    if under_way is not None:
        raise TransitionRefused(f"{rollout.policy} {under_way.version} is being rolled out; abort that first")
    if current_stable != rollout.candidate:
        raise TransitionRefused(f"{rollout.policy} has a later stable version; undo that rollout first")
    before = "the version before it is stable again" if rollout.stable else "the policy decides nothing now"
    message = f"undone by {order.actor}, {before}" + (f": {order.reason}" if order.reason else "")
    change = _Change(Event.UNDO, Phase.DEGRADED, Reason.UNDONE, message, evidence)
    outcome = _apply(rollout, change, order, now_ns, threshold=NOBODY)
    return replace(outcome, stable_change=StableChange(rollout.policy, rollout.stable))


def supersede(rollout: Rollout, newer: str, now_ns: int, evidence: Evidence | None = None) -> Outcome:
    """End a rollout because a newer version (its name for people) takes its place.

    Raises:
        TransitionRefused: it is over already.

    """
    content = "changed content of " if newer == rollout.version else ""
    message = f"{content}version {newer} takes its place"
    change = _Change(Event.SUPERSEDE, Phase.SUPERSEDED, Reason.NEWER_VERSION, message, evidence)
    return _apply(rollout, change, _by_itself(), now_ns, threshold=NOBODY)


def withdraw(rollout: Rollout, now_ns: int, evidence: Evidence | None = None) -> Outcome:
    """End a rollout because its policy was deleted; the version may come back, it was not given up.

    Raises:
        TransitionRefused: it is over already.

    """
    message = f"the policy {rollout.policy} was deleted"
    change = _Change(Event.WITHDRAW, Phase.SUPERSEDED, Reason.POLICY_DELETED, message, evidence)
    return _apply(rollout, change, _by_itself(), now_ns, threshold=NOBODY)


@dataclass(frozen=True, slots=True)
class _Change:
    event: Event
    target: Phase
    reason: Reason
    message: str
    evidence: Evidence | None = None
    forced: bool = False


def _by_itself() -> Order:
    return Order(ENGINE)


def _begin(rollout: Rollout, namespaces: Collection[str], now_ns: int) -> Outcome | None:
    if rollout.checks is not Checks.PASSED:
        return None
    selection = rollout.strategy.namespaces
    narrowest = min(step.percent for step in rollout.strategy.steps)
    salt = representative_salt(rollout.salt, selection, narrowest, namespaces)
    if threshold_for(salt, selection, rollout.current_step.percent, namespaces) is None:
        return None
    change = _Change(Event.BEGIN, Phase.PROGRESSING, Reason.STEP_BEGUN, "")
    return _enter_step(replace(rollout, salt=salt), 0, change, _by_itself(), now_ns, namespaces)


def _end_step(
    rollout: Rollout,
    assessment: Assessment,
    evidence: Evidence | None,
    now_ns: int,
    namespaces: Collection[str],
) -> Outcome | None:
    step = rollout.current_step
    if assessment.served_ns < step.duration_ns or assessment.hold is not None:
        return None
    if assessment.clears:
        if rollout.is_last_step:
            message = f"version {rollout.version} is stable: every step served, every bar cleared"
            change = _Change(Event.COMPLETE, Phase.HEALTHY, Reason.PROMOTED, message, evidence)
            return _complete(rollout, change, _by_itself(), now_ns)
        change = _Change(Event.ADVANCE, Phase.PROGRESSING, Reason.PROMOTED, "", evidence)
        return _enter_step(rollout, rollout.step + 1, change, _by_itself(), now_ns, namespaces)
    # Without a duration there is no end at which to extend or to give up.
    choice = rollout.strategy.analysis.on_inconclusive if step.duration_ns else OnInconclusive.HOLD
    if choice is OnInconclusive.ABORT:
        message = f"given up after {format_duration(step.duration_ns)}: {_objections(assessment)}"
        change = _Change(Event.ROLL_BACK, Phase.DEGRADED, Reason.INCONCLUSIVE, message, evidence)
        return _apply(rollout, change, _by_itself(), now_ns, threshold=NOBODY)
    if choice is OnInconclusive.EXTEND:
        message = f"another {format_duration(step.duration_ns)}: {_objections(assessment)}"
        change = _Change(Event.EXTEND, Phase.PROGRESSING, Reason.STEP_EXTENDED, message, evidence)
        return _apply(rollout, change, _by_itself(), now_ns, timer=StepTimer(0, now_ns))
    return None


def _enter_step(
    rollout: Rollout,
    step: int,
    change: _Change,
    order: Order,
    now_ns: int,
    namespaces: Collection[str],
) -> Outcome:
    entered, before = rollout.strategy.steps[step], rollout.current_step
    threshold = (
        threshold_for(rollout.salt, rollout.strategy.namespaces, entered.percent, namespaces) or NOBODY
    )
    if entered.percent >= before.percent and change.event is not Event.BEGIN:
        # Namespaces that went away must not push others out of the cohort.
        threshold = max(threshold, rollout.threshold)
    message = f"step {step + 1} of {len(rollout.strategy.steps)}: {entered.describe()}"
    change = replace(change, message=f"{change.message}; {message}" if change.message else message)
    timer = StepTimer(0, now_ns)
    return _apply(rollout, change, order, now_ns, step=step, threshold=threshold, timer=timer)


def _complete(rollout: Rollout, change: _Change, order: Order, now_ns: int) -> Outcome:
    last = len(rollout.strategy.steps) - 1
    outcome = _apply(rollout, change, order, now_ns, step=last, threshold=EVERYBODY)
    return replace(outcome, stable_change=StableChange(rollout.policy, rollout.candidate))


def _widen(
    rollout: Rollout, evidence: Evidence | None, namespaces: Collection[str], now_ns: int
) -> Outcome | None:
    selection, step = rollout.strategy.namespaces, rollout.current_step
    if rollout.threshold == EVERYBODY:
        return None
    if any(map(cohort_of(rollout.salt, selection, rollout.threshold).contains, namespaces)):
        return None
    threshold = threshold_for(rollout.salt, selection, step.percent, namespaces)
    if threshold is None:
        return None
    message = "no namespace of the cohort is left; it takes in the next ones"
    change = _Change(Event.WIDEN, Phase.PROGRESSING, Reason.COHORT_WIDENED, message, evidence)
    return _apply(rollout, change, _by_itself(), now_ns, threshold=max(threshold, rollout.threshold))


def _mark(rollout: Rollout, assessment: Assessment, now_ns: int) -> Outcome | None:
    timer = mark(rollout, assessment, now_ns)
    return None if timer is None else Outcome(replace(rollout, timer=timer), None)


def _objections(assessment: Assessment) -> str:
    words = [] if assessment.hold is None else [assessment.hold.value]
    words += [f"{bar.name} needs {bar.missing}" for bar in assessment.bars if bar.state is BarState.UNDECIDED]
    words += [
        f"{bar.name} is missed: {bar.missing}" for bar in assessment.bars if bar.state is BarState.MISSED
    ]
    return "; ".join(words) or "it has not begun"


def _require(rollout: Rollout, event: Event, target: Phase) -> None:
    if (rollout.phase, event, target) in _ALLOWED:
        return
    possible = sorted({arrow.event.value for arrow in ARROWS if arrow.source is rollout.phase} & _VERBS)
    advice = f"; possible: {', '.join(possible)}" if possible else ""
    raise TransitionRefused(f"cannot {event}: the rollout of {rollout.policy} is {rollout.phase}{advice}")


def _apply(rollout: Rollout, change: _Change, order: Order, now_ns: int, **fields: Any) -> Outcome:
    _require(rollout, change.event, change.target)
    changed = replace(
        rollout,
        phase=change.target,
        reason=change.reason,
        message=change.message,
        changed_ns=now_ns,
        **fields,
    )
    transition = Transition(
        rollout.id, change.event, rollout.phase, change.target, changed.step, changed.threshold,
        change.reason, change.message, order.actor, now_ns, change.forced, change.evidence,
    )  # fmt: skip
    return Outcome(changed, transition)
