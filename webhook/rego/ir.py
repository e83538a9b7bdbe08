"""OPA's intermediate representation as immutable values.

Plans and functions are made of blocks, blocks of statements; see https://www.openpolicyagent.org/docs/ir for
the execution model. Statements keep OPA's names without the suffix `Stmt`. Two liberties: constants
stand where OPA writes an index into a string table, and an operand may hold any constant value, which
the optimiser uses (a planner writes only strings and booleans there, as OPA does).

A statement is *undefined* when one of its inputs is; execution then leaves the innermost block and goes on
after it. This module only describes; `interpret` is the executable definition, `emit` the fast one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NewType, TypeAlias

from webhook.rego.errors import Location
from webhook.rego.values import Value

Local = NewType("Local", int)
"""A variable of one plan or function."""

INPUT: Final = Local(0)
"""The input document, the first parameter of every function."""
DATA: Final = Local(1)
"""The base documents, the second parameter of every function."""
FIRST_FREE: Final = Local(2)
"""The first variable that a plan or function may use as it likes."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant operand."""

    value: Value


Operand: TypeAlias = Local | Constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What every statement has."""

    location: Location | None = field(default=None, compare=False, repr=False)
    """Where the statement comes from in the policy's source."""


Block: TypeAlias = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class ArrayAppend(Statement):
    """Append `value` to the array under construction."""

    array: Local
    value: Operand


@dataclass(frozen=True, slots=True)
class AssignInt(Statement):
    """Set `target` to an integer."""

    value: int
    target: Local


@dataclass(frozen=True, slots=True)
class AssignVar(Statement):
    """Set `target` to `source`."""

    source: Operand
    target: Local


@dataclass(frozen=True, slots=True)
class AssignVarOnce(Statement):
    """Set `target` to `source`; a target with a different value is a conflict error."""

    source: Operand
    target: Local


