"""One HTTP request on its way to an endpoint, and what endpoints offer to connections.

Owns the seam between HTTP and admission. Must not know sockets or policies.
"""

from dataclasses import dataclass
from typing import Protocol

from aiohttp.http import RawRequestMessage

from webhook.decision.record import DecisionRecord
from webhook.server.answers import Answer


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes and how long it may take."""

    endpoint: str
    """`validate` or `mutate`."""
    timeout_ns: int
    """What the caller allows, at most what the server allows."""


class Call:
    """One request under way; the connection makes it, the endpoint answers it."""

    __slots__ = ("body", "decision", "head", "received_ns", "route")

    def __init__(
        self, head: RawRequestMessage | None, route: Route | None, body: bytes, received_ns: int
    ) -> None:
        self.head = head
        """None when no head could be read."""
        self.route = route
        """None when the request goes nowhere."""
        self.body = body
        self.received_ns = received_ns
        """Monotonic time at which the request was complete."""
        self.decision: DecisionRecord | None = None
        """Set by the endpoint once it has decided."""


class Endpoints(Protocol):
    """What answers the requests of a listener."""

    def route(self, head: RawRequestMessage) -> Route | Answer:
        """Tell from the head alone where a request goes, or why it is refused."""

    async def answer(self, call: Call) -> Answer:
        """Answer a request; an exception becomes a 500 without details."""

    def answered(self, call: Call, answer: Answer) -> None:
        """Hear that an answer was handed to the network; must not block or raise."""

    def failed(self, call: Call, error: BaseException) -> None:
        """Hear that answering a request raised; must not block or raise."""
