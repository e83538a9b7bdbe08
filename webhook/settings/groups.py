"""The settings of every part, as frozen groups with their defaults.

Names are camelCase in YAML (`operationsListen`), upper snake case in the environment
(`GRADATE_SERVER_OPERATIONS_LISTEN`). Each part of the house receives its own group only.
"""

from typing import Annotated, Any, Literal

import msgspec

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Count = Annotated[int, msgspec.Meta(ge=1)]
ListenAddress = Annotated[
    str,
    msgspec.Meta(
        # A port is at most 65535.
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*):0*([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$",
        examples=["0.0.0.0:8443", "[::]:8443"],
        title="HOST:PORT",
    ),
]
HttpUrl = Annotated[
    str, msgspec.Meta(pattern=r"^https?://[^/?#\s]+", examples=["http://localhost:4318"], title="URL")
]
FailureAction = Literal["deny", "allow", "warn"]


class Group(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What all groups share: immutable, camelCase outside, unknown keys refused."""


class ServerSettings(Group, frozen=True, kw_only=True):
    """The two listeners and their limits."""

    listen: ListenAddress = "0.0.0.0:8443"
    """Address of the admission listener (HTTPS)."""
    operations_listen: ListenAddress = "127.0.0.1:8080"
    """Address of probes, metrics and the operations API (plain HTTP)."""
    token_file: str = "data/token"  # noqa: S105 - a path
    """Bearer token of the operations API; made at the first start, readable by its owner only."""
    operations_user: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] = "operator"
    """Who is recorded for callers of the operations API that send no `X-Gradate-User`."""
    tls_cert: str = "certs/tls.crt"
    """Serving certificate and its chain, PEM."""
    tls_key: str = "certs/tls.key"
    """Serving key, PEM."""
    client_ca: str | None = None
    """PEM bundle; when set, callers must present a certificate that it signed."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    """Processes that share the admission port."""
    body_limit_bytes: Annotated[int, msgspec.Meta(ge=1024, le=256 * 1024 * 1024)] = 8 * 1024 * 1024
    """Largest request body."""
    max_concurrent_requests: Count = 512
    """Requests in flight per worker; the next one gets 429."""
    header_timeout_seconds: Seconds = 10.0
    """Longest time for the TLS handshake, and for a request's head."""
    body_timeout_seconds: Seconds = 10.0
    """Longest time for a request's body."""
    keepalive_seconds: Seconds = 300.0
    """How long an idle connection stays open."""
    default_timeout_seconds: Seconds = 10.0
    """A request's deadline where the caller passes no `?timeout=`."""
    drain_delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 2.0
    """How long readiness fails before the listener closes, so that endpoints are withdrawn first."""
    drain_timeout_seconds: Seconds = 20.0
    """How long requests in flight may take to finish after that."""


class AdmissionSettings(Group, frozen=True, kw_only=True):
    """How verdicts become decisions."""

    existing_violations: Literal["allow", "deny"] = "allow"
    """What happens to an UPDATE whose violations all stood in the old object."""
    failure_action: FailureAction = "deny"
    """For policies that name no `failure_action` of their own: what an evaluation error or a passed deadline means."""
    exempt_namespaces: tuple[str, ...] = ("kube-system", "gradate-system")
    """Namespaces that no policy governs. A label can never exempt: tenants can set labels."""


class PolicySettings(Group, frozen=True, kw_only=True):
    """Where policies come from and how they are tuned."""

    folder: str = "policies"
    """Folder of `.rego` files, read recursively."""
    tests: str = "policy-tests"
    """Folder of unit tests and must-deny probes that a candidate must pass before it starts; it need not exist."""
    watch: bool = True
    """Reload when a file changes."""
    parameters: dict[str, dict[str, Any]] = {}
    """Parameters by policy name, laid over those of the METADATA header."""
    step_budget: Count = 2_000_000
    """Loop steps that one evaluation may take."""


class TelemetrySettings(Group, frozen=True, kw_only=True):
    """Logs, metrics and spans."""

    log_requests: bool = True
    """Write one JSON line per request to standard output."""
    otlp_endpoint: HttpUrl | None = None
    """Base URL of an OTLP/HTTP collector; spans are off without it."""
    service_name: str = "gradate"
    """`service.name` of the spans."""


class RolloutSettings(Group, frozen=True, kw_only=True):
    """How new policy versions go live."""

    enabled: bool = True
    """Off, whatever the files say is in force at once, and no store is used."""
    strategy: dict[str, Any] = {}
    """Steps, analysis and namespaces as docs/rollouts.md describes them; `{}` is the default strategy."""
    strategies: dict[str, dict[str, Any]] = {}
    """Strategies of single policies, by name, instead of `strategy`."""
    tick_seconds: Annotated[float, msgspec.Meta(ge=0.01, le=60)] = 1.0
    """How often the leader looks, and every process asks the store for changes."""
    lease_seconds: Seconds = 15.0
    """How long a leader that died is waited for."""
    deletion_grace_seconds: Seconds = 30.0
    """How long a policy's file must be gone before the policy is: editors and `git checkout` take files away for a
    while."""
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    """How long the evidence of ended rollouts is kept; rollouts and their history stay for ever."""


class StoreSettings(Group, frozen=True, kw_only=True):
    """Where state is kept."""

    path: str = "data/gradate.db"
    """SQLite file."""


class Settings(Group, frozen=True, kw_only=True):
    """All groups."""

    server: ServerSettings = msgspec.field(default_factory=ServerSettings)
    admission: AdmissionSettings = msgspec.field(default_factory=AdmissionSettings)
    policies: PolicySettings = msgspec.field(default_factory=PolicySettings)
    telemetry: TelemetrySettings = msgspec.field(default_factory=TelemetrySettings)
    rollout: RolloutSettings = msgspec.field(default_factory=RolloutSettings)
    store: StoreSettings = msgspec.field(default_factory=StoreSettings)
