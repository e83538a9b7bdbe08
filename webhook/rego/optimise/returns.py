"""Returns the value of a rule as soon as it is certain.

A planned rule assigns its value once a body succeeds, goes through further bodies, and returns at the end. Where
what follows an assignment can be foretold (tests of variables that are known to be set or not, and the final
return), the assignment becomes the return. Rules whose bodies all give the same constant return at the first
success, as OPA does. What remains of variables that are never set is removed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook.rego import dataflow, ir
from webhook.rego.values import UNDEFINED, equal

_UNDEFINED: Final = ir.Constant(UNDEFINED)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What runs after a point: the rest of a block, and what follows when that is left."""

    block: ir.Block
    start: int
    following: _Rest | None
    """None where it is unclear, and at the end of the function."""


_DECIDED: Final = frozenset({ir.IsDefined, ir.IsUndefined, ir.ReturnLocal})
"""Statements that a variable that is never set decides."""
_PLAIN: Final = frozenset({ir.AssignVar, ir.AssignVarOnce})
_NOT_SEEN: Final[tuple[int, set[int]]] = (sys.maxsize, set())

_END: Final = _Rest((), 0, None)
"""What runs after the last block of a function."""


def return_early(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Turn assignments of a function into returns where possible; each return may make an earlier one certain."""
    if not usage.of_kind(ir.AssignVarOnce):
        return function
    returns_result = all(end.source == function.result for end in usage.of_kind(ir.ReturnLocal))
    early = _EarlyReturns(function, returns_result)
    return dataflow.with_body(function, early.blocks(function.blocks, _END))


def remove_unset(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Remove what is decided by variables that are never set."""
    deciding: list[ir.IsDefined | ir.IsUndefined | ir.ReturnLocal] = [
        *usage.of_kind(ir.IsDefined),
        *usage.of_kind(ir.IsUndefined),
        *usage.of_kind(ir.ReturnLocal),
    ]
    if not any(_is_never_set(statement.source, usage) for statement in deciding):
        return function
    return dataflow.with_body(function, [_without_unset(block, usage) for block in function.blocks])


@dataclass(slots=True)
class _Assignment:
    """One assignment: when it runs, in which loops, and what it assigns."""

    position: int
    loops: tuple[int, ...]
    source: ir.Operand | None
    """None when it is not a plain assignment."""
    returns: bool
    """The variable is returned right afterwards, so that nothing else sees it."""
    is_fallback: bool
    """It runs only when the variable is not set."""


@dataclass(slots=True)
class _EarlyReturns:
    """Rewrites one function."""

    function: ir.Function
    returns_result: bool
    """Whether it returns nothing but what its variable for that holds."""
    _assignments: dict[ir.Local, list[_Assignment]] = field(default_factory=dict)
    _seen: dict[ir.Local, tuple[int, set[int]]] = field(default_factory=dict)
    """For each variable: the first assignment that does not return it, and the outermost loops around all of these."""
    _constants: dict[ir.Local, ir.Constant | None] = field(default_factory=dict)
    """What `_only_constant` has found."""
    _places: dict[int, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    """For each statement that may become a return, by identity: its position and the loops around it."""
    _repeated: set[int] = field(default_factory=set)
    """Those of them that occur more than once."""
    _position: int = 0

    def __post_init__(self) -> None:
        for block in self.function.blocks:
            self._survey(block, ())
        for variable, assignments in self._assignments.items():
            seen = [assignment for assignment in assignments if not assignment.returns]
            if seen:
                outermost = {assignment.loops[0] for assignment in seen if assignment.loops}
                self._seen[variable] = (seen[0].position, outermost)

    def _survey(self, block: ir.Block, loops: tuple[int, ...]) -> None:
        """Note every assignment within a block."""
        for index, statement in enumerate(block):
            self._position += 1
            position = self._position
            kind = type(statement)
            if kind is ir.AssignVarOnce:
                if id(statement) in self._places:
                    self._repeated.add(id(statement))
                self._places[id(statement)] = (position, loops)
            following = block[index + 1] if index + 1 < len(block) else None
            for target in dataflow.sets(statement) if kind is not ir.ResetLocal else ():
                self._assignments.setdefault(target, []).append(
                    _Assignment(
                        position,
                        loops,
                        source=statement.source if kind in _PLAIN else None,  # type: ignore[attr-defined]
                        returns=isinstance(following, ir.ReturnLocal) and following.source == target,
                        is_fallback=isinstance(block[0], ir.IsUndefined) and block[0].source == target,
                    )
                )
            if kind in ir.NESTING:
                inner_loops = (*loops, position) if kind is ir.Scan else loops
                for inner in ir.blocks_of(statement):
                    self._survey(inner, inner_loops)

    def blocks(self, blocks: Sequence[ir.Block], rest: _Rest | None) -> list[ir.Block]:
        """Rewrite blocks that run one after the other, and then `rest`, None where that is unclear."""
        result: list[ir.Block] = []
        for block in reversed(blocks):
            result.append(self._block(block, rest))
            rest = None if rest is None else _Rest(block, 0, rest)
        result.reverse()
        return result

    def _block(self, block: ir.Block, rest: _Rest | None) -> ir.Block:
        """Rewrite a block after which `rest` runs."""
        result: list[ir.Statement] = []
        for index, statement in enumerate(block):
            if isinstance(statement, ir.AssignVarOnce):
                value = self._outcome(statement, _Rest(block, index + 1, rest))
                if value is not None:
                    if not isinstance(statement.source, ir.Constant):
                        result.append(ir.IsDefined(statement.source, location=statement.location))
                    return (*result, ir.ReturnLocal(value, location=statement.location))
                result.append(statement)
            elif isinstance(statement, ir.BlockStatement):
                following = None if rest is None else _Rest(block, index + 1, rest)
                result.append(dataflow.with_nested(statement, self.blocks(statement.blocks, following)))
            elif isinstance(statement, ir.Scan):
                result.append(dataflow.with_blocks(statement, lambda inner: self._block(inner, None)))
            else:
                result.append(statement)
        return dataflow.with_statements(block, result)

    def _outcome(self, start: ir.AssignVarOnce, rest: _Rest) -> ir.Operand | None:
        """Give what the function returns after an assignment, or None when that is not certain."""
        if start.source in (ir.INPUT, ir.DATA) or id(start) in self._repeated:
            return None
        known: dict[ir.Local, ir.Operand] = {}
        if not self._is_free(start.target, start) and self._only_constant(start.target) is None:
            return None
        known[start.target] = start.source
        return self._follow(start, rest, known)

    def _follow(
        self, start: ir.AssignVarOnce, rest: _Rest | None, known: dict[ir.Local, ir.Operand]
    ) -> ir.Operand | None:
        """Go through what follows an assignment as far as it is certain."""
        constant = self._only_constant(self.function.result) if self.returns_result else None
        while rest is not None:
            for statement in rest.block[rest.start :]:
                if constant is not None and _same(known.get(self.function.result), constant):
                    return constant
                match statement:
                    case ir.ReturnLocal():
                        return self._value(statement.source, start, known)
                    case ir.IsUndefined() | ir.IsDefined():
                        value = self._value(statement.source, start, known)
                        if value is None:
                            return None
                        if _is_undefined(value) is not isinstance(statement, ir.IsUndefined):
                            break
                    case ir.AssignVarOnce():
                        present = self._value(statement.target, start, known)
                        source = self._value(statement.source, start, known)
                        if source is None or _is_undefined(source):
                            return None
                        if not _is_undefined(present) and self._only_constant(statement.target) is None:
                            return None
                        known[statement.target] = source
                    case _:
                        return None
            rest = rest.following
        return None

    def _value(
        self, operand: ir.Operand, start: ir.AssignVarOnce, known: dict[ir.Local, ir.Operand]
    ) -> ir.Operand | None:
        """Give what an operand holds: a constant, a variable set before `start`, or None when it is not known."""
        if isinstance(operand, ir.Constant):
            return operand
        if operand in known:
            return known[operand]
        return _UNDEFINED if self._is_free(operand, start) else None

    def _is_free(self, variable: ir.Local, start: ir.AssignVarOnce) -> bool:
        """Say whether a variable is certainly not set when `start` begins."""
        if variable in self.function.params:
            return False
        position, loops = self._places[id(start)]
        first, repeated_in = self._seen.get(variable, _NOT_SEEN)
        return position <= first and (not loops or loops[0] not in repeated_in)

    def _only_constant(self, variable: ir.Local) -> ir.Constant | None:
        """Give the one constant that a variable can hold, fallbacks apart; None when there are others."""
        if variable not in self._constants:
            self._constants[variable] = self._find_only_constant(variable)
        return self._constants[variable]

    def _find_only_constant(self, variable: ir.Local) -> ir.Constant | None:
        sources = [other.source for other in self._assignments.get(variable, ()) if not other.is_fallback]
        if not sources or variable in self.function.params:
            return None
        first = self._resolved(sources[0])
        if first is None:
            return None
        for source in sources[1:]:
            other = self._resolved(source)
            if other is None or not equal(first.value, other.value):
                return None
        return first

    def _resolved(self, source: ir.Operand | None) -> ir.Constant | None:
        if source is None or isinstance(source, ir.Constant):
            return source
        assignments = self._assignments.get(source, [])
        if len(assignments) == 1 and isinstance(assignments[0].source, ir.Constant):
            return assignments[0].source
        return None


def _same(operand: ir.Operand | None, constant: ir.Constant) -> bool:
    return isinstance(operand, ir.Constant) and equal(operand.value, constant.value)


def _is_undefined(operand: ir.Operand | None) -> bool:
    return isinstance(operand, ir.Constant) and operand.value is UNDEFINED


def _without_unset(block: ir.Block, usage: dataflow.Usage) -> ir.Block:
    """Remove what is decided by variables that are never set."""
    result: list[ir.Statement] = []
    for statement in block:
        kind = type(statement)
        if kind in ir.NESTING:
            result.append(dataflow.with_blocks(statement, lambda inner: _without_unset(inner, usage)))
        elif kind not in _DECIDED or not _is_never_set(statement.source, usage):  # type: ignore[attr-defined]
            result.append(statement)
        elif kind is ir.IsDefined:
            result.append(ir.Break(0, location=statement.location))
            break
        elif kind is ir.ReturnLocal:
            result.append(ir.ReturnLocal(_UNDEFINED, location=statement.location))
    return dataflow.with_statements(block, result)


def _is_never_set(operand: ir.Operand, usage: dataflow.Usage) -> bool:
    return (
        not isinstance(operand, ir.Constant)
        and operand not in usage.set
        and operand not in (ir.INPUT, ir.DATA)
    )
