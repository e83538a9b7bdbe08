"""What blocks do that decides how they are written in Python: what may be undefined, whether order shows.

Knows nothing of Python source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from webhook.rego import dataflow, ir


def undefined_within(block: ir.Block) -> set[ir.Local]:
    """Give the variables that may become undefined in the block."""
    return {
        statement.target
        for statement in ir.walk((block,))
        if isinstance(statement, ir.ResetLocal | ir.AssignVar)
    }


def order_matters(loop: ir.Scan, outputs: Iterable[ir.Local]) -> bool:
    """Say whether the order of a loop's rounds can be seen after it; `outputs` are the variables read after it.

    It can when a round appends to an array or overwrites a key or variable of the surroundings, or adds to the
    results; and when something is printed, which is for the caller to know.
    """
    own = {target for statement in ir.walk((loop.block,)) for target in dataflow.sets(statement)}
    own.difference_update(outputs)
    return any(_shows_order(statement, own) for statement in ir.walk((loop.block,)))


def late_sets(blocks: tuple[ir.Block, ...], usage: dataflow.Usage) -> frozenset[ir.Local]:
    """Give the variables of sets that nothing but a return reads, such as the sets of partial rules.

    Such a set may be a shared empty one until its first element is added.
    """
    made = {s.target for s in ir.walk(blocks) if isinstance(s, ir.MakeSet) and usage.is_set_once(s.target)}
    returned = Counter(
        s.source
        for s in ir.walk(blocks)
        if isinstance(s, ir.ReturnLocal) and not isinstance(s.source, ir.Constant)
    )
    return frozenset(variable for variable in made if usage.read[variable] == returned[variable])


def _shows_order(statement: ir.Statement, own: set[ir.Local]) -> bool:
    if isinstance(statement, ir.ResultSetAdd):
        return True
    if isinstance(statement, ir.ReturnLocal):
        return not isinstance(statement.source, ir.Constant)
    if isinstance(statement, ir.ArrayAppend | ir.ObjectInsert):
        return dataflow.changes(statement) not in own
    if isinstance(statement, ir.AssignVar | ir.AssignVarOnce) and isinstance(statement.source, ir.Constant):
        return False
    if isinstance(statement, ir.AssignVarOnce | ir.ResetLocal):
        return False
    return not own.issuperset(dataflow.sets(statement))
