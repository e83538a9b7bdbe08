"""What the code generator knows about variables at the point it has reached.

Knowledge gained in a block holds to the end of that block: afterwards, control may have left it early.
Knows nothing of Python source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from webhook.rego import ir


@dataclass(frozen=True, slots=True)
class Jump:
    """A Python statement that leaves a block."""

    code: str
    reads: ir.Local | None = None
    """The variable that it returns."""


class Scope:
    """One block under generation."""

    __slots__ = ("assigned", "certain", "defined", "jump")

    def __init__(self, jump: Jump | None) -> None:
        self.jump = jump
        """How the block is left, or None where nested conditions do that."""
        self.assigned: set[ir.Local] = set()
        """Variables whose Python variable certainly exists."""
        self.defined: set[ir.Local] = set()
        """Variables that certainly have a value."""
        self.certain: tuple[frozenset[ir.Local], frozenset[ir.Local]] | None = None
        """The two sets at the first point where control may leave the block."""

    def close_certain(self) -> None:
        """Note that control may leave the block from here on."""
        if self.certain is None:
            self.certain = (frozenset(self.assigned), frozenset(self.defined))


class Scopes:
    """The blocks around the current point, innermost last."""

    __slots__ = ("_stack",)

    def __init__(self, params: Iterable[ir.Local]) -> None:
        outermost = Scope(None)
        outermost.assigned.update(params)
        outermost.defined.update(param for param in params if param not in (ir.INPUT, ir.DATA))
        self._stack = [outermost]

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
        assigned, defined = inner.certain or (inner.assigned, inner.defined)
        if certainly_completed:
            assigned, defined = inner.assigned, inner.defined
        self.current.assigned |= assigned
        self.current.defined |= defined & inner.defined

    def assign(self, variable: ir.Local, *, defined: bool = True) -> None:
        """Note that a variable has been set."""
        self.current.assigned.add(variable)
        if defined:
            self.current.defined.add(variable)
        else:
            self.forget([variable])

    def define(self, variable: ir.Local) -> None:
        """Note that a variable has been found to have a value."""
        self.current.defined.add(variable)

    def forget(self, variables: Iterable[ir.Local]) -> None:
        """Note that variables may be undefined from here on."""
        for scope in self._stack:
            scope.defined.difference_update(variables)

    def is_assigned(self, variable: ir.Local) -> bool:
        """Say whether the Python variable certainly exists."""
        return any(variable in scope.assigned for scope in self._stack)

    def is_defined(self, variable: ir.Local) -> bool:
        """Say whether the variable certainly has a value."""
        return any(variable in scope.defined for scope in self._stack)
