from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from webhook.settings.groups import TelemetrySettings
from webhook.telemetry.exposition import Exposition
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.process import ProcessTelemetry
from webhook.tls.material import CertificateStatus

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STATUS = CertificateStatus(
    Path("tls.crt"), "CN=x", "CN=ca", ("x",), NOW, NOW, is_authority=False, fingerprint="ab"
)
Hear = Callable[[ProcessTelemetry], None]


def observe(tmp_path: Path, hear: Hear, **settings: Any) -> tuple[list[dict[str, Any]], str]:
    """Let a telemetry hear something; give the lines and the metrics that follow."""
    path = tmp_path / "out"
    with path.open("wb") as file:
        telemetry = ProcessTelemetry(TelemetrySettings(**settings), worker="0", descriptor=file.fileno())
        hear(telemetry)
        telemetry.close()
        exposition = Exposition()
        exposition.absorb("0", telemetry.metrics.report())
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return lines, exposition.render()[1].decode()


def test_a_loaded_snapshot_is_told_with_its_policies(tmp_path: Path) -> None:
    lines, metrics = observe(
        tmp_path, lambda telemetry: telemetry.snapshot_loaded(7, NOW, [("credential-env", "1.0.0")])
    )
    assert lines[0]["event"] == "snapshot_loaded"
    assert (lines[0]["generation"], lines[0]["policies"]) == (7, ["credential-env@1.0.0"])
    assert 'gradate_snapshot_generation{worker="0"} 7.0' in metrics
    assert 'gradate_snapshot_policies{worker="0"} 1.0' in metrics
    assert 'gradate_reloads_total{result="loaded",what="policies"} 1.0' in metrics


@pytest.mark.parametrize(
    ("hear", "event", "what"),
    [
        (lambda telemetry: telemetry.reload_failed("x.rego:3: no"), "reload_failed", "policies"),
        (
            lambda telemetry: telemetry.certificate_refused("x.rego:3: no"),
            "certificate_refused",
            "certificate",
        ),
    ],
)
def test_a_failed_reload_is_an_error_with_its_reason_and_a_count(
    tmp_path: Path, hear: Hear, event: str, what: str
) -> None:
    lines, metrics = observe(tmp_path, hear)
    assert (lines[0]["event"], lines[0]["level"], lines[0]["reason"]) == (event, "error", "x.rego:3: no")
    assert f'gradate_reloads_total{{result="failed",what="{what}"}} 1.0' in metrics


def test_a_new_certificate_is_told_with_its_expiry(tmp_path: Path) -> None:
    lines, metrics = observe(tmp_path, lambda telemetry: telemetry.certificate_loaded(STATUS))
    assert (lines[0]["event"], lines[0]["file"]) == ("certificate_loaded", "tls.crt")
    (series,) = [line for line in metrics.splitlines() if line.startswith("gradate_certificate_expiry")]
    assert 'certificate="serving"' in series
    assert float(series.rpartition(" ")[2]) == NOW.timestamp()


def test_requests_are_counted_and_logged_unless_switched_off(tmp_path: Path) -> None:
    outcome = RequestOutcome(endpoint="validate", status=200, ended_at_ns=0, duration_ns=1)
    for log_requests in (True, False):
        lines, metrics = observe(
            tmp_path, lambda telemetry: telemetry.record(outcome), log_requests=log_requests
        )
        assert bool(lines) is log_requests
        assert 'gradate_requests_total{code="200",endpoint="validate"} 1.0' in metrics


def test_an_error_of_the_server_is_logged_with_its_traceback_and_counted(tmp_path: Path) -> None:
    lines, metrics = observe(
        tmp_path, lambda telemetry: telemetry.request_failed("validate", ValueError("why"))
    )
    assert (lines[0]["event"], lines[0]["endpoint"]) == ("request_failed", "validate")
    assert "ValueError: why" in lines[0]["exception"]
    assert 'gradate_internal_errors_total{endpoint="validate"} 1.0' in metrics


def test_background_work_that_fails_is_logged_and_counted_by_its_name(tmp_path: Path) -> None:
    lines, metrics = observe(
        tmp_path, lambda telemetry: telemetry.background_failed("journal", ValueError("why"))
    )
    assert (lines[0]["event"], lines[0]["name"]) == ("background_failed", "journal")
    assert 'gradate_background_failures_total{work="journal"} 1.0' in metrics


def test_what_runs_is_told(tmp_path: Path) -> None:
    _, metrics = observe(tmp_path, lambda _telemetry: None)
    assert 'gradate_build_info{python="' in metrics
    assert "gradate_resident_memory_bytes" in metrics
    assert 'gradate_telemetry_dropped_total{kind="line"}' not in metrics
