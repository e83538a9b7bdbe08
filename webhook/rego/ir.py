"""OPA's intermediate representation as immutable values.

Plans and functions are made of blocks, blocks of statements; see https://www.openpolicyagent.org/docs/ir for
the execution model. Statements keep OPA's names without the suffix `Stmt`. Two liberties: constants
stand where OPA writes an index into a string table, and an operand may hold any constant value, which
the optimiser uses (a planner writes only strings and booleans there, as OPA does).

A statement is *undefined* when one of its inputs is; execution then leaves the innermost block and goes on
after it. This module only describes; `interpret` is the executable definition, `emit` the fast one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final, NewType, TypeAlias

import msgspec

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


class Constant(msgspec.Struct, frozen=True, gc=False):
    """A constant operand."""

    value: Value


Operand: TypeAlias = Local | Constant


class Statement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every statement has."""

    location: Location | None = None
    """Where the statement comes from in the policy's source."""


Block: TypeAlias = tuple[Statement, ...]


class ArrayAppend(Statement, frozen=True, gc=False):
    """Append `value` to the array under construction."""

    array: Local
    value: Operand


class AssignInt(Statement, frozen=True, gc=False):
    """Set `target` to an integer."""

    value: int
    target: Local


class AssignVar(Statement, frozen=True, gc=False):
    """Set `target` to `source`, which may be undefined: that makes the target so, not the statement."""

    source: Operand
    target: Local


class AssignVarOnce(Statement, frozen=True, gc=False):
    """Set `target` to `source`; a target with a different value is a conflict error."""

    source: Operand
    target: Local


class BlockStatement(Statement, frozen=True, gc=False):
    """Run blocks one after the other; one that is undefined ends, and the next one runs."""

    blocks: tuple[Block, ...]


class Break(Statement, frozen=True, gc=False):
    """Leave `index` + 1 blocks and go on after the outermost of them.

    The body of a loop counts as one block, and leaving it starts the next round; a break never leaves a loop.
    """

    index: int


class Call(Statement, frozen=True, gc=False):
    """Set `result` to what a function of the policy or a builtin gives; undefined when that is.

    The first two arguments of a policy's function are the input and data documents; a builtin gets its
    own arguments only.
    """

    function: str
    arguments: tuple[Operand, ...]
    result: Local


class CallDynamic(Statement, frozen=True, gc=False):
    """Set `result` to the function whose path is exactly `path`, called with the documents.

    A path without a function makes the statement undefined; so does an undefined result, which moreover
    leaves the two blocks around it, so that a planned fallback to base documents is skipped.
    """

    path: tuple[Operand, ...]
    arguments: tuple[Operand, ...]
    result: Local


class CallFormat(Statement, frozen=True, gc=False):
    """Set `result` to `sprintf(template, [arguments])`; only the optimiser writes this."""

    template: str
    arguments: tuple[Operand, ...]
    result: Local


class Dot(Statement, frozen=True, gc=False):
    """Set `target` to `source[key]`; undefined when there is none."""

    source: Operand
    key: Operand
    target: Local


class Equal(Statement, frozen=True, gc=False):
    """Go on when both operands are equal."""

    left: Operand
    right: Operand


class NotEqual(Statement, frozen=True, gc=False):
    """Go on when the operands differ."""

    left: Operand
    right: Operand


class ExitLoop(Statement, frozen=True, gc=False):
    """Leave the innermost loop, whose further rounds would change nothing; only the optimiser writes this."""


class Holds(Statement, frozen=True, gc=False):
    """Go on when a call as in `Call` has a value and it is not false; only the optimiser writes this."""

    function: str
    arguments: tuple[Operand, ...]


class InputPath(Statement, frozen=True, gc=False):
    """Set `target` to the part of the input at `path`, which several places look up; undefined when there is none.

    Only the optimiser writes this.
    """

    path: tuple[str, ...]
    target: Local


class IsArray(Statement, frozen=True, gc=False):
    """Go on when `source` is an array."""

    source: Operand


class IsCollection(Statement, frozen=True, gc=False):
    """Go on when `source` is an array, object or set; only the optimiser writes this."""

    source: Operand


class IsObject(Statement, frozen=True, gc=False):
    """Go on when `source` is an object."""

    source: Operand


class IsSet(Statement, frozen=True, gc=False):
    """Go on when `source` is a set."""

    source: Operand


class IsDefined(Statement, frozen=True, gc=False):
    """Go on when `source` has a value."""

    source: Operand


class IsUndefined(Statement, frozen=True, gc=False):
    """Go on when `source` has no value."""

    source: Operand


