"""Errors of telemetry.

TelemetryError
└── SpanExportError   spans are asked for, but cannot be set up
"""


class TelemetryError(Exception):
    """Root of everything that this package raises."""


class SpanExportError(TelemetryError):
    """Spans are asked for, but cannot be set up; the message says what to change."""
