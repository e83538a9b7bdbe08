"""The telemetry of one process: what the rest of the house talks to.

Owns how queue, metrics, lines and spans fit together. Must not know servers or flows; it only hears of them.
"""

import importlib.metadata
import logging
import os
import platform
import resource
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from webhook.ports.observer import JournalReport, RolloutStanding
from webhook.rollout.life import Rollout, Transition
from webhook.settings.groups import TelemetrySettings
from webhook.telemetry import fields, vocabulary
from webhook.telemetry.events import EventLog, LogBridge
from webhook.telemetry.lines import LineWriter
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.recorder import Recorder, Sink
from webhook.telemetry.requests import RequestLines, RequestLogging
from webhook.telemetry.rollouts import count_journal, show_rollouts
from webhook.tls.material import CertificateStatus

DRAIN_INTERVAL_SECONDS = 0.2


class ProcessTelemetry:
    """Hears of everything, and neither blocks nor raises.

    Implements `webhook.ports.observer.Observer` and `webhook.tls.reloader.ReloadObserver`.
    """

    def __init__(self, settings: TelemetrySettings, *, worker: str = "0", descriptor: int = 1) -> None:
        """Start writing lines to `descriptor` as the named worker.

        Raises:
            SpanExportError: spans are on, but the collector's URL is unusable.

        """
        self.metrics = Metrics()
        self.lines = LineWriter(descriptor)
        self.events = EventLog(self.lines.write, worker)
        logged = RequestLogging.ALL if settings.log_requests else RequestLogging.NONE
        sinks: list[Sink] = [self.metrics, RequestLines(self.lines.write, logged, worker)]
        self._close_spans: Callable[[], None] | None = None
        if settings.otlp_endpoint:
            # Imported only when spans are on: the SDK costs time to start and memory to keep.
            from webhook.telemetry.spans import Spans  # noqa: PLC0415

            spans = Spans(settings.otlp_endpoint, settings.service_name, product_version())
            sinks.append(spans)
            self._close_spans = spans.close
        self._recorder = Recorder(sinks)
        self.record: Callable[[RequestOutcome], None] = self._recorder.record
        """Takes the outcome of a request, on its path."""
        self._describe_process()

    def _describe_process(self) -> None:
        metrics = self.metrics
        metrics.gauge(vocabulary.BUILD_INFO, 1, (product_version(), platform.python_version()))
        metrics.gauge(vocabulary.RESIDENT_BYTES, _resident_bytes)
        metrics.watch_count(vocabulary.DROPPED, ("record",), lambda: self._recorder.dropped)
        metrics.watch_count(vocabulary.DROPPED, ("line",), lambda: self.lines.dropped)

    def take_over_logging(self) -> None:
        """Send the standard library's warnings and errors to the same lines; called once, by a process of ours."""
        root = logging.getLogger()
        root.handlers[:] = [LogBridge(self.events)]
        root.setLevel(logging.WARNING)

    async def run(self, publish: Callable[[], None]) -> None:
        """Work in the background until cancelled; `publish` is called when the metrics have moved on."""
        await self._recorder.run(DRAIN_INTERVAL_SECONDS, publish)

    def flush(self) -> None:
        """Count and log what is recorded, now."""
        self._recorder.flush()

    def close(self) -> None:
        """Write and export what waits, for at most a few seconds."""
        self.flush()
        if self._close_spans is not None:
            self._close_spans()
        self.lines.close()

    # webhook.ports.observer.Observer

    def snapshot_loaded(
        self, generation: int, built_at: datetime, policies: Sequence[tuple[str, str]]
    ) -> None:
        """Hear that a new snapshot serves."""
        self.metrics.gauge(vocabulary.SNAPSHOT_GENERATION, generation)
        self.metrics.gauge(vocabulary.SNAPSHOT_POLICIES, len(policies))
        self.metrics.gauge(vocabulary.SNAPSHOT_TIME, built_at.timestamp())
        self.metrics.count(vocabulary.RELOADS, ("policies", "loaded"))
        details = {
            fields.GENERATION: generation,
            fields.POLICIES: [f"{name}@{version}" for name, version in policies],
        }
        self.events.event(fields.EVENT_SNAPSHOT_LOADED, details)

    def reload_failed(self, reason: str) -> None:
        """Hear that the last good snapshot keeps serving."""
        self.metrics.count(vocabulary.RELOADS, ("policies", "failed"))
        self.events.event(fields.EVENT_RELOAD_FAILED, {fields.REASON: reason}, "error")

    def rollout_changed(self, transition: Transition, rollout: Rollout) -> None:
        """Hear of a transition that is stored."""
        labels = (rollout.policy, rollout.version, transition.event.value)
        self.metrics.count(vocabulary.ROLLOUT_TRANSITIONS, labels)
        details = {
            fields.ROLLOUT: rollout.id,
            fields.POLICY: rollout.policy,
            fields.VERSION: rollout.version,
            fields.TRANSITION: transition.event.value,
            fields.PHASE: transition.target.value,
            fields.STEP: transition.step + 1,
            fields.ACTOR: transition.actor,
            fields.REASON: transition.reason.value,
            fields.MESSAGE: transition.message,
        }
        self.events.event(fields.EVENT_ROLLOUT_CHANGED, details)

    def rollout_noted(self, policy: str, message: str) -> None:
        """Hear what a person should know of a policy's versions."""
        self.events.event(fields.EVENT_ROLLOUT_NOTED, {fields.POLICY: policy, fields.MESSAGE: message})

    def store_failed(self, doing: str, reason: str) -> None:
        """Hear that the store cannot do something now."""
        self.metrics.count(vocabulary.STORE_FAILURES, (doing,))
        details = {fields.DOING: doing, fields.REASON: reason}
        self.events.event(fields.EVENT_STORE_FAILED, details, "error")

    def journal_reported(self, report: JournalReport) -> None:
        """Hear what this process's journal did."""
        count_journal(self.metrics, report)

    def rollouts_observed(self, standings: Sequence[RolloutStanding]) -> None:
        """Hear how all rollouts stand."""
        show_rollouts(self.metrics, standings)

    # webhook.tls.reloader.ReloadObserver

    def certificate_loaded(self, status: CertificateStatus) -> None:
        """Hear that a new serving certificate is in use."""
        self.metrics.count(vocabulary.RELOADS, ("certificate", "loaded"))
        self.certificate_in_use("serving", status)
        details = {fields.FILE: str(status.path), fields.EXPIRES: status.not_after}
        self.events.event(fields.EVENT_CERTIFICATE_LOADED, details)

    def certificate_refused(self, reason: str) -> None:
        """Hear that the old certificate keeps serving."""
        self.metrics.count(vocabulary.RELOADS, ("certificate", "failed"))
        self.events.event(fields.EVENT_CERTIFICATE_REFUSED, {fields.REASON: reason}, "error")

    # The server.

    def certificate_in_use(self, role: str, status: CertificateStatus) -> None:
        """Expose when a certificate in use expires; `role` is `serving` or `client-ca`."""
        self.metrics.gauge(vocabulary.CERTIFICATE_EXPIRY, status.not_after.timestamp(), (role,))

    def request_failed(self, endpoint: str, error: BaseException) -> None:
        """Hear of an exception that should not have been; its traceback goes to the log, never to the caller."""
        self.metrics.count(vocabulary.ERRORS, (endpoint,))
        trace = "".join(traceback.format_exception(error))
        details = {fields.ENDPOINT: endpoint, fields.EXCEPTION: trace}
        self.events.event(fields.EVENT_REQUEST_FAILED, details, "error")

    def background_failed(self, name: str, error: BaseException) -> None:
        """Hear that background work ended with an exception and will be started again."""
        self.metrics.count(vocabulary.BACKGROUND_FAILURES, (name,))
        trace = "".join(traceback.format_exception(error))
        details = {fields.NAME: name, fields.EXCEPTION: trace}
        self.events.event(fields.EVENT_BACKGROUND_FAILED, details, "error")


def product_version() -> str:
    """Give the version of the installed distribution."""
    return importlib.metadata.version("gradate")


def _resident_bytes() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    return float(pages * os.sysconf("SC_PAGESIZE"))
