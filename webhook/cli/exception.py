"""`gradate exception`: permission for named workloads to violate a policy."""

from datetime import UTC, datetime

import click

from webhook.cli.desk_options import at_desk, desk_options
from webhook.cli.desks import DeskOptions
from webhook.cli.options import output_option
from webhook.cli.printing import print_document, print_table
from webhook.cli.review_text import EXCEPTION_HEADINGS, exception_rows
from webhook.cli.rollout_text import format_time
from webhook.flows.exceptions import ExceptionName, ExceptionState, GrantException, ListExceptions
from webhook.server import operation_table as table


@click.group()
def exception() -> None:
    """Grant, list and revoke exceptions; stable and candidate honour them alike."""


@exception.command()
@click.option("--policy", default="", help="Which policy may be violated.")
@click.option("--namespace", default="", help="Where: a name or a shell pattern.")
@click.option("--workload", default="", metavar="KIND/NAME", help="By what: Deployment/web, */web or *.")
@click.option(
    "--finding", default="", metavar="ID", help="Take policy, namespace and workload from a finding."
)
@click.option("--reason", required=True, help="Why.")
@click.option("--owner", required=True, help="Who answers for it.")
@click.option(
    "--expires",
    required=True,
    metavar="WHEN",
    help="A duration (30d, 72h), a date (2027-03-31, that day included), a time (RFC 3339), or never.",
)
@desk_options
@output_option
def grant(desk: DeskOptions, output: str, **fields: str) -> None:
    """Permit workloads to violate a policy; unreviewed findings that this covers become false positives."""
    granted = at_desk(desk, lambda d: d.ask(table.GRANT_EXCEPTION, GrantException(**fields)))
    if output != "text":
        print_document(granted, output)
        return
    one = granted.exception
    until = "until it is revoked" if one.expires_at is None else f"until {format_time(one.expires_at)}"
    click.echo(f"{one.id}: {one.workload} in {one.namespace} may violate {one.policy} {until}")
    if granted.settled:
        click.echo(f"{granted.settled:,} unreviewed findings are false positives now")


@exception.command(name="list")
@click.option("--policy", help="Only of this policy.")
@click.option("--state", type=click.Choice([state.value for state in ExceptionState]), help="Only these.")
@click.option("--unused", is_flag=True, help="Only those in force that never permitted anything.")
@desk_options
@output_option
def list_(policy: str | None, state: str | None, *, unused: bool, desk: DeskOptions, output: str) -> None:
    """List exceptions, newest first."""
    chosen = None if state is None else ExceptionState(state)
    question = ListExceptions(policy=policy, state=chosen, unused=unused)
    found = at_desk(desk, lambda d: d.ask(table.LIST_EXCEPTIONS, question))
    if output != "text":
        print_document(found.items, output)
    elif found.items:
        print_table(EXCEPTION_HEADINGS, exception_rows(found.items, datetime.now(UTC)))
    else:
        click.echo("no exceptions")


@exception.command()
@click.argument("identity", metavar="ID")
@desk_options
@output_option
def revoke(identity: str, desk: DeskOptions, output: str) -> None:
    """End an exception at once."""
    found = at_desk(desk, lambda d: d.ask(table.REVOKE_EXCEPTION, ExceptionName(id=identity)))
    if output != "text":
        print_document(found, output)
    else:
        click.echo(f"{found.id} permits nothing any more")
