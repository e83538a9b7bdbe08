"""The operations listener: probes, metrics, and whatever routes the rest of the house adds.

Owns plain HTTP for people and machines that operate Gradate. Must not know admission, or where numbers come from.
"""

import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from aiohttp import web
from aiohttp.http import HttpProcessingError

from webhook.server.address import ListenAddress, address_of, explain
from webhook.server.answers import ErrorBody, ErrorCode, ErrorEnvelope
from webhook.server.checks import Look, all_well, report_checks

Render = Callable[[str], tuple[str, bytes]]
"""Takes an Accept header, gives content type and body of the metrics."""
Routes = Sequence[web.AbstractRouteDef]
_GOODBYE_SECONDS = 1.0


def probe_routes(look: Look, render: Render) -> Routes:
    """Give `/healthz`, `/readyz` and `/metrics`."""

    async def healthz(_request: web.Request) -> web.Response:
        # Answering at all is the proof: the loop that serves admission turns, or the supervisor's does.
        return web.Response(text="ok")

    async def readyz(request: web.Request) -> web.Response:
        found = look()
        text = report_checks("readyz", found, verbose="verbose" in request.query)
        return web.Response(text=text, status=200 if all_well(found) else 503)

    async def metrics(request: web.Request) -> web.Response:
        content_type, body = render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return (web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics))


class OperationsListener:
    """Serves routes over plain HTTP on a socket that is bound already."""

    def __init__(self, bound: socket.socket, address: ListenAddress, routes: Routes) -> None:
        self._socket = bound
        self.address = address_of(bound, address)
        """Where it listens, with the port that the system chose."""
        application = web.Application(middlewares=[errors_as_json])
        application.add_routes(routes)
        logger = logging.getLogger(__name__)
        logger.addFilter(_is_ours)
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_GOODBYE_SECONDS, logger=logger
        )

    async def start(self) -> None:
        """Accept connections.

        Raises:
            AddressInUseError: another process began to listen there after the socket was bound.

        """
        await self._runner.setup()
        try:
            await web.SockSite(self._runner, self._socket).start()
        except OSError as error:
            raise explain(error, self.address, "--operations-listen") from error

    async def stop(self) -> None:
        """Stop, after requests under way are answered."""
        await self._runner.cleanup()


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell a fault of ours from what is no HTTP: that is its sender's, may be without end, and may quote a token."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


@web.middleware
async def errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give HTTP errors the form that the admission listener gives them."""
    try:
        return await handler(request)
    except web.HTTPNotFound as error:
        message = f"{request.path} is not served here"
        return _refusal(error, ErrorCode.NOT_FOUND, message)
    except web.HTTPMethodNotAllowed as error:
        message = f"{request.method} is not served here; use {', '.join(sorted(error.allowed_methods))}"
        return _refusal(error, ErrorCode.METHOD_NOT_ALLOWED, message)


def _refusal(error: web.HTTPException, code: ErrorCode, message: str) -> web.Response:
    body = msgspec.json.encode(ErrorEnvelope(ErrorBody(code=code, message=message)))
    kept = {name: value for name, value in error.headers.items() if name.lower() == "allow"}
    return web.Response(body=body, status=error.status, content_type="application/json", headers=kept)
