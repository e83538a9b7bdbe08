"""A real server in a process of its own, for tests that signal, kill and watch it."""

import asyncio
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from tests.support.https import Client
from webhook.tls.folder import CertificateFolder

_MAIN = """
import sys, msgspec, importlib
from webhook.server.serve import serve
from webhook.settings.groups import ServerSettings, TelemetrySettings
if __name__ == "__main__":
    server, telemetry, build = sys.argv[1:]
    try:
        serve(
            msgspec.json.decode(server, type=ServerSettings),
            msgspec.json.decode(telemetry, type=TelemetrySettings),
            getattr(importlib.import_module("tests.support.applications"), build),
            announce=lambda *addresses: print("ports", *(one.port for one in addresses), file=sys.stderr, flush=True),
        )
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


@dataclass
class Server:
    """A process that serves."""

    process: asyncio.subprocess.Process
    certificates: CertificateFolder
    port: int
    operations_port: int
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What it logged so far."""

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        trust = ssl.create_default_context(cafile=self.certificates.authority_certificate)
        client = Client(*await asyncio.open_connection("localhost", self.port, ssl=trust))
        try:
            yield client
        finally:
            client.close()

    async def get(self, path: str) -> tuple[int, str]:
        """Ask the operations listener."""
        url = f"http://127.0.0.1:{self.operations_port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.text()

    async def metric(self, series: str) -> float:
        """Read one series, 0 when it is not there."""
        _, text = await self.get("/metrics")
        found = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(series)]
        return sum(float(value) for value in found)

    async def until(self, path: str, text: str, seconds: float = 10) -> None:
        """Wait until the operations listener says `text`."""
        async with asyncio.timeout(seconds):
            while text not in (await self.get(path))[1]:  # noqa: ASYNC110  the other process has no event
                await asyncio.sleep(0.02)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and give its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(20):
            return await self.process.wait()


async def start(
    certificates: CertificateFolder, *, build: str = "build_obedient", telemetry: Any = None, **settings: Any
) -> asyncio.subprocess.Process:
    """Start a server without waiting for anything, in a process group of its own."""
    server = {
        "listen": "127.0.0.1:0",
        "operationsListen": "127.0.0.1:0",
        "tlsCert": str(certificates.serving_certificate),
        "tlsKey": str(certificates.serving_key),
        "drainDelaySeconds": 0,
        **settings,
    }
    arguments = [msgspec.json.encode(one).decode() for one in (server, telemetry or {})]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _MAIN, *arguments, build,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=2**20, start_new_session=True,
    )  # fmt: skip


@asynccontextmanager
async def server(certificates: CertificateFolder, **options: Any) -> AsyncIterator[Server]:
    """Run a server that is ready."""
    process = await start(certificates, **options)
    assert process.stderr is not None
    announced = (await process.stderr.readline()).split()
    assert announced[:1] == [b"ports"], [*announced, await process.stderr.read()]
    running = Server(process, certificates, int(announced[1]), int(announced[2]))
    reader = asyncio.create_task(_read_lines(running))
    try:
        await running.until("/readyz?verbose", "readyz check passed")
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reader


async def _read_lines(running: Server) -> None:
    assert running.process.stdout is not None
    async for line in running.process.stdout:
        running.lines.append(msgspec.json.decode(line))
