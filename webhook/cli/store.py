"""`gradate store`: look after the file in which rollouts, evidence and verdicts are kept."""

import asyncio
from pathlib import Path

import click

from webhook.cli.errors import CommandError
from webhook.cli.options import config_option, output_option, read_settings
from webhook.cli.printing import print_document
from webhook.compose.store import inspect_store


@click.group()
def store() -> None:
    """Back up or check the store; a server may run meanwhile."""


_store_option = click.option(
    "--store", "path", metavar="FILE", help="SQLite store. [default: data/gradate.db]"
)


@store.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace an earlier back-up of this name.")
@_store_option
@config_option
def backup(target: Path, *, overwrite: bool, path: str | None, config_path: Path | None) -> None:
    """Write a consistent, checked copy of the store to FILE."""
    settings = read_settings(config_path, {"store": path}).settings
    if target.exists() and not overwrite:
        raise CommandError(f"{target}: it exists already; name another file, or say --overwrite")

    async def run() -> None:
        async with inspect_store(settings) as opened:
            await opened.back_up(target)

    asyncio.run(run())
    click.echo(f"{target}: {target.stat().st_size:,} bytes")


@store.command()
@_store_option
@config_option
@output_option
def check(path: str | None, config_path: Path | None, output: str) -> None:
    """Check that the store is intact, and say what it holds."""
    settings = read_settings(config_path, {"store": path}).settings

    async def run() -> dict[str, int | str]:
        # Opening it is the check.
        async with inspect_store(settings) as opened:
            rollouts = await opened.rollouts()
            return {
                "path": settings.store.path,
                "policies": len(await opened.stables()),
                "rollouts": len(rollouts),
                "active": sum(one.phase.is_active for one in rollouts),
                "exceptions": len(await opened.exceptions()),
                "namespaces": len(await opened.namespaces()),
            }

    found = asyncio.run(run())
    if output != "text":
        print_document(found, output)
        return
    counts = ", ".join(f"{value} {name}" for name, value in found.items() if name != "path")
    click.echo(f"{found['path']} is intact: {counts}")
