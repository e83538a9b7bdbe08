"""Collects what is wrong with a set of modules while the checks run.

Owns the list of findings and their order. Must not know what any check looks for.
"""

from collections.abc import Mapping
from typing import Final

from webhook.rego.errors import (
    COMPILE_ERROR,
    RECURSION_ERROR,
    TYPE_ERROR,
    UNSAFE_VAR_ERROR,
    CompileError,
    Diagnostic,
    Location,
)

_STAGES: Final = {COMPILE_ERROR: 0, TYPE_ERROR: 1, UNSAFE_VAR_ERROR: 2, RECURSION_ERROR: 3}
"""OPA stops at the first of these stages that finds something: what it would report comes first."""


class Findings:
    """Every error found so far; each is kept once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, Location], None] = {}

    def __len__(self) -> int:
        return len(self._found)

    def misuse(self, message: str, location: Location) -> None:
        """Note a `rego_compile_error`."""
        self._found[COMPILE_ERROR, message, location] = None

    def mistype(self, message: str, location: Location) -> None:
        """Note a `rego_type_error`."""
        self._found[TYPE_ERROR, message, location] = None

    def unsafe(self, message: str, location: Location) -> None:
        """Note a `rego_unsafe_var_error`."""
        self._found[UNSAFE_VAR_ERROR, message, location] = None

    def recursion(self, message: str, location: Location) -> None:
        """Note a `rego_recursion_error`."""
        self._found[RECURSION_ERROR, message, location] = None

    def raise_any(self, texts: Mapping[str, str]) -> None:
        """Do nothing when nothing was found; `texts` maps each file, in order, to its source to quote lines from.

        Raises:
            CompileError: something was found; it carries all of it.

        """
        if not self._found:
            return
        lines = {location.file: texts.get(location.file, "").splitlines() for _, _, location in self._found}
        files = {file: index for index, file in enumerate(texts)}

        def order(found: tuple[str, str, Location]) -> tuple[int, int, int, int]:
            code, _, location = found
            return _STAGES[code], files.get(location.file, -1), location.row, location.col

        raise CompileError(
            tuple(
                Diagnostic(code, message, location, _line(lines[location.file], location.row))
                for code, message, location in sorted(self._found, key=order)
            )
        )


def _line(lines: list[str], row: int) -> str:
    return lines[row - 1] if 1 <= row <= len(lines) else ""
