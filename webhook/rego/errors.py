"""What can go wrong with Rego source, and where: places, diagnostics and the package's exceptions.

Owns the error tree and how a diagnostic reads. Must not know the AST, the parser or the evaluator.

    RegoError
    ├── CompileError      the source is wrong; carries every diagnostic found
    └── EvaluationError   a compiled policy failed on one input
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

PARSE_ERROR: Final = "rego_parse_error"
COMPILE_ERROR: Final = "rego_compile_error"
TYPE_ERROR: Final = "rego_type_error"
UNSAFE_VAR_ERROR: Final = "rego_unsafe_var_error"
RECURSION_ERROR: Final = "rego_recursion_error"

SHOWN_LINE_WIDTH: Final = 160
"""Longest piece of a source line that a diagnostic quotes, in characters."""


class Location(msgspec.Struct, frozen=True, gc=False):
    """A place in a source file; `row` and `col` count from 1, `col` in characters."""

    file: str
    row: int
    col: int
    offset: int = 0
    """Characters before the place, from the start of the source."""
    end: int = 0
    """Offset just after the text found there; equal to `offset` when nothing is spanned."""

    def __str__(self) -> str:
        """Return `file:row:col`, without the file where there is none, as in a query."""
        place = f"{self.row}:{self.col}"
        return f"{self.file}:{place}" if self.file else place


NOWHERE: Final = Location("", 0, 0)
"""The location of what no source text produced."""


class Diagnostic(msgspec.Struct, frozen=True):
    """One finding of the compiler: an OPA error code, a message and its place."""

    code: str
    message: str
    location: Location
    line_text: str = ""
    """The source line at the location, without its line break."""

    def __str__(self) -> str:
        """Return `file:row:col: code: message`, then the source line and a caret."""
        headline = f"{self.location}: {self.code}: {self.message}"
        if not self.line_text.strip():
            return headline
        quoted, column = _clip(self.line_text, self.location.col - 1)
        margin = "".join("\t" if char == "\t" else " " for char in quoted[:column])
        return f"{headline}\n\t{quoted}\n\t{margin}^"


def _clip(line: str, column: int) -> tuple[str, int]:
    """Cut an overlong line to the part around `column`; return it, fit for a terminal, with the column in it."""
    start = max(0, min(column - SHOWN_LINE_WIDTH // 2, len(line) - SHOWN_LINE_WIDTH))
    shown = line[start : start + SHOWN_LINE_WIDTH]
    harmless = "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in shown)
    return harmless, min(column, len(line)) - start


class RegoError(Exception):
    """Root of every exception that leaves this package."""


class CompileError(RegoError):
    """Sources that cannot be compiled; holds all diagnostics, in source order."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def quoting(self, texts: Mapping[str, str]) -> CompileError:
        """Give the same error with the line of each place that has none yet; `texts` maps files to their sources."""
        lines = {
            file: texts[file].splitlines()
            for file in {diagnostic.location.file for diagnostic in self.diagnostics} & texts.keys()
        }
        return CompileError(
            tuple(
                diagnostic
                if diagnostic.line_text
                else msgspec.structs.replace(
                    diagnostic, line_text=_line(lines.get(diagnostic.location.file, []), diagnostic.location)
                )
                for diagnostic in self.diagnostics
            )
        )

    def __str__(self) -> str:
        """Return OPA's count line followed by every diagnostic."""
        count = len(self.diagnostics)
        headline = "1 error occurred" if count == 1 else f"{count} errors occurred"
        separator = ": " if count == 1 else ":\n"
        return headline + separator + "\n".join(str(diagnostic) for diagnostic in self.diagnostics)


def _line(lines: Sequence[str], location: Location) -> str:
    return lines[location.row - 1] if 1 <= location.row <= len(lines) else ""


def nested_too_deeply(location: Location) -> CompileError:
    """Make the error for a policy of which a part is nested deeper than Python can follow."""
    return CompileError((Diagnostic(COMPILE_ERROR, "the policy is nested too deeply", location),))


class EvaluationError(RegoError):
    """A policy that failed while it was evaluated; `code` is OPA's, such as `eval_conflict_error`."""

    def __init__(self, code: str, message: str, location: Location = NOWHERE) -> None:
        super().__init__(code, message, location)
        self.code = code
        self.message = message
        self.location = location

    def __str__(self) -> str:
        """Return `file:row:col: code: message`, without the place when there is none."""
        place = "" if self.location is NOWHERE else f"{self.location}: "
        return f"{place}{self.code}: {self.message}"
