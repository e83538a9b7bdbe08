import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.support.applications import build_nothing, build_obedient
from tests.support.https import post, review_body
from tests.support.servers import Server
from webhook.server.address import ListenAddress, reserve
from webhook.server.application import Build
from webhook.server.errors import WorkerStartError
from webhook.server.stop import Stop
from webhook.server.supervisor import Supervisor, SupervisorTiming
from webhook.server.worker import WorkerOrder
from webhook.settings.groups import ServerSettings, TelemetrySettings
from webhook.telemetry.exposition import Exposition
from webhook.telemetry.process import ProcessTelemetry
from webhook.tls.folder import CertificateFolder

QUICK = SupervisorTiming(first_pause_seconds=0.05, silence_seconds=1, look_seconds=0.05, exit_seconds=1)


class Supervision:
    """A supervisor that runs in the test's own process."""

    def __init__(self, certificates: CertificateFolder, log: Path, build: Build) -> None:
        settings = ServerSettings(
            tls_cert=str(certificates.serving_certificate),
            tls_key=str(certificates.serving_key),
            drain_delay_seconds=0,
        )
        self.held, self.address = reserve(ListenAddress("127.0.0.1", 0), setting="--listen")
        self.file = log.open("wb")
        self.log = log
        self.telemetry = ProcessTelemetry(TelemetrySettings(), descriptor=self.file.fileno())
        order = WorkerOrder("0", settings, TelemetrySettings(), self.address, build)
        self.supervisor = Supervisor([order], self.telemetry, Exposition(), drain_seconds=1, timing=QUICK)
        self.stop = Stop()
        self.task = asyncio.create_task(self.supervisor.run(self.stop))

    def is_ready(self) -> bool:
        return self.supervisor.seats[0].is_ready

    def pid(self) -> int | None:
        process = self.supervisor.seats[0].process
        return None if process is None else process.pid

    def events(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.log.read_bytes().splitlines()]


@asynccontextmanager
async def supervising(
    certificates: CertificateFolder, log: Path, build: Build = build_obedient
) -> AsyncIterator[Supervision]:
    supervision = Supervision(certificates, log, build)
    try:
        yield supervision
    finally:
        supervision.stop.ask(patient=False)
        await asyncio.gather(supervision.task, return_exceptions=True)
        supervision.telemetry.close()
        supervision.file.close()
        supervision.held.close()


async def wait_for(supervision: Supervision, *, other_than: int | None = None) -> int:
    """Wait for a worker that is ready; give its process id."""
    async with asyncio.timeout(20):
        while not supervision.is_ready() or supervision.pid() == other_than:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)
    pid = supervision.pid()
    assert pid is not None
    return pid


def look_at(pid: int) -> tuple[str, int]:
    """Give the state of a process and the id of its parent."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return "gone", 0
    return state, int(parent)


async def test_a_worker_that_hangs_is_killed_and_replaced(
    certificates: CertificateFolder, tmp_path: Path
) -> None:
    async with supervising(certificates, tmp_path / "log") as supervision:
        hanging = await wait_for(supervision)
        server = Server(None, certificates, supervision.address.port, 0)  # type: ignore[arg-type]  # no process here
        async with server.client() as client:
            client.writer.write(post(review_body(name="hang")))
            successor = await wait_for(supervision, other_than=hanging)
        assert successor != hanging
        async with server.client() as client:
            assert (await client.ask(post(review_body()))).status == 200
    reasons = [event.get("reason") for event in supervision.events() if event["event"] == "worker_lost"]
    assert "silent for 1 s: killed" in reasons


async def test_a_worker_that_dies_again_and_again_is_given_more_time_each_time(
    certificates: CertificateFolder, tmp_path: Path
) -> None:
    async with supervising(certificates, tmp_path / "log") as supervision:
        pid = await wait_for(supervision)
        for _ in range(2):
            os.kill(pid, 9)
            pid = await wait_for(supervision, other_than=pid)
    pauses = [event["restartInSeconds"] for event in supervision.events() if "restartInSeconds" in event]
    assert pauses == [0.05, 0.1]


async def test_when_the_process_that_workers_are_copied_from_dies_there_are_new_ones(
    certificates: CertificateFolder, tmp_path: Path
) -> None:
    async with supervising(certificates, tmp_path / "log") as supervision:
        orphan = await wait_for(supervision)
        _, parent = look_at(orphan)
        assert parent != os.getpid()
        os.kill(parent, 9)
        await wait_for(supervision, other_than=orphan)
        server = Server(None, certificates, supervision.address.port, 0)  # type: ignore[arg-type]  # no process here
        async with server.client() as client:
            assert (await client.ask(post(review_body()))).status == 200
        async with asyncio.timeout(20):
            while look_at(orphan)[0] not in {"Z", "gone"}:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.02)


async def test_a_worker_that_cannot_start_ends_the_supervisor_with_its_reason(
    certificates: CertificateFolder, tmp_path: Path
) -> None:
    async with supervising(certificates, tmp_path / "log", build_nothing) as supervision:
        async with asyncio.timeout(20):
            (failure,) = await asyncio.gather(supervision.task, return_exceptions=True)
    assert isinstance(failure, WorkerStartError)
    assert str(failure) == "FileNotFoundError: policies: there is no such folder; pass --policies"
