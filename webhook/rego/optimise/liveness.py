"""Removes what has no effect: assignments that nobody reads and blocks that do nothing."""

from __future__ import annotations

from typing import Final

from webhook.rego import dataflow, ir
from webhook.rego.values import UNDEFINED

_EFFECTLESS: Final = (
    ir.AssignInt,
    ir.AssignVar,
    ir.MakeArray,
    ir.MakeNull,
    ir.MakeNumberInt,
    ir.MakeNumberRef,
    ir.MakeObject,
    ir.MakeSet,
    ir.ResetLocal,
)


def remove_unused(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Remove statements without effect from a function."""
    blocks: list[ir.Block] = []
    for block in function.blocks:
        cleaned = _block(block, usage)
        if cleaned and not isinstance(cleaned[0], ir.Break):
            blocks.append(cleaned)
        if cleaned and isinstance(cleaned[0], ir.ReturnLocal):
            break
    while blocks and _returns_nothing(blocks[-1]):
        blocks.pop()
    return dataflow.with_body(function, blocks)


def _returns_nothing(block: ir.Block) -> bool:
    """Say whether a last block amounts to the end of the function."""
    first = block[0]
    if not isinstance(first, ir.ReturnLocal) or not isinstance(first.source, ir.Constant):
        return False
    return first.source.value is UNDEFINED


def _block(block: ir.Block, usage: dataflow.Usage) -> ir.Block:
    result: list[ir.Statement] = []
    for statement in block:
        if isinstance(statement, _EFFECTLESS) and _is_unused(statement, usage):
            continue
        cleaned = dataflow.with_blocks(statement, lambda inner: _block(inner, usage))
        if isinstance(cleaned, ir.BlockStatement):
            blocks = tuple([inner for inner in cleaned.blocks if inner])
            if not blocks:
                continue
            if len(blocks) < len(cleaned.blocks):
                cleaned = ir.BlockStatement(blocks, location=cleaned.location)
        result.append(cleaned)
        if isinstance(cleaned, ir.ReturnLocal | ir.Break):
            break
    return dataflow.with_statements(block, result)


def _is_unused(statement: ir.Statement, usage: dataflow.Usage) -> bool:
    (target,) = dataflow.sets(statement)
    return not usage.read[target] and not usage.changed[target]
