"""Collects what is wrong with a set of modules while the checks run.

Owns the list of findings and their order. Must not know what any check looks for.
"""

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from webhook.rego.errors import (
    COMPILE_ERROR,
    RECURSION_ERROR,
    TYPE_ERROR,
    UNSAFE_VAR_ERROR,
    CompileError,
    Diagnostic,
    Location,
)


class Stage(IntEnum):
    """What OPA checks one after the other; it stops at the first stage that finds something, so that comes first."""

    NAMES = 0
    BODIES = 1
    REPLACEMENTS = 2
    CONFLICTS = 3
    FUNCTIONS = 4
    HEADS = 5
    SAFETY = 6
    RECURSION = 7
    TYPES = 8
    AVAILABILITY = 9


class _Finding(msgspec.Struct, frozen=True):
    code: str
    message: str
    location: Location


class Findings:
    """Every error found so far; each is kept once."""

    def __init__(self) -> None:
        self._found: dict[_Finding, Stage] = {}

    def __len__(self) -> int:
        return len(self._found)

    def misuse(self, message: str, location: Location, stage: Stage = Stage.BODIES) -> None:
        """Note a `rego_compile_error`."""
        self._found[_Finding(COMPILE_ERROR, message, location)] = stage

    def mistype(self, message: str, location: Location, stage: Stage = Stage.TYPES) -> None:
        """Note a `rego_type_error`."""
        self._found[_Finding(TYPE_ERROR, message, location)] = stage

    def unsafe(self, message: str, location: Location, stage: Stage = Stage.SAFETY) -> None:
        """Note a `rego_unsafe_var_error`."""
        self._found[_Finding(UNSAFE_VAR_ERROR, message, location)] = stage

    def recursion(self, message: str, location: Location) -> None:
        """Note a `rego_recursion_error`."""
        self._found[_Finding(RECURSION_ERROR, message, location)] = Stage.RECURSION

    def raise_any(self, texts: Mapping[str, str], *, through: Stage = Stage.AVAILABILITY) -> None:
        """Do nothing when nothing was found up to a stage; `texts` maps files, in order, to the sources to quote from.

        Raises:
            CompileError: something was found; it carries all of it.

        """
        if all(stage > through for stage in self._found.values()):
            return
        files = {file: index for index, file in enumerate(texts)}

        def order(found: _Finding) -> tuple[int, int, int, int]:
            place = found.location
            return self._found[found], files.get(place.file, -1), place.row, place.col

        error = CompileError(
            tuple(
                Diagnostic(found.code, found.message, found.location)
                for found in sorted(self._found, key=order)
            )
        )
        raise error.quoting(texts)
