"""How control leaves blocks of the intermediate representation.

One definition for the optimiser and the code generator. Knows nothing of either.
"""

from __future__ import annotations

from typing import Final

from webhook.rego import dataflow, ir

BLOCKS_LEFT_BY_DYNAMIC_CALL: Final = 2
"""How many blocks around its own a dynamic call leaves whose function has no value."""


_PRINTING: Final = frozenset({"internal.print", "print", "trace", "internal.test_case"})


def prints(policy: ir.Policy) -> bool:
    """Say whether a policy may write something, so that every round of a loop shows, and their order."""
    return not _PRINTING.isdisjoint(policy.builtins)


def escapes(block: ir.Block) -> int:
    """Give how many blocks around `block` the farthest break within it leaves; -1 without a break out of it."""
    return max([_farthest(statement) for statement in block if type(statement) in _LEAVING], default=-1)


_LEAVING: Final = ir.NESTING - {ir.Scan} | {ir.Break, ir.CallDynamic}
"""Statements that leave blocks around their own, or have some nested in them that may."""


def _farthest(statement: ir.Statement) -> int:
    if isinstance(statement, ir.Break):
        return statement.index
    if isinstance(statement, ir.CallDynamic):
        return BLOCKS_LEFT_BY_DYNAMIC_CALL
    return max((escapes(inner) - 1 for inner in ir.blocks_of(statement)), default=-1)


def may_leave(block: ir.Block) -> bool:
    """Say whether control may leave the block before its end."""
    return not all(is_passed(statement) for statement in block)


def is_passed(statement: ir.Statement) -> bool:
    """Say whether control certainly goes on after a statement."""
    if isinstance(statement, ir.BlockStatement):
        return all(escapes(inner) < 1 for inner in statement.blocks)
    return dataflow.is_never_undefined(statement) and type(statement) is not ir.ReturnLocal


def exits(block: ir.Block) -> int:
    """Count the statements directly in the block that may leave it."""
    return sum(not is_passed(statement) for statement in block)
