"""How each statement without nested blocks is written in Python.

One function a statement, in one table. Control flow between blocks belongs to `function`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from webhook.rego import dataflow, ir
from webhook.rego.emit import calls, expressions
from webhook.rego.emit.builder import Builder
from webhook.rego.emit.expressions import Condition
from webhook.rego.emit.runtime import COLLECTIONS
from webhook.rego.texts import parse_number
from webhook.rego.values import RegoSet


def write(builder: Builder, statement: ir.Statement) -> None:
    """Write one statement."""
    _WRITERS[type(statement)](builder, statement)


def _array_append(b: Builder, s: ir.ArrayAppend) -> None:
    b.require(s.value)
    b.writer.line(f"{b.variable(s.array)}.append({b.read(s.value)})")


def _set_add(b: Builder, s: ir.SetAdd) -> None:
    b.require(s.value)
    collection = b.variable(s.set)
    if s.set in b.late_sets:
        b.writer.line(f"if {collection} is E: {collection} = RegoSet()")
    b.writer.line(f"{collection}.add({b.read(s.value)})")


def _object_insert(b: Builder, s: ir.ObjectInsert) -> None:
    b.require(s.key, s.value)
    key = expressions.key(b, s.key)
    b.writer.line(f"{b.variable(s.object)}[{key}] = {b.read(s.value)}")


def _object_insert_once(b: Builder, s: ir.ObjectInsertOnce) -> None:
    b.require(s.key, s.value)
    place = b.unit.location(s.location)
    b.writer.line(f"insert_once({b.variable(s.object)}, {b.read(s.key)}, {b.read(s.value)}, {place})")


def _object_merge(b: Builder, s: ir.ObjectMerge) -> None:
    b.require(s.left, s.right)
    b.assign(s.target, f"merge({b.read(s.left)}, {b.read(s.right)})")


def _assign_int(b: Builder, s: ir.AssignInt | ir.MakeNumberInt) -> None:
    b.assign(s.target, b.unit.constant(s.value))
    b.note_kind(s.target, int)


def _assign_var(b: Builder, s: ir.AssignVar) -> None:
    b.assign(s.target, b.read(s.source), defined=b.is_defined(s.source))


def _assign_var_once(b: Builder, s: ir.AssignVarOnce) -> None:
    b.require(s.source)
    value, target = b.read(s.source), b.variable(s.target)
    same = expressions.equality(b, s.target, s.source)
    place = b.unit.location(s.location)
    b.writer.line(f"if {target} is U: {target} = {value}")
    b.writer.line(f"elif {same.fails}: raise value_conflict({b.takes_arguments}, {place})")
    b.scopes.assign(s.target)


def _reset_local(b: Builder, s: ir.ResetLocal) -> None:
    b.assign(s.target, "U", defined=False)


def _dot(b: Builder, s: ir.Dot) -> None:
    b.require(s.key)
    b.assign_if_defined(s.target, expressions.lookup(b, s.source, s.key))
    if b.kind(s.key) is str:  # nothing else has anything under a text
        b.note_keyed(s.source)


def _input_path(b: Builder, s: ir.InputPath) -> None:
    b.assign_if_defined(s.target, f"{b.documents.frame}[{b.unit.path_slot(s.path)}]")


def test_of(b: Builder, statement: ir.Statement) -> Condition | None:
    """Give the condition under which control goes on after a statement that does nothing else.

    None for other statements and for operands that may be undefined. Writes what has to precede the condition.
    """
    if not b.unit.options.inline or not all(map(b.is_defined, _tested(statement))):
        return None
    match statement:
        case ir.Holds():
            return calls.condition_of(b, statement, may_leave=False)
        case ir.Equal():
            return expressions.equality(b, statement.left, statement.right)
    return None


def _tested(statement: ir.Statement) -> list[ir.Operand]:
    operands = dataflow.reads(statement)
    return [operand for operand in operands if operand not in (ir.INPUT, ir.DATA)]


def _equal(b: Builder, s: ir.Equal) -> None:
    if not b.is_defined(s.left):
        b.require(s.right)
    b.go_on_if(expressions.equality(b, s.left, s.right))
    for operand in (s.left, s.right):
        if not isinstance(operand, ir.Constant) and operand > ir.DATA:
            b.scopes.define(operand)


def _not_equal(b: Builder, s: ir.NotEqual) -> None:
    b.require(s.left, s.right)
    same = expressions.equality(b, s.left, s.right)
    b.leave_if(same.holds, same.fails)


def _is_of_type(kind: str) -> Callable[[Builder, Any], None]:
    def write_test(b: Builder, s: ir.IsArray | ir.IsObject | ir.IsSet) -> None:
        source = b.read(s.source)
        b.leave_if(f"type({source}) is not {kind}", f"type({source}) is {kind}")

    return write_test


def _is_collection(b: Builder, s: ir.IsCollection) -> None:
    source = b.read(s.source)
    if not (b.is_defined(s.source) and b.kind(s.source) in COLLECTIONS):
        b.leave_if(f"type({source}) not in COLLECTIONS", f"type({source}) in COLLECTIONS")


def _is_defined(b: Builder, s: ir.IsDefined) -> None:
    b.require(s.source)


def _is_undefined(b: Builder, s: ir.IsUndefined) -> None:
    source = b.read(s.source)
    b.leave_if(f"{source} is not U", f"{source} is U")


def _len(b: Builder, s: ir.Len) -> None:
    b.assign_if_defined(s.target, f"length({b.read(s.source)})")


def _make_array(b: Builder, s: ir.MakeArray) -> None:
    b.assign(s.target, "[]")
    b.note_kind(s.target, list)


def _make_array_of(b: Builder, s: ir.MakeArrayOf) -> None:
    b.require(*s.elements)
    b.assign(s.target, f"[{', '.join(map(b.read, s.elements))}]")
    b.note_kind(s.target, list)


def _make_null(b: Builder, s: ir.MakeNull) -> None:
    b.assign(s.target, "None")


def _make_number_ref(b: Builder, s: ir.MakeNumberRef) -> None:
    b.assign(s.target, b.unit.constant(parse_number(s.text)))


def _make_object(b: Builder, s: ir.MakeObject) -> None:
    b.assign(s.target, "{}")
    b.note_kind(s.target, dict)


def _make_object_of(b: Builder, s: ir.MakeObjectOf) -> None:
    entries = []
    for key, value in zip(s.keys, s.values, strict=True):
        b.require(key, value)
        entries.append(f"{expressions.key(b, key)}: {b.read(value)}")
    b.assign(s.target, f"{{{', '.join(entries)}}}")
    b.note_kind(s.target, dict)


def _make_set(b: Builder, s: ir.MakeSet) -> None:
    b.assign(s.target, "E" if s.target in b.late_sets else "RegoSet()")
    b.note_kind(s.target, RegoSet)


def _nop(_: Builder, __: ir.Nop) -> None:
    """Write nothing."""


def _result_set_add(b: Builder, s: ir.ResultSetAdd) -> None:
    b.require(s.value)
    b.writer.line(f"results.append({b.read(s.value)})")


_WRITERS: Final[Mapping[type[ir.Statement], Callable[[Builder, Any], None]]] = {
    ir.ArrayAppend: _array_append,
    ir.AssignInt: _assign_int,
    ir.AssignVar: _assign_var,
    ir.AssignVarOnce: _assign_var_once,
    ir.Call: calls.write_call,
    ir.CallDynamic: calls.write_dynamic_call,
    ir.CallFormat: calls.write_format,
    ir.Dot: _dot,
    ir.Equal: _equal,
    ir.Holds: calls.write_holds,
    ir.InputPath: _input_path,
    ir.IsArray: _is_of_type("list"),
    ir.IsCollection: _is_collection,
    ir.IsDefined: _is_defined,
    ir.IsObject: _is_of_type("dict"),
    ir.IsSet: _is_of_type("RegoSet"),
    ir.IsUndefined: _is_undefined,
    ir.Len: _len,
    ir.MakeArray: _make_array,
    ir.MakeArrayOf: _make_array_of,
    ir.MakeNull: _make_null,
    ir.MakeNumberInt: _assign_int,
    ir.MakeNumberRef: _make_number_ref,
    ir.MakeObject: _make_object,
    ir.MakeObjectOf: _make_object_of,
    ir.MakeSet: _make_set,
    ir.Nop: _nop,
    ir.NotEqual: _not_equal,
    ir.ObjectInsert: _object_insert,
    ir.ObjectInsertOnce: _object_insert_once,
    ir.ObjectMerge: _object_merge,
    ir.ResetLocal: _reset_local,
    ir.ResultSetAdd: _result_set_add,
    ir.SetAdd: _set_add,
}
