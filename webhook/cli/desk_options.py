"""Options of every command that asks a desk, and how it asks."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from webhook.cli.desks import Desk, DeskOptions, open_desk
from webhook.cli.options import Command, config_option, read_settings

Result = TypeVar("Result")


def desk_options(command: Command) -> Command:
    """Add `--server`, `--store`, `--token-file`, `--user` and `--config`; the command receives them as `desk`."""

    @config_option
    @click.option(
        "--server",
        metavar="URL",
        help="Operations listener of a running server. [default: that of the settings, if one runs]",
    )
    @click.option("--store", metavar="FILE", help="Go straight to this store, though a server may run.")
    @click.option("--token-file", metavar="FILE", help="Token of the server. [default: data/token]")
    @click.option("--user", metavar="NAME", help="Who is recorded. [default: the user of this system]")
    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> Any:
        desk = _take_desk(options)
        return command(*args, desk=desk, **options)

    return wrapped  # type: ignore[return-value]  # click's decorators keep no signature


def _take_desk(options: dict[str, Any]) -> DeskOptions:
    config_path, server, user = options.pop("config_path"), options.pop("server"), options.pop("user")
    flags = {name: options.pop(name) for name in ("store", "token_file")}
    if server is not None and flags["store"] is not None:
        raise click.UsageError("--server and --store are two places to ask; name one.")
    settings = read_settings(config_path, flags).settings
    return DeskOptions(settings, server, straight=flags["store"] is not None, user=user)


def at_desk(options: DeskOptions, work: Callable[[Desk], Awaitable[Result]]) -> Result:
    """Do something at a desk that is open meanwhile.

    Raises:
        OperationError, StoreError, CommandError, TokenFileError: it cannot be done.

    """

    async def run() -> Result:
        async with open_desk(options) as desk:
            return await work(desk)

    return asyncio.run(run())
