"""One serving process, from its first socket to its last answer.

Owns the order of starting and stopping. Must not know whether there are other processes.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from socket import socket

from webhook.server.address import ListenAddress
from webhook.server.application import Application, Build
from webhook.server.checks import Checks, Health
from webhook.server.endpoints import AdmissionEndpoints
from webhook.server.listener import AdmissionListener
from webhook.server.stop import Stop
from webhook.server.traffic import SECOND_NS, Limits, Traffic
from webhook.settings.groups import ServerSettings
from webhook.telemetry import fields, vocabulary
from webhook.telemetry.process import ProcessTelemetry
from webhook.tls.context import ServingContext, TlsFiles
from webhook.tls.reloader import CertificateReloader

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
# More than a large AdmissionReview holds, so that decoding one does not start a collection.
_YOUNG_OBJECTS = 20_000


def tls_files(settings: ServerSettings) -> TlsFiles:
    """Give the paths of the settings."""
    client_ca = Path(settings.client_ca) if settings.client_ca else None
    return TlsFiles(Path(settings.tls_cert), Path(settings.tls_key), client_ca)


def load_serving_context(settings: ServerSettings) -> ServingContext:
    """Load certificate, key and client CAs.

    Raises:
        webhook.tls.errors.TlsError: they cannot serve.

    """
    return ServingContext(tls_files(settings), datetime.now(UTC))


def calm_collector() -> None:
    """Keep the garbage collector from looking for what is not there.

    What is loaded by now lives as long as the process: full collections need not walk it. What a request makes
    is freed by reference counts, without the collector; only its count of fresh objects would wake it.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


class ServingProcess:
    """Serves one application on one socket."""

    def __init__(
        self,
        settings: ServerSettings,
        telemetry: ProcessTelemetry,
        serving: ServingContext,
        bound: socket,
        address: ListenAddress,
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._serving = serving
        self._bound = bound
        self._address = address
        self._traffic = Traffic(Limits.of(settings))
        self._listening = False
        self.checks = Checks()
        """What readiness depends on."""
        self._add_checks()
        self._add_metrics()

    async def run(self, build: Build, stop: Stop, publish: Callable[[], None]) -> None:
        """Serve until asked to stop, then drain; `publish` is called a few times a second.

        Raises:
            Exception: whatever `build` raises.

        """
        async with AsyncExitStack() as stack:
            stack.callback(self._finish, publish)
            self._keep_running(stack, "telemetry", lambda: self._telemetry.run(publish))
            # Before building, which makes many objects that stay, and once more for these.
            calm_collector()
            application = await _unless_stopped(build(self._telemetry), stop)
            if application is None:
                return
            stack.push_async_callback(application.aclose)
            gc.collect()
            calm_collector()
            for name, probe in application.checks.items():
                self.checks.add(name, probe)
            for name, work in application.background.items():
                self._keep_running(stack, name, work)
            reloader = CertificateReloader(self._serving, self._telemetry)
            self._keep_running(stack, "certificates", reloader.run)
            self._telemetry.metrics.gauge(
                vocabulary.RELOAD_FAILING, lambda: reloader.failure is not None, ("certificate",)
            )
            listener = self._make_listener(application)
            await listener.start()
            stack.push_async_callback(listener.stop)
            self._listening = True
            self._announce(fields.EVENT_LISTENING, listener)
            await stop.asked()
            self._announce(fields.EVENT_DRAINING, listener)
            await self._drain(listener, stop)

    def _make_listener(self, application: Application) -> AdmissionListener:
        endpoints = AdmissionEndpoints(
            application.deciders,
            default_timeout_ns=int(self._settings.default_timeout_seconds * SECOND_NS),
            report=self._telemetry.record,
            report_failure=self._telemetry.request_failed,
        )
        return AdmissionListener(self._bound, self._address, self._serving.context, endpoints, self._traffic)

    async def _drain(self, listener: AdmissionListener, stop: Stop) -> None:
        self._traffic.draining = True
        delay_seconds = self._settings.drain_delay_seconds if stop.patient else 0
        drain = asyncio.create_task(listener.drain(delay_seconds, self._settings.drain_timeout_seconds))
        urgent = asyncio.create_task(stop.urgent())
        await asyncio.wait({drain, urgent}, return_when=asyncio.FIRST_COMPLETED)
        for task in (drain, urgent):
            task.cancel()
        await asyncio.gather(drain, urgent, return_exceptions=True)

    def _finish(self, publish: Callable[[], None]) -> None:
        """Count the last requests, after the last answer."""
        self._telemetry.flush()
        publish()

    def _keep_running(self, stack: AsyncExitStack, name: str, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._restart_forever(name, work), name=name)

        async def end() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        stack.push_async_callback(end)

    async def _restart_forever(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run work that should never end; when it does, say so and start it again after a pause."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001  background work must not end the server
                self._telemetry.background_failed(name, error)
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    def _add_checks(self) -> None:
        self.checks.add("shutdown", self._check_shutdown)
        self.checks.add("listener", self._check_listener)
        self.checks.add("certificate", self._check_certificate)

    def _check_shutdown(self) -> Health:
        return Health(ok=not self._traffic.draining, note="draining" if self._traffic.draining else "")

    def _check_listener(self) -> Health:
        return Health(ok=self._listening, note="" if self._listening else "still starting")

    def _check_certificate(self) -> Health:
        status = self._serving.material.certificate
        left = status.days_left(datetime.now(UTC))
        if left <= 0:
            return Health(ok=False, note=f"{status.path} expired at {status.not_after.isoformat()}")
        return Health(ok=True, note=f"expires in {left:.0f} days")

    def _add_metrics(self) -> None:
        metrics, traffic = self._telemetry.metrics, self._traffic
        metrics.gauge(vocabulary.IN_FLIGHT, lambda: traffic.in_flight)
        metrics.gauge(vocabulary.CONNECTIONS, lambda: len(traffic.connections))
        metrics.watch_count(vocabulary.SHED, (), lambda: traffic.shed)
        material = self._serving.material
        self._telemetry.certificate_in_use("serving", material.certificate)
        if material.client_authorities:
            # The last one to expire decides: until then callers with the newest certificate get in.
            latest = max(material.client_authorities, key=lambda status: status.not_after)
            self._telemetry.certificate_in_use("client-ca", latest)

    def _announce(self, event: str, listener: AdmissionListener) -> None:
        self._telemetry.events.event(event, {fields.ADDRESS: str(listener.address)})


async def _unless_stopped(building: Awaitable[Application], stop: Stop) -> Application | None:
    """Wait for the application, unless a stop is asked for first."""
    build = asyncio.ensure_future(building)
    asked = asyncio.create_task(stop.asked())
    try:
        await asyncio.wait({build, asked}, return_when=asyncio.FIRST_COMPLETED)
        return build.result() if build.done() else None
    finally:
        for task in (build, asked):
            if not task.done():
                task.cancel()
        await asyncio.gather(build, asked, return_exceptions=True)
