"""`gradate policies`: what a folder of policies holds."""

import asyncio
from pathlib import Path
from typing import Any

import click

from webhook.cli.options import config_option, output_option, policies_option, read_settings
from webhook.cli.printing import print_document, print_table
from webhook.policy.catalog import Catalog, override_parameters, read_catalog
from webhook.policy.version import PolicyVersion
from webhook.settings.groups import PolicySettings
from webhook.sources.folder import FolderSource

_DIGEST_CHARACTERS = len("sha256:") + 12


@click.group(invoke_without_command=True)
@config_option
@policies_option
@output_option
@click.pass_context
def policies(context: click.Context, config_path: Path | None, policies: str | None, output: str) -> None:
    """List the policies of a folder: name, version, digest, action, kinds, engine."""
    if context.invoked_subcommand is not None:
        return
    settings = read_settings(config_path, {"policies": policies}).settings.policies
    catalog = asyncio.run(_read(settings))
    rows = [_row(version) for version in catalog.policies]
    if output != "text":
        print_document(rows, output)
        return
    headings = ("NAME", "VERSION", "DIGEST", "ACTION", "KINDS", "ENGINE", "FILE")
    print_table(headings, map(_cells, rows))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    kinds = ",".join(row["kinds"])
    digest = row["digest"][:_DIGEST_CHARACTERS]
    return (row["name"], row["version"], digest, row["action"], kinds, row["engine"], row["path"])


async def _read(settings: PolicySettings) -> Catalog:
    sources = await FolderSource(Path(settings.folder)).read()
    return override_parameters(read_catalog(sources), settings.parameters)


def _row(version: PolicyVersion) -> dict[str, Any]:
    metadata = version.metadata
    return {
        "name": version.name,
        "title": metadata.title,
        "version": version.semantic_version,
        "digest": version.digest,
        "severity": metadata.severity.value,
        "action": metadata.action.value,
        "kinds": [str(kind) for kind in metadata.match.kinds],
        "operations": sorted(operation.value for operation in metadata.match.operations),
        "engine": metadata.engine.value,
        "parameters": dict(version.parameters),
        "path": version.path,
    }
