"""Looks up once per evaluation the parts of the input that several places need.

A chain of lookups that starts at the input document and is written in several places, or in a loop, becomes one
read of a slot that is filled when the evaluation starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias

from webhook.rego import dataflow, ir

_Path: TypeAlias = tuple[str, ...]

_ENOUGH: Final = 2
"""Places that make a path worth a slot; one in a loop counts as that many."""


def share_paths(bodies: Iterable[tuple[ir.Function, dataflow.Usage]]) -> list[ir.Function]:
    """Use slots for shared paths of the input in all functions of a program."""
    chains = [_Chains(function, usage) for function, usage in bodies]
    counts: Counter[_Path] = Counter()
    for chain in chains:
        counts.update(chain.places)
    shared = {path for path, count in counts.items() if count >= _ENOUGH}
    return [chain.rewrite(shared) for chain in chains]


class _Chains:
    """The chains of lookups of one function."""

    def __init__(self, function: ir.Function, usage: dataflow.Usage) -> None:
        self._function = function
        self._usage = usage
        self._paths: dict[ir.Local, _Path] = {}
        """Path of what a variable holds, for those that one lookup sets."""
        self._context_of: dict[ir.Local, int] = {}
        """The number of the documents in which each of them is looked up: a `with` puts new ones in force."""
        self._contexts = 0
        self._lookups: list[ir.Dot] = []
        """The lookups that lead to a path."""
        self.places: Counter[_Path] = Counter()
        """In how many places each path is looked up."""
        if ir.INPUT in usage.read:
            for block in function.blocks:
                self._survey(block, 0, in_loop=len(function.params) > 2)

    def _survey(self, block: ir.Block, context: int, *, in_loop: bool) -> None:
        """Note each lookup within a block that leads to a path."""
        for statement in block:
            if isinstance(statement, ir.Dot):
                path = self._path(statement, context)
                if path is not None:
                    self._lookups.append(statement)
                    self._paths[statement.target] = path
                    self._context_of[statement.target] = context
                    self.places[path] += _ENOUGH if in_loop else 1
            elif type(statement) in ir.NESTING:
                inner = context
                if isinstance(statement, ir.With):
                    self._contexts += 1
                    inner = self._contexts
                for nested in ir.blocks_of(statement):
                    self._survey(nested, inner, in_loop=in_loop or isinstance(statement, ir.Scan))

    def _path(self, s: ir.Dot, context: int) -> _Path | None:
        """Give the path of the input that a lookup leads to, if it does."""
        if (
            not isinstance(s.key, ir.Constant)
            or type(s.key.value) is not str
            or isinstance(s.source, ir.Constant)
        ):
            return None
        base: _Path | None = ()
        if s.source != ir.INPUT:
            base = self._paths.get(s.source) if self._context_of.get(s.source) == context else None
        if base is None or not self._usage.is_set_once(s.target) or s.target in self._usage.changed:
            return None
        return (*base, s.key.value)

    def rewrite(self, shared: set[_Path]) -> ir.Function:
        """Read shared paths from their slots."""
        if shared.isdisjoint(self.places):
            return self._function
        replaced = [lookup for lookup in self._lookups if self._paths[lookup.target] in shared]
        no_longer_read = Counter([lookup.source for lookup in replaced])
        paths = {lookup.target: self._paths[lookup.target] for lookup in replaced}
        steps = {variable for variable in paths if self._usage.read[variable] == no_longer_read[variable]}
        return dataflow.with_body(
            self._function, [_with_paths(block, paths, steps) for block in self._function.blocks]
        )


def _with_paths(block: ir.Block, paths: Mapping[ir.Local, _Path], steps: AbstractSet[ir.Local]) -> ir.Block:
    """Read from slots the variables that have `paths`; leave out `steps`, which nothing reads any more.

    A step stays where it does not just lead to the next, longer path: it has to be there.
    """
    result: list[ir.Statement] = []
    for statement in block:
        kind = type(statement)
        if kind is ir.Dot and statement.target in paths:  # type: ignore[attr-defined]
            target = statement.target  # type: ignore[attr-defined]
            path = paths[target]
            previous = result[-1] if result else None
            if (
                isinstance(previous, ir.InputPath)
                and previous.target in steps
                and path[: len(previous.path)] == previous.path
            ):
                result.pop()
            result.append(ir.InputPath(path, target, location=statement.location))
        elif kind in ir.NESTING:
            result.append(dataflow.with_blocks(statement, lambda inner: _with_paths(inner, paths, steps)))
        else:
            result.append(statement)
    return dataflow.with_statements(block, result)
