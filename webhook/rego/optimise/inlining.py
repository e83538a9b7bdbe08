"""Puts the statements of small functions in the place of their calls.

A function qualifies whose one block ends with its only return: leaving the block early means that the function
has no value, which leaves the caller's block just the same. Rules called in a loop stay memoised.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from webhook.rego import dataflow, ir

_SMALL: Final = 6
"""Statements of a function that is copied to each of its calls."""
_SMALL_IN_LOOP: Final = 2
"""Statements of a rule that is cheaper to repeat than to remember."""
_MEDIUM: Final = 40
"""Statements of a function that is moved to its only call."""
_LARGEST_CALLER: Final = 200
"""Statements of a function that takes in no more of others."""


def count_calls(bodies: Iterable[ir.Function | ir.Plan]) -> Counter[str]:
    """Count the calls of each function."""
    return Counter(
        statement.function
        for body in bodies
        for statement in ir.walk(body.blocks)
        if isinstance(statement, ir.Call)
    )


def inline_calls(
    caller: ir.Function, functions: Mapping[str, ir.Function], calls: Counter[str]
) -> ir.Function:
    """Inline calls within a function."""
    return _Inliner(functions, calls, caller).run()


class _Inliner:
    def __init__(
        self, functions: Mapping[str, ir.Function], calls: Counter[str], caller: ir.Function
    ) -> None:
        self._functions = functions
        self._calls = calls
        self._caller = caller
        used = dataflow.Usage(caller.blocks, caller.params).variables() | {caller.result, ir.DATA}
        self._next = max(used) + 1
        self._size = sum(1 for _ in ir.walk(caller.blocks))

    def run(self) -> ir.Function:
        """Give the caller with calls inlined."""
        in_loop = len(self._caller.params) > 2
        return dataflow.with_body(
            self._caller, [self._block(block, in_loop=in_loop) for block in self._caller.blocks]
        )

    def _block(self, block: ir.Block, *, in_loop: bool) -> ir.Block:
        result: list[ir.Statement] = []
        for statement in block:
            callee = self._functions.get(statement.function) if isinstance(statement, ir.Call) else None
            if isinstance(statement, ir.Call) and callee and self._qualifies(callee, in_loop=in_loop):
                result += self._body(callee, statement)
                continue
            inner = functools.partial(self._block, in_loop=in_loop or isinstance(statement, ir.Scan))
            result.append(dataflow.with_blocks(statement, inner))
        return dataflow.with_statements(block, result)

    def _qualifies(self, callee: ir.Function, *, in_loop: bool) -> bool:
        if len(callee.blocks) != 1 or not callee.blocks[0]:
            return False
        size = 0
        for statement in ir.walk(callee.blocks):
            size += 1
            if isinstance(statement, ir.AssignVarOnce | ir.ResultSetAdd | ir.CallDynamic):
                return False
            if isinstance(statement, ir.ReturnLocal) and statement is not callee.blocks[0][-1]:
                return False
        if not isinstance(callee.blocks[0][-1], ir.ReturnLocal) or self._size + size > _LARGEST_CALLER:
            return False
        is_rule = len(callee.params) == 2
        if is_rule and in_loop:
            return size <= _SMALL_IN_LOOP
        return size <= (_MEDIUM if self._calls[callee.name] == 1 else _SMALL)

    def _body(self, callee: ir.Function, call: ir.Call) -> list[ir.Statement]:
        """Give the statements that do what a call of `callee` does."""
        names: dict[ir.Local, ir.Local] = {ir.INPUT: ir.INPUT, ir.DATA: ir.DATA}

        def rename(variable: ir.Local) -> ir.Local:
            if variable not in names:
                names[variable] = ir.Local(self._next)
                self._next += 1
            return names[variable]

        body: list[ir.Statement] = []
        for param, argument in zip(callee.params[2:], call.arguments[2:], strict=True):
            body.append(ir.IsDefined(argument, location=call.location))
            body.append(ir.AssignVar(argument, rename(param), location=call.location))
        body += [dataflow.renamed(statement, rename) for statement in callee.blocks[0]]
        end = body.pop()
        assert isinstance(end, ir.ReturnLocal)
        body.append(ir.IsDefined(end.source, location=call.location))
        body.append(ir.AssignVar(end.source, call.result, location=call.location))
        self._size += len(body)
        return body
