from typing import Any

import msgspec
import pytest

from webhook.decision.record import DecisionRecord
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.requests import RequestLines, RequestLogging


def decided(**changes: Any) -> DecisionRecord:
    settled: dict[str, Any] = {
        "uid": "u",
        "operation": "CREATE",
        "kind": "Pod",
        "allowed": True,
        "outcome": "allow",
    }
    return DecisionRecord(**(settled | changes))


def outcome(**changes: Any) -> RequestOutcome:
    settled: dict[str, Any] = {
        "endpoint": "validate",
        "status": 200,
        "ended_at_ns": 1_700_000_000_250_000_000,
        "duration_ns": 312_000,
        "body_bytes": 5400,
        "decision": decided(),
    }
    return RequestOutcome(**(settled | changes))


def lines_of(outcomes: list[RequestOutcome], logging: RequestLogging = RequestLogging.ALL) -> list[Any]:
    written: list[bytes] = []
    RequestLines(written.extend, logging, worker="3").accept(outcomes)
    return [msgspec.json.decode(line) for line in written if line.endswith(b"\n")]


def test_a_request_is_one_line_with_time_status_duration_and_decision() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    (line,) = lines_of([outcome(traceparent=traceparent)])
    assert line == {
        "time": "2023-11-14T22:13:20.250000Z",
        "level": "info",
        "event": "request",
        "worker": "3",
        "endpoint": "validate",
        "status": 200,
        "durationSeconds": 0.000312,
        "bodyBytes": 5400,
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "decision": {"uid": "u", "operation": "CREATE", "kind": "Pod", "allowed": True, "outcome": "allow"},
    }


def test_a_refused_request_names_its_error_and_an_error_of_ours_is_one_by_level() -> None:
    refused, broken = lines_of(
        [
            outcome(status=413, error="body_too_large", decision=None),
            outcome(status=500, error="internal", decision=None),
        ]
    )
    assert (refused["error"], refused["level"], "decision" in refused) == ("body_too_large", "info", False)
    assert broken["level"] == "error"


def test_an_invalid_traceparent_leaves_no_trace() -> None:
    (line,) = lines_of([outcome(traceparent="garbage")])
    assert "traceId" not in line


NOTABLE = [
    outcome(decision=decided(allowed=False, outcome="deny", code=403)),
    outcome(decision=decided(patched=True)),
    outcome(decision=decided(warnings=1, outcome="warn")),
    outcome(decision=decided(outcome="audit")),
    outcome(decision=None, status=400, error="malformed_review"),
]


@pytest.mark.parametrize("notable", NOTABLE)
def test_only_notable_requests_may_be_logged(notable: RequestOutcome) -> None:
    assert len(lines_of([outcome(), notable, outcome()], RequestLogging.NOTABLE)) == 1


def test_no_request_may_be_logged() -> None:
    assert lines_of([outcome(), *NOTABLE], RequestLogging.NONE) == []
