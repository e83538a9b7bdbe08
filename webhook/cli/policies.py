"""`gradate policies`: what a folder of policies holds, and the versions that there were."""

import asyncio
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.text import Text

from webhook.cli.desk_options import at_desk, desk_options
from webhook.cli.desks import DeskOptions
from webhook.cli.options import config_option, output_option, policies_option, read_settings
from webhook.cli.printing import console, print_document, print_table
from webhook.cli.rollout_text import format_time, styled_phase
from webhook.flows.version_history import DiffVersions, PolicyName, VersionView
from webhook.policy.catalog import Catalog, override_parameters, read_catalog
from webhook.policy.version import PolicyVersion
from webhook.server.operation_table import DIFF_VERSIONS, LIST_VERSIONS
from webhook.settings.groups import PolicySettings
from webhook.sources.folder import FolderSource

_DIGEST_CHARACTERS = len("sha256:") + 12
_DIFF_STYLES = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}


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


@policies.command()
@click.argument("policy", metavar="NAME")
@desk_options
@output_option
def history(policy: str, desk: DeskOptions, output: str) -> None:
    """List the versions of a policy, newest first, and what became of each."""
    found = at_desk(desk, lambda d: d.ask(LIST_VERSIONS, PolicyName(policy=policy)))
    if output != "text":
        print_document(found, output)
    else:
        print_table(("VERSION", "DIGEST", "FIRST SEEN", "STATE", "MESSAGE"), map(_version_cells, found.items))


@policies.command()
@click.argument("policy", metavar="NAME")
@click.argument("before", metavar="V1")
@click.argument("after", metavar="V2")
@desk_options
@output_option
def diff(policy: str, before: str, after: str, desk: DeskOptions, output: str) -> None:
    """Show how two versions of a policy differ: modules, metadata, parameters.

    V1 and V2 are semantic versions, digests or their beginnings, `stable` or `candidate`.
    """
    question = DiffVersions(policy=policy, before=before, after=after)
    found = at_desk(desk, lambda d: d.ask(DIFF_VERSIONS, question))
    if output != "text":
        print_document(found, output)
        return
    for line in found.text.splitlines():
        style = next((style for prefix, style in _DIFF_STYLES.items() if line.startswith(prefix)), "")
        console().print(Text(line, style=style), soft_wrap=True)


def _version_cells(version: VersionView) -> tuple[str, ...]:
    newest = version.rollouts[0] if version.rollouts else None
    state = "not rolled out" if newest is None else styled_phase(newest.phase)
    if version.stable:
        state = "[green]stable[/]"
    message = "" if newest is None else escape(newest.message.partition("\n")[0])
    digest = version.digest[:_DIGEST_CHARACTERS]
    return (escape(version.version), digest, format_time(version.first_seen_at), state, message)


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
