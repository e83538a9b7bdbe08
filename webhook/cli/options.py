"""Options that several commands share, and the settings that they lead to."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook.settings.loader import KeyPath, LoadedSettings, load_settings

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_CONFIG = Path("gradate.yaml")

FLAGS: Mapping[str, KeyPath] = {
    "policies": ("policies", "folder"),
    "listen": ("server", "listen"),
    "operations_listen": ("server", "operationsListen"),
    "tls_cert": ("server", "tlsCert"),
    "tls_key": ("server", "tlsKey"),
    "client_ca": ("server", "clientCa"),
    "store": ("store", "path"),
    "token_file": ("server", "tokenFile"),
    "workers": ("server", "workers"),
}
"""Which setting each flag sets."""


def config_option(command: Command) -> Command:
    """Add `--config`."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"Settings file. [default: {DEFAULT_CONFIG} if it exists]",
    )(command)


def policies_option(command: Command) -> Command:
    """Add `--policies`."""
    return click.option("--policies", metavar="DIR", help="Folder of policies. [default: policies]")(command)


def output_option(command: Command) -> Command:
    """Add `--output`."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(["text", "json", "yaml"]),
        default="text",
        show_default=True,
        help="How to print the result.",
    )(command)


def read_settings(config_path: Path | None, flags: Mapping[str, Any]) -> LoadedSettings:
    """Load the settings of a command.

    Raises:
        webhook.settings.errors.SettingsError: they are not usable.

    """
    if config_path is None and DEFAULT_CONFIG.exists():
        config_path = DEFAULT_CONFIG
    given = {FLAGS[name]: ("--" + name.replace("_", "-"), value) for name, value in flags.items()}
    return load_settings(config_path, os.environ, given)
