"""Moves builtin calls out of the loops that repeat them, with the lookups that lead to their arguments.

Only calls at the start of a loop's body, which every round makes with the same arguments: so at most the call of a
loop without rounds is made for nothing. A failure there is not reported, so this is not for strict builtin errors.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Final

from webhook.rego import dataflow, ir
from webhook.rego.builtins.declaration import Builtin

_DOCUMENTS: Final = frozenset({ir.INPUT, ir.DATA})


def move_out_of_loops(
    function: ir.Function, usage: dataflow.Usage, builtins: Mapping[str, Builtin]
) -> ir.Function:
    """Move calls out of the loops of a function."""
    if not usage.of_kind(ir.Scan) or usage.changes_parts():
        return function
    mover = _Mover(usage, builtins)
    return dataflow.with_body(function, [mover.block(block) for block in function.blocks])


class _Mover:
    def __init__(self, usage: dataflow.Usage, builtins: Mapping[str, Builtin]) -> None:
        self._usage = usage
        self._builtins = builtins

    def block(self, block: ir.Block, *, end_matters: bool = False) -> ir.Block:
        """Rewrite a block, inner loops first; `end_matters` when leaving the block is not as good as its end."""
        result: list[ir.Statement] = []
        for statement in block:
            if type(statement) not in ir.NESTING:
                result.append(statement)
                continue
            inner = functools.partial(self.block, end_matters=isinstance(statement, (ir.Not, ir.With)))
            rewritten = dataflow.with_blocks(statement, inner)
            if isinstance(rewritten, ir.Scan):
                may_leave = statement is block[-1] and not end_matters
                result += self._split(rewritten, may_leave=may_leave)
            else:
                result.append(rewritten)
        return dataflow.with_statements(block, result)

    def _split(self, loop: ir.Scan, *, may_leave: bool) -> list[ir.Statement]:
        """Give the calls that move out of a loop, and what remains of it.

        Where leaving the block of the loop is as good as a loop without rounds, an undefined call does that; else each
        call gets a block of its own and the loop tests its result.
        """
        count = self._count_invariant(loop)
        moved: list[ir.Statement] = []
        remaining: list[ir.Statement] = []
        for statement in loop.block[:count]:
            if may_leave:
                moved.append(statement)
            else:
                moved.append(ir.BlockStatement(((statement,),), location=statement.location))
                remaining += [
                    ir.IsDefined(target, location=statement.location) for target in dataflow.sets(statement)
                ]
        if not moved:
            return [loop]
        remaining += loop.block[count:]
        return [*moved, ir.Scan(loop.source, loop.key, loop.value, tuple(remaining), location=loop.location)]

    def _count_invariant(self, loop: ir.Scan) -> int:
        """Count the statements at the start of a body that are the same in every round, up to the last call."""
        movable = list(itertools.takewhile(self._may_move, loop.block))
        if not any(isinstance(statement, ir.Call) for statement in movable):
            return 0
        inside = dataflow.Usage((loop.block,))
        varying = inside.set.keys() | inside.reset.keys() | inside.changed.keys() | {loop.key, loop.value}
        count = 0
        for place, statement in enumerate(movable):
            if not varying.isdisjoint(_variables(statement)):
                break
            varying.difference_update(dataflow.sets(statement))
            if isinstance(statement, ir.Call):
                count = place + 1
        return count

    def _may_move(self, statement: ir.Statement) -> bool:
        """Say whether a statement may move out of a loop if its operands are the same in every round."""
        if isinstance(statement, ir.Call):
            if not self._is_pure(statement) or not _DOCUMENTS.isdisjoint(_variables(statement)):
                return False
        elif not isinstance(statement, ir.Dot):
            return False
        return all(
            self._usage.is_set_once(target) and target not in self._usage.changed
            for target in dataflow.sets(statement)
        )

    def _is_pure(self, call: ir.Call) -> bool:
        builtin = self._builtins.get(call.function)
        return builtin is not None and builtin.deterministic and not builtin.void


def _variables(statement: ir.Statement) -> list[ir.Local]:
    return [operand for operand in dataflow.reads(statement) if not isinstance(operand, ir.Constant)]
