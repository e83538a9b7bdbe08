"""What the generated functions of one program share: names, constants, memo slots and options.

Only names made here and the `repr` of scalars reach the generated source; every other value goes through
the table of globals. So no text of a policy can become code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.rego import controlflow, ir
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.emit.runtime import FIRST_FREE_SLOT, forgiving
from webhook.rego.errors import Location
from webhook.rego.values import UNDEFINED, Value

_LARGEST_LITERAL: Final = 1 << 64
_LONGEST_LITERAL: Final = 2000


@dataclass(frozen=True, slots=True)
class Options:
    """How code is generated."""

    inline: bool = True
    """Write common lookups, comparisons and builtins in place instead of calling them."""
    strict_builtin_errors: bool = False
    """A builtin's failure ends the evaluation instead of making the call undefined."""
    instrument: bool = False
    """Note each statement that runs."""


class Unit:
    """The shared state of code generation for one program."""

    def __init__(self, policy: ir.Policy, builtins: Mapping[str, Builtin], options: Options) -> None:
        self.options = options
        self.builtins = builtins
        self.functions: dict[str, ir.Function] = {function.name: function for function in policy.functions}
        self.names: dict[str, str] = {
            function.name: f"f{index}" for index, function in enumerate(policy.functions)
        }
        """Python name of each function of the policy."""
        self.globals: dict[str, Any] = {}
        """What the generated code refers to by a generated name."""
        self.statements: list[Location] = []
        """In instrumented code, the place of each counted statement."""
        self.slots: dict[str, int] = {}
        """Memo slot of each function that has one."""
        self.paths: dict[tuple[str, ...], int] = {}
        """Slot of each part of the input that is looked up when a frame is opened, a longer path after its start."""
        self.prints = controlflow.prints(policy)
        """Whether something may be written while the program runs."""
        self.truths: set[str] = set()
        """Functions that give true or nothing."""
        self._next_slot = FIRST_FREE_SLOT
        self._functions = 0
        self._interned: dict[Any, str] = {}
        self._statement_numbers: dict[Location, int] = {}

    def new_slot(self) -> int:
        """Reserve a slot of the frame."""
        self._next_slot += 1
        return self._next_slot - 1

    @property
    def slot_count(self) -> int:
        """Number of slots after the fixed ones."""
        return self._next_slot - FIRST_FREE_SLOT

    def constant(self, value: Value) -> str:
        """Give an expression for a constant: its literal, or the name of an entry in the globals."""
        kind = type(value)
        if value is UNDEFINED:
            return "U"
        if value is None or kind is bool or kind is float:
            return repr(value)
        if kind is int and -_LARGEST_LITERAL < value < _LARGEST_LITERAL:
            return repr(value) if value >= 0 else f"({value!r})"
        if kind is str and len(value) <= _LONGEST_LITERAL:
            return repr(value)
        return self.intern("K", value)

    def location(self, location: Location | None) -> str:
        """Give an expression for a place in the policy."""
        if location is None:
            return "None"
        if location not in self._interned:
            self._interned[location] = self.intern("L", location)
        return self._interned[location]

    def builtin(self, name: str) -> str:
        """Give the name of a builtin's function."""
        if name not in self._interned:
            self._interned[name] = self.intern("B", self.builtins[name].function)
        return self._interned[name]

    def forgiving_builtin(self, name: str) -> str:
        """Give the name of a builtin's function that gives `UNDEFINED` where the builtin fails."""
        key = ("forgiving", name)
        if key not in self._interned:
            self._interned[key] = self.intern("B", forgiving(self.builtins[name].function))
        return self._interned[key]

    def intern(self, prefix: str, value: Any) -> str:
        """Put a value into the globals under a new name."""
        name = f"{prefix}{len(self.globals)}"
        self.globals[name] = value
        return name

    def path_slot(self, path: tuple[str, ...]) -> int:
        """Give the slot that holds a part of the input from the start."""
        if path not in self.paths:
            for end in range(1, len(path) + 1):
                if path[:end] not in self.paths:
                    self.paths[path[:end]] = self.new_slot()
        return self.paths[path]

    def new_name(self, prefix: str) -> str:
        """Make a name for a further generated function."""
        self._functions += 1
        return f"{prefix}{self._functions}"

    def statement_number(self, location: Location) -> int:
        """Give the number under which a statement is counted when it runs."""
        if location not in self._statement_numbers:
            self._statement_numbers[location] = len(self.statements)
            self.statements.append(location)
        return self._statement_numbers[location]
