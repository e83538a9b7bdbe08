"""The metrics: names, labels, buckets, help. What is not here is not exposed.

Names follow https://prometheus.io/docs/practices/naming/.
"""

import enum
from dataclasses import dataclass

MICROSECOND_NS = 1_000
MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000


class MetricKind(enum.Enum):
    """How a metric is summed up over worker processes."""

    COUNTER = "counter"
    """Added up, over workers and their predecessors."""
    GAUGE = "gauge"
    """Kept apart, one series for each worker."""
    HISTOGRAM = "histogram"
    """Added up, bucket by bucket."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `name` as exposed, without `_total` for counters."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    bounds_ns: tuple[int, ...] = ()
    """Upper bounds of a histogram's buckets, in nanoseconds, ascending, without infinity."""


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, MetricKind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, MetricKind.GAUGE, text, labels)


_EVALUATION_BOUNDS_NS = tuple(
    MICROSECOND_NS * bound
    for bound in (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000)
)
_REQUEST_BOUNDS_NS = tuple(
    MICROSECOND_NS * bound
    for bound in (
        50, 100, 150, 200, 300, 500, 750,
        1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 5_000_000, 10_000_000, 30_000_000,
    )
)  # fmt: skip

REQUESTS = _counter("gradate_requests", "Answered requests, by HTTP status.", "endpoint", "code")
REVIEWS = _counter("gradate_reviews", "Decided AdmissionReviews.", "endpoint", "operation", "allowed")
DECISIONS = _counter("gradate_decisions", "Verdicts of policies.", "policy", "version", "outcome")
SHED = _counter("gradate_shed_requests", "Requests refused because too many were in flight.")
REQUEST_SECONDS = Metric(
    "gradate_request_seconds",
    MetricKind.HISTOGRAM,
    "Time from a request's last byte to its answer.",
    ("endpoint",),
    _REQUEST_BOUNDS_NS,
)
EVALUATION_SECONDS = Metric(
    "gradate_evaluation_seconds",
    MetricKind.HISTOGRAM,
    "Time of one policy's evaluation.",
    ("policy", "version"),
    _EVALUATION_BOUNDS_NS,
)
RELOADS = _counter("gradate_reloads", "Reloads of policies and certificates.", "what", "result")
ERRORS = _counter("gradate_internal_errors", "Requests that met an error in the server itself.", "endpoint")
DROPPED = _counter("gradate_telemetry_dropped", "Telemetry given up under overload.", "kind")
WORKER_RESTARTS = _counter("gradate_worker_restarts", "Worker processes started again.")

BUILD_INFO = _gauge("gradate_build_info", "Always 1; the labels say what runs.", "version", "python")
IN_FLIGHT = _gauge("gradate_in_flight_requests", "Requests that are complete and not yet answered.")
CONNECTIONS = _gauge("gradate_connections", "Open connections of the admission listener.")
SNAPSHOT_GENERATION = _gauge("gradate_snapshot_generation", "Count of the policy snapshots of this process.")
SNAPSHOT_POLICIES = _gauge("gradate_snapshot_policies", "Policies in the snapshot in force.")
SNAPSHOT_TIME = _gauge("gradate_snapshot_timestamp_seconds", "When the snapshot in force was built.")
SNAPSHOT_AGE = _gauge("gradate_snapshot_age_seconds", "Time since the snapshot in force was built.")
CERTIFICATE_EXPIRY = _gauge(
    "gradate_certificate_expiry_timestamp_seconds", "When a certificate in use expires.", "certificate"
)
RESIDENT_BYTES = _gauge("gradate_resident_memory_bytes", "Resident memory of the process.")
WORKERS = _gauge("gradate_workers", "Worker processes, by whether they are ready.", "ready")

METRICS = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))
"""All of them, in the order above."""
BY_NAME = {metric.name: metric for metric in METRICS}
