"""Redaction: literal environment values never leave in a text."""

from collections.abc import Iterable
from typing import Any

PLACEHOLDER = "[redacted]"


class Redactor:
    """Replaces the literal values of an object wherever they occur in a text."""

    def __init__(self, values: Iterable[str]) -> None:
        """Take the values to hide."""

    @classmethod
    def of(cls, *objects: object) -> "Redactor":
        """Hide the environment values (and Secret data) found anywhere in `objects`."""
        raise NotImplementedError

    def text(self, text: str) -> str:
        """Redact one text."""
        raise NotImplementedError

    def value(self, value: Any) -> Any:
        """Redact every string of a JSON value, keys included."""
        raise NotImplementedError
