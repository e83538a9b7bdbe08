"""What telemetry is told of one request: small, immutable, free of object bodies."""

import msgspec

from webhook.decision.record import DecisionRecord


class RequestOutcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One answered request."""

    endpoint: str
    """`validate`, `mutate`, or `other` for what goes nowhere."""
    status: int
    """HTTP status."""
    error: str = ""
    """Code of the JSON error; empty for an AdmissionReview."""
    ended_at_ns: int
    """Wall time, nanoseconds since the epoch."""
    duration_ns: int
    """From the request's last byte to the answer's hand-over to the network."""
    body_bytes: int = 0
    traceparent: str = ""
    """The caller's header, unchecked."""
    decision: DecisionRecord | None = None
    """None when nothing was decided."""
