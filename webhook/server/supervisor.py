"""The parent of several worker processes.

Owns starting, watching and stopping them, and adding up what they report. Must not know what they serve.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

from webhook.server.channel import Channel, Message, Report, StartFailure
from webhook.server.checks import Health, NamedHealth, all_well
from webhook.server.errors import WorkerStartError
from webhook.server.stop import Stop
from webhook.server.worker import WorkerOrder, work
from webhook.telemetry import fields, vocabulary
from webhook.telemetry.exposition import Exposition
from webhook.telemetry.process import ProcessTelemetry


@dataclass(frozen=True, slots=True)
class SupervisorTiming:
    """How patient a supervisor is."""

    first_pause_seconds: float = 0.2
    """Before a worker that died is started again; doubles each time."""
    longest_pause_seconds: float = 10.0
    steady_seconds: float = 60.0
    """A worker that lived this long is not held against its successor."""
    silence_seconds: float = 15.0
    """A worker that reports nothing for this long hangs, and is killed."""
    start_seconds: float = 60.0
    """The same, before its first report."""
    look_seconds: float = 0.5
    """How often silence is looked for."""
    exit_seconds: float = 10.0
    """How long a worker may take to exit beyond its drain time."""


class Seat:
    """The place of one worker: the process in it changes, the name stays."""

    def __init__(self, order: WorkerOrder) -> None:
        self.order = order
        self.process: BaseProcess | None = None
        self.checks: tuple[NamedHealth, ...] = ()
        """Of the last report; empty before the first one and after death."""
        self.heard_at = 0.0
        """Monotonic seconds of the last report, or of the start."""
        self.has_reported = False

    @property
    def is_ready(self) -> bool:
        """Whether the worker in it serves."""
        return bool(self.checks) and all_well(self.checks)

    def clear(self) -> None:
        """Forget the worker that was in it."""
        self.process = None
        self.checks = ()
        self.has_reported = False


class Supervisor:
    """Keeps one worker in each seat."""

    def __init__(
        self,
        orders: list[WorkerOrder],
        telemetry: ProcessTelemetry,
        exposition: Exposition,
        *,
        drain_seconds: float,
        timing: SupervisorTiming | None = None,
    ) -> None:
        """Take one order for each seat; `drain_seconds` is what workers may take to drain."""
        self.seats = [Seat(order) for order in orders]
        self._telemetry = telemetry
        self._exposition = exposition
        self._drain_seconds = drain_seconds
        self._timing = timing or SupervisorTiming()
        self._context = _forking_context(orders)
        self._stop = Stop()
        self._failure: str | None = None
        self._was_ready = False
        metrics = telemetry.metrics
        metrics.gauge(vocabulary.WORKERS, self._count_ready, ("true",))
        metrics.gauge(vocabulary.WORKERS, lambda: len(self.seats) - self._count_ready(), ("false",))
        metrics.count(vocabulary.WORKER_RESTARTS, (), 0)

    def look(self) -> tuple[NamedHealth, ...]:
        """Give the health of all: ready while one worker serves, each worker's failed checks as notes."""
        ready = self._count_ready()
        note = f"{ready} of {len(self.seats)} ready"
        draining = self._stop.is_asked()
        return (
            NamedHealth("shutdown", Health(ok=not draining, note="draining" if draining else "")),
            NamedHealth("workers", Health(ok=ready > 0, note=note)),
            *(NamedHealth(f"worker-{seat.order.name}", _summarise(seat)) for seat in self.seats),
        )

    async def run(self, stop: Stop) -> None:
        """Keep every seat taken until asked to stop, then let the workers drain.

        Raises:
            WorkerStartError: no worker was ever ready and one says why it cannot serve.

        """
        self._stop = stop
        keepers = [asyncio.create_task(self._keep(seat)) for seat in self.seats]
        looker = asyncio.create_task(self._look_for_silence())
        publisher = asyncio.create_task(self._telemetry.run(self._publish))
        await stop.asked()
        looker.cancel()
        await self._end_workers(keepers)
        publisher.cancel()
        await asyncio.gather(looker, publisher, return_exceptions=True)
        self._publish()
        if self._failure is not None:
            raise WorkerStartError(self._failure)

    # One seat.

    async def _keep(self, seat: Seat) -> None:
        pause_seconds = self._timing.first_pause_seconds
        while not self._stop.is_asked():
            started = time.monotonic()
            code = await self._employ(seat)
            if self._stop.is_asked():
                return
            if time.monotonic() - started > self._timing.steady_seconds:
                pause_seconds = self._timing.first_pause_seconds
            details = {fields.NAME: seat.order.name, fields.STATUS: code, "restartInSeconds": pause_seconds}
            self._telemetry.events.event(fields.EVENT_WORKER_LOST, details, "error")
            self._telemetry.metrics.count(vocabulary.WORKER_RESTARTS)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_seconds):
                    await self._stop.asked()
            pause_seconds = min(pause_seconds * 2, self._timing.longest_pause_seconds)

    async def _employ(self, seat: Seat) -> int | None:
        """Start a worker, and wait for its end; give its exit code, negative for a signal."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        lost = asyncio.Event()
        _, channel = await asyncio.get_running_loop().create_connection(
            lambda: Channel(lambda message: self._hear(seat, message), lost.set), sock=ours
        )
        process = self._context.Process(
            target=work, args=(seat.order, theirs), name=f"gradate-worker-{seat.order.name}", daemon=True
        )
        with _interrupts_blocked():
            process.start()
        theirs.close()
        seat.process, seat.heard_at = process, time.monotonic()
        details = {fields.NAME: seat.order.name, "pid": process.pid}
        self._telemetry.events.event(fields.EVENT_WORKER_STARTED, details)
        try:
            await _exit_of(process)
            # What it sent before its end may still be under way.
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await lost.wait()
            return process.exitcode
        finally:
            channel.close()
            seat.clear()
            self._exposition.forget(seat.order.name)

    def _hear(self, seat: Seat, message: Message) -> None:
        seat.heard_at = time.monotonic()
        if isinstance(message, Report):
            seat.has_reported = True
            seat.checks = message.checks
            self._exposition.absorb(seat.order.name, message.metrics)
            self._was_ready = self._was_ready or seat.is_ready
        elif isinstance(message, StartFailure):
            self._telemetry.events.event(
                fields.EVENT_WORKER_LOST,
                {fields.NAME: seat.order.name, fields.REASON: message.message},
                "error",
            )
            if not self._was_ready:
                self._failure = self._failure or message.message
                self._stop.ask(patient=False)

    # All seats.

    async def _look_for_silence(self) -> None:
        while True:
            await asyncio.sleep(self._timing.look_seconds)
            now = time.monotonic()
            for seat in self.seats:
                patience = self._timing.silence_seconds if seat.has_reported else self._timing.start_seconds
                if seat.process is not None and now - seat.heard_at > patience:
                    details = {
                        fields.NAME: seat.order.name,
                        fields.REASON: f"silent for {patience:g} s: killed",
                    }
                    self._telemetry.events.event(fields.EVENT_WORKER_LOST, details, "error")
                    seat.process.kill()
                    seat.heard_at = now

    async def _end_workers(self, keepers: list[asyncio.Task[None]]) -> None:
        """Ask every worker to drain; a second wish to stop, or too long a drain, ends them at once."""
        self._signal_all(signal.SIGTERM if self._stop.patient else signal.SIGUSR1)
        killer = asyncio.create_task(self._kill_late())
        await asyncio.gather(*keepers, return_exceptions=True)
        killer.cancel()
        await asyncio.gather(killer, return_exceptions=True)

    async def _kill_late(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds + self._timing.exit_seconds):
                await self._stop.urgent()
        for seat in self.seats:
            if seat.process is not None:
                seat.process.kill()

    def _signal_all(self, number: signal.Signals) -> None:
        for seat in self.seats:
            process = seat.process
            if process is not None and process.pid is not None and process.exitcode is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, number)

    def _count_ready(self) -> int:
        return sum(seat.is_ready for seat in self.seats)

    def _publish(self) -> None:
        self._exposition.absorb("supervisor", self._telemetry.metrics.report())


def _summarise(seat: Seat) -> Health:
    """Describe one worker; its failure is a note, because one worker that serves is enough to be ready."""
    if not seat.checks:
        return Health(ok=True, note="starting")
    failed = [f"{one.name}: {one.health.note}" for one in seat.checks if not one.health.ok]
    if failed:
        return Health(ok=True, note=f"not ready ({'; '.join(failed)})")
    notes = [f"{one.name}: {one.health.note}" for one in seat.checks if one.health.note]
    return Health(ok=True, note="; ".join(notes) or "ready")


def _forking_context(orders: Sequence[WorkerOrder]) -> ForkServerContext:
    """Give a way to start workers as copies of one process that has imported all they need, and nothing else.

    It has neither threads nor a loop, so that copying it is safe; what it imported is in memory once.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__, *{type(order.build).__module__ for order in orders}])
    return context


async def _exit_of(process: BaseProcess) -> None:
    loop = asyncio.get_running_loop()
    gone = loop.create_future()

    def tell() -> None:
        loop.remove_reader(process.sentinel)
        if not gone.done():
            gone.set_result(None)

    loop.add_reader(process.sentinel, tell)
    await gone
    process.join()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start a child in which Ctrl-C does nothing from its first instruction on."""
    # Started first, or it would be started here, and lift what is blocked.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
