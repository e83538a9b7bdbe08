"""Leaves a loop as soon as further rounds cannot change anything.

A loop whose only lasting effect is one variable that gets one constant (the shape of `some` and `every` within a
larger rule) is done when it is set; OPA stops there too.
"""

from __future__ import annotations

from typing import Final

from webhook.rego import dataflow, ir

_LASTING: Final = frozenset(
    {
        ir.ResultSetAdd,
        ir.ReturnLocal,
        ir.AssignVarOnce,
        ir.ArrayAppend,
        ir.SetAdd,
        ir.ObjectInsert,
        ir.ObjectInsertOnce,
    }
)


def leave_loops(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Add exits to the loops of a function."""
    if not usage.of_kind(ir.Scan):
        return function
    return dataflow.with_body(function, [_block(block, usage) for block in function.blocks])


def _block(block: ir.Block, usage: dataflow.Usage) -> ir.Block:
    return dataflow.with_statements(block, [_statement(statement, usage) for statement in block])


def _statement(statement: ir.Statement, usage: dataflow.Usage) -> ir.Statement:
    if type(statement) not in ir.NESTING:
        return statement
    statement = dataflow.with_blocks(statement, lambda inner: _block(inner, usage))
    if not isinstance(statement, ir.Scan) or not statement.block:
        return statement
    last = statement.block[-1]
    if not isinstance(last, (ir.AssignVar, ir.Scan)):
        return statement
    flag = _flag(statement, usage)
    if flag is None:
        return statement
    exit_loop = ir.ExitLoop(location=last.location)
    if isinstance(last, ir.AssignVar):
        block = (*statement.block, exit_loop)
    else:
        block = (*statement.block, ir.BlockStatement(((ir.IsDefined(flag), exit_loop),)))
    return ir.Scan(statement.source, statement.key, statement.value, block, location=statement.location)


def _flag(loop: ir.Scan, usage: dataflow.Usage) -> ir.Local | None:
    """Give the variable that is the only lasting effect of a loop, if there is one such."""
    inside = dataflow.Usage((loop.block,))
    kinds = inside.statements.keys()
    changed = {dataflow.changes(statement) for kind in kinds & _LASTING for statement in inside.of_kind(kind)}
    if not changed <= inside.set.keys():
        return None
    lasting = {
        variable
        for variable in inside.set.keys() | inside.reset.keys()
        if usage.total(variable) > inside.total(variable)
    }
    if len(lasting) != 1 or not lasting.isdisjoint(changed):
        return None
    (flag,) = lasting
    values: set[tuple[type, str]] = set()
    for kind in kinds & dataflow.SETTING:
        for statement in inside.of_kind(kind):
            if flag in dataflow.sets(statement):
                if not isinstance(statement, ir.AssignVar) or not isinstance(statement.source, ir.Constant):
                    return None
                values.add((type(statement.source.value), repr(statement.source.value)))
    is_set_only_here = usage.set[flag] == inside.set[flag]
    return flag if len(values) == 1 and is_set_only_here and _ends_with(loop.block, flag) else None


def _ends_with(block: ir.Block, flag: ir.Local) -> bool:
    """Say whether a round sets the flag only at its very end, directly or in a loop."""
    last = block[-1]
    if isinstance(last, ir.Scan):
        return bool(last.block)
    return isinstance(last, ir.AssignVar) and last.target == flag
