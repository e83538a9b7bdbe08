"""Replaces copies, constants and repeated lookups by what they stand for, and folds what is constant.

One walk in the order of execution; what is known in a block is forgotten after it, because control may have left
it early. The input and data documents are never propagated: they differ within a `with`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from webhook.rego import dataflow, ir
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.errors import RegoError
from webhook.rego.values import UNDEFINED, RegoSet, Value, equal, lookup, parse_number

_DOCUMENTS: Final = frozenset({ir.INPUT, ir.DATA})
_LARGEST_FOLDED: Final = 10_000
"""Longest text, or most elements at the top, of a result that is computed ahead."""


def propagate(
    function: ir.Function,
    usage: dataflow.Usage,
    builtins: Mapping[str, Builtin],
    constants: Mapping[str, Value],
) -> ir.Function:
    """Simplify a function; `constants` has the values of rules that are constant."""
    walk = _Propagation(usage, builtins, constants)
    known = _Known()
    known.defined.update(function.params[2:])
    return dataflow.with_body(function, [walk.block(block, known.copy()) for block in function.blocks])


class _Known:
    """What is known at one point."""

    __slots__ = ("defined", "lookups", "rules", "stands_for")

    def __init__(self) -> None:
        self.defined: set[ir.Local] = set()
        """Variables that are set once and have a value."""
        self.stands_for: dict[ir.Local, ir.Operand] = {}
        self.lookups: dict[tuple[ir.Operand, type, Any], ir.Local] = {}
        """Variable that holds what a lookup of (source, type of key, key) gave."""
        self.rules: dict[str, ir.Local] = {}
        """Variable that holds the value of a rule."""

    def copy(self) -> _Known:
        result = _Known()
        result.stands_for = dict(self.stands_for)
        result.lookups = dict(self.lookups)
        result.rules = dict(self.rules)
        result.defined = set(self.defined)
        return result

    def resolve(self, operand: ir.Operand) -> ir.Operand:
        return operand if isinstance(operand, ir.Constant) else self.stands_for.get(operand, operand)


class _Propagation:
    def __init__(
        self, usage: dataflow.Usage, builtins: Mapping[str, Builtin], constants: Mapping[str, Value]
    ) -> None:
        self._usage = usage
        self._builtins = builtins
        self._constants = constants

    def block(self, block: ir.Block, known: _Known) -> ir.Block:
        """Simplify a block; `known` is at its end what is known there."""
        result: list[ir.Statement] = []
        for statement in block:
            simplified = self._statement(dataflow.with_operands(statement, known.resolve), known)
            if simplified is not None:
                result.append(simplified)
                self._note_defined(simplified, known)
        return dataflow.with_statements(block, result)

    def _note_defined(self, s: ir.Statement, known: _Known) -> None:
        """Note what certainly has a value after a statement."""
        if isinstance(s, ir.IsDefined) and not isinstance(s.source, ir.Constant) and self._is_fixed(s.source):
            known.defined.add(s.source)
        if isinstance(s, ir.AssignVar) and not self._is_defined(s.source, known):
            return
        known.defined.update(target for target in dataflow.sets(s) if self._usage.is_set_once(target))

    def _is_defined(self, operand: ir.Operand, known: _Known) -> bool:
        if isinstance(operand, ir.Constant):
            return operand.value is not UNDEFINED
        return operand in known.defined

    def _statement(self, s: ir.Statement, known: _Known) -> ir.Statement | None:
        """Simplify a statement whose operands are replaced already; None when nothing is left to do."""
        match s:
            case ir.AssignInt() | ir.MakeNumberInt():
                return self._assign(ir.AssignVar(ir.Constant(s.value), s.target, location=s.location), known)
            case ir.MakeNumberRef():
                number = ir.Constant(parse_number(s.text))
                return self._assign(ir.AssignVar(number, s.target, location=s.location), known)
            case ir.MakeNull():
                return self._assign(ir.AssignVar(ir.Constant(None), s.target, location=s.location), known)
            case ir.AssignVar():
                return self._assign(s, known)
            case ir.Dot():
                return self._dot(s, known)
            case ir.Call():
                return self._call(s, known)
            case ir.Nop():
                return None
            case ir.IsDefined() if self._is_defined(s.source, known):
                return None
            case ir.With():
                inner = known.copy()
                inner.rules = {}
                inner.lookups = {place: v for place, v in known.lookups.items() if place[0] not in _DOCUMENTS}
                return dataflow.with_blocks(s, lambda block: self.block(block, inner))
            case ir.Scan():
                inner = known.copy()
                inner.defined |= {target for target in (s.key, s.value) if self._usage.is_set_once(target)}
                return dataflow.with_blocks(s, lambda block: self.block(block, inner))
            case ir.BlockStatement() | ir.Not():
                return dataflow.with_blocks(s, lambda block: self.block(block, known.copy()))
        passed = _passed(s)
        return s if passed is None else None if passed else ir.Break(0, location=s.location)

    def _assign(self, s: ir.AssignVar, known: _Known) -> ir.Statement:
        """Note what the target of an assignment stands for."""
        if self._may_stand_for(s.target) and (isinstance(s.source, ir.Constant) or self._is_fixed(s.source)):
            known.stands_for[s.target] = s.source
        return s

    def _may_stand_for(self, target: ir.Local) -> bool:
        return self._usage.is_set_once(target) and not self._usage.changed[target]

    def _is_fixed(self, variable: ir.Local) -> bool:
        return variable not in _DOCUMENTS and self._usage.is_set_once(variable)

    def _dot(self, s: ir.Dot, known: _Known) -> ir.Statement | None:
        if not isinstance(s.key, ir.Constant):
            return s
        if isinstance(s.source, ir.Constant):
            found = lookup(s.source.value, s.key.value)
            if found is UNDEFINED:
                return s
            return self._assign(ir.AssignVar(ir.Constant(found), s.target, location=s.location), known)
        if type(s.key.value) not in {str, int} or not self._may_stand_for(s.target):
            return s
        if s.source not in _DOCUMENTS and not self._may_stand_for(s.source):
            return s
        place = (s.source, type(s.key.value), s.key.value)
        if place in known.lookups:
            return self._assign(ir.AssignVar(known.lookups[place], s.target, location=s.location), known)
        known.lookups[place] = s.target
        return s

    def _call(self, s: ir.Call, known: _Known) -> ir.Statement:
        value = self._constants.get(s.function, UNDEFINED)
        if value is UNDEFINED:
            value = self._computed(s)
        if value is UNDEFINED:
            return self._repeated(s, known)
        return self._assign(ir.AssignVar(ir.Constant(value), s.result, location=s.location), known)

    def _repeated(self, s: ir.Call, known: _Known) -> ir.Statement:
        """Take the value of a rule from an earlier call in the same documents."""
        if s.arguments != (ir.INPUT, ir.DATA) or not self._may_stand_for(s.result):
            return s
        if s.function in known.rules:
            return self._assign(ir.AssignVar(known.rules[s.function], s.result, location=s.location), known)
        known.rules[s.function] = s.result
        return s

    def _computed(self, s: ir.Call) -> Value:
        """Give the result of a builtin that depends on constants only, or `UNDEFINED`."""
        builtin = self._builtins.get(s.function)
        if builtin is None or builtin.needs_context or not builtin.deterministic:
            return UNDEFINED
        arguments = [argument.value for argument in s.arguments if isinstance(argument, ir.Constant)]
        if len(arguments) != len(s.arguments):
            return UNDEFINED
        try:
            value = builtin.function(*arguments)
        except RegoError:
            return UNDEFINED
        return value if _is_small(value) else UNDEFINED


def _is_small(value: Value) -> bool:
    return type(value) not in {str, list, dict, RegoSet} or len(value) <= _LARGEST_FOLDED


def _passed(s: ir.Statement) -> bool | None:
    """Say whether a test of constants is passed; None for another statement."""
    match s:
        case ir.IsArray(source=ir.Constant(value)):
            return type(value) is list
        case ir.IsObject(source=ir.Constant(value)):
            return type(value) is dict
        case ir.IsSet(source=ir.Constant(value)):
            return type(value) is RegoSet
        case ir.IsUndefined(source=ir.Constant(value)):
            return value is UNDEFINED
        case ir.Equal(left=ir.Constant(left), right=ir.Constant(right)):
            return equal(left, right)
        case ir.NotEqual(left=ir.Constant(left), right=ir.Constant(right)):
            return not equal(left, right)
    return None