@dataclass(frozen=True, slots=True)
class BlockStatement(Statement):
    """Run blocks one after the other; one that is undefined ends, and the next one runs."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Break(Statement):
    """Leave `index` + 1 blocks and go on after the outermost of them."""

    index: int


@dataclass(frozen=True, slots=True)
class Call(Statement):
    """Set `result` to what a function of the policy or a builtin gives; undefined when that is.

    The first two arguments of a policy's function are the input and data documents; a builtin gets its
    own arguments only.
    """

    function: str
    arguments: tuple[Operand, ...]
    result: Local


@dataclass(frozen=True, slots=True)
class CallDynamic(Statement):
    """Set `result` to the function whose path is exactly `path`, called with the documents.

    A path without a function makes the statement undefined; so does an undefined result, which moreover
    leaves the two blocks around it, so that a planned fallback to base documents is skipped.
    """

    path: tuple[Operand, ...]
    arguments: tuple[Operand, ...]
    result: Local


@dataclass(frozen=True, slots=True)
class Dot(Statement):
    """Set `target` to `source[key]`; undefined when there is none."""

    source: Operand
    key: Operand
    target: Local


@dataclass(frozen=True, slots=True)
class Equal(Statement):
    """Go on when both operands are equal."""

    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class NotEqual(Statement):
    """Go on when the operands differ."""

    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class IsArray(Statement):
    """Go on when `source` is an array."""

    source: Operand


@dataclass(frozen=True, slots=True)
class IsObject(Statement):
    """Go on when `source` is an object."""

    source: Operand


@dataclass(frozen=True, slots=True)
class IsSet(Statement):
    """Go on when `source` is a set."""

    source: Operand


@dataclass(frozen=True, slots=True)
class IsDefined(Statement):
    """Go on when `source` has a value."""

    source: Operand


@dataclass(frozen=True, slots=True)
class IsUndefined(Statement):
    """Go on when `source` has no value."""

    source: Operand


@dataclass(frozen=True, slots=True)
class Len(Statement):
    """Set `target` to the number of elements (or characters) of `source`."""

    source: Operand
    target: Local


@dataclass(frozen=True, slots=True)
class MakeArray(Statement):
    """Set `target` to a new empty array."""

    target: Local
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class MakeNull(Statement):
    """Set `target` to null."""

    target: Local


@dataclass(frozen=True, slots=True)
class MakeNumberInt(Statement):
    """Set `target` to an integer of 64 bits."""

    value: int
    target: Local


@dataclass(frozen=True, slots=True)
class MakeNumberRef(Statement):
    """Set `target` to the number that `text` writes."""

    text: str
    target: Local


@dataclass(frozen=True, slots=True)
class MakeObject(Statement):
    """Set `target` to a new empty object."""

    target: Local


@dataclass(frozen=True, slots=True)
class MakeSet(Statement):
    """Set `target` to a new empty set."""

    target: Local


@dataclass(frozen=True, slots=True)
class Nop(Statement):
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Not(Statement):
    """Go on when `block` is undefined."""

    block: Block


@dataclass(frozen=True, slots=True)
class ObjectInsert(Statement):
    """Set a key of the object under construction."""

    object: Local
    key: Operand
    value: Operand


@dataclass(frozen=True, slots=True)
class ObjectInsertOnce(Statement):
    """Set a key of the object under construction; a key with a different value is a conflict error."""

    object: Local
    key: Operand
    value: Operand


@dataclass(frozen=True, slots=True)
class ObjectMerge(Statement):
    """Set `target` to the recursive union of two objects, where `left` wins."""

    left: Operand
    right: Operand
    target: Local


@dataclass(frozen=True, slots=True)
class ResetLocal(Statement):
    """Make `target` undefined."""

    target: Local


@dataclass(frozen=True, slots=True)
class ResultSetAdd(Statement):
    """Add `value` to the results of the plan."""

    value: Operand


@dataclass(frozen=True, slots=True)
class ReturnLocal(Statement):
    """Leave the function with `source`, which may be undefined."""

    source: Operand


@dataclass(frozen=True, slots=True)
class Scan(Statement):
    """Run `block` for each element of `source`, in OPA's order.

    A scalar or an empty collection has no elements; what follows the statement runs in every case.
    """

    source: Operand
    key: Local
    value: Local
    block: Block


@dataclass(frozen=True, slots=True)
class SetAdd(Statement):
    """Add `value` to the set under construction."""

    set: Local
    value: Operand


@dataclass(frozen=True, slots=True)
class With(Statement):
    """Run `block` with `local`, or the part of it at `path`, replaced; undefined when the block is."""

    local: Local
    path: tuple[str, ...]
    value: Operand
    block: Block


@dataclass(frozen=True, slots=True)
class Plan:
    """An entry point: its result set is what its `ResultSetAdd` statements add."""

    name: str
    """As OPA writes it, such as `authz/allow`."""
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A rule or a function of the policy; without a value when it ends without `ReturnLocal`.

    One with the two documents as its only parameters is evaluated at most once per pair of documents.
    """

    name: str
    params: tuple[Local, ...]
    """`INPUT` and `DATA`, then the arguments."""
    result: Local
    """The variable that holds the value returned."""
    blocks: tuple[Block, ...]
    path: tuple[str, ...] = ()
    """How `CallDynamic` finds it, such as `("g0", "authz", "allow")`; empty when it cannot."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Plans and the functions they call."""

    plans: tuple[Plan, ...]
    functions: tuple[Function, ...] = ()
    builtins: tuple[str, ...] = ()
    """Names of the builtins that the policy calls."""


def blocks_of(statement: Statement) -> tuple[Block, ...]:
    """Give the blocks nested directly in a statement."""
    if isinstance(statement, BlockStatement):
        return statement.blocks
    if isinstance(statement, (Not, Scan, With)):
        return (statement.block,)
    return ()


def walk(blocks: tuple[Block, ...]) -> Iterator[Statement]:
    """Give every statement of some blocks, an outer one before those within it."""
    for block in blocks:
        for statement in block:
            yield statement
            yield from walk(blocks_of(statement))
