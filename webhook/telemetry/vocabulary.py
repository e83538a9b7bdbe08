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


def _rollout(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"gradate_rollout_{name}", MetricKind.GAUGE, text, ("policy", "version", *labels))


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
_FIX_BOUNDS_NS = tuple(
    SECOND_NS * bound
    for bound in (
        10,
        30,
        60,
        300,
        900,
        3_600,
        4 * 3_600,
        12 * 3_600,
        86_400,
        3 * 86_400,
        7 * 86_400,
        28 * 86_400,
    )
)

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
STORE_FAILURES = _counter("gradate_store_failures", "Times that the store could not do something.", "doing")
BACKGROUND_FAILURES = _counter(
    "gradate_background_failures", "Times that background work ended with an exception.", "work"
)

TRIALS = _counter(
    "gradate_trials", "Evaluations of candidates that became evidence.", "policy", "version", "mode"
)
TRIALS_DROPPED = _counter(
    "gradate_trials_dropped", "Trials of candidates given up under load.", "policy", "version", "mode"
)
FINDINGS = _counter(
    "gradate_findings", "Findings raised, repeated ones included.", "policy", "version", "kind"
)
TIME_TO_FIX_SECONDS = Metric(
    "gradate_time_to_fix_seconds",
    MetricKind.HISTOGRAM,
    "Time from the first sight of a violation until its owner came back without it.",
    ("policy", "version"),
    _FIX_BOUNDS_NS,
)
JOURNAL_BATCHES = _counter("gradate_journal_batches", "Batches of evidence sent to the store.", "result")
ROLLOUT_TRANSITIONS = _counter(
    "gradate_rollout_transitions",
    "Transitions of rollouts, told by the leader.",
    "policy",
    "version",
    "event",
)

BUILD_INFO = _gauge("gradate_build_info", "Always 1; the labels say what runs.", "version", "python")
IN_FLIGHT = _gauge("gradate_in_flight_requests", "Requests that are complete and not yet answered.")
CONNECTIONS = _gauge("gradate_connections", "Open connections of the admission listener.")
SNAPSHOT_GENERATION = _gauge("gradate_snapshot_generation", "Count of the policy snapshots of this process.")
SNAPSHOT_POLICIES = _gauge("gradate_snapshot_policies", "Policies in the snapshot in force.")
SNAPSHOT_TIME = _gauge("gradate_snapshot_timestamp_seconds", "When the snapshot in force was built.")
SNAPSHOT_AGE = _gauge("gradate_snapshot_age_seconds", "Time since the snapshot in force was built.")
RELOAD_FAILING = _gauge(
    "gradate_reload_failing", "1 while the newest policies or certificate are not in force.", "what"
)
STORE_FAILING = _gauge(
    "gradate_store_failing", "1 while the store fails whoever leads, follows, or keeps the journal.", "doing"
)
LEADER = _gauge("gradate_leader", "1 in the process that leads the rollouts.")
CERTIFICATE_EXPIRY = _gauge(
    "gradate_certificate_expiry_timestamp_seconds", "When a certificate in use expires.", "certificate"
)
RESIDENT_BYTES = _gauge("gradate_resident_memory_bytes", "Resident memory of the process.")
WORKERS = _gauge("gradate_workers", "Worker processes, by whether they are ready.", "ready")

JOURNAL_WAITING = _gauge("gradate_journal_waiting_trials", "Trials that wait to become evidence.", "queue")
JOURNAL_LAG = _gauge("gradate_journal_lag_seconds", "Age of the oldest trial that waits to become evidence.")

# What the leader sees. The labels name the candidate.
ROLLOUT_PHASE = _rollout("phase", "1 for the phase that the rollout is in.", "phase")
ROLLOUT_REASON = _rollout("reason", "1 for the reason why the rollout is in its phase.", "reason")
ROLLOUT_STEP = _rollout("step", "The step that the rollout is at, from 1.")
ROLLOUT_STEPS = _rollout("steps", "Steps of the rollout's strategy.")
ROLLOUT_STEP_SERVED = _rollout("step_served_seconds", "Time that counts towards the step.")
ROLLOUT_STEP_DURATION = _rollout("step_duration_seconds", "Least time in the step.")
ROLLOUT_BAR = _rollout("bar", "1 for how the evidence stands to a bar.", "bar", "state")
ROLLOUT_COHORT = _rollout("cohort_namespaces", "Known namespaces in the cohort.")
ROLLOUT_COHORT_RATIO = _rollout(
    "cohort_ratio", "Share of the known namespaces it may touch that are in the cohort."
)
ROLLOUT_WORKLOADS = _rollout("workloads", "Distinct workloads that the candidate was evaluated on.")
ROLLOUT_EVALUATIONS = _rollout(
    "evaluations", "Evaluations of the candidate, retried workloads included.", "mode"
)
ROLLOUT_DENIALS = _rollout("denials", "Evaluations in which the candidate raised a violation.", "mode")
ROLLOUT_DIVERGENCES = _rollout("divergences", "Evaluations in which candidate and stable differed.", "mode")
ROLLOUT_ERRORS = _rollout("errors", "Evaluations of the candidate that failed.", "mode")
ROLLOUT_DROPPED = _rollout("dropped", "Evaluations of the candidate given up under load.", "mode")
ROLLOUT_FINDINGS = _rollout("findings", "Distinct findings.", "kind", "verdict")
ROLLOUT_DISPUTED = _rollout("disputed_findings", "Findings that are disputed and not judged yet.")
ROLLOUT_FALSE_POSITIVE_RATIO = _rollout(
    "false_positive_ratio",
    "Workloads denied wrongly, as a share; unreviewed ones as the strategy counts them.",
)
ROLLOUT_FALSE_POSITIVE_UPPER = _rollout(
    "false_positive_upper_bound_ratio", "The false-positive rate lies below, at the strategy's confidence."
)
ROLLOUT_FALSE_POSITIVE_MAX = _rollout("false_positive_max_ratio", "The rate that the strategy accepts.")
ROLLOUT_EVIDENCE = _rollout("evidence_e_value", "Evidence that the false-positive rate is low enough.")
ROLLOUT_EVIDENCE_NEEDED = _rollout("evidence_e_value_needed", "The e-value at which promotion is proven.")
ROLLOUT_WORKLOADS_NEEDED = _rollout("workloads_needed", "Benign workloads still missing for that proof.")
ROLLOUT_INTERCEPTION = _rollout(
    "interception_ratio",
    "Reviewed findings that were right, violations that the candidate misses counting as wrong.",
)
ROLLOUT_P99 = _rollout("evaluation_p99_seconds", "Slowest hundredth of the evaluations.", "contender")
ROLLOUT_REPORTED = _rollout("reported_timestamp_seconds", "When a replica last told its evidence.")

METRICS = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))
"""All of them, in the order above."""
BY_NAME = {metric.name: metric for metric in METRICS}
