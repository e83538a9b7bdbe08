"""Printers that several commands share: a result as a table, JSON or YAML."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table


def print_document(document: Any, output: str) -> None:
    """Print plain data as `json` or `yaml`."""
    tree = msgspec.to_builtins(document)
    if output == "yaml":
        click.echo(yaml_text(tree), nl=False)
    else:
        click.echo(msgspec.json.format(msgspec.json.encode(tree), indent=2).decode())


def yaml_text(tree: Any, *, compact: bool = False) -> str:
    """Write plain data as YAML; compact has the innermost lists and mappings on one line."""
    # Only where YAML is asked for: most answers are tables.
    import yaml  # noqa: PLC0415

    style = None if compact else False
    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, default_flow_style=style)
    return text


_PIPE_WIDTH = 1000
"""Nothing is folded for a program that reads the output, unless `COLUMNS` says how wide it is."""


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; cells may hold rich markup."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        # An ID is there to be copied.
        table.add_column(heading, overflow="fold", no_wrap=heading == "ID")
    for row in rows:
        table.add_row(*row)
    console().print(table)


class CleanConsole(Console):
    """Shows no control characters of what it prints: names, messages and reasons are other people's.

    Colours are the console's own, and stay.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Give what is printed piece by piece."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=clean(segment.text))


def clean(text: str) -> str:
    """Keep control characters, and what turns the direction of writing, away from the terminal."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text
    )


def console() -> Console:
    """Give a console for rich markup, in colour on a terminal only."""
    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return CleanConsole(width=None if told else _PIPE_WIDTH, highlight=False)
