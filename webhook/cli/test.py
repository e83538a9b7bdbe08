"""`gradate test`: run the Rego unit tests of policies."""

import asyncio
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec
import watchfiles

from webhook.cli.coverage_reports import coverage_document, coverage_lcov, coverage_text
from webhook.cli.cross_check import ask_regopy, cross_check_document, cross_check_text
from webhook.cli.failures import EXPECTED_ERRORS
from webhook.cli.options import Seconds
from webhook.cli.probe_results import ask_probes
from webhook.cli.run_reports import report_documents, report_junit, report_text
from webhook.compose.clock import SystemClock
from webhook.flows.policy_files import load_policy_files
from webhook.flows.policy_tests import Outcome, RunOptions, RunReport, run_policy_tests
from webhook.flows.second_opinion import CrossCheck

DEFAULT_PATHS = ("policies", "policy-tests")
EXIT_BROKEN = 1
"""As with `opa test`: files are missing or do not compile."""
EXIT_TESTS_FAILED = 2
"""As with `opa test`: a test failed, was skipped, or the coverage is below the threshold."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """What is printed, and what counts as success."""

    output_format: str
    quiet: bool
    lcov: Path | None
    threshold: float
    skipped_is_success: bool
    cross_check: bool


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--run", "-r", "select", metavar="REGEX", help="Only tests whose reference matches.")
@click.option("--coverage", "-c", is_flag=True, help="Report which lines and rules ran.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 100),
    default=0.0,
    metavar="PCT",
    help="Fail below this coverage; implies --coverage.",
)
@click.option("--lcov", type=click.Path(path_type=Path, dir_okay=False), help="Write an LCOV tracefile.")
@click.option(
    "--format",
    "-f",
    "output_format",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="How to print the results.",
)
@click.option(
    "--verbose/--quiet",
    "-v/-q",
    default=True,
    show_default=True,
    help="Show every test, or leave out those that pass.",
)
@click.option("--exit-zero-on-skipped", "-z", is_flag=True, help="Skipped tests do not fail the run.")
@click.option(
    "--timeout",
    type=Seconds(),
    default=5.0,
    show_default="5s",
    metavar="DURATION",
    help="Longest time of one test.",
)
@click.option("--v0-compatible", is_flag=True, help="Read every module as Rego v0.")
@click.option("--strict-builtin-errors", is_flag=True, help="A failing builtin is an error of the test.")
@click.option("--cross-check", is_flag=True, help="Ask regopy too, and report where it differs.")
@click.option("--watch", "-w", is_flag=True, help="Run again whenever a file changes.")
@click.pass_context
def test(
    context: click.Context,
    *,
    paths: tuple[str, ...],
    select: str | None,
    coverage: bool,
    threshold: float,
    lcov: Path | None,
    output_format: str,
    verbose: bool,
    exit_zero_on_skipped: bool,
    timeout: float,
    v0_compatible: bool,
    strict_builtin_errors: bool,
    cross_check: bool,
    watch: bool,
) -> None:
    """Run the tests among modules, rules whose names begin with `test_`, and ask must-deny probes.

    PATHs are files and folders; without any, policies and policy-tests. Exits with 0 when every test passes, with 2
    when one does not, and with 1 when files are missing or do not compile.
    """
    chosen = paths or tuple(path for path in DEFAULT_PATHS if Path(path).exists())
    if not chosen:
        raise click.UsageError(f"name at least one PATH; there is no {' or '.join(DEFAULT_PATHS)} here")
    options = RunOptions(
        select=_pattern(select),
        coverage=coverage or bool(threshold) or lcov is not None,
        version="v0" if v0_compatible else "auto",
        strict_builtin_errors=strict_builtin_errors,
        timeout_seconds=timeout,
    )
    shown = Presentation(output_format, not verbose, lcov, threshold, exit_zero_on_skipped, cross_check)

    def run() -> int:
        return run_once(chosen, options, shown)

    code = run()
    if watch:
        run_on_change(run, _changes(chosen))
    context.exit(code)


def run_once(paths: Collection[str], options: RunOptions, shown: Presentation) -> int:
    """Run the tests, print the report and give the exit code."""
    clock = SystemClock()
    try:
        files = load_policy_files(paths)
        report = run_policy_tests(files, options, clock)
        folders = [Path(path) for path in paths if Path(path).is_dir()]
        probed = asyncio.run(ask_probes(folders, files, options, clock))
        report = replace(report, results=(*report.results, *probed))
        check = ask_regopy(files, options.version, clock) if shown.cross_check else None
    except EXPECTED_ERRORS as error:
        click.echo(str(error), err=True)
        return EXIT_BROKEN
    _print(report, check, shown)
    missing = report.coverage is not None and report.coverage.percent < shown.threshold
    if missing and report.coverage is not None:
        got, wanted = report.coverage.percent, shown.threshold
        click.echo(f"Code coverage threshold not met: got {got:.2f} instead of {wanted:.2f}", err=True)
    skipped = bool(report.count(Outcome.SKIPPED)) and not shown.skipped_is_success
    return EXIT_TESTS_FAILED if missing or skipped or not report.passed else 0


def run_on_change(run: Callable[[], int], changes: Iterable[object]) -> None:
    """Run again after each burst of changes."""
    click.echo("watching for changes …", err=True)
    for _ in changes:
        click.echo("*" * 80)
        run()
        sys.stdout.flush()


def _changes(paths: Iterable[str]) -> Iterator[object]:
    """Yield after each burst of changes below the paths that exist, until interrupted."""
    found = [path for path in (given.rpartition(":")[2] for given in paths) if Path(path).exists()]
    if found:
        yield from watchfiles.watch(*found, raise_interrupt=False)


def _pattern(select: str | None) -> re.Pattern[str] | None:
    try:
        return None if select is None else re.compile(select)
    except re.error as error:
        raise click.BadParameter(
            f"{select!r} is no regular expression: {error}", param_hint="--run"
        ) from error


def _print(report: RunReport, check: CrossCheck | None, shown: Presentation) -> None:
    if report.coverage is not None and shown.lcov is not None:
        shown.lcov.write_text(coverage_lcov(report.coverage))
    if shown.output_format == "junit":
        click.echo(report_junit(report), nl=False)
    elif shown.output_format == "json":
        click.echo(_json(report, check))
    else:
        click.echo(report_text(report, quiet=shown.quiet))
        if report.coverage is not None:
            click.echo(coverage_text(report.coverage))
        if check is not None:
            click.echo(cross_check_text(check))


def _json(report: RunReport, check: CrossCheck | None) -> str:
    """Write the list of results, or where there is more to say OPA's coverage document with the results in it."""
    document: Any = report_documents(report)
    if report.coverage is not None or check is not None:
        coverage = {} if report.coverage is None else coverage_document(report.coverage)
        document = {**coverage, "tests": document}
    if check is not None:
        document["cross_check"] = cross_check_document(check)
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
