import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from webhook.decision.record import DecisionRecord, VerdictRecord
from webhook.telemetry.errors import SpanExportError
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.spans import Spans

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ENDED_NS = 1_700_000_000_000_000_000


class Collector:
    """A real OTLP/HTTP receiver."""

    def __init__(self) -> None:
        received = self.received = list[ExportTraceServiceRequest]()
        paths = self.paths = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                paths.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.received
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def outcome(traceparent: str = "", *, status: int = 200) -> RequestOutcome:
    verdict = VerdictRecord(policy="credential-env", version="1.0.0", outcome="deny", duration_ns=9000)
    decision = DecisionRecord(
        uid="u-1",
        operation="CREATE",
        kind="Pod",
        namespace="shop",
        allowed=False,
        outcome="deny",
        verdicts=(verdict,),
    )
    return RequestOutcome(
        endpoint="validate",
        status=status,
        error="" if status == 200 else "internal",
        ended_at_ns=ENDED_NS,
        duration_ns=300_000,
        traceparent=traceparent,
        decision=decision if status == 200 else None,
    )


def export(collector: Collector, *outcomes: RequestOutcome) -> None:
    spans = Spans(collector.url + "/", "gradate", "0.1.0")
    spans.accept(outcomes)
    spans.close()


def test_a_span_continues_the_callers_trace_with_the_times_of_the_request(collector: Collector) -> None:
    export(collector, outcome(f"00-{TRACE}-{CALLER}-01"))
    (span,) = collector.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (ENDED_NS - 300_000, ENDED_NS)
    assert (span.name, span.kind) == ("admission validate", Span.SPAN_KIND_SERVER)
    attributes = {one.key: one.value for one in span.attributes}
    assert attributes["gradate.namespace"].string_value == "shop"
    assert attributes["gradate.allowed"].bool_value is False
    assert [event.name for event in span.events] == ["credential-env"]
    assert collector.paths == ["/v1/traces"]


def test_the_service_is_named(collector: Collector) -> None:
    export(collector, outcome())
    resource = collector.received[0].resource_spans[0].resource
    names = {one.key: one.value.string_value for one in resource.attributes}
    assert (names["service.name"], names["service.version"]) == ("gradate", "0.1.0")


def test_without_a_caller_a_trace_begins(collector: Collector) -> None:
    export(collector, outcome(), outcome("garbage"))
    assert [span.parent_span_id for span in collector.spans] == [b"", b""]
    assert len({span.trace_id for span in collector.spans}) == 2


def test_a_caller_that_does_not_sample_is_followed(collector: Collector) -> None:
    export(collector, outcome(f"00-{TRACE}-{CALLER}-00"))
    assert collector.spans == []


def test_an_error_of_ours_marks_the_span(collector: Collector) -> None:
    export(collector, outcome(status=500))
    assert collector.spans[0].status.code == 2


@pytest.mark.parametrize("endpoint", ["localhost:4317", "grpc://x:4317", "http://", "file:///x"])
def test_an_endpoint_that_is_no_http_url_is_refused_with_advice(endpoint: str) -> None:
    with pytest.raises(SpanExportError, match="write it like http://localhost:4318"):
        Spans(endpoint, "gradate", "0.1.0")


def test_the_sdk_is_not_even_imported_while_spans_are_off() -> None:
    program = (
        "import sys, webhook.server.serve; from webhook.telemetry.process import ProcessTelemetry;"
        "from webhook.settings.groups import TelemetrySettings; ProcessTelemetry(TelemetrySettings()).close();"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
