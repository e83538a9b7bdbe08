"""Options that several commands share, and the settings that they lead to."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook.rollout.duration import SECOND_NS, parse_duration
from webhook.rollout.errors import InvalidDuration
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


class Seconds(click.ParamType[float]):
    """A time above zero in seconds, given as a number or as OPA's flags take it (`500ms`, `5s`, `1m30s`)."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the flag's value."""
        try:
            seconds = float(value)
        except ValueError:
            try:
                seconds = parse_duration(value) / SECOND_NS
            except InvalidDuration as error:
                self.fail(str(error), param, ctx)
        if not 0 < seconds < math.inf:
            self.fail(f"{value!r} is not above 0", param, ctx)
        return seconds


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
