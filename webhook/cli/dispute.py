"""`gradate dispute`: object to a denial."""

import click

from webhook.cli.desk_options import at_desk, desk_options
from webhook.cli.desks import DeskOptions
from webhook.cli.options import output_option
from webhook.cli.printing import console, print_document
from webhook.flows.review import DisputeFinding
from webhook.server import operation_table as table


@click.command()
@click.argument("identity", metavar="ID")
@click.option("--reason", required=True, help="Why the denial is wrong.")
@desk_options
@output_option
def dispute(identity: str, reason: str, desk: DeskOptions, output: str) -> None:
    """Object to a denial: the finding, whose ID the denial names, goes to the head of the review queue."""
    question = DisputeFinding(id=identity, reason=reason)
    found = at_desk(desk, lambda d: d.ask(table.DISPUTE_FINDING, question))
    if output != "text":
        print_document(found, output)
        return
    click.echo(f"{found.finding.id} is disputed; whoever reviews it sees your reason")
    if found.note:
        console().print(f"[yellow]note[/] {found.note}")
