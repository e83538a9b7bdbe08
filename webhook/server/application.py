"""What the composition gives the server to serve.

Owns the seam between the server's processes and the rest of the house.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from webhook.server.checks import Probe
from webhook.server.endpoints import Decide
from webhook.telemetry.process import ProcessTelemetry


async def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Application:
    """Deciders that are ready, what keeps them up to date, and how they end."""

    deciders: Mapping[str, Decide]
    """By endpoint name: `validate` and `mutate`."""
    checks: Mapping[str, Probe] = field(default_factory=dict)
    """Readiness checks by name, beside the server's own."""
    background: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """By name, what runs beside the requests until it is cancelled, such as watching policy files."""
    aclose: Callable[[], Awaitable[None]] = _nothing
    """Releases everything, after the last request."""


Build = Callable[[ProcessTelemetry], Awaitable[Application]]
"""Builds the application of one process. Raises what makes serving impossible, with a message for a person."""
