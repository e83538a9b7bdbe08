"""Rollouts as people and programs are shown them: flat values with times, counts and words.

Pure; knows neither stores nor how anything is printed.
"""

import math
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from webhook.flows.operator import View
from webhook.rollout.assessment import Assessment, assess
from webhook.rollout.bars import BarName, BarState, count_false_positives
from webhook.rollout.cohort import EVERYBODY, cohort_of, eligible_members, members
from webhook.rollout.duration import MILLISECOND_NS, format_duration
from webhook.rollout.evidence import Evidence
from webhook.rollout.explain import Seen, explain
from webhook.rollout.finding import Standing
from webhook.rollout.life import Checks, Event, Phase, Reason, Rollout, Transition
from webhook.rollout.strategy import Analysis, Mode
from webhook.rollout.strategy_document import strategy_document

SHOWN_NAMESPACES = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_P99 = 0.99
_LARGEST_LOG = 700.0  # e to this is still a float


class RolloutView(View, frozen=True, kw_only=True):
    """One rollout as it stands."""

    id: str
    policy: str
    version: str
    """Semantic version of the candidate."""
    candidate: str
    """Digest."""
    stable: str | None
    """Digest of the version that decides elsewhere; null for a policy's first version."""
    phase: Phase
    reason: Reason
    message: str
    checks: Checks
    step: int
    """From 1."""
    steps: int
    mode: Mode
    percent: float
    """Of the namespaces, in this step."""
    attempt: int
    created_at: datetime
    changed_at: datetime
    """When its last transition happened."""


class RolloutDetail(View, frozen=True, kw_only=True):
    """One rollout with its strategy."""

    rollout: RolloutView
    strategy: dict[str, Any]
    """As docs/rollouts.md describes it, every default spelt out."""


class CohortView(View, frozen=True, kw_only=True):
    """Where the candidate acts."""

    size: int
    """Known namespaces in the cohort."""
    eligible: int
    """Known namespaces that the rollout may touch."""
    share: float
    """Size by eligible, as a fraction."""
    everywhere: bool
    """Whether namespaces that are not known yet belong, too."""
    namespaces: tuple[str, ...]
    """The first hundred of the cohort, in order of name."""


class EvidenceView(View, frozen=True, kw_only=True):
    """What is known of a candidate."""

    workloads: int
    """Distinct ones."""
    trials: int
    """Those that are benign as far as is known."""
    false_positives: int
    """Workloads denied wrongly, as judged."""
    unreviewed: int
    """Workloads newly denied that nobody has judged."""
    true_positives: int
    violating: int
    """Workloads that stable denies, too: no trials."""
    disputed: int
    """Findings with an open objection."""
    false_positive_rate: float | None
    """As it counts for promotion; null without a trial."""
    upper_bound: float
    """The true rate lies below it, at the strategy's confidence, however often one looked."""
    e_value: float
    """Evidence against a rate at or above the maximum."""
    e_value_needed: float
    workloads_needed: int
    """More benign workloads until promotion is proven, without a further false positive."""
    workloads_needed_when_reviewed: int
    """The same, if every unreviewed workload turns out to be rightly denied."""
    guaranteed: bool
    """False when unreviewed findings are ignored."""
    evaluations: int
    denials: int
    divergences: int
    errors: int
    dropped: int
    """Shadow evaluations shed under load."""
    p99_milliseconds: float | None
    stable_p99_milliseconds: float | None
    first_at: datetime | None
    """When the first workload was recorded."""
    reported_at: datetime | None
    """When a replica last reported."""


class BarView(View, frozen=True, kw_only=True):
    """One bar, judged."""

    name: BarName
    state: BarState
    value: float | None
    limit: float
    missing: str
    """What it takes; empty when met."""


class ExplanationView(View, frozen=True, kw_only=True):
    """A rollout in plain words."""

    where: str
    why: str
    needs: tuple[str, ...]
    expected: str
    expected_at: datetime | None
    caution: str
    note: str = ""
    """What keeps all rollouts where they are; empty when nothing does."""


class RolloutStatus(View, frozen=True, kw_only=True):
    """Everything about a rollout at one moment."""

    rollout: RolloutView
    cohort: CohortView
    evidence: EvidenceView | None
    """Null before anything is evaluated."""
    bars: tuple[BarView, ...]
    hold: str
    """What keeps it from being promoted whatever the bars say; empty when nothing does."""
    step_served: str
    step_duration: str
    explanation: ExplanationView
    at: datetime


class TransitionView(View, frozen=True, kw_only=True):
    """One change of a rollout."""

    at: datetime
    event: Event
    source: Phase | None
    """Null for the start."""
    target: Phase
    step: int
    """From 1, after the change."""
    reason: Reason
    message: str
    actor: str
    forced: bool
    """Against the evidence, by somebody who said so."""
    evidence: EvidenceView | None
    """As it was then."""


class RolloutHistory(View, frozen=True, kw_only=True):
    """One rollout and all that happened to it, oldest first."""

    rollout: RolloutView
    transitions: tuple[TransitionView, ...]


