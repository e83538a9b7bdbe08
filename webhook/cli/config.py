"""`gradate config`: check the settings, and show what is in force and where it comes from."""

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.markup import escape

from webhook.cli.options import config_option, output_option, read_settings
from webhook.cli.printing import print_document, print_table
from webhook.compose.strategies import Strategies
from webhook.settings.loader import KeyPath, LoadedSettings, environment_name, setting_paths


@click.group()
def config() -> None:
    """Check or show the settings."""


@config.command()
@config_option
def check(config_path: Path | None) -> None:
    """Check the settings file and the environment; exit code 2 names the first mistake."""
    loaded = read_settings(config_path, {})
    Strategies(loaded.settings.rollout)
    click.echo(f"settings are valid ({len(loaded.origins)} set, the rest are defaults)")


@config.command()
@config_option
@output_option
def show(config_path: Path | None, output: str) -> None:
    """Show every setting in force, and where its value comes from."""
    loaded = read_settings(config_path, {})
    tree = msgspec.to_builtins(loaded.settings)
    if output != "text":
        print_document(tree, output)
        return
    headings = ("SETTING", "VALUE", "FROM", "ENVIRONMENT")
    print_table(headings, (_cells(loaded, tree, path) for path in setting_paths()))


def _cells(loaded: LoadedSettings, tree: dict[str, Any], path: KeyPath) -> tuple[str, ...]:
    value = msgspec.json.encode(tree[path[0]][path[1]]).decode()
    return (".".join(path), escape(value), loaded.origins.get(path, "default"), environment_name(path))
