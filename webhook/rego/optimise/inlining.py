"""Puts the statements of small functions in the place of their calls.

A function qualifies whose one block ends with its only return: leaving the block early means that the function
has no value, which leaves the caller's block just the same. Rules called in a loop stay memoised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from webhook.rego import dataflow, ir

_DOCUMENTS: Final = (ir.INPUT, ir.DATA)
"""The arguments of rules."""
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
    is_path: bool
    """It looks up a part of the input, which is cheaper than any call: lookups of several places become one."""


def candidate(function: ir.Function, usage: dataflow.Usage) -> Candidate | None:
    """Give a function as a candidate, if it has the form of one and is not too large."""
    if len(function.blocks) != 1 or not function.blocks[0]:
        return None
    if not isinstance(function.blocks[0][-1], ir.ReturnLocal) or len(usage.of_kind(ir.ReturnLocal)) > 1:
        return None
    size = sum(map(len, usage.statements.values()))
    if size > _MEDIUM or not _IN_PLACE_ONLY.isdisjoint(usage.statements):
        return None
    return Candidate(function, size, _is_path(function.blocks[0]))


def _is_path(block: ir.Block) -> bool:
    """Say whether a block does nothing but look up and return a part of the input."""
    found = ir.INPUT
    for statement in block[:-1]:
        if not isinstance(statement, ir.Dot) or statement.source != found:
            return False
        if not isinstance(statement.key, ir.Constant) or type(statement.key.value) is not str:
            return False
        found = statement.target
    end = block[-1]
    return isinstance(end, ir.ReturnLocal) and end.source == found != ir.INPUT


def count_calls(bodies: Iterable[tuple[ir.Block, ...]]) -> Counter[str]:
    """Count the calls of each function that are left where a rule's value is taken from an earlier call."""
    calls: Counter[str] = Counter()
    for blocks in bodies:
        for block in blocks:
            _count_calls(block, set(), calls)
    return calls


def _count_calls(block: ir.Block, known: set[str], calls: Counter[str]) -> None:
    """Count the calls within a block; the values of the rules in `known` are at hand."""
    for statement in block:
        kind = type(statement)
        if isinstance(statement, ir.Call):
            if statement.function not in known:
                calls[statement.function] += 1
            if statement.arguments == _DOCUMENTS:
                known.add(statement.function)
        elif kind in ir.NESTING:
            for inner in ir.blocks_of(statement):
                _count_calls(inner, set() if kind is ir.With else known.copy(), calls)


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
        self._usage = usage
        self._next = max(caller.result, ir.DATA, *usage.read, *usage.set, *usage.reset, *usage.changed) + 1
        self._size = sum(map(len, usage.statements.values())) - len(usage.of_kind(ir.Nop))

    def run(self) -> ir.Function:
        """Give the caller with calls inlined."""
        in_loop = len(self._caller.params) > 2
        return dataflow.with_body(
            self._caller, [self._block(block, {}, in_loop=in_loop) for block in self._caller.blocks]
        )

    def _block(self, block: ir.Block, values: dict[str, ir.Local], *, in_loop: bool) -> ir.Block:
        """Inline calls within a block; `values` has the variables that hold the values of rules inlined before."""
        result: list[ir.Statement] = []
        for statement in block:
            kind = type(statement)
            if isinstance(statement, ir.Call) and statement.function in self._candidates:
                result += self._call(statement, values, in_loop=in_loop)
            elif kind in ir.NESTING:
                result.append(self._nested(statement, values, in_loop=in_loop))
            else:
                result.append(statement)
        return dataflow.with_statements(block, result)

    def _nested(self, statement: ir.Statement, values: dict[str, ir.Local], *, in_loop: bool) -> ir.Statement:
        """Inline calls within the blocks of a statement."""
        known = {} if isinstance(statement, ir.With) else values
        repeats = in_loop or isinstance(statement, ir.Scan)
        return dataflow.with_blocks(
            statement, lambda block: self._block(block, known.copy(), in_loop=repeats)
        )

    def _call(self, call: ir.Call, values: dict[str, ir.Local], *, in_loop: bool) -> Sequence[ir.Statement]:
        """Give what takes the place of a call: itself, the statements of the function, or a value that is known."""
        name = call.function
        if name in values:
            return (ir.AssignVar(values[name], call.result, location=call.location),)
        callee = self._candidates[name]
        if not self._is_worth_it(callee, in_loop=in_loop):
            return (call,)
        if call.arguments == _DOCUMENTS and self._may_stand_for(call.result):
            values[name] = call.result
        return self._body(callee.function, call)

    def _may_stand_for(self, variable: ir.Local) -> bool:
        return self._usage.is_set_once(variable) and variable not in self._usage.changed

    def _is_worth_it(self, callee: Candidate, *, in_loop: bool) -> bool:
        if callee.is_path:
            return True
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
