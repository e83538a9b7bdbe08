"""What the code generator knows about variables at the point it has reached.

Knowledge gained in a block holds to the end of that block: afterwards, control may have left it early.
Knows nothing of Python source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from webhook.rego import ir


@dataclass(frozen=True, slots=True)
class Jump:
    """A Python statement that leaves a block."""

    code: str
    reads: ir.Local | None = None
    """The variable that it returns."""


class Scope:
    """One block under generation, and what has become known in it."""

    __slots__ = ("assigned", "certain", "defined", "jump", "keyed")

    def __init__(self, jump: Jump | None) -> None:
        self.jump = jump
        """How the block is left, or None where nested conditions do that."""
        self.assigned: set[ir.Local] = set()
        """Variables whose Python variable certainly exists since a point in this block."""
        self.defined: set[ir.Local] = set()
        """Variables that certainly have a value since a point in this block."""
        self.keyed: set[ir.Local] = set()
        """Variables that certainly hold an object or set since a point in this block."""
        self.certain: tuple[frozenset[ir.Local], ...] | None = None
        """The three sets at the first point where control may leave the block."""

    def close_certain(self) -> None:
        """Note that control may leave the block from here on."""
        if self.certain is None:
            self.certain = (frozenset(self.assigned), frozenset(self.defined), frozenset(self.keyed))


class Scopes:
    """The blocks around the current point, innermost last."""

    __slots__ = ("_assigned", "_defined", "_keyed", "_stack")

    def __init__(self, params: Iterable[ir.Local]) -> None:
        self._stack = [Scope(None)]
        self._assigned = set(params)
        """What is known in any of the blocks."""
        self._defined = {param for param in params if param not in (ir.INPUT, ir.DATA)}
        self._keyed: set[ir.Local] = set()

    @property
    def current(self) -> Scope:
        """The innermost block."""
        return self._stack[-1]

    def enter(self, jump: Jump | None) -> Scope:
        """Open a block."""
        self._stack.append(Scope(jump))
        return self._stack[-1]

    def leave(self, *, certainly_completed: bool = False) -> None:
        """Close the innermost block; what it established stays known only if control cannot skip any of it."""
        inner = self._stack.pop()
        assigned, defined, keyed = inner.certain or (inner.assigned, inner.defined, inner.keyed)
        if certainly_completed:
            assigned, defined, keyed = inner.assigned, inner.defined, inner.keyed
        defined = defined & inner.defined
        self._assigned -= inner.assigned - assigned
        self._defined -= inner.defined - defined
        self._keyed -= inner.keyed - keyed
        self.current.assigned |= assigned
        self.current.defined |= defined
        self.current.keyed |= keyed

    def assign(self, variable: ir.Local, *, defined: bool = True) -> None:
        """Note that a variable has been set."""
        if variable not in self._assigned:
            self._assigned.add(variable)
            self.current.assigned.add(variable)
        if defined:
            self.define(variable)
        else:
            self.forget([variable])

    def define(self, variable: ir.Local) -> None:
        """Note that a variable has been found to have a value."""
        if variable not in self._defined:
            self._defined.add(variable)
            self.current.defined.add(variable)

    def note_keyed(self, variable: ir.Local) -> None:
        """Note that a variable that is set once has been found to hold an object or set."""
        if variable not in self._keyed:
            self._keyed.add(variable)
            self.current.keyed.add(variable)

    def forget(self, variables: Collection[ir.Local]) -> None:
        """Note that variables may be undefined from here on."""
        if self._defined.isdisjoint(variables):
            return
        self._defined.difference_update(variables)
        for scope in self._stack:
            scope.defined.difference_update(variables)

    def is_assigned(self, variable: ir.Local) -> bool:
        """Say whether the Python variable certainly exists."""
        return variable in self._assigned

    def is_defined(self, variable: ir.Local) -> bool:
        """Say whether the variable certainly has a value."""
        return variable in self._defined

    def is_keyed(self, variable: ir.Local) -> bool:
        """Say whether the variable certainly holds an object or set."""
        return variable in self._keyed
