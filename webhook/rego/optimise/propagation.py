"""Replaces copies, constants and repeated lookups by what they stand for, and folds what is constant.

One walk in the order of execution; what is known in a block is forgotten after it, because control may have left
it early. The input and data documents are never propagated: they differ within a `with`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from webhook.rego import dataflow, ir
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.errors import RegoError
from webhook.rego.texts import parse_number
from webhook.rego.values import UNDEFINED, RegoSet, Value, equal, lookup

_DOCUMENTS: Final = frozenset({ir.INPUT, ir.DATA})
_DEFINING: Final = dataflow.SETTING | {ir.IsDefined}
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
    known = _Known(set(function.params[2:]), {}, {}, {})
    return dataflow.with_body(function, [walk.block(block, known.copy()) for block in function.blocks])


class _Known:
    """What is known at one point."""

    __slots__ = ("defined", "lookups", "rules", "stands_for")

    def __init__(
        self,
        defined: set[ir.Local],
        stands_for: dict[ir.Local, ir.Operand],
        lookups: dict[tuple[ir.Operand, type, Any], ir.Local],
        rules: dict[str, ir.Local],
    ) -> None:
        self.defined = defined
        """Variables that are set once and have a value."""
        self.stands_for = stands_for
        self.lookups = lookups
        """Variable that holds what a lookup of (source, type of key, key) gave."""
        self.rules = rules
        """Variable that holds the value of a rule."""

    def copy(self) -> _Known:
        return _Known(self.defined.copy(), self.stands_for.copy(), self.lookups.copy(), self.rules.copy())

    def resolve(self, operand: ir.Operand) -> ir.Operand:
        return operand if isinstance(operand, ir.Constant) else self.stands_for.get(operand, operand)


class _Propagation:
    def __init__(
        self, usage: dataflow.Usage, builtins: Mapping[str, Builtin], constants: Mapping[str, Value]
    ) -> None:
        self._set_once = usage.set_once
        self._changed = usage.changed
        self._builtins = builtins
        self._constants = constants

    def block(self, block: ir.Block, known: _Known) -> ir.Block:
        """Simplify a block; `known` is at its end what is known there."""
        result: list[ir.Statement] = []
        for statement in block:
            resolved = dataflow.with_operands(statement, known.resolve) if known.stands_for else statement
            simplify = _SIMPLIFIED.get(type(resolved))
            simplified = resolved if simplify is None else simplify(self, resolved, known)
            if simplified is not None:
                result.append(simplified)
                if type(simplified) in _DEFINING:
                    self._note_defined(simplified, known)
        return dataflow.with_statements(block, result)

    def _note_defined(self, s: ir.Statement, known: _Known) -> None:
        """Note what certainly has a value after a statement."""
        kind = type(s)
        if kind is ir.IsDefined:
            source = s.source  # type: ignore[attr-defined]
            if not isinstance(source, ir.Constant) and self._is_fixed(source):
                known.defined.add(source)
        elif kind is not ir.AssignVar or self._is_defined(s.source, known):  # type: ignore[attr-defined]
            for target in dataflow.sets(s):
                if target in self._set_once:
                    known.defined.add(target)

    def _is_defined(self, operand: ir.Operand, known: _Known) -> bool:
        if isinstance(operand, ir.Constant):
            return operand.value is not UNDEFINED
        return operand in known.defined

    def number(self, s: ir.AssignInt | ir.MakeNumberInt, known: _Known) -> ir.Statement:
        return self.assign(ir.AssignVar(ir.Constant(s.value), s.target, location=s.location), known)

    def number_text(self, s: ir.MakeNumberRef, known: _Known) -> ir.Statement:
        number = ir.Constant(parse_number(s.text))
        return self.assign(ir.AssignVar(number, s.target, location=s.location), known)

    def null(self, s: ir.MakeNull, known: _Known) -> ir.Statement:
        return self.assign(ir.AssignVar(ir.Constant(None), s.target, location=s.location), known)

    def nothing(self, _: ir.Nop, __: _Known) -> None:
        """Leave nothing."""

    def defined(self, s: ir.IsDefined, known: _Known) -> ir.Statement | None:
        if self._is_defined(s.source, known):
            return None
        return ir.Break(0, location=s.location) if isinstance(s.source, ir.Constant) else s

    def with_documents(self, s: ir.With, known: _Known) -> ir.Statement:
        inner = known.copy()
        inner.rules = {}
        inner.lookups = {place: v for place, v in known.lookups.items() if place[0] not in _DOCUMENTS}
        return dataflow.with_blocks(s, lambda block: self.block(block, inner))

    def scan(self, s: ir.Scan, known: _Known) -> ir.Statement:
        inner = known.copy()
        inner.defined |= {s.key, s.value} & self._set_once
        return dataflow.with_blocks(s, lambda block: self.block(block, inner))

    def nested(self, s: ir.BlockStatement | ir.Not, known: _Known) -> ir.Statement:
        return dataflow.with_blocks(s, lambda block: self.block(block, known.copy()))

    def test(self, s: ir.Statement, _: _Known) -> ir.Statement | None:
        """Decide a test of constants."""
        passed = _passed(s)
        return s if passed is None else None if passed else ir.Break(0, location=s.location)

    def assign(self, s: ir.AssignVar, known: _Known) -> ir.Statement:
        """Note what the target of an assignment stands for."""
        if self._may_stand_for(s.target) and (isinstance(s.source, ir.Constant) or self._is_fixed(s.source)):
            known.stands_for[s.target] = s.source
        return s

    def _may_stand_for(self, target: ir.Local) -> bool:
        return target in self._set_once and target not in self._changed

    def _is_fixed(self, variable: ir.Local) -> bool:
        return variable in self._set_once and variable not in _DOCUMENTS

    def dot(self, s: ir.Dot, known: _Known) -> ir.Statement | None:
        if not isinstance(s.key, ir.Constant):
            return s
        if isinstance(s.source, ir.Constant):
            found = lookup(s.source.value, s.key.value)
            if found is UNDEFINED:
                return s
            return self.assign(ir.AssignVar(ir.Constant(found), s.target, location=s.location), known)
        if type(s.key.value) not in {str, int} or not self._may_stand_for(s.target):
            return s
        if s.source not in _DOCUMENTS and not self._may_stand_for(s.source):
            return s
        place = (s.source, type(s.key.value), s.key.value)
        if place in known.lookups:
            return self.assign(ir.AssignVar(known.lookups[place], s.target, location=s.location), known)
        known.lookups[place] = s.target
        return s

    def call(self, s: ir.Call, known: _Known) -> ir.Statement:
        value = self._constants.get(s.function, UNDEFINED)
        if value is UNDEFINED:
            value = self._computed(s)
        if value is UNDEFINED:
            return self._repeated(s, known)
        return self.assign(ir.AssignVar(ir.Constant(value), s.result, location=s.location), known)

    def _repeated(self, s: ir.Call, known: _Known) -> ir.Statement:
        """Take the value of a rule from an earlier call in the same documents."""
        if s.arguments != (ir.INPUT, ir.DATA) or not self._may_stand_for(s.result):
            return s
        if s.function in known.rules:
            return self.assign(ir.AssignVar(known.rules[s.function], s.result, location=s.location), known)
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
        except (RegoError, RecursionError):
            return UNDEFINED
        return value if _is_small(value) else UNDEFINED


def _is_small(value: Value) -> bool:
    return type(value) not in {str, list, dict, RegoSet} or len(value) <= _LARGEST_FOLDED


def _passed(s: ir.Statement) -> bool | None:
    """Say whether a test of constants is passed; None for another statement."""
    match s:
        case ir.IsArray(source=ir.Constant(value)):
            return type(value) is list
        case ir.IsCollection(source=ir.Constant(value)):
            return type(value) in {list, dict, RegoSet}
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


_SIMPLIFIED: Final[
    Mapping[type[ir.Statement], Callable[[_Propagation, Any, _Known], ir.Statement | None]]
] = {
    ir.AssignInt: _Propagation.number,
    ir.AssignVar: _Propagation.assign,
    ir.BlockStatement: _Propagation.nested,
    ir.Call: _Propagation.call,
    ir.Dot: _Propagation.dot,
    ir.Equal: _Propagation.test,
    ir.IsArray: _Propagation.test,
    ir.IsCollection: _Propagation.test,
    ir.IsDefined: _Propagation.defined,
    ir.IsObject: _Propagation.test,
    ir.IsSet: _Propagation.test,
    ir.IsUndefined: _Propagation.test,
    ir.MakeNull: _Propagation.null,
    ir.MakeNumberInt: _Propagation.number,
    ir.MakeNumberRef: _Propagation.number_text,
    ir.Nop: _Propagation.nothing,
    ir.Not: _Propagation.nested,
    ir.NotEqual: _Propagation.test,
    ir.Scan: _Propagation.scan,
    ir.With: _Propagation.with_documents,
}
"""How a statement whose operands are replaced already is simplified; None means that nothing is left to do."""
