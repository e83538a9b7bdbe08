"""One of several worker processes: its main function, called in a fresh process.

Owns what makes a worker different from a server that is alone: a shared port, a supervisor to report to, no
operations listener. Must not know other workers.
"""

import asyncio
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass

import uvloop

from webhook.server.address import ListenAddress, bind
from webhook.server.application import Build
from webhook.server.channel import Channel, Message, Report, StartFailure
from webhook.server.process import ServingProcess, load_serving_context
from webhook.server.stop import Stop
from webhook.settings.groups import ServerSettings, TelemetrySettings
from webhook.telemetry.process import ProcessTelemetry

EXIT_CANNOT_SERVE = 2
_FAREWELL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WorkerOrder:
    """All that a worker needs to serve; crosses the border between processes."""

    name: str
    """The `worker` label of its metrics and log lines: a small number."""
    server: ServerSettings
    telemetry: TelemetrySettings
    address: ListenAddress
    """Where to listen; the port is real."""
    build: Build
    """Importable in the worker's process."""


def work(order: WorkerOrder, supervisor: socket.socket) -> None:
    """Serve until the supervisor says stop, or dies; the main function of a worker process."""
    # Ctrl-C reaches the whole process group; the supervisor hears it and tells the workers what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(uvloop.run(_work(order, supervisor)))


async def _work(order: WorkerOrder, supervisor: socket.socket) -> int:
    loop = asyncio.get_running_loop()
    stop, parted = Stop(), asyncio.Event()

    def part() -> None:
        # Without its supervisor nobody would ever tell this worker to stop.
        stop.ask(patient=False)
        parted.set()

    loop.add_signal_handler(signal.SIGTERM, stop.ask)
    # SIGINT from a terminal is ignored; the supervisor forwards a person's impatience as SIGUSR1.
    loop.add_signal_handler(signal.SIGUSR1, lambda: stop.ask(patient=False))
    supervisor.setblocking(False)
    _, channel = await loop.create_connection(lambda: Channel(_ignore, part), sock=supervisor)
    try:
        await _serve(order, channel, stop)
    except Exception as error:  # noqa: BLE001  the edge of the process: the supervisor says it to the person
        channel.send(StartFailure(message=_explain(error)))
        return EXIT_CANNOT_SERVE
    finally:
        channel.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await parted.wait()
    return 0


def _explain(error: Exception) -> str:
    """Say what a person should read; an error that nobody foresaw is named, because its text may say little."""
    foreseen = type(error).__module__.startswith("webhook.")
    return str(error) if foreseen else f"{type(error).__name__}: {error}"


def _ignore(_message: Message) -> None:
    """Supervisors speak by signals."""


async def _serve(order: WorkerOrder, channel: Channel, stop: Stop) -> None:
    telemetry = ProcessTelemetry(order.telemetry, worker=order.name)
    telemetry.take_over_logging()
    try:
        serving = load_serving_context(order.server)
        bound = bind(order.address, setting="--listen", share=True)
        process = ServingProcess(order.server, telemetry, serving, bound, order.address)

        def publish() -> None:
            if channel.is_clear:
                channel.send(Report(metrics=telemetry.metrics.report(), checks=process.checks.look()))

        await process.run(order.build, stop, publish)
    finally:
        telemetry.close()
