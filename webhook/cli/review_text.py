"""Findings, verdicts and exceptions as text for people. Prints nothing itself."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.markup import escape

from webhook.cli.printing import yaml_text
from webhook.cli.rollout_text import age, format_time
from webhook.flows.exceptions import ExceptionState, ExceptionView
from webhook.flows.review_views import FindingDetail, FindingView
from webhook.rollout.finding import FindingKind, Verdict

QUEUE_HEADINGS = ("ID", "VERSION", "KIND", "NAMESPACE", "OWNER", "RULE", "SEEN", "LAST", "VERDICT", "MESSAGE")
EXCEPTION_HEADINGS = (
    "ID",
    "POLICY",
    "NAMESPACE",
    "WORKLOAD",
    "STATE",
    "EXPIRES",
    "LAST USED",
    "OWNER",
    "REASON",
)
_VERDICT_STYLES = {
    Verdict.TRUE_POSITIVE: "green",
    Verdict.FALSE_POSITIVE: "red",
    Verdict.UNREVIEWED: "yellow",
}
_KIND_STYLES = {
    FindingKind.NEWLY_DENIED: "red",
    FindingKind.NEWLY_ALLOWED: "magenta",
    FindingKind.AGREED: "dim",
}
_STATE_STYLES = {
    ExceptionState.ACTIVE: "green",
    ExceptionState.EXPIRED: "dim",
    ExceptionState.REVOKED: "dim",
}


def queue_rows(findings: Sequence[FindingView], now: datetime) -> Iterator[Sequence[str]]:
    """Give the rows of the review queue."""
    for finding in findings:
        yield (
            finding.id,
            f"{escape(finding.policy)} {escape(finding.version)}",
            f"[{_KIND_STYLES[finding.kind]}]{finding.kind.value}[/]",
            escape(finding.namespace),
            escape(finding.owner),
            escape(finding.rule),
            f"{finding.count:,} x",
            age(finding.last_seen_at, now),
            styled_verdict(finding),
            escape(finding.message),
        )


def styled_verdict(finding: FindingView) -> str:
    """Write what was said of a finding; rich markup."""
    if finding.disputed:
        return "[bold red]disputed[/]"
    by = f" ({escape(finding.judged_by)})" if finding.judged_by else ""
    return f"[{_VERDICT_STYLES[finding.verdict]}]{finding.verdict.value}[/]{by}"


def finding_text(detail: FindingDetail) -> str:
    """Write everything about a finding; rich markup."""
    finding = detail.finding
    kind = f"[{_KIND_STYLES[finding.kind]}]{finding.kind.value}[/]"
    version = f"{escape(finding.policy)} {escape(finding.version)}"
    lines = [
        f"[bold]{finding.id}[/] {styled_verdict(finding)}, {kind} by {version}",
        f"  workload   {escape(finding.owner)} in {escape(finding.namespace) or 'no namespace'}",
        f"  rule       {escape(finding.rule)}",
        f"  message    {escape(finding.message)}",
        f"  path       {escape(finding.path)}",
        f"  seen       {finding.count:,} time{'' if finding.count == 1 else 's'}, {format_time(finding.first_seen_at)} to {format_time(finding.last_seen_at)}",
    ]
    if detail.time_to_fix is not None:
        lines.append(f"  fixed      after {detail.time_to_fix}")
    lines += [
        f"  {name:<10} {_answer(detail.sample.get(name))}"
        for name in ("stable", "candidate")
        if name in detail.sample
    ]
    if details := detail.sample.get("details"):
        text = yaml_text(details, compact=True)
        lines.append(f"  details    {escape(text.strip())}".replace("\n", "\n             "))
    lines += [
        f"  [red]disputed[/]   {format_time(one.at)} by {escape(one.actor)}: {escape(one.reason)}"
        for one in detail.disputes
    ]
    lines += [
        f"  verdict    {format_time(one.at)} {one.verdict.value} by {escape(one.actor)}: {escape(one.reason)}"
        for one in detail.judgements
    ]
    if detail.note:
        lines.append(f"  [yellow]note[/]       {escape(detail.note)}")
    return "\n".join(lines)


def exception_rows(exceptions: Sequence[ExceptionView], now: datetime) -> Iterator[Sequence[str]]:
    """Give the rows of a list of exceptions."""
    for exception in exceptions:
        expires = "never" if exception.expires_at is None else format_time(exception.expires_at)
        used = "[yellow]never[/]" if exception.used_at is None else f"{age(exception.used_at, now)} ago"
        yield (
            exception.id,
            escape(exception.policy),
            escape(exception.namespace),
            escape(exception.workload),
            f"[{_STATE_STYLES[exception.state]}]{exception.state.value}[/]",
            expires,
            used,
            escape(exception.owner),
            escape(exception.reason),
        )


def _answer(answer: Any) -> str:
    """Write what one version said."""
    if not isinstance(answer, Mapping):
        return "[dim]does not judge it[/]"
    text = f"{answer.get('outcome', 'unknown')} ({answer.get('version', '?')})"
    if "error" in answer:
        text += f": {answer['error']}"
    violations = answer.get("violations")
    if isinstance(violations, list):
        for violation in violations:
            if isinstance(violation, Mapping):
                text += f"\n               {violation.get('path', '')}: {violation.get('message', '')}"
    return escape(text)
