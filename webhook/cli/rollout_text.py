"""Rollouts as text for people: tables and the status page. Prints nothing itself."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from webhook.cli.printing import yaml_text
from webhook.flows.rollout_status import Histories
from webhook.flows.rollout_views import (
    BarView,
    CohortView,
    EvidenceView,
    ExplanationView,
    RolloutDetail,
    RolloutStatus,
    RolloutView,
    TransitionView,
)
from webhook.flows.verification import Verification
from webhook.rollout.bars import BarName, BarState
from webhook.rollout.duration import abbreviate_duration, describe_duration, parse_duration
from webhook.rollout.life import Phase

PHASE_STYLES = {
    Phase.PENDING: "yellow",
    Phase.PROGRESSING: "cyan",
    Phase.PAUSED: "yellow",
    Phase.HEALTHY: "green",
    Phase.DEGRADED: "red",
    Phase.SUPERSEDED: "dim",
}
_BAR_STYLES = {BarState.MET: "green", BarState.UNDECIDED: "yellow", BarState.MISSED: "red"}
_NAMED_NAMESPACES = 8
LIST_HEADINGS = ("POLICY", "VERSION", "PHASE", "STEP", "SINCE", "MESSAGE", "ID")
HISTORY_HEADINGS = ("WHEN", "EVENT", "PHASE", "STEP", "WHO", "WORKLOADS", "MESSAGE")


def list_rows(rollouts: Sequence[RolloutView], now: datetime) -> Iterator[Sequence[str]]:
    """Give the rows of a list of rollouts."""
    for rollout in rollouts:
        yield (
            escape(rollout.policy),
            escape(rollout.version),
            styled_phase(rollout.phase),
            f"{rollout.step}/{rollout.steps}",
            age(rollout.changed_at, now),
            # A compiler's error goes on for lines; `explain` shows them.
            escape(rollout.message.partition("\n")[0]),
            rollout.id,
        )


def history_rows(histories: Histories) -> Iterator[Sequence[str]]:
    """Give the rows of what happened, each rollout begun by a line of its own."""
    for history in histories.items:
        rollout = history.rollout
        yield (f"[bold]{escape(rollout.policy)} {escape(rollout.version)}[/]", *[""] * 5, rollout.id)
        for transition in history.transitions:
            yield _history_row(transition)


def _history_row(transition: TransitionView) -> Sequence[str]:
    workloads = "" if transition.evidence is None else f"{transition.evidence.workloads:,}"
    forced = " [red]against the evidence[/]" if transition.forced else ""
    return (
        format_time(transition.at),
        transition.event.value,
        styled_phase(transition.target),
        str(transition.step),
        escape(transition.actor),
        workloads,
        escape(transition.message) + forced,
    )


def detail_text(detail: RolloutDetail) -> str:
    """Write a rollout with its strategy; rich markup."""
    rollout = detail.rollout
    lines = [
        f"{_title(rollout)}",
        f"  id         {rollout.id}, attempt {rollout.attempt}",
        f"  candidate  {rollout.candidate}",
        f"  stable     {rollout.stable or 'none: this is the first version'}",
        f"  checks     {rollout.checks.value}",
        f"  created    {format_time(rollout.created_at)}, changed {format_time(rollout.changed_at)}",
        f"  because    {rollout.reason.value}: {escape(rollout.message)}",
        "",
        escape(yaml_text({"strategy": detail.strategy}, compact=True)),
    ]
    return "\n".join(lines).rstrip()


def status_page(status: RolloutStatus, place: str = "") -> RenderableType:
    """Lay out everything about a rollout."""
    rollout = status.rollout
    parts: list[RenderableType] = [Text.from_markup(_title(rollout)), _facts(status)]
    if status.bars:
        parts += [Text(), _bar_table(status.bars)]
    parts += [Text(), Text.from_markup(explanation_text(status.explanation))]
    if place:
        parts.append(Text(f"\n{place}, {format_time(status.at)}", style="dim"))
    return Group(*parts)


def explanation_text(told: ExplanationView) -> str:
    """Write why a rollout is where it is; rich markup."""
    lines = [escape(told.where), escape(told.why)]
    lines += [f"  needs {escape(need)}" for need in told.needs]
    if told.expected:
        lines.append(f"Next: {escape(told.expected)}")
    if told.caution:
        lines.append(f"[yellow]{escape(told.caution)}[/]")
    if told.note:
        lines.append(f"[red]note:[/] {escape(told.note)}")
    return "\n".join(line for line in lines if line)


def verb_text(rollout: RolloutView) -> str:
    """Write where a verb led; rich markup."""
    return f"{_title(rollout)}: {escape(rollout.message)}"


def verification_text(verification: Verification) -> str:
    """Write what a check of a bundle found; rich markup."""
    lines = [
        f"[{'green' if fact.passed else 'red'}]{'ok  ' if fact.passed else 'FAIL'}[/] {fact.name:<10} {escape(fact.detail)}"
        for fact in verification.facts
    ]
    lines += [f"[dim]not checked: {escape(trust)}[/]" for trust in verification.taken_on_trust]
    named = f"{verification.policy} {verification.version} ({verification.rollout})"
    what = named if verification.rollout else "this file"
    result = "[green]genuine by every check[/]" if verification.passed else "[red]NOT genuine[/]"
    lines.append(f"{escape(what)}: {result}, sha256 {verification.sha256}")
    return "\n".join(lines)


def styled_phase(phase: Phase) -> str:
    """Write a phase in its colour; rich markup."""
    return f"[{PHASE_STYLES[phase]}]{phase.value}[/]"


def format_time(at: datetime) -> str:
    """Write a time to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def age(at: datetime, now: datetime) -> str:
    """Say how long ago something was, for a narrow column."""
    return abbreviate_duration(max(round((now - at).total_seconds() * 1e9), 0))


