"""Writes the statements of one plan or function.

Owns its variables and the place where the next statement goes: a loop that is opened stays open, so that whatever is
planned later runs for each element. Must not know the language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from webhook.rego import ir
from webhook.rego.errors import COMPILE_ERROR, CompileError, Diagnostic, Location

MOST_LOOPS: Final = 100
"""Loops that may be open at once; what reads plans follows them with Python's own, limited stack."""


class Writer:
    """The statements of one plan or function while they are written."""

    def __init__(self, first_free: int) -> None:
        self._next = first_free
        self._block: list[ir.Statement] = []
        self._loops: list[tuple[list[ir.Statement], ir.Operand, ir.Local, ir.Local, Location]] = []
        self.location = Location("", 0, 0)
        """The place in the source that statements come from."""

    def local(self) -> ir.Local:
        """Give a new variable."""
        local = ir.Local(self._next)
        self._next += 1
        return local

    def emit(self, statement: ir.Statement) -> None:
        """Write a statement at the current place."""
        self._block.append(statement)

    def loop(self, source: ir.Operand) -> tuple[ir.Local, ir.Local]:
        """Open a loop over a collection; give the variables of key and value.

        Raises:
            CompileError: too many loops are open.

        """
        if len(self._loops) == MOST_LOOPS:
            message = f"loops nested too deeply: over {MOST_LOOPS}; move some into rules or functions"
            raise CompileError((Diagnostic(COMPILE_ERROR, message, self.location),))
        key, value = self.local(), self.local()
        self._loops.append((self._block, source, key, value, self.location))
        self._block = []
        return key, value

    @property
    def depth(self) -> int:
        """Count of the loops open at the current place."""
        return len(self._loops)

    def block(self, fill: Callable[[], None]) -> ir.Block:
        """Write a block apart: `fill` writes its statements, and the loops it opens end with it."""
        outer, depth = self._block, len(self._loops)
        self._block = []
        fill()
        while len(self._loops) > depth:
            parent, source, key, value, location = self._loops.pop()
            inner = tuple(self._block)
            parent.append(ir.Scan(source, key, value, inner, location=location))
            self._block = parent
        written = tuple(self._block)
        self._block = outer
        return written

    def blocks(self, *fills: Callable[[], None]) -> None:
        """Write one statement of several blocks."""
        self.emit(ir.BlockStatement(tuple(map(self.block, fills)), location=self.location))

    def fail(self) -> None:
        """Make what follows undefined."""
        target = self.local()
        self.emit(ir.ResetLocal(target, location=self.location))
        self.emit(ir.IsDefined(target, location=self.location))