class Len(Statement, frozen=True, gc=False):
    """Set `target` to the number of elements (or characters) of `source`."""

    source: Operand
    target: Local


class MakeArray(Statement, frozen=True, gc=False):
    """Set `target` to a new empty array."""

    target: Local
    capacity: int = 0


class MakeArrayOf(Statement, frozen=True, gc=False):
    """Set `target` to a new array of the elements; only the optimiser writes this."""

    elements: tuple[Operand, ...]
    target: Local


class MakeNull(Statement, frozen=True, gc=False):
    """Set `target` to null."""

    target: Local


class MakeNumberInt(Statement, frozen=True, gc=False):
    """Set `target` to an integer of 64 bits."""

    value: int
    target: Local


class MakeNumberRef(Statement, frozen=True, gc=False):
    """Set `target` to the number that `text` writes."""

    text: str
    target: Local


class MakeObject(Statement, frozen=True, gc=False):
    """Set `target` to a new empty object."""

    target: Local


class MakeObjectOf(Statement, frozen=True, gc=False):
    """Set `target` to a new object of the values under the keys, the last of a key wins; only the optimiser writes this."""

    keys: tuple[Operand, ...]
    values: tuple[Operand, ...]
    target: Local


class MakeSet(Statement, frozen=True, gc=False):
    """Set `target` to a new empty set."""

    target: Local


class Nop(Statement, frozen=True, gc=False):
    """Do nothing."""


class Not(Statement, frozen=True, gc=False):
    """Go on when `block` is undefined."""

    block: Block


class ObjectInsert(Statement, frozen=True, gc=False):
    """Set a key of the object under construction."""

    object: Local
    key: Operand
    value: Operand


class ObjectInsertOnce(Statement, frozen=True, gc=False):
    """Set a key of the object under construction; a key with a different value is a conflict error."""

    object: Local
    key: Operand
    value: Operand


class ObjectMerge(Statement, frozen=True, gc=False):
    """Set `target` to the recursive union of two objects, where `left` wins."""

    left: Operand
    right: Operand
    target: Local


class ResetLocal(Statement, frozen=True, gc=False):
    """Make `target` undefined."""

    target: Local


class ResultSetAdd(Statement, frozen=True, gc=False):
    """Add `value` to the results of the plan."""

    value: Operand


class ReturnLocal(Statement, frozen=True, gc=False):
    """Leave the function with `source`, which may be undefined."""

    source: Operand


class Scan(Statement, frozen=True, gc=False):
    """Run `block` for each element of `source`, in OPA's order.

    A scalar or an empty collection has no elements; what follows the statement runs in every case.
    """

    source: Operand
    key: Local
    value: Local
    block: Block


class SetAdd(Statement, frozen=True, gc=False):
    """Add `value` to the set under construction."""

    set: Local
    value: Operand


class With(Statement, frozen=True, gc=False):
    """Run `block` with `local`, or the part of it at `path`, replaced; undefined when the block is.

    Without a path the new value may be undefined, which is how a planner ends the reach of another `With`.
    """

    local: Local
    path: tuple[str, ...]
    value: Operand
    block: Block


class Plan(msgspec.Struct, frozen=True, gc=False):
    """An entry point: its result set is what its `ResultSetAdd` statements add."""

    name: str
    """As OPA writes it, such as `authz/allow`."""
    blocks: tuple[Block, ...]


class Function(msgspec.Struct, frozen=True, gc=False):
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


class Policy(msgspec.Struct, frozen=True, gc=False):
    """Plans and the functions they call."""

    plans: tuple[Plan, ...]
    functions: tuple[Function, ...] = ()
    builtins: tuple[str, ...] = ()
    """Names of the builtins that the policy calls."""


NESTING: Final = frozenset({BlockStatement, Not, Scan, With})
"""The kinds of statements that have blocks nested in them."""


def blocks_of(statement: Statement) -> tuple[Block, ...]:
    """Give the blocks nested directly in a statement."""
    kind = type(statement)
    if kind is BlockStatement:
        return statement.blocks  # type: ignore[attr-defined,no-any-return]
    if kind is Not or kind is Scan or kind is With:
        return (statement.block,)  # type: ignore[attr-defined]
    return ()


def walk(blocks: tuple[Block, ...]) -> Iterator[Statement]:
    """Give every statement of some blocks, an outer one before those within it, else in their order."""
    pending = [itertools.chain.from_iterable(blocks)]
    while pending:
        for statement in pending[-1]:
            yield statement
            if type(statement) in NESTING:
                pending.append(itertools.chain.from_iterable(blocks_of(statement)))
                break
        else:
            pending.pop()
