"""Which errors a user can cause, and the exit code of each.

Imported when something has gone wrong: a command that succeeds need not know what all the others may raise.
"""

from webhook.admission.errors import AdmissionError
from webhook.cli.errors import EXIT_FAILED, EXIT_MISUSE, CommandError
from webhook.engines.errors import EngineError
from webhook.flows.operation_errors import OperationError, OperationRefused
from webhook.flows.probe_errors import InvalidProbe
from webhook.policy.errors import PolicyError
from webhook.ports.source import SourceError
from webhook.ports.store import StoreError
from webhook.rego.errors import RegoError
from webhook.rollout.errors import RolloutError
from webhook.server.errors import ServerError
from webhook.settings.errors import SettingsError
from webhook.telemetry.errors import TelemetryError
from webhook.tls.errors import TlsError

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


def exit_code_of(error: Exception) -> int | None:
    """Give the exit code that an error leads to; None for one that nobody expects."""
    if isinstance(error, OperationRefused):
        return EXIT_FAILED
    return EXIT_MISUSE if isinstance(error, EXPECTED_ERRORS) else None
