"""Calls Rego builtins by name in tests."""

from typing import Any

from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.failures import BuiltinError, LimitError
from webhook.rego.builtins.registry import BUILTINS

LATE_2023_NS = 1_700_000_000_000_000_000


def call(name: str, *arguments: Any, context: EvaluationContext | None = None) -> Any:
    """Give what a builtin answers."""
    builtin = BUILTINS[name]
    if builtin.needs_context:
        return builtin.function(context or EvaluationContext(LATE_2023_NS, seed=1), *arguments)
    return builtin.function(*arguments)


def failure(name: str, *arguments: Any) -> str:
    """Give how a builtin fails, as `code: message`; empty when it does not."""
    try:
        call(name, *arguments)
    except BuiltinError as error:
        return f"{error.code}: {error.message}"
    return ""


def passes_limit(name: str, *arguments: Any) -> bool:
    """Say whether a builtin stops the evaluation at a limit."""
    try:
        call(name, *arguments)
    except LimitError:
        return True
    return False
