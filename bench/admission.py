"""`make bench`: latency and throughput of the real server over TLS, beside a bare handler in the same run.

Server and load generator share the machine's cores, so the figures compare servers; they are no promise for
another machine. Everything runs on loopback and stops by itself.
"""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.local_server import (
    ROOT,
    LocalServer,
    ServerError,
    free_ports,
    issue_certificates,
    put_load,
    run_server,
    serve_gradate,
)
from bench.review import SIZE_BYTES
from webhook.tls.folder import CertificateFolder

RESULTS = ROOT / "bench" / "results"
BARE = "bare handler"
_PLAIN_WIDTH = 100  # of a log or a file, which has none of its own


@dataclass(frozen=True, slots=True)
class Row:
    """One server under one load; times in microseconds."""

    server: str
    connections: int
    requests: int
    errors: int
    seconds: float
    per_second: float
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float


@click.command(help=__doc__)
@click.option("--duration", default=5.0, show_default=True, help="Seconds of each measurement.")
@click.option("--warm-up", default=1.0, show_default=True, help="Seconds before each measurement.")
@click.option(
    "--connections", default=[1, 8, 64], multiple=True, show_default=True, help="Keep-alive connections."
)
@click.option(
    "--workers", default=[1, 2], multiple=True, show_default=True, help="Worker processes of Gradate."
)
@click.option(
    "--policies", type=click.Path(path_type=Path, exists=True), default=ROOT / "policies", help="Folder."
)
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, help="Folder.")
@click.option("--rounds", default=1, show_default=True, help="Repetitions; the best round by p50 is kept.")
def main(
    *,
    duration: float,
    warm_up: float,
    connections: Sequence[int],
    workers: Sequence[int],
    policies: Path,
    results: Path,
    rounds: int,
) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    with tempfile.TemporaryDirectory(prefix="gradate-bench-") as folder, ExitStack() as stack:
        certificates = issue_certificates(Path(folder) / "certs")
        servers = {BARE: stack.enter_context(serve_bare(Path(folder), certificates))}
        for count in workers:
            name = f"gradate, {count} worker{'s' if count > 1 else ''}"
            running = serve_gradate(Path(folder), certificates, policies, workers=count)
            servers[name] = stack.enter_context(running)
        rows = []
        # Servers take turns within each load, so that a slow phase of the machine hits them alike.
        for load in connections:
            for name, server in servers.items():
                with console.status(f"{name}, {load} connections"):
                    attempts = [_measure(name, server, load, warm_up, duration) for _ in range(rounds)]
                rows.append(min(attempts, key=lambda row: row.p50_us))
        memory = {name: round(server.resident_mib(), 1) for name, server in servers.items()}
        ready = {name: round(server.ready_seconds, 2) for name, server in servers.items()}
    _print(console, rows, memory, ready)
    console.print(f"written to {_write(results, rows, memory, ready)}", soft_wrap=True)
    if any(row.errors for row in rows):
        console.print("[red]some requests were not answered as they should be[/red]")
        sys.exit(1)


@contextmanager
def serve_bare(folder: Path, certificates: CertificateFolder) -> Iterator[LocalServer]:
    """Run the bare handler until the block ends."""
    (port,) = free_ports(1)
    command = [
        *(sys.executable, "-m", "bench.bare", "--port", str(port)),
        *("--cert", str(certificates.serving_certificate), "--key", str(certificates.serving_key)),
    ]
    with run_server(command, folder, certificates, port=port) as server:
        yield server


def _measure(name: str, server: LocalServer, connections: int, warm_up: float, duration: float) -> Row:
    try:
        figures = put_load(server, connections, warm_up, duration)
    except ServerError as error:
        raise click.ClickException(f"{name}: {error}") from error
    return Row(server=name, connections=connections, **figures)


def _print(console: Console, rows: Sequence[Row], memory: dict[str, float], ready: dict[str, float]) -> None:
    table = Table(
        title=f"AdmissionReview of {SIZE_BYTES:,} bytes over keep-alive TLS; load and servers share "
        f"{os.cpu_count()} cores",
        caption="bare handler: aiohttp, uvloop and msgspec allow every review, without any policy",
    )
    table.add_column("connections", justify="right")
    table.add_column("server")
    for heading in ("p50 ms", "× bare", "p99 ms", "requests/s", "of bare", "errors"):
        table.add_column(heading, justify="right")
    for load in dict.fromkeys(row.connections for row in rows):
        group = [row for row in rows if row.connections == load]
        bare = group[0]
        for row in group:
            table.add_row(
                str(load) if row is bare else "",
                row.server,
                f"{row.p50_us / 1000:.3f}",
                f"{row.p50_us / bare.p50_us:.2f}",
                f"{row.p99_us / 1000:.3f}",
                f"{row.per_second:,.0f}",
                f"{row.per_second / bare.per_second:.0%}",
                str(row.errors),
            )
        table.add_section()
    console.print(table)
    for name, mib in memory.items():
        console.print(f"{name}: ready in {ready[name]:.2f} s, {mib:.0f} MiB resident after the load")


def _write(folder: Path, rows: Sequence[Row], memory: dict[str, float], ready: dict[str, float]) -> Path:
    now = datetime.now(UTC)
    document = {
        "measured_at": now.isoformat(timespec="seconds"),
        "gradate": version("gradate"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "review_bytes": SIZE_BYTES,
        "rows": [asdict(row) for row in rows],
        "resident_mib": memory,
        "ready_seconds": ready,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"admission-{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


if __name__ == "__main__":
    main()
