"""One HTTP exchange: a request written to a connection of its own, and what is answered there.

A command asks a server once or twice and ends: it needs no sessions, and a client that has them takes longer to
import than the question takes to be answered. Must not know what is asked.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from webhook.cli.errors import CommandError, NoAnswer

_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 300.0
_NEXT_ADDRESS_SECONDS = 0.25
"""After which the next address of a name is tried beside one that does not answer."""
_PORTS = {"http": 80, "https": 443}


async def exchange(
    server: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> tuple[int, bytes]:
    """Send a request to a server by its URL, and give status and body of the answer.

    Raises:
        NoAnswer: nobody answers there, or nobody that speaks HTTP.
        CommandError: it is no URL, or a header has more than one line.

    """
    place = _place(server)
    target = quote(place.path, safe="/%") + path + (f"?{urlencode(query)}" if query else "")
    head = {"Host": place.netloc, "Connection": "close", "Content-Length": str(len(body)), **(headers or {})}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    if any("\n" in line or "\r" in line for line in lines):
        raise CommandError(f"{server}: it is not asked: a line break in what it would be told")
    request = "\r\n".join([*lines, "", ""]).encode() + body
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return _read(await _send(place, request), method)
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"no server answers at {server}: {_reason(error)}") from error
    except ValueError as error:
        # A name that is no name of a machine.
        raise _no_url(server) from error


def _place(server: str) -> SplitResult:
    try:
        place = urlsplit(server)
        # Asking for the port checks it.
        is_url = place.scheme in _PORTS and place.hostname and place.port != 0 and place.username is None
    except ValueError as error:
        raise _no_url(server) from error
    if not is_url:
        raise _no_url(server)
    return place


async def _send(place: SplitResult, request: bytes) -> bytes:
    context = ssl.create_default_context() if place.scheme == "https" else None
    async with asyncio.timeout(_CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(
            place.hostname,
            place.port or _PORTS[place.scheme],
            ssl=context,
            happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS,
        )
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


class _Received:
    """What was received, in the place of the socket that `http.client` reads from."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._received)


def _read(received: bytes, method: str) -> tuple[int, bytes]:
    response = HTTPResponse(_Received(received), method=method)  # type: ignore[arg-type]  # all that it asks for
    response.begin()
    return response.status, response.read()


def _no_url(server: str) -> CommandError:
    return CommandError(f"{server!r} is no URL; write http://HOST:PORT")


def _reason(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"it speaks no TLS that is understood here: {error}"
        case ConnectionError(errno=int(number)):
            return os.strerror(number).lower()
        case OSError(strerror=str(reason)):
            return reason.lower()
        case HTTPException():
            return f"what answers is no HTTP: {str(error) or type(error).__name__}"
        case _:
            return str(error) or type(error).__name__
