"""What blocks do that decides how they are written in Python: what may be undefined, whether order shows.

Knows nothing of Python source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from webhook.rego import dataflow, ir


def undefined_within(inside: dataflow.Usage) -> set[ir.Local]:
    """Give the variables that may become undefined in a block; `inside` is what the block does."""
    return {s.target for s in inside.of_kind(ir.AssignVar)} | inside.reset.keys()


def order_matters(inside: dataflow.Usage, outputs: Collection[ir.Local]) -> bool:
    """Say whether the order of a loop's rounds can be seen after it.

    `inside` is what the body of the loop does, `outputs` are the variables that it sets and that are read elsewhere.

    It can when a round appends to an array or overwrites a key or variable of the surroundings, or adds to the
    results; and when something is printed, which is for the caller to know.
    """
    if inside.of_kind(ir.ResultSetAdd):
        return True
    if any(not isinstance(s.source, ir.Constant) for s in inside.of_kind(ir.ReturnLocal)):
        return True
    own = (inside.set.keys() | inside.reset.keys()).difference(outputs)
    if any(s.array not in own for s in inside.of_kind(ir.ArrayAppend)):
        return True
    if any(s.object not in own for s in inside.of_kind(ir.ObjectInsert)):
        return True
    return bool(outputs) and any(
        not _gives_all_rounds_the_same(statement) and not own.issuperset(dataflow.sets(statement))
        for statements in inside.statements.values()
        for statement in statements
    )


def late_sets(usage: dataflow.Usage) -> frozenset[ir.Local]:
    """Give the variables of sets that nothing but a return reads, such as the sets of partial rules.

    Such a set may be a shared empty one until its first element is added.
    """
    made = {s.target for s in usage.of_kind(ir.MakeSet) if usage.is_set_once(s.target)}
    returned = Counter(
        s.source for s in usage.of_kind(ir.ReturnLocal) if not isinstance(s.source, ir.Constant)
    )
    return frozenset(variable for variable in made if usage.read[variable] == returned[variable])


def _gives_all_rounds_the_same(statement: ir.Statement) -> bool:
    """Say whether a statement sets its variable to the same in every round that sets it."""
    if isinstance(statement, ir.AssignVar):
        return isinstance(statement.source, ir.Constant)
    return isinstance(statement, (ir.AssignVarOnce, ir.ResetLocal))
