"""Moves builtin calls out of the loops that repeat them.

Only calls at the start of a loop's body, which every round makes with the same arguments: so at most the call of a
loop without rounds is made for nothing. A failure there is not reported, so this is not for strict builtin errors.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from webhook.rego import dataflow, ir
from webhook.rego.builtins.declaration import Builtin


def move_out_of_loops(
    function: ir.Function, usage: dataflow.Usage, builtins: Mapping[str, Builtin]
) -> ir.Function:
    """Move calls out of the loops of a function."""
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
            inner = functools.partial(self.block, end_matters=isinstance(statement, ir.Not | ir.With))
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
        inside = dataflow.Usage((loop.block,))
        varying = inside.set.keys() | inside.reset.keys() | {loop.key, loop.value}
        moved: list[ir.Statement] = []
        remaining: list[ir.Statement] = []
        for place, statement in enumerate(loop.block):
            if isinstance(statement, ir.Call) and self._is_invariant(statement, varying):
                if may_leave:
                    moved.append(statement)
                else:
                    moved.append(ir.BlockStatement(((statement,),), location=statement.location))
                    remaining.append(ir.IsDefined(statement.result, location=statement.location))
                varying.discard(statement.result)
            else:
                remaining += loop.block[place:]
                break
        if not moved:
            return [loop]
        return [*moved, ir.Scan(loop.source, loop.key, loop.value, tuple(remaining), location=loop.location)]

    def _is_invariant(self, call: ir.Call, varying: set[ir.Local]) -> bool:
        builtin = self._builtins.get(call.function)
        if builtin is None or builtin.needs_context or not builtin.deterministic or builtin.void:
            return False
        if not self._usage.is_set_once(call.result):
            return False
        return not any(
            argument in varying or argument in (ir.INPUT, ir.DATA)
            for argument in call.arguments
            if not isinstance(argument, ir.Constant)
        )