def moment(at_ns: int) -> datetime:
    """Give a time in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def view_rollout(rollout: Rollout) -> RolloutView:
    """Show a rollout."""
    step = rollout.current_step
    return RolloutView(
        id=rollout.id,
        policy=rollout.policy,
        version=rollout.version,
        candidate=rollout.candidate,
        stable=rollout.stable,
        phase=rollout.phase,
        reason=rollout.reason,
        message=rollout.message,
        checks=rollout.checks,
        step=rollout.step + 1,
        steps=len(rollout.strategy.steps),
        mode=step.mode,
        percent=step.percent,
        attempt=rollout.attempt,
        created_at=moment(rollout.created_ns),
        changed_at=moment(rollout.changed_ns),
    )


def view_detail(rollout: Rollout) -> RolloutDetail:
    """Show a rollout with its strategy."""
    return RolloutDetail(rollout=view_rollout(rollout), strategy=strategy_document(rollout.strategy))


def view_cohort(rollout: Rollout, namespaces: Collection[str]) -> CohortView:
    """Show where a candidate acts among the known namespaces."""
    selection = rollout.strategy.namespaces
    eligible = eligible_members(rollout.salt, selection, namespaces)
    inside = members(cohort_of(rollout.salt, selection, rollout.threshold), eligible)
    return CohortView(
        size=len(inside),
        eligible=len(eligible),
        share=len(inside) / len(eligible) if eligible else 0.0,
        everywhere=rollout.threshold == EVERYBODY,
        namespaces=tuple(inside[:SHOWN_NAMESPACES]),
    )


def view_evidence(evidence: Evidence, analysis: Analysis) -> EvidenceView:
    """Show evidence and what the sequential test says of it."""
    counted, total = count_false_positives(analysis, evidence), evidence.total
    return EvidenceView(
        workloads=evidence.workloads,
        trials=counted.trials,
        false_positives=counted.confirmed,
        unreviewed=counted.unreviewed,
        true_positives=evidence.standing(Standing.TRUE_POSITIVE),
        violating=evidence.standing(Standing.VIOLATING),
        disputed=evidence.disputed,
        false_positive_rate=counted.failures / counted.trials if counted.trials else None,
        upper_bound=counted.upper_bound,
        e_value=math.exp(min(counted.log_evidence, _LARGEST_LOG)),
        e_value_needed=math.exp(min(counted.log_threshold, _LARGEST_LOG)),
        workloads_needed=counted.workloads_needed,
        workloads_needed_when_reviewed=counted.workloads_needed_when_reviewed,
        guaranteed=counted.guaranteed,
        evaluations=total.evaluations,
        denials=total.denials,
        divergences=total.divergences,
        errors=total.errors,
        dropped=total.dropped,
        p99_milliseconds=total.durations.quantile_ns(_P99) / MILLISECOND_NS
        if total.durations.total
        else None,
        stable_p99_milliseconds=_stable_p99(evidence),
        first_at=None if evidence.first_ns is None else moment(evidence.first_ns),
        reported_at=None if evidence.reported_ns is None else moment(evidence.reported_ns),
    )


def view_status(
    rollout: Rollout,
    evidence: Evidence,
    namespaces: Collection[str],
    now_ns: int,
    since: Seen | None = None,
    note: str = "",
) -> RolloutStatus:
    """Show everything about a rollout.

    Args:
        rollout: the rollout.
        evidence: of its candidate.
        namespaces: those known.
        now_ns: wall time.
        since: where its attempt began; None for the first one.
        note: what keeps all rollouts where they are.

    """
    assessment = assess(rollout, evidence, now_ns)
    begun = rollout.phase is not Phase.PENDING
    return RolloutStatus(
        rollout=view_rollout(rollout),
        cohort=view_cohort(rollout, namespaces),
        evidence=view_evidence(evidence, rollout.strategy.analysis) if begun else None,
        bars=view_bars(assessment) if begun else (),
        hold=_hold(rollout, assessment),
        step_served=format_duration(assessment.served_ns),
        step_duration=format_duration(rollout.current_step.duration_ns),
        explanation=view_explanation(rollout, evidence, now_ns, since, note),
        at=moment(now_ns),
    )


def view_bars(assessment: Assessment) -> tuple[BarView, ...]:
    """Show how the evidence stands to each bar."""
    return tuple(
        BarView(name=bar.name, state=bar.state, value=bar.value, limit=bar.limit, missing=bar.missing)
        for bar in assessment.bars
    )


def view_explanation(
    rollout: Rollout, evidence: Evidence, now_ns: int, since: Seen | None = None, note: str = ""
) -> ExplanationView:
    """Show a rollout in plain words; with a `note` on what keeps it, nothing is expected."""
    told = explain(rollout, evidence, now_ns, since)
    return ExplanationView(
        where=told.where,
        why=told.why,
        needs=told.needs,
        expected="" if note else told.expected,
        expected_at=None if note or told.expected_ns is None else moment(told.expected_ns),
        caution=told.caution,
        note=note,
    )


def view_transition(transition: Transition, analysis: Analysis) -> TransitionView:
    """Show one change."""
    evidence = transition.evidence
    return TransitionView(
        at=moment(transition.at_ns),
        event=transition.event,
        source=transition.source,
        target=transition.target,
        step=transition.step + 1,
        reason=transition.reason,
        message=transition.message,
        actor=transition.actor,
        forced=transition.forced,
        evidence=None if evidence is None else view_evidence(evidence, analysis),
    )


def _hold(rollout: Rollout, assessment: Assessment) -> str:
    under_way = rollout.phase in (Phase.PROGRESSING, Phase.PAUSED)
    return assessment.hold.value if under_way and assessment.hold is not None else ""


def _stable_p99(evidence: Evidence) -> float | None:
    stable = evidence.stable_durations
    return stable.quantile_ns(_P99) / MILLISECOND_NS if stable is not None and stable.total else None
