"""How soon a server is ready: from the start of its process to the first good `/readyz`, by number of policies.

The policies are the core ones and those of `bench.rego`, again and again under other names, so that each of them is
parsed, checked and compiled. A bare handler starts in the same run, for what the machine and the libraries cost alone.
"""

import os
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.admission import serve_bare
from bench.local_server import ROOT, LocalServer, issue_certificates, serve_gradate
from webhook.tls.folder import CertificateFolder

_SOURCES = (ROOT / "policies", ROOT / "bench" / "rego_policies")
_PLAIN_WIDTH = 100
_PACKAGE = re.compile(r"^package ([\w.]+)$", re.MULTILINE)
_NAME = re.compile(r"^(#\s+name:) ([\w-]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Start:
    """One start of one server."""

    ready_seconds: float
    cpu_seconds: float
    """Processor time until then, of all its processes."""
    resident_mib: float


@click.command(help=__doc__)
@click.option("--policies", default=[3, 50], multiple=True, show_default=True, help="Numbers of policies.")
@click.option("--workers", default=[1, 2], multiple=True, show_default=True, help="Worker processes.")
@click.option("--rounds", default=5, show_default=True, help="Starts of each server, in turns.")
def main(*, policies: Sequence[int], workers: Sequence[int], rounds: int) -> None:
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    starts: dict[str, list[Start]] = {}
    with tempfile.TemporaryDirectory(prefix="gradate-bench-") as name:
        folder = Path(name)
        certificates = issue_certificates(folder / "certs")
        lines = {count: _write_policies(folder / f"policies-{count}", count) for count in policies}
        for turn in range(rounds):
            with console.status(f"round {turn + 1} of {rounds}"), serve_bare(folder, certificates) as server:
                starts.setdefault("bare handler", []).append(_look(server))
            for count, number in ((count, number) for count in policies for number in workers):
                title = (
                    f"{count} policies, {lines[count]:,} lines, {number} worker{'s' if number > 1 else ''}"
                )
                with console.status(title), _serve(folder, certificates, count, number) as server:
                    starts.setdefault(title, []).append(_look(server))
    _print(console, starts)


def _write_policies(folder: Path, count: int) -> int:
    """Write so many policies, no two with the same name; give the number of their lines."""
    folder.mkdir()
    originals = [path for source in _SOURCES for path in sorted(source.glob("*.rego"))]
    lines = 0
    for number in range(count):
        path = originals[number % len(originals)]
        text = _PACKAGE.sub(rf"package \1_{number}", path.read_text(), count=1)
        text = _NAME.sub(rf"\1 \2-{number}", text, count=1)
        (folder / f"{path.stem}_{number}.rego").write_text(text)
        lines += text.count("\n")
    return lines


@contextmanager
def _serve(
    folder: Path, certificates: CertificateFolder, policies: int, workers: int
) -> Iterator[LocalServer]:
    running = serve_gradate(folder, certificates, folder / f"policies-{policies}", workers=workers)
    with running as server:
        yield server


def _look(server: LocalServer) -> Start:
    return Start(server.ready_seconds, server.cpu_seconds(), server.resident_mib())


def _print(console: Console, starts: dict[str, list[Start]]) -> None:
    table = Table(
        title=f"From start to ready, {os.cpu_count()} cores; medians", caption="the goal: 50 policies in 2 s"
    )
    table.add_column("server")
    for heading in ("ready s", "least", "CPU s", "× bare", "MiB"):
        table.add_column(heading, justify="right")
    bare = statistics.median(start.cpu_seconds for start in starts["bare handler"])
    for name, found in starts.items():
        cpu_seconds = statistics.median(start.cpu_seconds for start in found)
        table.add_row(
            name,
            f"{statistics.median(start.ready_seconds for start in found):.2f}",
            f"{min(start.ready_seconds for start in found):.2f}",
            f"{cpu_seconds:.2f}",
            f"{cpu_seconds / bare:.1f}",
            f"{statistics.median(start.resident_mib for start in found):.0f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
