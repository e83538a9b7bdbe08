"""Returns the value of a rule as soon as it is certain.

A planned rule assigns its value once a body succeeds, goes through further bodies, and returns at the end. Where
what follows an assignment can be foretold (tests of variables that are known to be set or not, and the final
return), the assignment becomes the return. Rules whose bodies all give the same constant return at the first
success, as OPA does. What remains of variables that are never set is removed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from webhook.rego import dataflow, ir
from webhook.rego.values import UNDEFINED, equal

_UNDEFINED: Final = ir.Constant(UNDEFINED)

_Rest: TypeAlias = tuple[ir.Block, ...] | None
"""What runs after a point: parts of blocks, where leaving one goes on with the next; None where it is unclear."""


def return_early(function: ir.Function, _usage: dataflow.Usage) -> ir.Function:
    """Turn assignments of a function into returns where possible."""
    if not any(isinstance(statement, ir.AssignVarOnce) for statement in ir.walk(function.blocks)):
        return function
    early = _EarlyReturns(function)
    return dataflow.with_body(
        function,
        [early.block(block, function.blocks[index + 1 :]) for index, block in enumerate(function.blocks)],
    )


def remove_unset(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Remove what is decided by variables that are never set."""
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
    _assignments: dict[ir.Local, list[_Assignment]] = field(default_factory=dict)
    _places: dict[int, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    """For each statement, by identity: its position and the loops around it."""
    _repeated: set[int] = field(default_factory=set)
    """Statements, by identity, that occur more than once."""
    _position: int = 0

    def __post_init__(self) -> None:
        for block in self.function.blocks:
            self._survey(block, ())

    def _survey(self, block: ir.Block, loops: tuple[int, ...]) -> None:
        """Note every assignment within a block."""
        for index, statement in enumerate(block):
            self._position += 1
            position = self._position
            if id(statement) in self._places:
                self._repeated.add(id(statement))
            self._places[id(statement)] = (position, loops)
            following = block[index + 1] if index + 1 < len(block) else None
            for target in dataflow.sets(statement):
                if isinstance(statement, ir.ResetLocal):
                    continue
                plain = isinstance(statement, ir.AssignVar | ir.AssignVarOnce)
                self._assignments.setdefault(target, []).append(
                    _Assignment(
                        position,
                        loops,
                        source=statement.source if plain else None,  # type: ignore[attr-defined]
                        returns=isinstance(following, ir.ReturnLocal) and following.source == target,
                        is_fallback=isinstance(block[0], ir.IsUndefined) and block[0].source == target,
                    )
                )
            inner_loops = (*loops, position) if isinstance(statement, ir.Scan) else loops
            for inner in ir.blocks_of(statement):
                self._survey(inner, inner_loops)

    def block(self, block: ir.Block, rest: _Rest) -> ir.Block:
        """Rewrite a block after which `rest` runs."""
        result: list[ir.Statement] = []
        for index, statement in enumerate(block):
            following = None if rest is None else (block[index + 1 :], *rest)
            if isinstance(statement, ir.AssignVarOnce):
                own = (block[index + 1 :],) if following is None else following
                value = self._outcome(statement, own)
                if value is not None:
                    if not isinstance(statement.source, ir.Constant):
                        result.append(ir.IsDefined(statement.source, location=statement.location))
                    return (*result, ir.ReturnLocal(value, location=statement.location))
            if isinstance(statement, ir.BlockStatement):
                result.append(self._alternatives(statement, following))
            elif isinstance(statement, ir.Scan):
                result.append(dataflow.with_blocks(statement, lambda inner: self.block(inner, None)))
            else:
                result.append(statement)
        return dataflow.with_statements(block, result)

    def _alternatives(self, statement: ir.BlockStatement, following: _Rest) -> ir.Statement:
        """Rewrite nested blocks, each of which is followed by the next one and then by `following`."""
        blocks = iter(
            [
                self.block(inner, None if following is None else (*statement.blocks[place + 1 :], *following))
                for place, inner in enumerate(statement.blocks)
            ]
        )
        return dataflow.with_blocks(statement, lambda _: next(blocks))

    def _outcome(self, start: ir.AssignVarOnce, rest: tuple[ir.Block, ...]) -> ir.Operand | None:
        """Give what the function returns after an assignment, or None when that is not certain."""
        if start.source in (ir.INPUT, ir.DATA) or id(start) in self._repeated:
            return None
        known: dict[ir.Local, ir.Operand] = {}
        if not self._is_free(start.target, start) and self._only_constant(start.target) is None:
            return None
        known[start.target] = start.source
        return self._follow(start, rest, known)

    def _follow(
        self, start: ir.AssignVarOnce, rest: tuple[ir.Block, ...], known: dict[ir.Local, ir.Operand]
    ) -> ir.Operand | None:
        """Go through what follows an assignment as far as it is certain."""
        constant = self._only_result()
        for block in rest:
            for statement in block:
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
        return all(
            other.returns
            or (other.position == position and not loops)
            or (other.position > position and not set(loops) & set(other.loops))
            for other in self._assignments.get(variable, ())
        )

    def _only_constant(self, variable: ir.Local) -> ir.Constant | None:
        """Give the one constant that a variable can hold, fallbacks apart; None when there are others."""
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

    def _only_result(self) -> ir.Constant | None:
        """Give the one constant that the function can return besides a fallback, if it returns its variable only."""
        returned = [
            statement.source
            for statement in ir.walk(self.function.blocks)
            if isinstance(statement, ir.ReturnLocal)
        ]
        result = self.function.result
        return self._only_constant(result) if all(source == result for source in returned) else None

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
        match statement:
            case ir.IsUndefined(source=source) if _is_never_set(source, usage):
                continue
            case ir.IsDefined(source=source) if _is_never_set(source, usage):
                result.append(ir.Break(0, location=statement.location))
                break
            case ir.ReturnLocal(source=source) if _is_never_set(source, usage):
                result.append(ir.ReturnLocal(_UNDEFINED, location=statement.location))
            case _:
                result.append(dataflow.with_blocks(statement, lambda inner: _without_unset(inner, usage)))
    return dataflow.with_statements(block, result)


def _is_never_set(operand: ir.Operand, usage: dataflow.Usage) -> bool:
    return (
        not isinstance(operand, ir.Constant) and operand not in (ir.INPUT, ir.DATA) and not usage.set[operand]
    )
