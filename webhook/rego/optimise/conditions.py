"""Recognises calls made for the truth of their result, and texts formatted from a literal array."""

from __future__ import annotations

from typing import Final

from webhook.rego import dataflow, ir

_SECOND: Final = frozenset({ir.Call, ir.NotEqual})
"""Statements that may amount to one with the statement before them."""


def recognise(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Rewrite what is recognised in a function."""
    return dataflow.with_body(function, [_block(block, usage) for block in function.blocks])


def _block(block: ir.Block, usage: dataflow.Usage) -> ir.Block:
    result: list[ir.Statement] = []
    for statement in block:
        kind = type(statement)
        fused = _fused(result[-1], statement, usage) if kind in _SECOND and result else None
        if fused is not None:
            result[-1] = fused
        elif kind in ir.NESTING:
            result.append(dataflow.with_blocks(statement, lambda inner: _block(inner, usage)))
        else:
            result.append(statement)
    return dataflow.with_statements(block, result)


def _fused(first: ir.Statement, second: ir.Statement, usage: dataflow.Usage) -> ir.Statement | None:
    """Give the one statement that two in a row amount to, if they do."""
    if isinstance(first, ir.Call) and isinstance(second, ir.NotEqual) and _tests(second, first, usage):
        return ir.Holds(first.function, first.arguments, location=first.location)
    if isinstance(first, ir.MakeArrayOf) and isinstance(second, ir.Call) and _formats(second, first, usage):
        return _format(second, first)
    return None


def _tests(test: ir.NotEqual, call: ir.Call, usage: dataflow.Usage) -> bool:
    """Say whether a test that a value is not false is the only use of a call's result."""
    is_false = isinstance(test.right, ir.Constant) and test.right.value is False
    return is_false and test.left == call.result and usage.read[call.result] == 1


def _formats(call: ir.Call, array: ir.MakeArrayOf, usage: dataflow.Usage) -> bool:
    """Say whether a call formats a literal array that nothing else reads."""
    return (
        call.function == "sprintf"
        and len(call.arguments) == 2
        and isinstance(call.arguments[0], ir.Constant)
        and type(call.arguments[0].value) is str
        and call.arguments[1] == array.target
        and usage.read[array.target] == 1
        and not usage.changed[array.target]
    )


def _format(call: ir.Call, array: ir.MakeArrayOf) -> ir.CallFormat:
    template = call.arguments[0]
    assert isinstance(template, ir.Constant)
    return ir.CallFormat(template.value, array.elements, call.result, location=call.location)
