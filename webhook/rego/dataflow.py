"""What each statement of the intermediate representation reads, sets and changes.

One table for the optimiser and the code generator, so that a new statement is described once.
Knows nothing of what is done with the answers.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from webhook.rego import ir

_OPERANDS: Final[Mapping[type[ir.Statement], tuple[str, ...]]] = {
    ir.ArrayAppend: ("value",),
    ir.AssignVar: ("source",),
    ir.AssignVarOnce: ("source",),
    ir.Call: ("arguments",),
    ir.CallDynamic: ("path", "arguments"),
    ir.CallFormat: ("arguments",),
    ir.Dot: ("source", "key"),
    ir.Equal: ("left", "right"),
    ir.Holds: ("arguments",),
    ir.IsArray: ("source",),
    ir.IsDefined: ("source",),
    ir.IsObject: ("source",),
    ir.IsSet: ("source",),
    ir.IsUndefined: ("source",),
    ir.Len: ("source",),
    ir.MakeArrayOf: ("elements",),
    ir.MakeObjectOf: ("keys", "values"),
    ir.NotEqual: ("left", "right"),
    ir.ObjectInsert: ("key", "value"),
    ir.ObjectInsertOnce: ("key", "value"),
    ir.ObjectMerge: ("left", "right"),
    ir.ResultSetAdd: ("value",),
    ir.ReturnLocal: ("source",),
    ir.Scan: ("source",),
    ir.SetAdd: ("value",),
    ir.With: ("value",),
}
"""Fields that hold an operand or several."""

_TARGETS: Final[Mapping[type[ir.Statement], tuple[str, ...]]] = {
    ir.AssignInt: ("target",),
    ir.AssignVar: ("target",),
    ir.AssignVarOnce: ("target",),
    ir.Call: ("result",),
    ir.CallDynamic: ("result",),
    ir.CallFormat: ("result",),
    ir.Dot: ("target",),
    ir.InputPath: ("target",),
    ir.Len: ("target",),
    ir.MakeArray: ("target",),
    ir.MakeArrayOf: ("target",),
    ir.MakeNull: ("target",),
    ir.MakeNumberInt: ("target",),
    ir.MakeNumberRef: ("target",),
    ir.MakeObject: ("target",),
    ir.MakeObjectOf: ("target",),
    ir.MakeSet: ("target",),
    ir.ObjectMerge: ("target",),
    ir.ResetLocal: ("target",),
    ir.Scan: ("key", "value"),
}
"""Fields that hold a variable that is assigned or reset."""

_CHANGED: Final[Mapping[type[ir.Statement], str]] = {
    ir.ArrayAppend: "array",
    ir.ObjectInsert: "object",
    ir.ObjectInsertOnce: "object",
    ir.SetAdd: "set",
}
"""The field that holds the variable whose collection is added to."""

_NESTING: Final = frozenset({ir.BlockStatement, ir.Not, ir.Scan, ir.With})

_FIELDS: Final[Mapping[type[ir.Statement], tuple[tuple[str, ...], tuple[str, ...], str | None]]] = {
    kind: (_OPERANDS.get(kind, ()), _TARGETS.get(kind, ()), _CHANGED.get(kind))
    for kind in ir.Statement.__subclasses__()
}

_NEVER_UNDEFINED: Final = frozenset(
    {
        ir.AssignInt,
        ir.AssignVar,
        ir.MakeArray,
        ir.MakeNull,
        ir.MakeNumberInt,
        ir.MakeNumberRef,
        ir.MakeObject,
        ir.MakeSet,
        ir.Nop,
        ir.ResetLocal,
        ir.ReturnLocal,
        ir.BlockStatement,
    }
)


def reads(statement: ir.Statement) -> list[ir.Operand]:
    """Give the operands that a statement reads, nested blocks and the collection it changes not counted."""
    operands: list[ir.Operand] = []
    for field in _OPERANDS.get(type(statement), ()):
        value = getattr(statement, field)
        if isinstance(value, tuple):
            operands += value
        else:
            operands.append(value)
    return operands


def sets(statement: ir.Statement) -> list[ir.Local]:
    """Give the variables that a statement assigns or resets, those in nested blocks not counted."""
    return [getattr(statement, field) for field in _TARGETS.get(type(statement), ())]


def changes(statement: ir.Statement) -> ir.Local | None:
    """Give the variable whose collection a statement adds to, or None."""
    field = _CHANGED.get(type(statement))
    return getattr(statement, field) if field else None


def with_operands(statement: ir.Statement, replace: Callable[[ir.Operand], ir.Operand]) -> ir.Statement:
    """Give the statement with its operands replaced, those in nested blocks not."""
    fields: dict[str, Any] = {}
    for field in _OPERANDS.get(type(statement), ()):
        old = getattr(statement, field)
        if isinstance(old, tuple):
            new = tuple([replace(item) for item in old])
            if any(map(operator.is_not, old, new)):
                fields[field] = new
        elif (operand := replace(old)) is not old:
            fields[field] = operand
    return msgspec.structs.replace(statement, **fields) if fields else statement


def with_blocks(statement: ir.Statement, replace: Callable[[ir.Block], ir.Block]) -> ir.Statement:
    """Give the statement with the blocks nested directly in it replaced; the same one if they stay the same."""
    kind = type(statement)
    if kind is ir.BlockStatement:
        blocks = tuple([replace(block) for block in statement.blocks])  # type: ignore[attr-defined]
        if any(map(operator.is_not, blocks, statement.blocks)):  # type: ignore[attr-defined]
            return ir.BlockStatement(blocks, location=statement.location)
    elif kind is ir.Not or kind is ir.Scan or kind is ir.With:
        block = replace(statement.block)  # type: ignore[attr-defined]
        if block is not statement.block:  # type: ignore[attr-defined]
            return msgspec.structs.replace(statement, block=block)
    return statement


def with_statements(block: ir.Block, statements: Sequence[ir.Statement]) -> ir.Block:
    """Give the block made of other statements; the same one if they are the same."""
    if len(statements) == len(block) and all(map(operator.is_, statements, block)):
        return block
    return tuple(statements)


def with_body(function: ir.Function, blocks: Sequence[ir.Block]) -> ir.Function:
    """Give the function with other blocks; the same one if they are the same."""
    if len(blocks) == len(function.blocks) and all(map(operator.is_, blocks, function.blocks)):
        return function
    return ir.Function(function.name, function.params, function.result, tuple(blocks), function.path)


def renamed(statement: ir.Statement, rename: Callable[[ir.Local], ir.Local]) -> ir.Statement:
    """Give the statement, with all in nested blocks, under other names of its variables."""
    fields = {field: rename(getattr(statement, field)) for field in _TARGETS.get(type(statement), ())}
    changed = _CHANGED.get(type(statement))
    if changed:
        fields[changed] = rename(getattr(statement, changed))
    if fields:
        statement = msgspec.structs.replace(statement, **fields)
    statement = with_operands(
        statement, lambda operand: operand if isinstance(operand, ir.Constant) else rename(operand)
    )
    return with_blocks(statement, lambda block: tuple([renamed(inner, rename) for inner in block]))


def is_never_undefined(statement: ir.Statement) -> bool:
    """Say whether control certainly reaches what follows the statement, its nested blocks not considered."""
    kind = type(statement)
    if kind in _NEVER_UNDEFINED:
        return True
    if kind not in _CHANGED:
        return False
    return all(isinstance(operand, ir.Constant) for operand in reads(statement))


def changes_parts(blocks: tuple[ir.Block, ...], usage: Usage) -> bool:
    """Say whether some collection under construction is changed through a lookup, as several variables in a head do."""
    return any(
        isinstance(statement, ir.Dot) and usage.changed[statement.target] for statement in ir.walk(blocks)
    )


class Usage:
    """How often each variable of some blocks is read, set and changed."""

    __slots__ = ("changed", "read", "reset", "set")

    def __init__(self, blocks: tuple[ir.Block, ...], params: Iterable[ir.Local] = ()) -> None:
        self.read: Counter[ir.Local] = Counter()
        """Reads as an operand."""
        self.set: Counter[ir.Local] = Counter(params)
        """Assignments, resets not counted; a parameter counts as one."""
        self.reset: Counter[ir.Local] = Counter()
        """Resets."""
        self.changed: Counter[ir.Local] = Counter()
        """Additions to the collection that the variable holds."""
        pending = list(blocks)
        while pending:
            for statement in pending.pop():
                kind = type(statement)
                operands, targets, changed = _FIELDS[kind]
                for field in operands:
                    self._count_read(getattr(statement, field))
                counts = self.reset if kind is ir.ResetLocal else self.set
                for field in targets:
                    counts[getattr(statement, field)] += 1
                if changed is not None:
                    self.changed[getattr(statement, changed)] += 1
                if kind in _NESTING:
                    pending += ir.blocks_of(statement)

    def _count_read(self, operand: ir.Operand | tuple[ir.Operand, ...]) -> None:
        if isinstance(operand, tuple):
            for item in operand:
                self._count_read(item)
        elif not isinstance(operand, ir.Constant):
            self.read[operand] += 1

    def is_set_once(self, variable: ir.Local) -> bool:
        """Say whether exactly one statement (or the caller) gives the variable its value."""
        return self.set[variable] == 1 and not self.reset[variable]

    def total(self, variable: ir.Local) -> int:
        """Count all occurrences of a variable."""
        return self.read[variable] + self.set[variable] + self.reset[variable] + self.changed[variable]

    def variables(self) -> set[ir.Local]:
        """Give all variables that occur."""
        return self.read.keys() | self.set.keys() | self.reset.keys() | self.changed.keys()
