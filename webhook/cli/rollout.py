"""`gradate rollout`: what is being rolled out, and the verbs that change it."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from webhook.cli.desk_options import at_desk, desk_options
from webhook.cli.desks import Desk, DeskOptions
from webhook.cli.errors import EXIT_FAILED, CommandError
from webhook.cli.options import output_option
from webhook.cli.printing import console, print_document, print_table
from webhook.cli.rollout_text import (
    HISTORY_HEADINGS,
    LIST_HEADINGS,
    detail_text,
    explanation_text,
    history_rows,
    list_rows,
    status_page,
    verb_text,
    verification_text,
)
from webhook.cli.watch import watch_rollout
from webhook.flows.operate import PromoteRollout, RolloutVerb, StartRollout
from webhook.flows.rollout_status import ListRollouts, RolloutName
from webhook.flows.rollout_views import RolloutStatus, RolloutView
from webhook.rollout.life import Phase
from webhook.server import operation_table as table
from webhook.server.operation_table import Operation

_name = click.argument("name", metavar="NAME")
_reason = click.option("--reason", default="", help="Why; kept in the history.")


@click.group()
def rollout() -> None:
    """See and steer the rollouts of policy versions.

    NAME is a policy, which stands for its active or else newest rollout, or the id of a rollout.
    """


@rollout.command(name="list")
@click.option("--policy", help="Only of this policy.")
@click.option("--active", is_flag=True, help="Only those that are not over.")
@desk_options
@output_option
def list_(policy: str | None, *, active: bool, desk: DeskOptions, output: str) -> None:
    """List rollouts, newest first."""
    found = at_desk(desk, lambda d: d.ask(table.LIST_ROLLOUTS, ListRollouts(policy=policy, active=active)))
    if output != "text":
        print_document(found.items, output)
    elif found.items:
        print_table(LIST_HEADINGS, list_rows(found.items, datetime.now(UTC)))
    else:
        click.echo("nothing is being rolled out" if active else "nothing was rolled out yet")
    if found.note:
        click.echo(f"note: {found.note}", err=True)


@rollout.command()
@_name
@desk_options
@output_option
def get(name: str, desk: DeskOptions, output: str) -> None:
    """Show a rollout and its strategy."""
    found = at_desk(desk, lambda d: d.ask(table.GET_ROLLOUT, RolloutName(name=name)))
    if output != "text":
        print_document(found, output)
    else:
        console().print(detail_text(found))


@rollout.command()
@_name
@click.option(
    "--watch", "-w", is_flag=True, help="Look again and again until it is over; 1 when it was given up."
)
@click.option(
    "--interval", type=click.FloatRange(0.1), default=2.0, metavar="SECONDS", help="Between two looks."
)
@desk_options
@output_option
def status(name: str, *, watch: bool, interval: float, desk: DeskOptions, output: str) -> None:
    """Show step, cohort, evidence, bars and what is awaited."""
    if watch:
        last = at_desk(desk, lambda d: _watch(d, name, interval, output))
        sys.exit(EXIT_FAILED if last.rollout.phase is Phase.DEGRADED else 0)

    async def look(d: Desk) -> tuple[RolloutStatus, str]:
        return await d.ask(table.ROLLOUT_STATUS, RolloutName(name=name)), d.place

    found, place = at_desk(desk, look)
    if output != "text":
        print_document(found, output)
    else:
        console().print(status_page(found, place))


@rollout.command()
@click.argument("policy", metavar="POLICY")
@click.argument("version", metavar="[VERSION]", default="")
@click.option(
    "--strategy",
    "strategy_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Strategy as YAML or JSON. [default: that of the settings]",
)
@_reason
@desk_options
@output_option
def start(
    policy: str, version: str, strategy_path: Path | None, reason: str, desk: DeskOptions, output: str
) -> None:
    """Roll out a VERSION: a semantic version, a digest or the beginning of one; else what the files hold.

    One that was given up before is tried again; its workloads and verdicts count.
    """
    strategy = None if strategy_path is None else _read_strategy(strategy_path)
    question = StartRollout(policy=policy, version=version, reason=reason, strategy=strategy)
    _print_verb(at_desk(desk, lambda d: d.ask(table.START_ROLLOUT, question)), output)


@rollout.command()
@_name
@click.option("--full", is_flag=True, help="To the end, not only to the next step.")
@click.option("--force", is_flag=True, help="Against the evidence; needs --reason.")
@_reason
@desk_options
@output_option
def promote(name: str, *, full: bool, force: bool, reason: str, desk: DeskOptions, output: str) -> None:
    """Go to the next step, or to the end, without waiting for the step's time."""
    question = PromoteRollout(name=name, full=full, force=force, reason=reason)
    _print_verb(at_desk(desk, lambda d: d.ask(table.PROMOTE_ROLLOUT, question)), output)


