"""`plan.json`, the JSON form of OPA's intermediate representation, as `ir.Policy`.

Owns the form and its validation: what is loaded here refers only to strings, files and functions that exist,
breaks out of no loop and has no recursion. Must not know how a policy is packed, optimised or run.
The form is described at https://www.openpolicyagent.org/docs/ir.
"""

from __future__ import annotations

import contextlib
import graphlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from webhook.rego import ir
from webhook.rego.errors import NOWHERE, CompileError, Diagnostic, Location, RegoError
from webhook.rego.texts import parse_number

PLAN_ERROR: Final = "rego_plan_error"
"""Code of the diagnostic for a plan or bundle that cannot be loaded."""


def refusal(message: str) -> CompileError:
    """Make the exception for a plan or bundle that cannot be loaded."""
    return CompileError((Diagnostic(PLAN_ERROR, message, NOWHERE),))


def load_plan(document: bytes | str) -> ir.Policy:
    """Decode a `plan.json`.

    Raises:
        CompileError: the document is not a valid plan; the one diagnostic names the place in it.

    """
    try:
        return _policy(_Fields(msgspec.json.decode(document), _Tables()))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refusal(f"plan.json: {error}") from None
    except _MalformedError as error:
        raise refusal(": ".join(["plan.json", *reversed(error.where), str(error)])) from None
    except RecursionError:
        raise refusal("plan.json: nested too deeply") from None


class _MalformedError(RegoError):
    """A part of a plan is not what it should be; `where` leads to it, the innermost part first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.where: list[str] = []


@contextlib.contextmanager
def _within(place: str) -> Iterator[None]:
    """Note where in the plan a problem was found."""
    try:
        yield
    except _MalformedError as error:
        error.where.append(place)
        raise


class _Tables:
    """The static part of a plan, which its statements refer to by index."""

    __slots__ = ("_locations", "files", "strings")

    def __init__(self) -> None:
        self.strings: list[str] = []
        self.files: list[str] = []
        self._locations: dict[tuple[int, int, int], Location] = {}

    def location(self, file: int, row: int, col: int) -> Location:
        """Give one object for each distinct place."""
        place = (file, row, col)
        if place not in self._locations:
            self._locations[place] = Location(_item(self.files, file, "file"), row, col)
        return self._locations[place]


def _item(table: list[str], index: int, what: str) -> str:
    if not 0 <= index < len(table):
        raise _MalformedError(f"there is no {what} {index}")
    return table[index]


class _Fields:
    """Typed access to the fields of one JSON object of a plan."""

    __slots__ = ("_fields", "tables")

    def __init__(self, document: Any, tables: _Tables) -> None:
        if not isinstance(document, dict):
            raise _MalformedError("not an object")
        self._fields: dict[str, Any] = document
        self.tables = tables

    def text(self, name: str) -> str:
        """Give a string."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise _MalformedError(f"{name} is not a string")
        return value

    def integer(self, name: str) -> int:
        """Give an integer."""
        return _integer(self._fields.get(name), name)

    def local(self, name: str) -> ir.Local:
        """Give a variable."""
        return _local(self._fields.get(name), name)

    def object(self, name: str) -> _Fields:
        """Give an object; Go writes an empty one as null or leaves it out."""
        return _Fields(self._fields.get(name) or {}, self.tables)

    def items(self, name: str) -> list[Any]:
        """Give an array; Go writes an empty one as null or leaves it out."""
        value = self._fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise _MalformedError(f"{name} is not an array")
        return value

    def objects(self, name: str) -> list[_Fields]:
        """Give an array of objects."""
        return [_Fields(item, self.tables) for item in self.items(name)]

    def operand(self, name: str) -> ir.Operand:
        """Give a tagged operand."""
        return _Fields(self._fields.get(name), self.tables).as_operand()

    def operands(self, name: str) -> tuple[ir.Operand, ...]:
        """Give an array of tagged operands or plain variables."""
        return tuple(
            [
                _local(item, name) if isinstance(item, int) else _Fields(item, self.tables).as_operand()
                for item in self.items(name)
            ]
        )

    def as_operand(self) -> ir.Operand:
        """Read this object as an operand."""
        kind = self.text("type")
        if kind == "local":
            return self.local("value")
        if kind == "string_index":
            return ir.Constant(_item(self.tables.strings, self.integer("value"), "string"))
        value = self._fields.get("value")
        if kind != "bool" or not isinstance(value, bool):
            raise _MalformedError(f"{kind} is no kind of operand")
        return ir.Constant(value)

    def number_text(self) -> str:
        """Give the text of a number reference, whose index OPA writes with a capital letter."""
        index = self.integer("Index" if "Index" in self._fields else "index")
        text = _item(self.tables.strings, index, "string")
        try:
            parse_number(text)
        except ValueError:
            raise _MalformedError(f"{text[:40]!r} is not a number") from None
        return text

    def strings(self, name: str) -> tuple[str, ...]:
        """Give an array of indexes of strings as the strings."""
        return tuple(
            [_item(self.tables.strings, _integer(item, name), "string") for item in self.items(name)]
        )

    def block(self, name: str = "block") -> ir.Block:
        """Give one block."""
        return self.object(name).as_block()

    def blocks(self) -> tuple[ir.Block, ...]:
        """Give an array of blocks."""
        return tuple([_Fields(item or {}, self.tables).as_block() for item in self.items("blocks")])

    def as_block(self) -> ir.Block:
        """Read this object as a block."""
        return tuple([_statement(item) for item in self.objects("stmts")])

    def location(self) -> Location | None:
        """Give the place in the source; generated statements have none."""
        if not self._fields.get("row"):
            return None
        return self.tables.location(self.integer("file"), self.integer("row"), self.integer("col"))


