"""What each statement of the intermediate representation reads, sets and changes.

One table for the optimiser and the code generator, so that a new statement is described once.
Knows nothing of what is done with the answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from webhook.rego import ir

_READS: Final[Mapping[type[ir.Statement], Callable[[Any], tuple[ir.Operand, ...]]]] = {
    ir.ArrayAppend: lambda s: (s.value,),
    ir.AssignVar: lambda s: (s.source,),
    ir.AssignVarOnce: lambda s: (s.source,),
    ir.Call: lambda s: s.arguments,
    ir.CallDynamic: lambda s: s.path + s.arguments,
    ir.Dot: lambda s: (s.source, s.key),
    ir.Equal: lambda s: (s.left, s.right),
    ir.IsArray: lambda s: (s.source,),
    ir.IsDefined: lambda s: (s.source,),
    ir.IsObject: lambda s: (s.source,),
    ir.IsSet: lambda s: (s.source,),
    ir.IsUndefined: lambda s: (s.source,),
    ir.Len: lambda s: (s.source,),
    ir.MakeArrayOf: lambda s: s.elements,
    ir.MakeObjectOf: lambda s: tuple([operand for pair in s.entries for operand in pair]),
    ir.NotEqual: lambda s: (s.left, s.right),
    ir.ObjectInsert: lambda s: (s.key, s.value),
    ir.ObjectInsertOnce: lambda s: (s.key, s.value),
    ir.ObjectMerge: lambda s: (s.left, s.right),
    ir.ResultSetAdd: lambda s: (s.value,),
    ir.ReturnLocal: lambda s: (s.source,),
    ir.Scan: lambda s: (s.source,),
    ir.SetAdd: lambda s: (s.value,),
    ir.With: lambda s: (s.value,),
}

_SETS: Final[Mapping[type[ir.Statement], Callable[[Any], tuple[ir.Local, ...]]]] = {
    ir.AssignInt: lambda s: (s.target,),
    ir.AssignVar: lambda s: (s.target,),
    ir.AssignVarOnce: lambda s: (s.target,),
    ir.Call: lambda s: (s.result,),
    ir.CallDynamic: lambda s: (s.result,),
    ir.Dot: lambda s: (s.target,),
    ir.Len: lambda s: (s.target,),
    ir.MakeArray: lambda s: (s.target,),
    ir.MakeArrayOf: lambda s: (s.target,),
    ir.MakeNull: lambda s: (s.target,),
    ir.MakeNumberInt: lambda s: (s.target,),
    ir.MakeNumberRef: lambda s: (s.target,),
    ir.MakeObject: lambda s: (s.target,),
    ir.MakeObjectOf: lambda s: (s.target,),
    ir.MakeSet: lambda s: (s.target,),
    ir.ObjectMerge: lambda s: (s.target,),
    ir.ResetLocal: lambda s: (s.target,),
    ir.Scan: lambda s: (s.key, s.value),
}

_CHANGES: Final[Mapping[type[ir.Statement], Callable[[Any], ir.Local]]] = {
    ir.ArrayAppend: lambda s: s.array,
    ir.ObjectInsert: lambda s: s.object,
    ir.ObjectInsertOnce: lambda s: s.object,
    ir.SetAdd: lambda s: s.set,
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


def reads(statement: ir.Statement) -> tuple[ir.Operand, ...]:
    """Give the operands that a statement reads, nested blocks and the collection it changes not counted."""
    read = _READS.get(type(statement))
    return read(statement) if read else ()


def sets(statement: ir.Statement) -> tuple[ir.Local, ...]:
    """Give the variables that a statement assigns or resets, those in nested blocks not counted."""
    targets = _SETS.get(type(statement))
    return targets(statement) if targets else ()


def changes(statement: ir.Statement) -> ir.Local | None:
    """Give the variable whose collection a statement adds to, or None."""
    changed = _CHANGES.get(type(statement))
    return changed(statement) if changed else None


def is_never_undefined(statement: ir.Statement) -> bool:
    """Say whether control always reaches what follows the statement, as far as its kind tells."""
    return type(statement) in _NEVER_UNDEFINED


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
        for statement in ir.walk(blocks):
            self._count(statement)

    def _count(self, statement: ir.Statement) -> None:
        self.read.update([operand for operand in reads(statement) if not isinstance(operand, ir.Constant)])
        targets = sets(statement)
        if isinstance(statement, ir.ResetLocal):
            self.reset.update(targets)
        else:
            self.set.update(targets)
        changed = changes(statement)
        if changed is not None:
            self.changed[changed] += 1

    def is_set_once(self, variable: ir.Local) -> bool:
        """Say whether exactly one statement (or the caller) gives the variable its value."""
        return self.set[variable] == 1 and not self.reset[variable]

    def total(self, variable: ir.Local) -> int:
        """Count all occurrences of a variable."""
        return self.read[variable] + self.set[variable] + self.reset[variable] + self.changed[variable]

    def variables(self) -> set[ir.Local]:
        """Give all variables that occur."""
        return self.read.keys() | self.set.keys() | self.reset.keys() | self.changed.keys()
