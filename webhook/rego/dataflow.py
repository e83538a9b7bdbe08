"""What each statement of the intermediate representation reads, sets and changes.

One table for the optimiser and the code generator, so that a new statement is described once.
Knows nothing of what is done with the answers.
"""

from __future__ import annotations

import itertools
import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Generic, TypeVar

import msgspec

from webhook.rego import ir

_Kind = TypeVar("_Kind", bound=ir.Statement)
_Found = TypeVar("_Found")

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
    ir.IsCollection: ("source",),
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

_SEVERAL: Final = frozenset({"arguments", "elements", "keys", "path", "values"})
"""Those of them that hold several."""

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

SETTING: Final = frozenset(_TARGETS)
"""The kinds of statements that have such a field."""

_CHANGED: Final[Mapping[type[ir.Statement], str]] = {
    ir.ArrayAppend: "array",
    ir.ObjectInsert: "object",
    ir.ObjectInsertOnce: "object",
    ir.SetAdd: "set",
}
"""The field that holds the variable whose collection is added to."""

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


def reads(statement: ir.Statement) -> Sequence[ir.Operand]:
    """Give the operands that a statement reads, nested blocks and the collection it changes not counted."""
    read = _READ.get(type(statement))
    return read(statement) if read else ()


def sets(statement: ir.Statement) -> Sequence[ir.Local]:
    """Give the variables that a statement assigns or resets, those in nested blocks not counted."""
    read = _SET.get(type(statement))
    return read(statement) if read else ()


