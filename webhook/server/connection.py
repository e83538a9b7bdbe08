"""One HTTP/1.1 connection of the admission listener, on aiohttp's parser.

aiohttp's own request handler gives a connection two tasks, a stream, a request and a response object, and no
limits on a slow head or body. An admission endpoint needs none of the former and all of the latter: here a
request costs one task, its time limits are one comparison in a sweep, and throughput doubles
(`bench/` measures both).

Owns reading requests, writing answers and time limits. Must not know what is asked or answered.
"""

import asyncio
import enum
import time
from collections import deque
from http import HTTPStatus

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import StreamReader

from webhook.server.answers import Answer, AnswerWriter, ErrorCode, refuse
from webhook.server.calls import Call, Endpoints, Route
from webhook.server.traffic import NEVER_NS, Traffic

# A client that sends requests without waiting for answers is read no further than this.
_AHEAD_BYTES = 64 * 1024
# After the deadline that the endpoint itself should have kept.
_GRACE_NS = 250_000_000
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_OVERLOADED = refuse(
    HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.OVERLOADED,
    "as many requests as allowed are in flight; try again, or raise maxConcurrentRequests",
    headers=(("Retry-After", "1"),),
)
_INTERNAL = refuse(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    ErrorCode.INTERNAL,
    "the request could not be answered because of an error in the server; its log says which",
)
_LATE = refuse(
    HTTPStatus.GATEWAY_TIMEOUT, ErrorCode.DEADLINE_EXCEEDED, "no answer was found within the caller's timeout"
)
_SLOW_HEAD = refuse(
    HTTPStatus.REQUEST_TIMEOUT, ErrorCode.REQUEST_TIMEOUT, "the request's headers did not arrive in time"
)
_SLOW_BODY = refuse(
    HTTPStatus.REQUEST_TIMEOUT, ErrorCode.REQUEST_TIMEOUT, "the request's body did not arrive in time"
)


class Phase(enum.Enum):
    """What a connection waits for."""

    IDLE = enum.auto()
    """The first byte of a request."""
    HEAD = enum.auto()
    """The rest of a head."""
    BODY = enum.auto()
    """The rest of a body."""
    SERVING = enum.auto()
    """The endpoint."""
    CLOSING = enum.auto()
    """The client to go away; what it still sends is dropped."""


