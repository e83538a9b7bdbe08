"""Looks up once per evaluation the parts of the input that several places need.

A chain of lookups that starts at the input document and is written in several places, or in a loop, becomes one
read of a slot that is filled when the evaluation starts.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from webhook.rego import dataflow, ir

_Path: TypeAlias = tuple[str, ...]
_Visit: TypeAlias = Callable[[ir.Dot, _Path, bool], ir.Statement]

_ENOUGH: Final = 2
"""Places that make a path worth a slot; one in a loop counts as that many."""


def share_paths(functions: Iterable[ir.Function]) -> list[ir.Function]:
    """Use slots for shared paths of the input in all functions of a program."""
    functions = list(functions)
    counts: Counter[_Path] = Counter()
    for function in functions:
        _Chains(function).count(counts)
    shared = {path for path, count in counts.items() if count >= _ENOUGH}
    return (
        [_without_steps(_Chains(function).rewrite(shared)) for function in functions] if shared else functions
    )


class _Chains:
    """The chains of lookups of one function."""

    def __init__(self, function: ir.Function) -> None:
        self._function = function
        self._usage = dataflow.Usage(function.blocks, function.params)
        self._paths: dict[tuple[int, ir.Local], _Path] = {}
        """Path of what a variable holds, in the `with` that it was looked up in."""
        self._contexts = 0

    def count(self, counts: Counter[_Path]) -> None:
        """Count the places where each path is looked up."""

        def note(statement: ir.Dot, path: _Path, in_loop: bool) -> ir.Statement:
            counts[path] += _ENOUGH if in_loop else 1
            return statement

        self._each(note)

    def rewrite(self, shared: set[_Path]) -> ir.Function:
        """Read shared paths from their slots."""

        def replace(statement: ir.Dot, path: _Path, _in_loop: bool) -> ir.Statement:
            if path not in shared:
                return statement
            return ir.InputPath(path, statement.target, location=statement.location)

        return self._each(replace)

    def _each(self, visit: _Visit) -> ir.Function:
        function = self._function
        in_loop = len(function.params) > 2
        return dataflow.with_body(
            function, [self._block(block, visit, 0, in_loop) for block in function.blocks]
        )

    def _block(self, block: ir.Block, visit: _Visit, context: int, in_loop: bool) -> ir.Block:
        result: list[ir.Statement] = []
        for statement in block:
            path = self._path(statement, context) if isinstance(statement, ir.Dot) else None
            if isinstance(statement, ir.Dot) and path is not None:
                result.append(visit(statement, path, in_loop))
                continue
            inner = functools.partial(
                self._block,
                visit=visit,
                context=self._context_within(statement, context),
                in_loop=in_loop or isinstance(statement, ir.Scan),
            )
            result.append(dataflow.with_blocks(statement, inner))
        return dataflow.with_statements(block, result)

    def _context_within(self, statement: ir.Statement, context: int) -> int:
        """Number the documents in force within a statement: a `with` puts new ones in force."""
        if not isinstance(statement, ir.With):
            return context
        self._contexts += 1
        return self._contexts

    def _path(self, s: ir.Dot, context: int) -> _Path | None:
        """Give the path of the input that a lookup leads to, if it does, and note it for the next one."""
        if (
            not isinstance(s.key, ir.Constant)
            or type(s.key.value) is not str
            or isinstance(s.source, ir.Constant)
        ):
            return None
        base = () if s.source == ir.INPUT else self._paths.get((context, s.source))
        if base is None or not self._usage.is_set_once(s.target) or self._usage.changed[s.target]:
            return None
        self._paths[context, s.target] = (*base, s.key.value)
        return self._paths[context, s.target]


def _without_steps(function: ir.Function) -> ir.Function:
    """Remove reads that only led to the next, longer path."""
    usage = dataflow.Usage(function.blocks, function.params)
    return dataflow.with_body(function, [_skip(block, usage) for block in function.blocks])


def _skip(block: ir.Block, usage: dataflow.Usage) -> ir.Block:
    result: list[ir.Statement] = []
    for statement in block:
        previous = result[-1] if result else None
        if (
            isinstance(statement, ir.InputPath)
            and isinstance(previous, ir.InputPath)
            and not usage.read[previous.target]
            and statement.path[: len(previous.path)] == previous.path
        ):
            result.pop()
        result.append(dataflow.with_blocks(statement, lambda inner: _skip(inner, usage)))
    return tuple(result)