def _integer(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _MalformedError(f"{name} is not an integer")
    return value


def _local(value: Any, name: str) -> ir.Local:
    if not 0 <= _integer(value, name) < 1 << 31:
        raise _MalformedError(f"{name} is not a local variable")
    return ir.Local(value)


def _policy(document: _Fields) -> ir.Policy:
    """Decode and validate a whole plan."""
    static = document.object("static")
    document.tables.strings = [item.text("value") for item in static.objects("strings")]
    document.tables.files = [item.text("value") for item in static.objects("files")]
    policy = ir.Policy(
        tuple([_plan(item) for item in document.object("plans").objects("plans")]),
        tuple([_function(item) for item in document.object("funcs").objects("funcs")]),
        tuple([item.text("name") for item in static.objects("builtin_funcs")]),
    )
    if not policy.plans:
        raise _MalformedError("there is no plan")
    check(policy)
    return policy


def _plan(fields: _Fields) -> ir.Plan:
    name = fields.text("name")
    with _within(f"plan {name}"):
        return ir.Plan(name, fields.blocks())


def _function(fields: _Fields) -> ir.Function:
    name = fields.text("name")
    with _within(f"function {name}"):
        params = tuple([_local(param, "params") for param in fields.items("params")])
        if params[:2] != (ir.INPUT, ir.DATA) or len(set(params)) != len(params):
            raise _MalformedError("params are not 0, 1 and other distinct variables")
        path = tuple(fields.items("path"))
        if not all(isinstance(part, str) for part in path):
            raise _MalformedError("path is not an array of strings")
        return ir.Function(name, params, fields.local("return"), fields.blocks(), path)


def _statement(outer: _Fields) -> ir.Statement:
    kind = outer.text("type")
    decode = _STATEMENTS.get(kind)
    if decode is None:
        raise _MalformedError(f"unknown statement {kind}")
    with _within(kind):
        fields = outer.object("stmt")
        return decode(fields, fields.location())


_Decode: TypeAlias = Callable[[_Fields, Location | None], ir.Statement]


def _of_source(statement: Callable[..., ir.Statement]) -> _Decode:
    return lambda f, at: statement(f.operand("source"), location=at)


def _of_source_variable(statement: Callable[..., ir.Statement]) -> _Decode:
    return lambda f, at: statement(f.local("source"), location=at)


def _of_source_and_target(statement: Callable[..., ir.Statement]) -> _Decode:
    return lambda f, at: statement(f.operand("source"), f.local("target"), location=at)


def _of_target(statement: Callable[..., ir.Statement]) -> _Decode:
    return lambda f, at: statement(f.local("target"), location=at)


def _of_integer_and_target(statement: Callable[..., ir.Statement]) -> _Decode:
    return lambda f, at: statement(f.integer("value"), f.local("target"), location=at)


def _of_pair(statement: Callable[..., ir.Statement]) -> _Decode:
    return lambda f, at: statement(f.operand("a"), f.operand("b"), location=at)


def _of_insertion(statement: Callable[..., ir.Statement]) -> _Decode:
    return lambda f, at: statement(f.local("object"), f.operand("key"), f.operand("value"), location=at)


def _nop(_fields: _Fields, at: Location | None) -> ir.Statement:
    return ir.Nop(location=at)


_STATEMENTS: Final[Mapping[str, _Decode]] = {
    "ArrayAppendStmt": lambda f, at: ir.ArrayAppend(f.local("array"), f.operand("value"), location=at),
    "AssignIntStmt": _of_integer_and_target(ir.AssignInt),
    "AssignVarOnceStmt": _of_source_and_target(ir.AssignVarOnce),
    "AssignVarStmt": _of_source_and_target(ir.AssignVar),
    "BlockStmt": lambda f, at: ir.BlockStatement(f.blocks(), location=at),
    "BreakStmt": lambda f, at: ir.Break(f.integer("index"), location=at),
    "CallStmt": lambda f, at: ir.Call(f.text("func"), f.operands("args"), f.local("result"), location=at),
    "CallDynamicStmt": lambda f, at: ir.CallDynamic(
        f.operands("path"), f.operands("args"), f.local("result"), location=at
    ),
    "DotStmt": lambda f, at: ir.Dot(f.operand("source"), f.operand("key"), f.local("target"), location=at),
    "EqualStmt": _of_pair(ir.Equal),
    "IsArrayStmt": _of_source(ir.IsArray),
    "IsDefinedStmt": _of_source_variable(ir.IsDefined),
    "IsObjectStmt": _of_source(ir.IsObject),
    "IsSetStmt": _of_source(ir.IsSet),
    "IsUndefinedStmt": _of_source_variable(ir.IsUndefined),
    "LenStmt": _of_source_and_target(ir.Len),
    "MakeArrayStmt": _of_target(ir.MakeArray),
    "MakeNullStmt": _of_target(ir.MakeNull),
    "MakeNumberIntStmt": _of_integer_and_target(ir.MakeNumberInt),
    "MakeNumberRefStmt": lambda f, at: ir.MakeNumberRef(f.number_text(), f.local("target"), location=at),
    "MakeObjectStmt": _of_target(ir.MakeObject),
    "MakeSetStmt": _of_target(ir.MakeSet),
    "NopStmt": _nop,
    "NotEqualStmt": _of_pair(ir.NotEqual),
    "NotStmt": lambda f, at: ir.Not(f.block(), location=at),
    "ObjectInsertOnceStmt": _of_insertion(ir.ObjectInsertOnce),
    "ObjectInsertStmt": _of_insertion(ir.ObjectInsert),
    "ObjectMergeStmt": lambda f, at: ir.ObjectMerge(
        f.local("a"), f.local("b"), f.local("target"), location=at
    ),
    "ResetLocalStmt": _of_target(ir.ResetLocal),
    "ResultSetAddStmt": lambda f, at: ir.ResultSetAdd(f.local("value"), location=at),
    "ReturnLocalStmt": _of_source_variable(ir.ReturnLocal),
    "ScanStmt": lambda f, at: ir.Scan(
        f.local("source"), f.local("key"), f.local("value"), f.block(), location=at
    ),
    "SetAddStmt": lambda f, at: ir.SetAdd(f.local("set"), f.operand("value"), location=at),
    "WithStmt": lambda f, at: ir.With(
        f.local("local"), f.strings("path"), f.operand("value"), f.block(), location=at
    ),
}


def check(policy: ir.Policy) -> None:
    """Refuse unknown or wrongly called functions, breaks out of a loop or of more blocks than there are, cycles."""
    arity = {function.name: len(function.params) for function in policy.functions}
    if len(arity) != len(policy.functions):
        raise _MalformedError("two functions have the same name")
    for plan in policy.plans:
        with _within(f"plan {plan.name}"):
            _check_body(plan.blocks, arity, policy.builtins)
    callees: dict[str, set[str]] = {}
    for function in policy.functions:
        with _within(f"function {function.name}"):
            callees[function.name] = _check_body(function.blocks, arity, policy.builtins)
    try:
        tuple(graphlib.TopologicalSorter(callees).static_order())
    except graphlib.CycleError as error:
        raise _MalformedError(
            f"functions call each other in a circle: {' -> '.join(error.args[1])}"
        ) from None


def _check_body(
    blocks: tuple[ir.Block, ...], arity: Mapping[str, int], builtins: tuple[str, ...]
) -> set[str]:
    """Check one plan or function; give the functions of the policy that it calls."""
    for block in blocks:
        _check_breaks(block, 1)
    called: set[str] = set()
    for statement in ir.walk(blocks):
        if isinstance(statement, ir.With) and statement.local not in {ir.INPUT, ir.DATA}:
            raise _MalformedError("with replaces a variable that is no document")
        if isinstance(statement, ir.CallDynamic) and statement.arguments != (ir.INPUT, ir.DATA):
            raise _MalformedError("a dynamic call has other arguments than the documents")
        if isinstance(statement, ir.Call):
            _check_call(statement, arity, builtins)
            called.add(statement.function)
    return called


def _check_call(call: ir.Call, arity: Mapping[str, int], builtins: tuple[str, ...]) -> None:
    if call.function in arity:
        if len(call.arguments) != arity[call.function] or call.arguments[:2] != (ir.INPUT, ir.DATA):
            raise _MalformedError(f"{call.function} is called with the wrong arguments")
    elif call.function not in builtins:
        raise _MalformedError(f"there is no function {call.function}")


def _check_breaks(block: ir.Block, depth: int) -> None:
    """Check the breaks within a block, itself the last of the `depth` blocks that may be left."""
    for statement in block:
        index = _blocks_left(statement)
        if not 0 <= index < depth:
            raise _MalformedError(f"a statement leaves {index + 1} blocks of {depth}")
        for inner in ir.blocks_of(statement):
            _check_breaks(inner, 1 if isinstance(statement, ir.Scan) else depth + 1)


def _blocks_left(statement: ir.Statement) -> int:
    """Give how many blocks around its own a statement may leave."""
    if isinstance(statement, ir.Break):
        return statement.index
    return 2 if isinstance(statement, ir.CallDynamic) else 0
