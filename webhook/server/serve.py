"""`gradate serve`: one process that does everything, or a supervisor with workers.

Owns the choice between the two, and the order in which mistakes are found: certificates and addresses before
anything is built. Must not know what is built.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import uvloop

from webhook.server.address import ListenAddress, address_of, bind, parse_address, reserve
from webhook.server.application import Build
from webhook.server.checks import Look, all_well
from webhook.server.operations import OperationsListener, Render, Routes, probe_routes
from webhook.server.process import ServingProcess, load_serving_context
from webhook.server.stop import Stop, stop_on_signals
from webhook.server.supervisor import Supervisor
from webhook.server.worker import WorkerOrder
from webhook.settings.groups import ServerSettings, TelemetrySettings
from webhook.telemetry import fields
from webhook.telemetry.exposition import Exposition
from webhook.telemetry.process import ProcessTelemetry

_ALONE = "0"
_SUPERVISOR = "supervisor"
_LOOK_SECONDS = 0.02
Announce = Callable[[ListenAddress, ListenAddress], None]
"""Hears where admission and operations listen, once requests are served there."""
RoutesOf = Callable[[ProcessTelemetry], Routes]
"""Gives routes that announce what they change to the telemetry of their process."""


def _no_routes(_telemetry: ProcessTelemetry) -> Routes:
    return ()


def serve(
    settings: ServerSettings,
    telemetry: TelemetrySettings,
    build: Build,
    *,
    routes: RoutesOf = _no_routes,
    announce: Announce | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        settings: of the server.
        telemetry: settings of telemetry.
        build: builds the application, in each process that serves; with several workers it must be picklable.
        routes: gives those of the operations listener, beside probes and metrics, in the process that owns it.
        announce: hears the addresses.

    Raises:
        ServerError: an address cannot be listened on, or no worker can start.
        webhook.tls.errors.TlsError: certificate, key or client CA cannot serve.
        Exception: what `build` raises.

    """
    if settings.workers == 1:
        uvloop.run(_serve_alone(settings, telemetry, build, routes, announce))
    else:
        uvloop.run(_supervise(settings, telemetry, build, routes, announce))


@dataclass(frozen=True, slots=True)
class _Role:
    """What differs between a process that is alone and a supervisor."""

    admission: ListenAddress
    look: Look
    render: Render
    run: Callable[[Stop], Awaitable[None]]


_Cast = Callable[[ProcessTelemetry, Exposition], _Role]


async def _serve_alone(
    settings: ServerSettings,
    telemetry_settings: TelemetrySettings,
    build: Build,
    routes: RoutesOf,
    announce: Announce | None,
) -> None:
    serving = load_serving_context(settings)
    asked = parse_address(settings.listen)
    with bind(asked, setting="--listen") as bound:

        def cast(telemetry: ProcessTelemetry, exposition: Exposition) -> _Role:
            process = ServingProcess(settings, telemetry, serving, bound, asked)

            def publish() -> None:
                exposition.absorb(_ALONE, telemetry.metrics.report())

            def render(accept: str) -> tuple[str, bytes]:
                telemetry.flush()
                publish()
                return exposition.render(accept)

            return _Role(
                address_of(bound, asked),
                process.checks.look,
                render,
                lambda stop: process.run(build, stop, publish),
            )

        await _operate(settings, ProcessTelemetry(telemetry_settings, worker=_ALONE), cast, routes, announce)


async def _supervise(
    settings: ServerSettings,
    telemetry_settings: TelemetrySettings,
    build: Build,
    routes: RoutesOf,
    announce: Announce | None,
) -> None:
    # Workers load their certificates themselves; a mistake shows here, before there are any.
    load_serving_context(settings)
    held, address = reserve(parse_address(settings.listen), setting="--listen")
    with held:
        orders = [
            WorkerOrder(str(number), settings, telemetry_settings, address, build)
            for number in range(settings.workers)
        ]
        drain_seconds = settings.drain_delay_seconds + settings.drain_timeout_seconds

        def cast(telemetry: ProcessTelemetry, exposition: Exposition) -> _Role:
            supervisor = Supervisor(orders, telemetry, exposition, drain_seconds=drain_seconds)
            return _Role(address, supervisor.look, exposition.render, supervisor.run)

        telemetry = ProcessTelemetry(telemetry_settings, worker=_SUPERVISOR)
        await _operate(settings, telemetry, cast, routes, announce)


async def _operate(
    settings: ServerSettings,
    telemetry: ProcessTelemetry,
    cast: _Cast,
    routes: RoutesOf,
    announce: Announce | None,
) -> None:
    """Play a role beside the operations listener, until a signal says stop."""
    async with AsyncExitStack() as stack:
        stack.callback(telemetry.close)
        address = parse_address(settings.operations_listen)
        bound = stack.enter_context(bind(address, setting="--operations-listen"))
        telemetry.take_over_logging()
        role = cast(telemetry, Exposition())
        operations = OperationsListener(
            bound, address, (*probe_routes(role.look, role.render), *routes(telemetry))
        )
        await operations.start()
        stack.push_async_callback(operations.stop)
        if announce is not None:
            announcing = asyncio.create_task(_announce_when_ready(role, operations.address, announce))
            stack.callback(announcing.cancel)
        stop = Stop()
        with stop_on_signals(stop):
            await role.run(stop)
        telemetry.events.event(fields.EVENT_STOPPED, {})


async def _announce_when_ready(role: _Role, operations: ListenAddress, announce: Announce) -> None:
    """Tell the addresses once they serve, so that a process that cannot start says why and nothing else."""
    while not all_well(role.look()):  # noqa: ASYNC110  the checks only answer when they are asked
        await asyncio.sleep(_LOOK_SECONDS)
    announce(role.admission, operations)
