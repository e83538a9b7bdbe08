"""A real `gradate serve` on free loopback ports, with fresh certificates, for as long as a block runs."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from webhook.tls.folder import CertificateFolder
from webhook.tls.names import parse_names

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
"""The only address that benchmark and demo ever talk to."""
_READY_SECONDS = 60
_STOP_SECONDS = 40


class ServerError(Exception):
    """A server or its load generator did not come up; the message ends with its last words."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """Where a server listens, and what its clients trust."""

    port: int
    """HTTPS."""
    authority: Path
    pid: int
    ready_seconds: float
    """From start to the first answer."""
    operations_port: int = 0
    """Plain HTTP; 0 for a server without that listener."""

    def resident_mib(self) -> float:
        """Give the resident memory of its processes, in MiB."""
        return sum(_resident_kib(pid) for pid in _family(self.pid)) / 1024

    def cpu_seconds(self) -> float:
        """Give the processor time of its processes so far."""
        return sum(map(_cpu_ticks, _family(self.pid))) / os.sysconf("SC_CLK_TCK")


def issue_certificates(folder: Path) -> CertificateFolder:
    """Issue a CA and a serving certificate for loopback."""
    certificates = CertificateFolder(folder)
    certificates.init(parse_names(["localhost", HOST]), datetime.now(UTC))
    return certificates


def gradate_command(*words: str) -> list[str]:
    """Give a command of the `gradate` beside this interpreter."""
    return [str(Path(sys.executable).with_name("gradate")), *words]


@contextmanager
def serve_gradate(
    folder: Path, certificates: CertificateFolder, policies: Path, *, workers: int = 1
) -> Iterator[LocalServer]:
    """Run `gradate serve` until the block ends."""
    port, operations = free_ports(2)
    command = [
        *gradate_command("serve"),
        *("--policies", str(policies.resolve()), "--workers", str(workers)),
        *("--listen", f"{HOST}:{port}", "--operations-listen", f"{HOST}:{operations}"),
        *("--tls-cert", str(certificates.serving_certificate), "--tls-key", str(certificates.serving_key)),
        *("--store", str(folder / f"state-{port}.db")),
    ]
    with run_server(command, folder, certificates, port=port, probe_port=operations) as server:
        yield server


@contextmanager
def run_server(
    command: Sequence[str], folder: Path, certificates: CertificateFolder, *, port: int, probe_port: int = 0
) -> Iterator[LocalServer]:
    """Run a server until the block ends; it is ready when `/readyz` says so, or when its port is open.

    Raises:
        ServerError: it ends, or is not ready in time.

    """
    log_path = folder / f"server-{port}.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADATE_")}
    # Gradate itself waits for load balancers before it closes; here there is none.
    environment["PYTHONPATH"] = str(ROOT)
    environment["GRADATE_SERVER_DRAIN_DELAY_SECONDS"] = "0"
    begun = time.monotonic()
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        while not (_is_ready(probe_port) if probe_port else _is_open(port)):
            if process.poll() is not None or time.monotonic() - begun > _READY_SECONDS:
                last_words = log_path.read_text(errors="replace")[-2000:]
                raise ServerError(
                    f"the server did not become ready: {last_words.strip() or '(it said nothing)'}"
                )
            time.sleep(0.02)
        ready_seconds = time.monotonic() - begun
        yield LocalServer(port, certificates.authority_certificate, process.pid, ready_seconds, probe_port)
    finally:
        _stop(process)


def put_load(
    server: LocalServer, connections: int, warm_up_seconds: float, duration_seconds: float
) -> dict[str, Any]:
    """Run the load generator against a server; give its figures, times in microseconds.

    Raises:
        ServerError: the generator failed.

    """
    where = ("--port", str(server.port), "--authority", str(server.authority))
    how_long = ("--warm-up", str(warm_up_seconds), "--duration", str(duration_seconds))
    command = [sys.executable, "-m", "bench.load", *where, "--connections", str(connections), *how_long]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise ServerError(done.stderr.strip())
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def free_ports(count: int) -> list[int]:
    """Find ports that nobody uses at this moment."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _is_open(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _family(pid: int) -> list[int]:
    """List a process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)


def _cpu_ticks(pid: int) -> int:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)
