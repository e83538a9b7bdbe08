"""Which errors a user can cause, and the exit codes of the command line."""

from webhook.admission.errors import AdmissionError
from webhook.engines.errors import EngineError
from webhook.flows.operation_errors import OperationError
from webhook.flows.probes import InvalidProbe
from webhook.policy.errors import PolicyError
from webhook.ports.source import SourceError
from webhook.ports.store import StoreError
from webhook.rego.errors import RegoError
from webhook.rollout.errors import RolloutError
from webhook.server.errors import ServerError
from webhook.settings.errors import SettingsError
from webhook.telemetry.errors import TelemetryError
from webhook.tls.errors import TlsError


class CommandError(Exception):
    """A command cannot do what it was told; the message says why, and the way out."""


class NoAnswer(CommandError):  # noqa: N818 - reads as what happened
    """No server answers where one was expected."""


EXIT_FAILED = 1
"""A check ran and said no: a test failed, a rollout is degraded."""
EXIT_MISUSE = 2
"""Wrong flags, a broken file, a port in use: the message says what to do."""

EXPECTED_ERRORS = (
    AdmissionError,
    CommandError,
    EngineError,
    InvalidProbe,
    OperationError,
    PolicyError,
    RegoError,
    ServerError,
    SettingsError,
    RolloutError,
    SourceError,
    StoreError,
    TelemetryError,
    TlsError,
)
"""Their message is one sentence for the user, not a traceback."""
