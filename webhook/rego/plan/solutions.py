"""Keeps the solutions of a statement that is planned in a block of its own, for use after the block.

Owns the two ways to do it: a statement with one solution leaves its variables as they are, the solutions of one that
loops are collected as rows and gone through again. Must not know what the statement is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from webhook.rego import ir
from webhook.rego.plan.writer import Writer


class Solutions:
    """The solutions of one statement; `names` are the variables that it may bind."""

    def __init__(self, writer: Writer, names: Iterable[str]) -> None:
        self._writer = writer
        self._location = writer.location
        self._names = list(names)
        self._kept: dict[str, ir.Operand] = {}
        self._several = False
        self._holds = writer.local()
        self._rows = writer.local()

    def keep(self, bound: Mapping[str, ir.Operand], *, several: bool) -> None:
        """Plan, at the place where the statement holds, that its variables are kept."""
        writer, location = self._writer, self._location
        self._several = several
        self._kept = {name: bound[name] for name in self._names if name in bound}
        writer.emit(ir.AssignVar(ir.Constant(True), self._holds, location=location))
        if several:
            row = writer.local()
            writer.emit(ir.MakeArray(row, len(self._kept), location=location))
            for operand in self._kept.values():
                writer.emit(ir.ArrayAppend(row, operand, location=location))
            writer.emit(ir.ArrayAppend(self._rows, row, location=location))

    def outlive(self, block: ir.Block) -> Mapping[str, ir.Operand]:
        """Plan the block with the statement, then go on for each solution; give what its variables are from here on."""
        writer, location = self._writer, self._location
        writer.emit(ir.ResetLocal(self._holds, location=location))
        if self._several:
            writer.emit(ir.MakeArray(self._rows, location=location))
        writer.emit(ir.BlockStatement((block,), location=location))
        writer.emit(ir.IsDefined(self._holds, location=location))
        return self._each_row() if self._several else self._kept

    def _each_row(self) -> Mapping[str, ir.Operand]:
        _, row = self._writer.loop(self._rows)
        values: dict[str, ir.Operand] = {}
        for index, name in enumerate(self._kept):
            values[name] = value = self._writer.local()
            self._writer.emit(ir.Dot(row, ir.Constant(index), value, location=self._location))
        return values
