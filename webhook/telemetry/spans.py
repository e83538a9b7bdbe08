"""OpenTelemetry spans that continue the API server's trace.

A span is made in the background, after its request was answered, with the times that the request had: requests
pay nothing for it. Owns the exporter; nobody imports this module unless spans are on, because the SDK takes long
to import. Must not know how requests are served.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from webhook.telemetry import fields
from webhook.telemetry.errors import SpanExportError
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.traceparent import parse_traceparent

_PREFIX = "gradate."
_EXPORT_TIMEOUT_SECONDS = 5


class Spans:
    """Makes one span for each request, with one event for each policy's verdict."""

    def __init__(
        self, endpoint: str, service_name: str, version: str, *, export_delay_seconds: float = 5.0
    ) -> None:
        """Take the base URL of an OTLP/HTTP collector, such as `http://localhost:4318`.

        Raises:
            SpanExportError: it is no such URL.

        """
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SpanExportError(
                f"otlpEndpoint: {endpoint!r} is not the URL of an OTLP/HTTP collector; "
                "write it like http://localhost:4318"
            )
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_TIMEOUT_SECONDS
        )
        resource = Resource.create({"service.name": service_name, "service.version": version})
        # Without a sampler of ours the standard OTEL_TRACES_SAMPLER applies: by default the caller decides.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=export_delay_seconds * 1000)
        )
        self._tracer = self._provider.get_tracer("gradate", version)

    def accept(self, outcomes: Sequence[RequestOutcome]) -> None:
        """Make the spans of a batch."""
        for outcome in outcomes:
            self._trace(outcome)

    def close(self) -> None:
        """Export what waits, and stop."""
        self._provider.shutdown()

    def _trace(self, outcome: RequestOutcome) -> None:
        span = self._tracer.start_span(
            f"admission {outcome.endpoint}",
            context=_parent_of(outcome),
            kind=SpanKind.SERVER,
            start_time=outcome.ended_at_ns - outcome.duration_ns,
        )
        if span.is_recording():
            span.set_attributes(_attributes_of(outcome))
            if outcome.decision is not None:
                for verdict in outcome.decision.verdicts:
                    verdict_attributes: dict[str, AttributeValue] = {
                        _PREFIX + fields.VERSION: verdict.version,
                        _PREFIX + fields.OUTCOME: verdict.outcome,
                        _PREFIX + fields.DURATION_SECONDS: verdict.duration_ns / 1e9,
                    }
                    span.add_event(verdict.policy, verdict_attributes, timestamp=outcome.ended_at_ns)
            if outcome.status >= 500:
                span.set_status(Status(StatusCode.ERROR, outcome.error))
        span.end(outcome.ended_at_ns)


def _parent_of(outcome: RequestOutcome) -> Context:
    parent = parse_traceparent(outcome.traceparent) if outcome.traceparent else None
    if parent is None:
        return Context()
    caller = SpanContext(
        trace_id=int(parent.trace_id, 16),
        span_id=int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT),
    )
    return trace.set_span_in_context(NonRecordingSpan(caller), Context())


def _attributes_of(outcome: RequestOutcome) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "http.request.method": "POST",
        "http.response.status_code": outcome.status,
        _PREFIX + fields.ENDPOINT: outcome.endpoint,
        _PREFIX + fields.BODY_BYTES: outcome.body_bytes,
    }
    if outcome.error:
        attributes["error.type"] = outcome.error
    decision = outcome.decision
    if decision is not None:
        attributes |= {
            _PREFIX + fields.UID: decision.uid,
            _PREFIX + fields.OPERATION: decision.operation,
            _PREFIX + fields.KIND: decision.kind,
            _PREFIX + fields.NAMESPACE: decision.namespace,
            _PREFIX + fields.NAME: decision.name,
            _PREFIX + fields.DRY_RUN: decision.dry_run,
            _PREFIX + fields.ALLOWED: decision.allowed,
            _PREFIX + fields.OUTCOME: decision.outcome,
            _PREFIX + fields.PATCHED: decision.patched,
        }
    return attributes