def share(fraction: float) -> str:
    """Write a fraction as percent."""
    return f"{fraction * 100:.3g} %"


def _title(rollout: RolloutView) -> str:
    step = f"step {rollout.step} of {rollout.steps}, {rollout.mode.value} at {rollout.percent:g} %"
    return (
        f"[bold]{escape(rollout.policy)} {escape(rollout.version)}[/] {styled_phase(rollout.phase)}, {step}"
    )


def _facts(status: RolloutStatus) -> Table:
    facts = Table.grid(padding=(0, 2))
    rollout = status.rollout
    facts.add_row("  candidate", f"{rollout.candidate[:19]}  (stable {(rollout.stable or 'none')[:19]})")
    if rollout.phase in (Phase.PROGRESSING, Phase.PAUSED):
        facts.add_row("  served", _served(status))
    facts.add_row("  cohort", _cohort(status.cohort))
    if status.evidence is not None:
        facts.add_row("  workloads", _workloads(status.evidence))
        facts.add_row("  evidence", _proof(status.evidence))
        facts.add_row("  evaluated", _evaluations(status.evidence))
    return facts


def _served(status: RolloutStatus) -> Table:
    served, whole = parse_duration(status.step_served), parse_duration(status.step_duration)
    line = Table.grid(padding=(0, 1))
    text = f"{describe_duration(served)} of {status.step_duration}"
    if whole:
        line.add_row(ProgressBar(total=whole, completed=min(served, whole), width=24), text)
    else:
        line.add_row(text)
    return line


def _cohort(cohort: CohortView) -> str:
    if cohort.everywhere:
        return f"everywhere ({cohort.eligible:,} namespaces known)"
    named = ", ".join(cohort.namespaces[:_NAMED_NAMESPACES])
    more = f" and {cohort.size - _NAMED_NAMESPACES:,} more" if cohort.size > _NAMED_NAMESPACES else ""
    names = f": {escape(named)}{more}" if named else ""
    return f"{cohort.size:,} of {cohort.eligible:,} namespaces ({share(cohort.share)}){names}"


def _workloads(evidence: EvidenceView) -> str:
    parts = [
        f"{evidence.workloads:,} seen",
        f"{evidence.unreviewed:,} unreviewed",
        f"{evidence.false_positives:,} false positive{_plural(evidence.false_positives)}",
        f"{evidence.true_positives:,} rightly denied",
    ]
    if evidence.violating:
        parts.append(f"{evidence.violating:,} denied by stable, too")
    if evidence.disputed:
        parts.append(f"[red]{evidence.disputed:,} finding{_plural(evidence.disputed)} disputed[/]")
    return ", ".join(parts)


def _plural(count: int) -> str:
    return "" if count == 1 else "s"


def _proof(evidence: EvidenceView) -> str:
    text = f"e {evidence.e_value:,.3g} of {evidence.e_value_needed:,.3g}; false positives below {share(evidence.upper_bound)}"
    if evidence.workloads_needed:
        text += f"; {evidence.workloads_needed:,} more workloads"
        if evidence.workloads_needed_when_reviewed != evidence.workloads_needed:
            text += f", or {evidence.workloads_needed_when_reviewed:,} if all unreviewed are right"
    return text + ("" if evidence.guaranteed else " [yellow](no guarantee)[/]")


def _evaluations(evidence: EvidenceView) -> str:
    times = "time" if evidence.evaluations == 1 else "times"
    text = (
        f"{evidence.evaluations:,} {times}, {evidence.errors:,} errors, {evidence.divergences:,} divergences"
    )
    if evidence.dropped:
        text += f", [yellow]{evidence.dropped:,} shed[/]"
    if evidence.p99_milliseconds is not None:
        text += f"; p99 {evidence.p99_milliseconds:.3g} ms"
        if evidence.stable_p99_milliseconds is not None:
            text += f" (stable {evidence.stable_p99_milliseconds:.3g} ms)"
    return text


def _bar_table(bars: Sequence[BarView]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in ("  BAR", "STATE", "VALUE", "LIMIT", "MISSING"):
        table.add_column(heading, overflow="fold")
    for bar in bars:
        state = f"[{_BAR_STYLES[bar.state]}]{bar.state.value}[/]"
        value = "–" if bar.value is None else _in_unit(bar.name, bar.value)
        limit = _in_unit(bar.name, bar.limit)
        least = "≥ " if bar.name is BarName.INTERCEPTION_ACCURACY else "≤ "
        table.add_row(f"  {bar.name.value}", state, value, least + limit, escape(bar.missing))
    return table


def _in_unit(name: BarName, value: float) -> str:
    if name is BarName.LATENCY_OVERHEAD:
        return f"{value:.3g} ms"
    return f"{value:,.0f}" if name is BarName.NEWLY_ALLOWED else share(value)