def _tuple_of(fields: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make a function that gives what some fields of a statement hold."""
    several = [field in _SEVERAL for field in fields]
    get = operator.attrgetter(*fields)
    match several:
        case [True] | [False, False]:
            return get
        case [False]:
            return lambda statement: (get(statement),)
        case [True, True]:
            return lambda statement: tuple(itertools.chain.from_iterable(get(statement)))
    raise AssertionError(fields)


_OPERAND_GETTERS: Final = {
    kind: [(operator.attrgetter(field), field in _SEVERAL) for field in fields]
    for kind, fields in _OPERANDS.items()
}
_TARGET_GETTERS: Final = {kind: list(map(operator.attrgetter, fields)) for kind, fields in _TARGETS.items()}
_READ: Final = {kind: _tuple_of(fields) for kind, fields in _OPERANDS.items()}
_SET: Final = {kind: _tuple_of(fields) for kind, fields in _TARGETS.items()}


def changes(statement: ir.Statement) -> ir.Local | None:
    """Give the variable whose collection a statement adds to, or None."""
    field = _CHANGED.get(type(statement))
    return getattr(statement, field) if field else None


def with_operands(statement: ir.Statement, replace: Callable[[ir.Operand], ir.Operand]) -> ir.Statement:
    """Give the statement with its operands replaced, those in nested blocks not."""
    fields: dict[str, Any] | None = None
    for field in _OPERANDS.get(type(statement), ()):
        old = getattr(statement, field)
        if type(old) is tuple:
            new: Any = tuple([replace(item) for item in old])
            if all(map(operator.is_, old, new)):
                continue
        elif (new := replace(old)) is old:
            continue
        fields = fields or {}
        fields[field] = new
    return msgspec.structs.replace(statement, **fields) if fields else statement


def with_blocks(statement: ir.Statement, replace: Callable[[ir.Block], ir.Block]) -> ir.Statement:
    """Give the statement with the blocks nested directly in it replaced; the same one if they stay the same."""
    kind = type(statement)
    if kind is ir.BlockStatement:
        blocks = [replace(block) for block in statement.blocks]  # type: ignore[attr-defined]
        return with_nested(statement, blocks)  # type: ignore[arg-type]
    if kind is ir.Not or kind is ir.Scan or kind is ir.With:
        block = replace(statement.block)  # type: ignore[attr-defined]
        if block is not statement.block:  # type: ignore[attr-defined]
            return msgspec.structs.replace(statement, block=block)
    return statement


def with_nested(statement: ir.BlockStatement, blocks: Sequence[ir.Block]) -> ir.BlockStatement:
    """Give the statement with as many other blocks; the same one if they are the same."""
    if all(map(operator.is_, blocks, statement.blocks)):
        return statement
    return ir.BlockStatement(tuple(blocks), location=statement.location)


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


class _Computed(Generic[_Found]):
    """An attribute of a `Usage` that is computed when it is first asked for.

    As `functools.cached_property`, whose lock costs more than most of these before Python 3.12.
    """

    def __init__(self, compute: Callable[[Usage], _Found]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, usage: Usage, _: type) -> _Found:
        found = usage.__dict__[self._name] = self._compute(usage)
        return found


class Usage:
    """How often each variable of some blocks is read, set and changed; and the statements in them."""

    def __init__(self, blocks: Sequence[ir.Block], params: Iterable[ir.Local] = ()) -> None:
        self._params = params
        self.statements: Mapping[type[ir.Statement], Sequence[ir.Statement]] = _by_kind(blocks)
        """All statements of each kind that occurs, nested ones too, in no particular order."""

    @_Computed
    def read(self) -> Counter[ir.Local]:
        """Reads as an operand."""
        operands: list[ir.Operand] = []
        for kind, statements in self.statements.items():
            for get, is_several in _OPERAND_GETTERS.get(kind, ()):
                values = map(get, statements)
                operands += itertools.chain.from_iterable(values) if is_several else values
        variables = (operand for operand in operands if type(operand) is not ir.Constant)
        return Counter(variables)  # type: ignore[arg-type]

    @_Computed
    def set(self) -> Counter[ir.Local]:
        """Assignments, resets not counted; a parameter counts as one."""
        targets = [*self._params]
        for kind, statements in self.statements.items():
            if kind is not ir.ResetLocal:
                for get in _TARGET_GETTERS.get(kind, ()):
                    targets += map(get, statements)
        return Counter(targets)

    @_Computed
    def reset(self) -> Counter[ir.Local]:
        """Resets."""
        resets = self.of_kind(ir.ResetLocal)
        return Counter([statement.target for statement in resets]) if resets else _NONE

    @_Computed
    def changed(self) -> Counter[ir.Local]:
        """Additions to the collection that the variable holds."""
        changed: list[ir.Local] = []
        for kind in self.statements.keys() & _CHANGED.keys():
            changed += map(operator.attrgetter(_CHANGED[kind]), self.statements[kind])
        return Counter(changed) if changed else _NONE

    @_Computed
    def set_once(self) -> AbstractSet[ir.Local]:
        """Variables that exactly one statement (or the caller) gives their value."""
        once = {variable for variable, count in self.set.items() if count == 1}
        return once.difference(self.reset) if self.reset else once

    def of_kind(self, kind: type[_Kind]) -> Sequence[_Kind]:
        """Give all statements of a kind, nested ones too, in no particular order."""
        return self.statements.get(kind, ())  # type: ignore[return-value]

    def is_set_once(self, variable: ir.Local) -> bool:
        """Say whether exactly one statement (or the caller) gives the variable its value."""
        return variable in self.set_once

    def changes_parts(self) -> bool:
        """Say whether a collection under construction is changed through a lookup, as several variables in a head do."""
        return bool(self.changed) and any(dot.target in self.changed for dot in self.of_kind(ir.Dot))

    def total(self, variable: ir.Local) -> int:
        """Count all occurrences of a variable."""
        counts = (self.read, self.set, self.reset, self.changed)
        return sum([count.get(variable, 0) for count in counts])

    def variables(self) -> AbstractSet[ir.Local]:
        """Give all variables that occur."""
        return self.read.keys() | self.set.keys() | self.reset.keys() | self.changed.keys()


_NONE: Final[Counter[ir.Local]] = Counter()


def _by_kind(blocks: Sequence[ir.Block]) -> dict[type[ir.Statement], list[ir.Statement]]:
    """Sort all statements of some blocks by their kind."""
    result: dict[type[ir.Statement], list[ir.Statement]] = defaultdict(list)
    seen = dict.fromkeys(ir.NESTING, 0)
    pending = blocks
    while pending:
        for statement in itertools.chain.from_iterable(pending):
            result[type(statement)].append(statement)
        pending = []
        for kind in result.keys() & ir.NESTING:
            nesting = result[kind]
            pending += itertools.chain.from_iterable(map(ir.blocks_of, nesting[seen[kind] :]))
            seen[kind] = len(nesting)
    return result
