"""One canonical line for each request.

Owns what the line says and which requests get one. Must not know where lines go.
"""

import enum
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from webhook.telemetry import fields
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.traceparent import parse_traceparent

_SECOND_NS = 1_000_000_000


class RequestLogging(enum.StrEnum):
    """Which requests get a line."""

    ALL = "all"
    NOTABLE = "notable"
    """Those that were denied, warned, patched or refused, and those that erred."""
    NONE = "none"


class RequestLines:
    """Turns outcomes into lines."""

    def __init__(
        self, write: Callable[[Sequence[bytes]], None], logging: RequestLogging, worker: str = "0"
    ) -> None:
        self._write = write
        self._logging = logging
        self._worker = worker
        self._encoder = msgspec.json.Encoder()

    def accept(self, outcomes: Sequence[RequestOutcome]) -> None:
        """Write the lines of a batch."""
        if self._logging is RequestLogging.NONE:
            return
        if self._logging is RequestLogging.NOTABLE:
            outcomes = [outcome for outcome in outcomes if _is_notable(outcome)]
        lines = [self._encoder.encode(self._describe(outcome)) + b"\n" for outcome in outcomes]
        if lines:
            self._write(lines)

    def _describe(self, outcome: RequestOutcome) -> dict[str, Any]:
        line: dict[str, Any] = {
            fields.TIME: datetime.fromtimestamp(outcome.ended_at_ns / _SECOND_NS, UTC),
            fields.LEVEL: "error" if outcome.status >= 500 else "info",
            fields.EVENT: fields.EVENT_REQUEST,
            fields.WORKER: self._worker,
            fields.ENDPOINT: outcome.endpoint,
            fields.STATUS: outcome.status,
            fields.DURATION_SECONDS: outcome.duration_ns / _SECOND_NS,
            fields.BODY_BYTES: outcome.body_bytes,
        }
        if outcome.error:
            line[fields.ERROR] = outcome.error
        parent = parse_traceparent(outcome.traceparent) if outcome.traceparent else None
        if parent is not None:
            line[fields.TRACE_ID] = parent.trace_id
        if outcome.decision is not None:
            line[fields.DECISION] = outcome.decision
        return line


def _is_notable(outcome: RequestOutcome) -> bool:
    decision = outcome.decision
    if decision is None:
        return True
    return not decision.allowed or decision.patched or decision.warnings > 0 or decision.outcome not in _QUIET


_QUIET = frozenset({"allow", "exempt"})