class HttpConnection(BaseProtocol):
    """Reads one request at a time, has it answered, writes the answer."""

    __slots__ = (
        "_ahead",
        "_ahead_bytes",
        "_body_limit",
        "_endpoints",
        "_expired",
        "_held",
        "_phase",
        "_queue",
        "_requests",
        "_route",
        "_task",
        "_traffic",
        "_writer",
        "expires_ns",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, traffic: Traffic, endpoints: Endpoints, writer: AnswerWriter
    ) -> None:
        super().__init__(loop)
        # `limit` only tells when to call pause_reading, which does nothing here: the body limit is the bound.
        self._requests: HttpRequestParser | None = HttpRequestParser(
            self, loop, traffic.limits.body_bytes, auto_decompress=False
        )
        self._traffic = traffic
        self._endpoints = endpoints
        self._writer = writer
        self._body_limit = traffic.limits.body_bytes
        self._phase = Phase.IDLE
        self._queue: deque[tuple[RawRequestMessage, StreamReader]] = deque()
        self._route: Route | None = None
        self._ahead: list[bytes] = []
        self._ahead_bytes = 0
        self._held = False
        self._task: asyncio.Task[None] | None = None
        self._expired = False
        self.expires_ns = NEVER_NS

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to wait for a request."""
        super().connection_made(transport)
        self._traffic.connections.add(self)
        self._rest()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the client; a request in flight is still decided and counted."""
        super().connection_lost(exc)
        self._traffic.connections.discard(self)
        self._phase = Phase.CLOSING
        self._drop_input()

    def data_received(self, data: bytes) -> None:
        """Read on, unless an answer is due first."""
        if self._phase is Phase.SERVING:
            self._read_ahead(data)
        elif self._phase is not Phase.CLOSING:
            self._feed(data)

    def pause_writing(self) -> None:
        """Wait for a client that does not take its answers, for a while."""
        super().pause_writing()
        self.expires_ns = time.monotonic_ns() + self._traffic.limits.body_ns

    def resume_writing(self) -> None:
        """Go on with the requests that came meanwhile."""
        super().resume_writing()
        if self._phase not in (Phase.SERVING, Phase.CLOSING):
            self._rest()
            self._advance()

    # What aiohttp's parser calls: the body limit bounds memory, so reading never pauses for it.

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing."""

    # What the sweep and the drain call.

    def expire(self, now_ns: int) -> None:
        """End what takes too long, in the way that suits the phase."""
        if self._paused or self._phase is Phase.CLOSING:
            self.abort()
        elif self._phase is Phase.IDLE:
            self._close()
        elif self._phase is Phase.HEAD:
            self._refuse(Call(None, None, b"", now_ns), _SLOW_HEAD)
        elif self._phase is Phase.BODY:
            self._refuse(Call(self._queue[0][0], self._route, b"", now_ns), _SLOW_BODY)
        elif self._task is not None:
            self.expires_ns = NEVER_NS
            self._expired = True
            self._task.cancel()

    def close_if_idle(self, since_ns: int) -> None:
        """Close unless a request has begun, or may be on its way because the client came after `since_ns`."""
        idle_since_ns = self.expires_ns - self._traffic.limits.keepalive_ns
        if self._phase is Phase.IDLE and idle_since_ns <= since_ns:
            self._close()

    def abort(self) -> None:
        """Cut the connection without ceremony."""
        self._phase = Phase.CLOSING
        self.expires_ns = NEVER_NS
        if self._task is not None:
            self._task.cancel()
        if self.transport is not None:
            self.transport.abort()

    # One request after the other.

    def _feed(self, data: bytes) -> None:
        if self._requests is None:
            return
        try:
            messages, upgraded, _ = self._requests.feed_data(data)
        except HttpProcessingError as error:
            self._refuse(Call(None, None, b"", time.monotonic_ns()), _unreadable(error))
            return
        if messages:
            self._queue.extend(messages)
        elif self._phase is Phase.IDLE and not self._queue:
            self._phase = Phase.HEAD
            self.expires_ns = time.monotonic_ns() + self._traffic.limits.head_ns
        # What follows an accepted upgrade is no HTTP; none is accepted, so nothing may follow.
        self._upgraded = self._upgraded or upgraded
        self._advance()

    def _advance(self) -> None:
        """Answer what is complete at the head of the queue, until something has to be waited for."""
        while self._queue and not self._paused and self._phase is not Phase.CLOSING:
            head, payload = self._queue[0]
            complete = payload.is_eof()
            if self._route is None:
                route = self._endpoints.route(head)
                if isinstance(route, Answer):
                    self._turn_down(head, route, complete=complete)
                    continue
                self._route = route
            if payload.total_bytes > self._body_limit or (
                not complete and _announced_bytes(head) > self._body_limit
            ):
                self._turn_down(head, _too_large(self._body_limit), complete=complete)
            elif not complete:
                self._await_body(head)
                return
            elif self._serve_next(head, payload):
                return

    def _turn_down(self, head: RawRequestMessage, answer: Answer, *, complete: bool) -> None:
        """Refuse the request at the head of the queue; one whose body is not read yet ends the connection."""
        self._queue.popleft()
        call = Call(head, self._route, b"", time.monotonic_ns())
        self._route = None
        if complete:
            self._reply(call, answer)
        else:
            self._refuse(call, answer)

    def _await_body(self, head: RawRequestMessage) -> None:
        if self._phase is Phase.BODY:
            return
        self._phase = Phase.BODY
        self.expires_ns = time.monotonic_ns() + self._traffic.limits.body_ns
        if self.transport is not None and head.headers.get("Expect", "").lower() == "100-continue":
            self.transport.write(_CONTINUE)

    def _serve_next(self, head: RawRequestMessage, payload: StreamReader) -> bool:
        """Have the request at the head of the queue answered; tell whether that has to be waited for."""
        self._queue.popleft()
        now_ns = time.monotonic_ns()
        route, self._route = self._route, None
        call = Call(head, route, payload.read_nowait(-1), now_ns)
        traffic = self._traffic
        if traffic.in_flight >= traffic.limits.in_flight or route is None:
            traffic.shed += 1
            self._reply(call, _OVERLOADED)
            return False
        traffic.in_flight += 1
        self._phase = Phase.SERVING
        self.expires_ns = now_ns + route.timeout_ns + _GRACE_NS
        self._task = self._loop.create_task(self._serve(call))
        return True

    async def _serve(self, call: Call) -> None:
        try:
            answer = await self._endpoints.answer(call)
        except asyncio.CancelledError:
            if not self._expired:
                raise
            answer = _LATE
        except Exception as error:  # noqa: BLE001  the edge of the process: whatever it is, the client gets an answer
            self._endpoints.failed(call, error)
            answer = _INTERNAL
        finally:
            self._traffic.in_flight -= 1
            self._task = None
            self._expired = False
        self._reply(call, answer)
        if self._ahead:
            self._feed(self._take_ahead())
        elif self._queue:
            self._advance()

    def _read_ahead(self, data: bytes) -> None:
        self._ahead.append(data)
        self._ahead_bytes += len(data)
        if self._ahead_bytes > _AHEAD_BYTES and not self._held and self.transport is not None:
            self._held = True
            self.transport.pause_reading()

    def _take_ahead(self) -> bytes:
        data = b"".join(self._ahead)
        self._ahead.clear()
        self._ahead_bytes = 0
        if self._held and self.transport is not None and not self.transport.is_closing():
            self._held = False
            self.transport.resume_reading()
        return data

    # Answers.

    def _reply(self, call: Call, answer: Answer) -> None:
        """Write an answer, and wait for the next request unless this one was the last."""
        head, transport = call.head, self.transport
        close = (
            self._traffic.draining
            or self._upgraded
            or head is None
            or head.should_close
            or head.version < HttpVersion11
        )
        if transport is not None and not transport.is_closing():
            bodiless = head is not None and head.method == "HEAD"
            transport.write(self._writer.write(answer, close=close, bodiless=bodiless))
        self._endpoints.answered(call, answer)
        if close:
            self._close()
        elif self._phase is not Phase.CLOSING:
            self._rest()

    def _refuse(self, call: Call, answer: Answer) -> None:
        """Answer a request that is not read to its end, and take no other.

        Closing at once would reset the connection under the client's hands, which loses the answer: what it
        still sends is dropped for a while instead.
        """
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(self._writer.write(answer, close=True))
        self._endpoints.answered(call, answer)
        self._phase = Phase.CLOSING
        self._drop_input()
        self.expires_ns = time.monotonic_ns() + self._traffic.limits.linger_ns

    def _rest(self) -> None:
        self._phase = Phase.IDLE
        if not self._paused:
            self.expires_ns = time.monotonic_ns() + self._traffic.limits.keepalive_ns

    def _close(self) -> None:
        """Close politely: what is written still goes out."""
        self._phase = Phase.CLOSING
        self._drop_input()
        self.expires_ns = time.monotonic_ns() + self._traffic.limits.linger_ns
        if self.transport is not None:
            self.transport.close()

    def _drop_input(self) -> None:
        """Let go of all that was read.

        Parser, body and connection hold each other, and the garbage collector rarely runs in a server: without
        this, the bodies of refused requests would pile up.
        """
        self._requests = None
        self._queue.clear()
        self._ahead.clear()


def _announced_bytes(head: RawRequestMessage) -> int:
    announced = head.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() else 0


def _unreadable(error: HttpProcessingError) -> Answer:
    if isinstance(error, LineTooLong):
        return refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            ErrorCode.HEADERS_TOO_LARGE,
            "the request line or a header is longer than 8190 bytes",
        )
    return refuse(HTTPStatus.BAD_REQUEST, ErrorCode.BAD_REQUEST, "this is not an HTTP/1.1 request")


def _too_large(limit: int) -> Answer:
    return refuse(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ErrorCode.BODY_TOO_LARGE,
        f"the body is larger than {limit} bytes; bodyLimitBytes sets the limit",
    )
