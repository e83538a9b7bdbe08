"""The admission listener: a TLS port, its connections, and how they end.

Owns listening, the sweep of time limits and draining. Must not know what requests mean.
"""

import asyncio
import socket
import ssl
import time

from webhook.server.address import ListenAddress, address_of, explain
from webhook.server.answers import AnswerWriter
from webhook.server.calls import Endpoints
from webhook.server.connection import HttpConnection
from webhook.server.traffic import SECOND_NS, Traffic

_SWEEP_SECONDS = 0.2
_BACKLOG = 1024
_GOODBYE_SECONDS = 2.0
_LOOK_SECONDS = 0.01
_SETTLE_SECONDS = 0.25


class AdmissionListener:
    """Serves endpoints over HTTPS on a socket that is bound already."""

    def __init__(
        self,
        bound: socket.socket,
        address: ListenAddress,
        context: ssl.SSLContext,
        endpoints: Endpoints,
        traffic: Traffic,
    ) -> None:
        self._socket = bound
        self.address = address_of(bound, address)
        """Where it listens, with the port that the system chose."""
        self._context = context
        self._endpoints = endpoints
        self.traffic = traffic
        self._writer = AnswerWriter()
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections.

        Raises:
            AddressInUseError: another process began to listen there after the socket was bound.

        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: HttpConnection(loop, self.traffic, self._endpoints, self._writer),
                sock=self._socket,
                ssl=self._context,
                backlog=_BACKLOG,
                ssl_handshake_timeout=self.traffic.limits.head_ns / SECOND_NS,
                ssl_shutdown_timeout=_GOODBYE_SECONDS,
            )
        except OSError as error:
            raise explain(error, self.address, "--listen") from error
        self._sweep = asyncio.create_task(self._keep_sweeping())

    async def drain(self, delay_seconds: float, timeout_seconds: float) -> bool:
        """Stop politely; give whether every request was answered.

        For `delay_seconds` everything is served as before, but each answer closes its connection, so that
        callers move on while the rest of the cluster learns that this server goes. Then nobody is accepted
        any more, idle connections close, and requests under way get up to `timeout_seconds`. Somebody who
        connected in the last moment gets a little time to send the request that is on its way.
        """
        self.traffic.draining = True
        await asyncio.sleep(delay_seconds)
        if self._server is not None:
            self._server.close()
        finished = await self._see_off(timeout_seconds, min(delay_seconds, _SETTLE_SECONDS))
        await self.stop()
        return finished

    async def stop(self) -> None:
        """Stop at once, cutting what is left."""
        if self._server is not None:
            self._server.close()
        self.traffic.abort()
        if self._sweep is not None:
            self._sweep.cancel()
            await asyncio.gather(self._sweep, return_exceptions=True)
        # Cut connections are told so by the loop, one round later.
        await asyncio.sleep(0)

    async def _see_off(self, timeout_seconds: float, settle_seconds: float) -> bool:
        began = now = time.monotonic()
        settle_ns = int(settle_seconds * SECOND_NS)
        while self.traffic.connections or now < began + settle_seconds:
            if now >= began + timeout_seconds:
                return False
            self.traffic.close_idle(time.monotonic_ns() - settle_ns)
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
        return True

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._writer.tick()
            self.traffic.sweep(time.monotonic_ns())
