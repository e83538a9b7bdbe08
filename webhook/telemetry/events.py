"""Structured lines for what happens beside requests, the standard library's log records among them.

Owns their form. Must not know where lines go.
"""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from webhook.telemetry import fields

Level = Literal["debug", "info", "warning", "error"]


class EventLog:
    """Writes one line for each event."""

    def __init__(
        self,
        write: Callable[[Sequence[bytes]], None],
        worker: str = "0",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._write = write
        self._worker = worker
        self._now = now
        self._encoder = msgspec.json.Encoder(enc_hook=str)

    def event(self, name: str, details: Mapping[str, Any], level: Level = "info") -> None:
        """Write an event; `details` are named by the constants of `fields`."""
        line = {
            fields.TIME: self._now(),
            fields.LEVEL: level,
            fields.EVENT: name,
            fields.WORKER: self._worker,
            **details,
        }
        self._write([self._encoder.encode(line) + b"\n"])


class LogBridge(logging.Handler):
    """Turns records of the standard library's logging, which our dependencies use, into events."""

    def __init__(self, events: EventLog, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        details: dict[str, Any] = {fields.LOGGER: record.name, fields.MESSAGE: record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            details[fields.EXCEPTION] = "".join(traceback.format_exception(record.exc_info[1]))
        self._events.event(fields.EVENT_LOG, details, _level_of(record.levelno))


def _level_of(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
