"""What `with` replaces at one place of a plan: parts of `data`, functions and builtins.

Replacements of `input` need no record here: every function gets the input as an argument. Rules planned under
different records are different functions. Must not know how functions are planned.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from webhook.rego.ast import Term
from webhook.rego.plan.reach import Reach
from webhook.rego.resolve.shapes import Path


class FunctionMock(msgspec.Struct, frozen=True):
    """Another function, builtin or rule in place of one."""

    name: str
    """Full name, such as `data.lib.f` or `count`."""
    path: Path | None = None
    """Where the rule stands below `data`; `None` for a builtin."""


class ConstantMock(msgspec.Struct, frozen=True):
    """A value known now in place of what a function gives."""

    value: Term
    text: str


class VariableMock(msgspec.Struct, frozen=True):
    """A value known when the policy runs; functions planned under it get it as one more argument."""

    index: int


Mock: TypeAlias = FunctionMock | ConstantMock | VariableMock


class Mocks(msgspec.Struct, frozen=True):
    """A record of replacements."""

    functions: tuple[tuple[str, Mock], ...] = ()
    """Full name of each replaced function, sorted."""
    paths: tuple[Path, ...] = ()
    """Replaced parts of `data` that rules stand at or below, sorted."""
    variables: int = 0
    """Count of the values that functions planned under this record get as further arguments."""

    def function(self, name: str) -> Mock | None:
        """Find what replaces a function."""
        for replaced, mock in self.functions:
            if replaced == name:
                return mock
        return None

    def covers(self, path: Path) -> bool:
        """Tell whether a path below `data` is at or in a replaced part."""
        return any(path[: len(replaced)] == replaced for replaced in self.paths)

    def with_functions(self, added: dict[str, Mock], variables: int) -> Mocks:
        """Give the record with further functions replaced."""
        merged = dict(self.functions) | added
        return Mocks(
            tuple(sorted(merged.items(), key=lambda item: item[0])), self.paths, self.variables + variables
        )

    def with_paths(self, added: set[Path]) -> Mocks:
        """Give the record with further parts of `data` replaced."""
        return Mocks(self.functions, tuple(sorted({*self.paths, *added})), self.variables)

    def within(self, reach: Reach) -> Mocks:
        """Give the part of the record that matters to a function with this reach."""
        functions = tuple(pair for pair in self.functions if pair[0] in reach.functions)
        if any(isinstance(mock, FunctionMock) and mock.path is not None for _, mock in functions):
            # What stands in for a function has a reach of its own.
            return self
        paths = tuple(path for path in self.paths if reach.touches(path))
        if len(functions) == len(self.functions) and len(paths) == len(self.paths):
            return self
        takes_values = any(isinstance(mock, VariableMock) for _, mock in functions)
        return Mocks(functions, paths, self.variables if takes_values else 0)

    def without_functions(self) -> Mocks:
        """Give the record for a function that is itself a replacement: no functions are replaced in it."""
        return Mocks((), self.paths, 0)


NO_MOCKS: Final = Mocks()
