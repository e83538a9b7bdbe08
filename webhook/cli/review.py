"""`gradate review`: the queue of findings, and verdicts on them."""

from datetime import UTC, datetime
from typing import Any

import click

from webhook.cli.desk_options import at_desk, desk_options
from webhook.cli.desks import Desk, DeskOptions
from webhook.cli.options import Command, output_option
from webhook.cli.printing import console, print_document, print_table
from webhook.cli.prompts import agrees, ask_choice, ask_text
from webhook.cli.review_text import QUEUE_HEADINGS, finding_text, queue_rows, styled_verdict
from webhook.flows.operation_errors import OperationRefused
from webhook.flows.review import (
    FindingName,
    FindingSelector,
    Judged,
    JudgeFindings,
    ListFindings,
)
from webhook.rollout.finding import FindingKind, Verdict
from webhook.server import operation_table as table

_ANSWERS = {"t": Verdict.TRUE_POSITIVE, "f": Verdict.FALSE_POSITIVE}
_WALK_PAGE = 50


@click.group()
def review() -> None:
    """Judge what candidates answer otherwise than stable.

    A verdict is about the violation: true-positive says that it is one, whichever version raised it.
    """


def _selector_options(command: Command) -> Command:
    options = (
        click.option("--policy", help="Only of this policy."),
        click.option("--version", help="Only of this version: number or digest; needs --policy."),
        click.option("--rule", help="Only of this rule: deny, violation, warn."),
        click.option("--namespace", help="Only in this namespace."),
        click.option("--owner", metavar="KIND/NAME", help="Only of this workload: Deployment/web."),
        click.option("--kind", type=click.Choice([kind.value for kind in FindingKind]), help="Only these."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@review.command(name="list")
@_selector_options
@click.option("--unreviewed", is_flag=True, help="Only those that await review.")
@click.option("--disputed", is_flag=True, help="Only those with an open objection.")
@click.option("--verdict", type=click.Choice([verdict.value for verdict in Verdict]), help="Only these.")
@click.option("--all-versions", is_flag=True, help="Also those of superseded versions.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@desk_options
@output_option
def list_(desk: DeskOptions, output: str, kind: str | None, verdict: str | None, **selected: Any) -> None:
    """List the review queue: disputed findings first, then those that await review, the oldest first."""
    question = ListFindings(
        kind=None if kind is None else FindingKind(kind),
        verdict=None if verdict is None else Verdict(verdict),
        **selected,
    )
    found = at_desk(desk, lambda d: d.ask(table.LIST_FINDINGS, question))
    if output != "text":
        print_document(found, output)
        return
    if found.items:
        print_table(QUEUE_HEADINGS, queue_rows(found.items, datetime.now(UTC)))
    click.echo(f"{len(found.items):,} of {found.total:,} findings", err=True)


@review.command()
@click.argument("identity", metavar="ID")
@desk_options
@output_option
def show(identity: str, desk: DeskOptions, output: str) -> None:
    """Show a finding: message, path, both versions' answers, every verdict and objection."""
    found = at_desk(desk, lambda d: d.ask(table.GET_FINDING, FindingName(id=identity)))
    if output != "text":
        print_document(found, output)
    else:
        console().print(finding_text(found))


@review.command()
@click.argument("identities", metavar="[ID]...", nargs=-1)
@click.option("--true-positive", "verdict", flag_value=Verdict.TRUE_POSITIVE.value, help="It is a violation.")
@click.option("--false-positive", "verdict", flag_value=Verdict.FALSE_POSITIVE.value, help="It is none.")
@click.option("--withdraw", "verdict", flag_value=Verdict.UNREVIEWED.value, help="Take a verdict back.")
@click.option("--reason", required=True, help="Why; kept with the verdict.")
@_selector_options
@click.option("--yes", is_flag=True, help="Do not ask before many are judged.")
@desk_options
@output_option
def verdict(
    identities: tuple[str, ...],
    verdict: str | None,
    reason: str,
    *,
    yes: bool,
    desk: DeskOptions,
    output: str,
    kind: str | None,
    **selected: Any,
) -> None:
    """Judge findings: those with the IDs, or all unreviewed ones that --policy, --rule, … select."""
    if verdict is None:
        raise click.UsageError("Say --true-positive or --false-positive.")
    given = {name: value for name, value in selected.items() if value is not None}
    if kind is not None:
        given["kind"] = FindingKind(kind)
    if bool(identities) == bool(given):
        raise click.UsageError("Name findings by their IDs, or select them with options: one of the two.")
    where = FindingSelector(**given) if given else None

    async def judge(d: Desk) -> Judged | None:
        if where is not None and not yes and not await _agrees(d, where, Verdict(verdict), reason):
            return None
        question = JudgeFindings(ids=identities, where=where, verdict=Verdict(verdict), reason=reason)
        return await d.ask(table.JUDGE_FINDINGS, question)

    judged = at_desk(desk, judge)
    if judged is None:
        raise OperationRefused("nothing was judged")
    if output != "text":
        print_document(judged, output)
        return
    for note in judged.notes:
        console().print(f"[yellow]note[/] {note}")
    click.echo(f"{judged.count:,} judged {verdict}")


@review.command()
@_selector_options
@desk_options
def walk(desk: DeskOptions, kind: str | None, **selected: Any) -> None:
    """Walk the findings that await review, one by one, and judge each."""
    chosen = FindingKind(kind) if kind is not None else None
    question = ListFindings(kind=chosen, unreviewed=True, limit=_WALK_PAGE, **selected)
    judged, left = at_desk(desk, lambda d: _walk(d, question))
    click.echo(f"{judged:,} judged, {left:,} left")


async def _agrees(desk: Desk, where: FindingSelector, verdict: Verdict, reason: str) -> bool:
    counting = JudgeFindings(where=where, verdict=verdict, reason=reason, dry_run=True)
    counted = await desk.ask(table.JUDGE_FINDINGS, counting)
    return agrees(f"Judge {counted.count:,} findings {verdict.value}?")


async def _walk(desk: Desk, question: ListFindings) -> tuple[int, int]:
    """Go through the queue; give how many were judged, and how many still wait."""
    judged, skipped = 0, set[str]()
    while True:
        page = await desk.ask(table.LIST_FINDINGS, _past(question, len(skipped)))
        waiting = [finding for finding in page.items if finding.id not in skipped]
        if not waiting:
            return judged, page.total
        for finding in waiting:
            detail = await desk.ask(table.GET_FINDING, FindingName(id=finding.id))
            if not detail.finding.awaits_review:
                continue  # somebody else was faster
            console().print(finding_text(detail))
            answer = ask_choice("[t]rue positive, [f]alse positive, [s]kip, [q]uit", ("t", "f", "s", "q"))
            if answer == "q":
                return judged, page.total - judged
            if answer == "s":
                skipped.add(finding.id)
                continue
            reason = ask_text("why")
            verdict = JudgeFindings(ids=(finding.id,), verdict=_ANSWERS[answer], reason=reason)
            (after,) = (await desk.ask(table.JUDGE_FINDINGS, verdict)).items
            console().print(f"{after.id} {styled_verdict(after)}\n")
            judged += 1


def _past(question: ListFindings, skipped: int) -> ListFindings:
    """Ask for a page that reaches beyond what was skipped, which stays in the queue."""
    return ListFindings(
        policy=question.policy,
        version=question.version,
        rule=question.rule,
        namespace=question.namespace,
        owner=question.owner,
        kind=question.kind,
        unreviewed=True,
        limit=min(question.limit + skipped, 1000),
    )
