"""Findings, verdicts and disputes as people and programs are shown them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from webhook.flows.operator import View
from webhook.flows.rollout_views import moment
from webhook.rollout.duration import format_duration
from webhook.rollout.finding import Dispute, Finding, FindingKind, Judgement, Verdict
from webhook.rollout.life import Phase, Rollout


class FindingView(View, frozen=True, kw_only=True):
    """One finding, as it stands in the queue."""

    id: str
    policy: str
    version: str
    """Semantic version of the candidate; its digest, when the rollout is not known any more."""
    rollout: str
    """The rollout's id; empty when it is not known."""
    phase: Phase | None
    """Of that rollout: a verdict moves it only while it is under way, or when it is tried again."""
    rule: str
    kind: FindingKind
    namespace: str
    owner: str
    """`Deployment/web`."""
    message: str
    path: str
    """Where in the object: `spec.containers[0].env[3]`."""
    count: int
    """Evaluations that raised it."""
    first_seen_at: datetime
    last_seen_at: datetime
    verdict: Verdict
    judged_by: str
    """Empty when nobody has."""
    disputed: bool
    awaits_review: bool


class JudgementView(View, frozen=True, kw_only=True):
    """One verdict."""

    verdict: Verdict
    actor: str
    reason: str
    at: datetime


class DisputeView(View, frozen=True, kw_only=True):
    """One objection."""

    actor: str
    reason: str
    at: datetime


class FindingDetail(View, frozen=True, kw_only=True):
    """Everything about one finding."""

    finding: FindingView
    sample: dict[str, Any]
    """Redacted: `message`, `path`, `details`, and the answers of `stable` and `candidate`."""
    judgements: tuple[JudgementView, ...]
    """Oldest first; the last one counts."""
    disputes: tuple[DisputeView, ...]
    time_to_fix: str | None
    """How long the violation lived, when it was fixed."""
    note: str
    """What a verdict on it does not do, when its version is not under way; else empty."""


def view_finding(finding: Finding, rollout: Rollout | None) -> FindingView:
    """Show a finding; `rollout` is the newest one of its version."""
    return FindingView(
        id=finding.id,
        policy=finding.policy,
        version=finding.version if rollout is None else rollout.version,
        rollout="" if rollout is None else rollout.id,
        phase=None if rollout is None else rollout.phase,
        rule=finding.rule,
        kind=finding.kind,
        namespace=finding.namespace,
        owner=finding.owner,
        message=_text(finding.sample.get("message")),
        path=_text(finding.sample.get("path")),
        count=finding.count,
        first_seen_at=moment(finding.first_seen_ns),
        last_seen_at=moment(finding.last_seen_ns),
        verdict=finding.verdict,
        judged_by="" if finding.judgement is None else finding.judgement.actor,
        disputed=finding.disputed,
        awaits_review=finding.awaits_review,
    )


def view_finding_detail(
    finding: Finding, rollout: Rollout | None, judgements: Sequence[Judgement], disputes: Sequence[Dispute]
) -> FindingDetail:
    """Show everything about a finding."""
    fixed_ns = finding.time_to_fix_ns
    return FindingDetail(
        finding=view_finding(finding, rollout),
        sample=dict(finding.sample),
        judgements=tuple(
            JudgementView(verdict=one.verdict, actor=one.actor, reason=one.reason, at=moment(one.at_ns))
            for one in judgements
        ),
        disputes=tuple(
            DisputeView(actor=one.actor, reason=one.reason, at=moment(one.at_ns)) for one in disputes
        ),
        time_to_fix=None if fixed_ns is None else format_duration(fixed_ns),
        note=note_on(finding, rollout),
    )


def note_on(finding: Finding, rollout: Rollout | None) -> str:
    """Say what a verdict on a finding does not do; empty when it counts in a rollout under way."""
    if rollout is None:
        return "its rollout is not in the store any more; a verdict is only kept for the record"
    ended = {
        Phase.SUPERSEDED: "is superseded; a verdict is only kept for the record",
        Phase.DEGRADED: "was given up; a verdict counts when it is tried again",
        Phase.HEALTHY: "is stable already; a verdict does not undo that",
    }
    if rollout.phase in ended:
        return f"version {rollout.version} {ended[rollout.phase]}"
    if finding.kind is FindingKind.AGREED:
        return "stable denies it, too; a verdict does not count for or against the candidate"
    return ""


def newest_by_version(rollouts: Sequence[Rollout]) -> Mapping[str, Rollout]:
    """Give the newest rollout of each version, by digest; `rollouts` come newest first."""
    return {rollout.candidate: rollout for rollout in reversed(rollouts)}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
