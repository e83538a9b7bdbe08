"""Recognises what `every` is planned as: flags that say no more than whether a block was left, and tests of types.

Owns the forms in which the planner writes these; a block that sets a flag at its end, which is asked right
afterwards, is a negation.
"""

from __future__ import annotations

from typing import Final

from webhook.rego import controlflow, dataflow, ir
from webhook.rego.values import UNDEFINED

_ASKING: Final = frozenset({ir.IsDefined, ir.IsUndefined})


def remove_flags(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Use negations and tests of collections in the place of flags."""
    if not usage.of_kind(ir.ResetLocal) or _ASKING.isdisjoint(usage.statements):
        return function
    return dataflow.with_body(function, [_block(block, usage) for block in function.blocks])


def _block(block: ir.Block, usage: dataflow.Usage) -> ir.Block:
    result: list[ir.Statement] = []
    for statement in block:
        kind = type(statement)
        if kind in ir.NESTING:
            result.append(dataflow.with_blocks(statement, lambda inner: _block(inner, usage)))
            continue
        result.append(statement)
        if kind in _ASKING:
            test = _test(result[-3:], usage)
            if test is not None:
                result[-3:] = [test]
    return dataflow.with_statements(block, result)


def _test(statements: list[ir.Statement], usage: dataflow.Usage) -> ir.Statement | None:
    """Give the one statement that a flag's reset, the blocks that set it and the question amount to, if they do."""
    match statements:
        case [
            ir.ResetLocal(target=flag),
            ir.BlockStatement(blocks=blocks),
            ir.IsDefined(source=source) | ir.IsUndefined(source=source) as question,
        ] if flag == source and (usage.reset[flag], usage.read[flag]) == (1, 1):
            is_set_here = all(_is_set(block, flag) for block in blocks) and usage.set[flag] == len(blocks)
            if is_set_here:
                asked = _negation if isinstance(question, ir.IsUndefined) else _collection_test
                return asked(blocks, question)
    return None


def _is_set(block: ir.Block, flag: ir.Local) -> bool:
    """Say whether a block sets a flag at its end."""
    match block:
        case (*_, ir.AssignVar(source=ir.Constant(value), target=target)):
            return target == flag and value is not UNDEFINED
    return False


def _negation(blocks: tuple[ir.Block, ...], question: ir.Statement) -> ir.Statement | None:
    if len(blocks) != 1 or controlflow.escapes(blocks[0]) > 0:
        return None
    return ir.Not(blocks[0][:-1], location=question.location)


def _collection_test(blocks: tuple[ir.Block, ...], question: ir.Statement) -> ir.Statement | None:
    match blocks:
        case (
            (ir.IsArray(source=one), _),
            (ir.IsObject(source=two), _),
            (ir.IsSet(source=three), _),
        ) if one == two == three:
            return ir.IsCollection(one, location=question.location)
    return None
