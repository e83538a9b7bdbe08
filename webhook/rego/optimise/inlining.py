"""Puts the statements of small functions in the place of their calls.

A function qualifies whose one block ends with its only return: leaving the block early means that the function
has no value, which leaves the caller's block just the same. Rules called in a loop stay memoised.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
_IN_PLACE_ONLY: Final = frozenset({ir.AssignVarOnce, ir.CallDynamic, ir.ResultSetAdd})
"""Statements that would mean something else in another function."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function that may take the place of its calls."""

    function: ir.Function
    size: int
    """Number of its statements."""


def candidate(function: ir.Function, usage: dataflow.Usage) -> Candidate | None:
    """Give a function as a candidate, if it has the form of one and is not too large."""
    if len(function.blocks) != 1 or not function.blocks[0]:
        return None
    if not isinstance(function.blocks[0][-1], ir.ReturnLocal) or len(usage.of_kind(ir.ReturnLocal)) > 1:
        return None
    size = sum(map(len, usage.statements.values()))
    if size > _MEDIUM or not _IN_PLACE_ONLY.isdisjoint(usage.statements):
        return None
    return Candidate(function, size)


def count_calls(usages: Iterable[dataflow.Usage]) -> Counter[str]:
    """Count the calls of each function."""
    return Counter(call.function for usage in usages for call in usage.of_kind(ir.Call))


def inline_calls(
    caller: ir.Function,
    usage: dataflow.Usage,
    candidates: Mapping[str, Candidate],
    calls: Counter[str],
) -> ir.Function:
    """Inline calls within a function; `calls` has the number of calls of each function in the whole policy."""
    if not any(call.function in candidates for call in usage.of_kind(ir.Call)):
        return caller
    return _Inliner(candidates, calls, caller, usage).run()


class _Inliner:
    def __init__(
        self,
        candidates: Mapping[str, Candidate],
        calls: Counter[str],
        caller: ir.Function,
        usage: dataflow.Usage,
    ) -> None:
        self._candidates = candidates
        self._calls = calls
        self._caller = caller
        self._next = max(usage.variables() | {caller.result, ir.DATA}) + 1
        self._size = sum(map(len, usage.statements.values()))

    def run(self) -> ir.Function:
        """Give the caller with calls inlined."""
        in_loop = len(self._caller.params) > 2
        return dataflow.with_body(
            self._caller, [self._block(block, in_loop=in_loop) for block in self._caller.blocks]
        )

    def _block(self, block: ir.Block, *, in_loop: bool) -> ir.Block:
        result: list[ir.Statement] = []
        for statement in block:
            if isinstance(statement, ir.Call):
                callee = self._candidates.get(statement.function)
                if callee is not None and self._is_worth_it(callee, in_loop=in_loop):
                    result += self._body(callee.function, statement)
                    continue
            elif type(statement) in ir.NESTING:
                inner = functools.partial(self._block, in_loop=in_loop or isinstance(statement, ir.Scan))
                result.append(dataflow.with_blocks(statement, inner))
                continue
            result.append(statement)
        return dataflow.with_statements(block, result)

    def _is_worth_it(self, callee: Candidate, *, in_loop: bool) -> bool:
        if self._size + callee.size > _LARGEST_CALLER:
            return False
        is_rule = len(callee.function.params) == 2
        if is_rule and in_loop:
            return callee.size <= _SMALL_IN_LOOP
        return callee.size <= (_MEDIUM if self._calls[callee.function.name] == 1 else _SMALL)

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
