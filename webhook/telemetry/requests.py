"""One canonical line for each request.

Owns what the line says and which requests get one. Must not know where lines go.
"""

import enum
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from webhook.decision.record import DecisionRecord
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


class RequestLine(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={
        "time": fields.TIME,
        "level": fields.LEVEL,
        "event": fields.EVENT,
        "worker": fields.WORKER,
        "endpoint": fields.ENDPOINT,
        "status": fields.STATUS,
        "error": fields.ERROR,
        "duration_seconds": fields.DURATION_SECONDS,
        "body_bytes": fields.BODY_BYTES,
        "trace_id": fields.TRACE_ID,
        "decision": fields.DECISION,
    },
):
    """One line, in the order of its fields."""

    time: datetime
    level: str
    event: str
    worker: str
    endpoint: str
    status: int
    error: str = ""
    duration_seconds: float
    body_bytes: int
    trace_id: str = ""
    decision: DecisionRecord | None = None


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
        if outcomes:
            encode = self._encoder.encode
            self._write([encode(self._describe(outcome)) + b"\n" for outcome in outcomes])

    def _describe(self, outcome: RequestOutcome) -> RequestLine:
        parent = parse_traceparent(outcome.traceparent) if outcome.traceparent else None
        return RequestLine(
            time=datetime.fromtimestamp(outcome.ended_at_ns / _SECOND_NS, UTC),
            level="error" if outcome.status >= 500 else "info",
            event=fields.EVENT_REQUEST,
            worker=self._worker,
            endpoint=outcome.endpoint,
            status=outcome.status,
            error=outcome.error,
            duration_seconds=outcome.duration_ns / _SECOND_NS,
            body_bytes=outcome.body_bytes,
            trace_id="" if parent is None else parent.trace_id,
            decision=outcome.decision,
        )


def _is_notable(outcome: RequestOutcome) -> bool:
    decision = outcome.decision
    if decision is None:
        return True
    return not decision.allowed or decision.patched or decision.warnings > 0 or decision.outcome not in _QUIET


_QUIET = frozenset({"allow", "exempt"})