def _verb_command(operation: Operation[RolloutVerb, RolloutView], help_text: str) -> None:
    @rollout.command(name=operation.path.rpartition("/")[2], help=help_text)
    @_name
    @_reason
    @desk_options
    @output_option
    def run(name: str, reason: str, desk: DeskOptions, output: str) -> None:
        question = RolloutVerb(name=name, reason=reason)
        _print_verb(at_desk(desk, lambda d: d.ask(operation, question)), output)


for _operation in (
    table.PAUSE_ROLLOUT,
    table.RESUME_ROLLOUT,
    table.ABORT_ROLLOUT,
    table.RETRY_ROLLOUT,
    table.UNDO_ROLLOUT,
):
    _verb_command(_operation, _operation.summary)


@rollout.command()
@_name
@desk_options
@output_option
def history(name: str, desk: DeskOptions, output: str) -> None:
    """Show all that happened to the rollouts of a policy, or to one rollout."""
    found = at_desk(desk, lambda d: d.ask(table.ROLLOUT_HISTORY, RolloutName(name=name)))
    if output != "text":
        print_document(found.items, output)
    else:
        print_table(HISTORY_HEADINGS, history_rows(found))


@rollout.command()
@_name
@desk_options
@output_option
def explain(name: str, desk: DeskOptions, output: str) -> None:
    """Say in plain words why it is where it is, what it needs, and when that is expected."""
    found = at_desk(desk, lambda d: d.ask(table.EXPLAIN_ROLLOUT, RolloutName(name=name)))
    if output != "text":
        print_document(found, output)
    else:
        console().print(explanation_text(found))


@rollout.command()
@_name
@click.option(
    "--out", "-o", "path", required=True, type=click.Path(path_type=Path), help="File to write; - is stdout."
)
@desk_options
def evidence(name: str, path: Path, desk: DeskOptions) -> None:
    """Write the evidence bundle of a rollout: what it was decided by, for an auditor to keep and check."""
    data = at_desk(desk, lambda d: d.ask(table.ROLLOUT_EVIDENCE, RolloutName(name=name)))
    if str(path) == "-":
        sys.stdout.buffer.write(data)
        return
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror or error}") from error
    click.echo(f"{path}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


@rollout.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@output_option
def verify(path: Path, output: str) -> None:
    """Check an evidence bundle: checksums, counts, and every decision, made again; 1 when something is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror or error}") from error
    # It reads the policy and decides again: all that the other commands leave to the server.
    from webhook.flows.bundle_check import verify_bundle  # noqa: PLC0415

    found = verify_bundle(data)
    if output != "text":
        print_document(found, output)
    else:
        console().print(verification_text(found))
    sys.exit(0 if found.passed else EXIT_FAILED)


async def _watch(desk: Desk, name: str, interval_seconds: float, output: str) -> RolloutStatus:
    with _display(output, desk.place) as show:
        return await watch_rollout(desk, name, show, interval_seconds=interval_seconds)


@contextmanager
def _display(output: str, place: str) -> Iterator[Callable[[RolloutStatus], None]]:
    """Give what shows a status over and over: in one place of a terminal, else whenever it has moved."""
    if output == "text" and sys.stdout.isatty():
        from rich.live import Live  # noqa: PLC0415 - only where there is a terminal

        with Live(console=console(), auto_refresh=False) as live:
            yield lambda found: live.update(status_page(found, place), refresh=True)
        return
    last: RolloutView | None = None

    def show(found: RolloutStatus) -> None:
        nonlocal last
        if output != "text":
            print_document(found, output)
        elif found.rollout != last:
            console().print(status_page(found, place))
        last = found.rollout

    yield show


def _print_verb(led_to: RolloutView, output: str) -> None:
    if output != "text":
        print_document(led_to, output)
    else:
        console().print(verb_text(led_to))


def _read_strategy(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only for a strategy of one's own

    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: cannot be read as a strategy: {error}") from error
    if not isinstance(document, dict):
        raise CommandError(f"{path}: a strategy is a mapping")
    # A strategy often stands inside a larger document, under its own name.
    inner: dict[str, Any] = document.get("strategy", document)
    return inner
