"""A plain interpreter of the intermediate representation: its executable definition.

Every statement is one short function that does what OPA's documentation and OPA's own compiler to WebAssembly
say it does, without regard to speed. The compiler's generated code is tested against it.
Must not know how policies are planned or optimised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from webhook.rego import ir
from webhook.rego.budget import Budget
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.documents import merge, replace_at
from webhook.rego.errors import RegoError
from webhook.rego.failures import builtin_failure, key_conflict, value_conflict
from webhook.rego.texts import parse_number
from webhook.rego.values import UNDEFINED, RegoSet, Value, equal, key_of, lookup, scan

_Exit: TypeAlias = int | None
"""How a statement or block ends: None goes on, a number leaves that many further blocks.

Of a statement, 0 therefore means that it is undefined and ends the block it stands in."""

_ROUNDS_BETWEEN_CHECKS: Final = 16
"""Rounds of a loop between two looks at the clock and the memory."""
_UNDEFINED_EXIT: Final = 0


class _ReturnSignal(RegoError):  # noqa: N818 - a signal, not an error
    """Ends a function; never leaves this module."""

    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class Interpreter:
    """Runs the plans of one policy."""

    def __init__(
        self,
        policy: ir.Policy,
        *,
        builtins: Mapping[str, Builtin] = BUILTINS,
        strict_builtin_errors: bool = False,
    ) -> None:
        self.plans = {plan.name: plan for plan in policy.plans}
        self.functions = {function.name: function for function in policy.functions}
        self.paths = {function.path: function for function in policy.functions if function.path}
        self.builtins = builtins
        self.strict_builtin_errors = strict_builtin_errors

    def query(
        self,
        plan: str,
        input: Value = UNDEFINED,  # noqa: A002 - Rego's own name
        *,
        data: Value = None,
        budget: Budget | None = None,
        context: EvaluationContext | None = None,
    ) -> list[Value]:
        """Run one plan and give its result set in the order of evaluation.

        Raises:
            EvaluationError: the evaluation failed.

        """
        evaluation = _Evaluation(self, budget or Budget(), context or EvaluationContext(time.time_ns()))
        documents = {ir.INPUT: input, ir.DATA: {} if data is None else data}
        evaluation.run_blocks(self.plans[plan].blocks, _Frame(documents))
        return evaluation.results


class _Frame:
    """The variables of one run of a plan or function."""

    __slots__ = ("takes_arguments", "variables")

    def __init__(self, variables: dict[ir.Local, Value]) -> None:
        self.variables = variables
        self.takes_arguments = len(variables) > 2

    def read(self, operand: ir.Operand) -> Value:
        if isinstance(operand, ir.Constant):
            return operand.value
        return self.variables.get(operand, UNDEFINED)


class _Evaluation:
    """One evaluation: what it has memoised, spent and found."""

    def __init__(self, interpreter: Interpreter, budget: Budget, context: EvaluationContext) -> None:
        self.interpreter = interpreter
        self.context = context
        self.results: list[Value] = []
        self.memo: dict[str, Value] = {}
        self._budget = budget
        self._steps = budget.start()

    def charge(self, steps: int) -> None:
        """Pay for some steps."""
        self._steps -= steps
        if self._steps < 0:
            self._steps = self._budget.take(-self._steps)

    def check(self) -> None:
        """Look at the clock and the memory."""
        self._budget.check()

    def run_blocks(self, blocks: tuple[ir.Block, ...], frame: _Frame) -> _Exit:
        """Run blocks one after the other; give how many blocks around them are to be left, or None."""
        for block in blocks:
            left = self.run_block(block, frame)
            if left:
                return left - 1
        return None

    def run_block(self, block: ir.Block, frame: _Frame) -> _Exit:
        """Run a block; give None at its end, or how many blocks around it are to be left as well."""
        for statement in block:
            left = _EXECUTE[type(statement)](self, statement, frame)
            if left is not None:
                return left
        return None

    def call(self, function: ir.Function, arguments: list[Value]) -> Value:
        """Call a function of the policy."""
        memoised = len(function.params) == 2
        if memoised and function.name in self.memo:
            return self.memo[function.name]
        self.charge(1)
        frame = _Frame(dict(zip(function.params, arguments, strict=True)))
        value: Value = UNDEFINED
        try:
            self.run_blocks(function.blocks, frame)
        except _ReturnSignal as signal:
            value = signal.value
        if memoised:
            self.memo[function.name] = value
        return value

    def call_builtin(self, statement: ir.Call, arguments: list[Value]) -> Value:
        """Call a builtin; its failure is undefined unless errors are strict."""
        builtin = self.interpreter.builtins[statement.function]
        if builtin.needs_context:
            arguments = [self.context, *arguments]
        try:
            return builtin.function(*arguments)
        except BuiltinError as error:
            if self.interpreter.strict_builtin_errors:
                raise builtin_failure(statement.function, error, statement.location) from error
            return UNDEFINED


def _assign(frame: _Frame, target: ir.Local, value: Value) -> _Exit:
    """Set a variable unless the value is undefined, which makes the statement so."""
    if value is UNDEFINED:
        return _UNDEFINED_EXIT
    frame.variables[target] = value
    return None


def _go_on_if(condition: bool) -> _Exit:
    return None if condition else _UNDEFINED_EXIT


def _array_append(_: _Evaluation, s: ir.ArrayAppend, frame: _Frame) -> _Exit:
    value = frame.read(s.value)
    if value is UNDEFINED:
        return _UNDEFINED_EXIT
    frame.variables[s.array].append(value)
    return None


def _set_add(_: _Evaluation, s: ir.SetAdd, frame: _Frame) -> _Exit:
    value = frame.read(s.value)
    if value is UNDEFINED:
        return _UNDEFINED_EXIT
    frame.variables[s.set].add(value)
    return None


def _object_insert(_: _Evaluation, s: ir.ObjectInsert, frame: _Frame) -> _Exit:
    key, value = frame.read(s.key), frame.read(s.value)
    if key is UNDEFINED or value is UNDEFINED:
        return _UNDEFINED_EXIT
    frame.variables[s.object][key_of(key)] = value
    return None


def _object_insert_once(_: _Evaluation, s: ir.ObjectInsertOnce, frame: _Frame) -> _Exit:
    key, value = frame.read(s.key), frame.read(s.value)
    if key is UNDEFINED or value is UNDEFINED:
        return _UNDEFINED_EXIT
    target = frame.variables[s.object]
    present = lookup(target, key)
    if present is UNDEFINED:
        target[key_of(key)] = value
    elif not equal(present, value):
        raise key_conflict(s.location)
    return None


def _object_merge(_: _Evaluation, s: ir.ObjectMerge, frame: _Frame) -> _Exit:
    left, right = frame.read(s.left), frame.read(s.right)
    if left is UNDEFINED or right is UNDEFINED:
        return _UNDEFINED_EXIT
    return _assign(frame, s.target, merge(left, right))


def _assign_var(_: _Evaluation, s: ir.AssignVar, frame: _Frame) -> _Exit:
    frame.variables[s.target] = frame.read(s.source)
    return None


def _assign_int(_: _Evaluation, s: ir.AssignInt | ir.MakeNumberInt, frame: _Frame) -> _Exit:
    return _assign(frame, s.target, s.value)


def _assign_var_once(_: _Evaluation, s: ir.AssignVarOnce, frame: _Frame) -> _Exit:
    value, present = frame.read(s.source), frame.read(s.target)
    if value is not UNDEFINED and present is not UNDEFINED and not equal(present, value):
        raise value_conflict(frame.takes_arguments, s.location)
    return _assign(frame, s.target, value)


def _reset_local(_: _Evaluation, s: ir.ResetLocal, frame: _Frame) -> _Exit:
    frame.variables.pop(s.target, None)
    return None


def _block(evaluation: _Evaluation, s: ir.BlockStatement, frame: _Frame) -> _Exit:
    return evaluation.run_blocks(s.blocks, frame)


def _break(_: _Evaluation, s: ir.Break, __: _Frame) -> _Exit:
    return s.index


def _call(evaluation: _Evaluation, s: ir.Call, frame: _Frame) -> _Exit:
    arguments = [frame.read(argument) for argument in s.arguments]
    function = evaluation.interpreter.functions.get(s.function)
    own = arguments if function is None else arguments[2:]
    if any(argument is UNDEFINED for argument in own):
        return _UNDEFINED_EXIT
    if function is None:
        return _assign(frame, s.result, evaluation.call_builtin(s, arguments))
    return _assign(frame, s.result, evaluation.call(function, arguments))


def _call_dynamic(evaluation: _Evaluation, s: ir.CallDynamic, frame: _Frame) -> _Exit:
    path = tuple([frame.read(part) for part in s.path])
    if not all(type(part) is str for part in path):
        return _UNDEFINED_EXIT
    function = evaluation.interpreter.paths.get(path)
    if function is None:
        return _UNDEFINED_EXIT
    value = evaluation.call(function, [frame.read(argument) for argument in s.arguments])
    if value is UNDEFINED:
        return 2
    return _assign(frame, s.result, value)


def _dot(_: _Evaluation, s: ir.Dot, frame: _Frame) -> _Exit:
    key = frame.read(s.key)
    return (
        _UNDEFINED_EXIT if key is UNDEFINED else _assign(frame, s.target, lookup(frame.read(s.source), key))
    )


def _equal(_: _Evaluation, s: ir.Equal, frame: _Frame) -> _Exit:
    left, right = frame.read(s.left), frame.read(s.right)
    return _go_on_if(left is not UNDEFINED and right is not UNDEFINED and equal(left, right))


def _not_equal(_: _Evaluation, s: ir.NotEqual, frame: _Frame) -> _Exit:
    left, right = frame.read(s.left), frame.read(s.right)
    return _go_on_if(left is not UNDEFINED and right is not UNDEFINED and not equal(left, right))


def _is_array(_: _Evaluation, s: ir.IsArray, frame: _Frame) -> _Exit:
    return _go_on_if(type(frame.read(s.source)) is list)


def _is_object(_: _Evaluation, s: ir.IsObject, frame: _Frame) -> _Exit:
    return _go_on_if(type(frame.read(s.source)) is dict)


def _is_set(_: _Evaluation, s: ir.IsSet, frame: _Frame) -> _Exit:
    return _go_on_if(type(frame.read(s.source)) is RegoSet)


def _is_defined(_: _Evaluation, s: ir.IsDefined, frame: _Frame) -> _Exit:
    return _go_on_if(frame.read(s.source) is not UNDEFINED)


def _is_undefined(_: _Evaluation, s: ir.IsUndefined, frame: _Frame) -> _Exit:
    return _go_on_if(frame.read(s.source) is UNDEFINED)


def _len(_: _Evaluation, s: ir.Len, frame: _Frame) -> _Exit:
    source = frame.read(s.source)
    return _assign(frame, s.target, len(source)) if type(source) in _SIZED else _UNDEFINED_EXIT


_SIZED: Final = frozenset({str, list, dict, RegoSet})


def _make_array(_: _Evaluation, s: ir.MakeArray, frame: _Frame) -> _Exit:
    return _assign(frame, s.target, [])


def _make_null(_: _Evaluation, s: ir.MakeNull, frame: _Frame) -> _Exit:
    return _assign(frame, s.target, None)


def _make_number_ref(_: _Evaluation, s: ir.MakeNumberRef, frame: _Frame) -> _Exit:
    return _assign(frame, s.target, parse_number(s.text))


def _make_object(_: _Evaluation, s: ir.MakeObject, frame: _Frame) -> _Exit:
    return _assign(frame, s.target, {})


def _make_set(_: _Evaluation, s: ir.MakeSet, frame: _Frame) -> _Exit:
    return _assign(frame, s.target, RegoSet())


def _nop(_: _Evaluation, __: ir.Nop, ___: _Frame) -> _Exit:
    return None


def _not(evaluation: _Evaluation, s: ir.Not, frame: _Frame) -> _Exit:
    left = evaluation.run_block(s.block, frame)
    if left:
        return left - 1
    return _go_on_if(left is not None)


def _result_set_add(evaluation: _Evaluation, s: ir.ResultSetAdd, frame: _Frame) -> _Exit:
    value = frame.read(s.value)
    if value is UNDEFINED:
        return _UNDEFINED_EXIT
    evaluation.results.append(value)
    return None


def _return_local(_: _Evaluation, s: ir.ReturnLocal, frame: _Frame) -> _Exit:
    raise _ReturnSignal(frame.read(s.source))


def _scan(evaluation: _Evaluation, s: ir.Scan, frame: _Frame) -> _Exit:
    source = frame.read(s.source)
    if source is UNDEFINED:
        return _UNDEFINED_EXIT
    if type(source) in _SIZED:
        evaluation.charge(len(source))
    for index, (key, value) in enumerate(scan(source)):
        if index and index % _ROUNDS_BETWEEN_CHECKS == 0:
            evaluation.check()
        frame.variables[s.key] = key
        frame.variables[s.value] = value
        evaluation.run_block(s.block, frame)
    return None


def _with(evaluation: _Evaluation, s: ir.With, frame: _Frame) -> _Exit:
    replaced, memo = frame.read(s.local), evaluation.memo
    frame.variables[s.local] = replace_at(replaced, s.path, frame.read(s.value))
    evaluation.memo = {}
    left = evaluation.run_block(s.block, frame)
    evaluation.memo = memo
    frame.variables[s.local] = replaced
    return left and left - 1


_EXECUTE: Final[Mapping[type[ir.Statement], Callable[[_Evaluation, Any, _Frame], _Exit]]] = {
    ir.ArrayAppend: _array_append,
    ir.AssignInt: _assign_int,
    ir.AssignVar: _assign_var,
    ir.AssignVarOnce: _assign_var_once,
    ir.BlockStatement: _block,
    ir.Break: _break,
    ir.Call: _call,
    ir.CallDynamic: _call_dynamic,
    ir.Dot: _dot,
    ir.Equal: _equal,
    ir.IsArray: _is_array,
    ir.IsDefined: _is_defined,
    ir.IsObject: _is_object,
    ir.IsSet: _is_set,
    ir.IsUndefined: _is_undefined,
    ir.Len: _len,
    ir.MakeArray: _make_array,
    ir.MakeNull: _make_null,
    ir.MakeNumberInt: _assign_int,
    ir.MakeNumberRef: _make_number_ref,
    ir.MakeObject: _make_object,
    ir.MakeSet: _make_set,
    ir.Nop: _nop,
    ir.Not: _not,
    ir.NotEqual: _not_equal,
    ir.ObjectInsert: _object_insert,
    ir.ObjectInsertOnce: _object_insert_once,
    ir.ObjectMerge: _object_merge,
    ir.ResetLocal: _reset_local,
    ir.ResultSetAdd: _result_set_add,
    ir.ReturnLocal: _return_local,
    ir.Scan: _scan,
    ir.SetAdd: _set_add,
    ir.With: _with,
}
