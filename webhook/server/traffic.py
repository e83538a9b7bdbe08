"""What all connections of the admission listener share: limits, counts, who is connected.

Owns admission to the process (how many requests at once, for how long). Must not know HTTP or policies.
"""

from dataclasses import dataclass
from typing import Protocol

from webhook.settings.groups import ServerSettings

SECOND_NS = 1_000_000_000
NEVER_NS = 2**63 - 1
"""An expiry that does not come."""
_LINGER_NS = 2 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Limits:
    """How much, and for how long."""

    body_bytes: int = 8 * 1024 * 1024
    in_flight: int = 512
    """Requests that are complete and not yet answered."""
    head_ns: int = 10 * SECOND_NS
    """From a request's first byte to the end of its headers."""
    body_ns: int = 10 * SECOND_NS
    """From the end of the headers to the end of the body, and for a client to take an answer."""
    keepalive_ns: int = 300 * SECOND_NS
    """Between an answer and the next request's first byte."""
    linger_ns: int = _LINGER_NS
    """How long a client that was refused may go on sending before it is cut off."""

    @classmethod
    def of(cls, settings: ServerSettings) -> "Limits":
        """Read the limits from the settings."""
        return cls(
            body_bytes=settings.body_limit_bytes,
            in_flight=settings.max_concurrent_requests,
            head_ns=int(settings.header_timeout_seconds * SECOND_NS),
            body_ns=int(settings.body_timeout_seconds * SECOND_NS),
            keepalive_ns=int(settings.keepalive_seconds * SECOND_NS),
        )


class Expirable(Protocol):
    """A connection, as the sweep sees it."""

    @property
    def expires_ns(self) -> int:
        """Monotonic time at which its patience ends."""

    def expire(self, now_ns: int) -> None:
        """Answer or close, because the patience ended."""

    def close_if_idle(self, since_ns: int) -> None:
        """Close if nothing is under way, and was not since this monotonic time."""

    def abort(self) -> None:
        """Cut the connection."""


class Traffic:
    """The connections of one listener and the requests in flight on them."""

    __slots__ = ("connections", "draining", "in_flight", "limits", "shed")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.connections: set[Expirable] = set()
        self.in_flight = 0
        self.shed = 0
        """Requests refused because of the limit, since the start."""
        self.draining = False
        """Whether every answer closes its connection."""

    def sweep(self, now_ns: int) -> None:
        """Expire the connections whose patience ended; one pass instead of a timer for each request."""
        late = [connection for connection in self.connections if connection.expires_ns <= now_ns]
        for connection in late:
            connection.expire(now_ns)

    def close_idle(self, since_ns: int) -> None:
        """Close every connection that waits for a request since `since_ns`, monotonic, or longer."""
        for connection in tuple(self.connections):
            connection.close_if_idle(since_ns)

    def abort(self) -> None:
        """Cut every connection."""
        for connection in tuple(self.connections):
            connection.abort()
