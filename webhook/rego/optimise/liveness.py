"""Removes what has no effect: assignments that nobody reads, blocks that do nothing, what is never reached.

Blocks that control never leaves early lose their borders on the way.
"""

from __future__ import annotations

from typing import Final

from webhook.rego import controlflow, dataflow, ir
from webhook.rego.values import UNDEFINED

_EFFECTLESS: Final = frozenset(
    {
        ir.AssignInt,
        ir.AssignVar,
        ir.MakeArray,
        ir.MakeNull,
        ir.MakeNumberInt,
        ir.MakeNumberRef,
        ir.MakeObject,
        ir.MakeSet,
        ir.ResetLocal,
    }
)
_ENDS: Final = frozenset({ir.Break, ir.ReturnLocal})


def remove_unused(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Remove statements without effect from a function."""
    blocks: list[list[ir.Block]] = []
    """For each block of the result, the blocks that it is put together from."""
    for block in function.blocks:
        cleaned = _block(block, usage)
        if _does_nothing(cleaned):
            continue
        if blocks and not controlflow.may_leave(blocks[-1][-1]):
            blocks[-1].append(cleaned)
        else:
            blocks.append([cleaned])
        if isinstance(cleaned[0], ir.ReturnLocal):
            break
    while blocks and _returns_nothing(blocks[-1][0]):
        blocks.pop()
    return dataflow.with_body(function, [_joined(parts) for parts in blocks])


def _joined(parts: list[ir.Block]) -> ir.Block:
    return parts[0] if len(parts) == 1 else tuple([statement for part in parts for statement in part])


def _returns_nothing(block: ir.Block) -> bool:
    """Say whether a last block amounts to the end of the function."""
    first = block[0]
    if not isinstance(first, ir.ReturnLocal) or not isinstance(first.source, ir.Constant):
        return False
    return first.source.value is UNDEFINED


def _block(block: ir.Block, usage: dataflow.Usage) -> ir.Block:
    """Clean a block and drop what cannot be reached or has no effect."""
    result: list[ir.Statement] = []
    for statement in block:
        kind = type(statement)
        if kind in ir.NESTING:
            result += _nested(dataflow.with_blocks(statement, lambda inner: _block(inner, usage)))
        elif kind not in _EFFECTLESS or not _is_unused(statement, usage):
            result.append(statement)
        if result and type(result[-1]) in _ENDS:
            break
    return dataflow.with_statements(block, result)


def _nested(statement: ir.Statement) -> ir.Block:
    """Give what a statement with nested blocks amounts to when these are clean."""
    match statement:
        case ir.BlockStatement():
            return _without_borders(statement)
        case ir.Not(block=(ir.Break(index=0),)):
            return ()
        case ir.Not(block=()):
            return (ir.Break(0, location=statement.location),)
    return (statement,)


def _without_borders(statement: ir.BlockStatement) -> ir.Block:
    """Give what a statement with nested blocks amounts to: their statements, if control leaves none of them early."""
    blocks = tuple([block for block in statement.blocks if not _does_nothing(block)])
    if not any(map(controlflow.may_leave, blocks)):
        return tuple([inner for block in blocks for inner in block])
    match blocks:
        case ((ir.BlockStatement(blocks=((*body, ir.Break(index=1)),)), ir.Break(index=1)),):
            # OPA's planner writes "one of these, else undefined" so, even when there is only one.
            if controlflow.escapes(tuple(body)) < 0:
                return tuple(body)
    if len(blocks) < len(statement.blocks):
        return (ir.BlockStatement(blocks, location=statement.location),)
    return (statement,)


def _does_nothing(block: ir.Block) -> bool:
    """Say whether a block is empty or left at once."""
    return not block or (isinstance(block[0], ir.Break) and not block[0].index)


def _is_unused(statement: ir.Statement, usage: dataflow.Usage) -> bool:
    (target,) = dataflow.sets(statement)
    return target not in usage.read and target not in usage.changed
