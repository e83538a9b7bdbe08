"""One HTTP exchange: a request on a connection of its own, and what is answered there.

A command asks a server once or twice and ends: it needs no sessions, and a client that has them takes longer to
import than the question takes to be answered. Must not know what is asked.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection, InvalidURL
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from webhook.cli.errors import CommandError, NoAnswer

_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 300.0
_CLIENTS: Mapping[str, type[HTTPConnection]] = {"http": HTTPConnection, "https": HTTPSConnection}


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
    connection = _CLIENTS[place.scheme](place.hostname or "", place.port, timeout=_CONNECT_SECONDS)
    target = quote(place.path, safe="/%") + path + (f"?{urlencode(query)}" if query else "")
    told = {name: value.encode() for name, value in (headers or {}).items()}

    def ask() -> tuple[int, bytes]:
        connection.connect()
        connection.sock.settimeout(_ANSWER_SECONDS)
        connection.request(method, target, body, {"Connection": "close", **told})
        response = connection.getresponse()
        return response.status, response.read()

    try:
        return await asyncio.to_thread(ask)
    except (InvalidURL, UnicodeError) as error:
        # A name that is no name of a machine.
        raise _no_url(server) from error
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"no server answers at {server}: {_reason(error)}") from error
    except ValueError as error:
        raise CommandError(f"{server}: it is not asked: {error}") from error
    finally:
        _hang_up(connection)


def _hang_up(connection: HTTPConnection) -> None:
    """Close a connection, also while its thread waits for an answer that nobody wants any more."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def _place(server: str) -> SplitResult:
    try:
        place = urlsplit(server)
        # Asking for the port checks it.
        is_url = place.scheme in _CLIENTS and place.hostname and place.port != 0 and place.username is None
    except ValueError as error:
        raise _no_url(server) from error
    if not is_url:
        raise _no_url(server)
    return place


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
        case HTTPException():
            return f"what answers is no HTTP: {str(error) or type(error).__name__}"
        case ConnectionError(errno=int(number)):
            return os.strerror(number).lower()
        case OSError(strerror=str(reason)):
            return reason.lower()
        case _:
            return str(error) or type(error).__name__
