import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from webhook.telemetry.events import EventLog, LogBridge

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_an_event_is_one_line_with_its_details() -> None:
    written: list[bytes] = []
    events = EventLog(written.extend, "1", lambda: NOW)
    events.event("listening", {"address": "0.0.0.0:8443", "file": Path("certs/tls.crt")}, "warning")
    assert [msgspec.json.decode(line) for line in written] == [
        {
            "time": "2026-01-02T00:00:00Z",
            "level": "warning",
            "event": "listening",
            "worker": "1",
            "address": "0.0.0.0:8443",
            "file": "certs/tls.crt",
        }
    ]


def test_records_of_the_standard_library_become_events_with_their_traceback() -> None:
    written: list[bytes] = []
    logger = logging.Logger("aiohttp.server")  # noqa: LOG001  not the one that everybody shares
    logger.addHandler(LogBridge(EventLog(written.extend)))
    logger.info("too fine")
    try:
        int("x")
    except ValueError:
        logger.exception("it %s", "failed")
    (line,) = written
    event: dict[str, Any] = msgspec.json.decode(line)
    assert (event["event"], event["level"], event["logger"], event["message"]) == (
        "log", "error", "aiohttp.server", "it failed",
    )  # fmt: skip
    assert "ValueError: invalid literal" in event["exception"]
    assert line.count(b"\n") == 1
