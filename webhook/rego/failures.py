"""The errors that evaluating a plan can end with, as `EvaluationError` with OPA's codes and messages.

Shared by the interpreter and the compiled code so that both fail alike. Knows nothing of either.
"""

from __future__ import annotations

from typing import Final

from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.errors import NOWHERE, EvaluationError, Location

CONFLICT: Final = "eval_conflict_error"
INTERNAL: Final = "eval_internal_error"


def value_conflict(takes_arguments: bool, location: Location | None) -> EvaluationError:
    """Make the error for a rule, or a function with arguments, that gives two different values."""
    message = (
        "functions must not produce multiple outputs for same inputs"
        if takes_arguments
        else "complete rules must not produce multiple outputs"
    )
    return EvaluationError(CONFLICT, message, location or NOWHERE)


def key_conflict(location: Location | None) -> EvaluationError:
    """Make the error for an object that gets two different values for one key."""
    return EvaluationError(CONFLICT, "object keys must be unique", location or NOWHERE)


def builtin_failure(name: str, error: BuiltinError, location: Location | None) -> EvaluationError:
    """Make the error for a builtin that failed while builtin errors are strict."""
    return EvaluationError(error.code, f"{name}: {error.message}", location or NOWHERE)


def internal_failure(error: BaseException, location: Location | None) -> EvaluationError:
    """Make the error for what should not happen in evaluated code: too deep, too large, or a defect of ours."""
    if isinstance(error, RecursionError):
        message = "a value or a call is nested too deeply"
    elif isinstance(error, MemoryError):
        message = "out of memory"
    else:
        message = f"unexpected {type(error).__name__}: {error}"
    return EvaluationError(INTERNAL, message, location or NOWHERE)
