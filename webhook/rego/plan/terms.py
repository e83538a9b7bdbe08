"""Plans terms: what they evaluate to, and how they match values.

Owns literals, comprehensions, references into values, and unification. References below `data` and calls are planned
elsewhere. A reference with an unbound variable opens a loop; what is planned afterwards runs within it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from webhook.rego import ir
from webhook.rego.ast import (
    Array,
    ArrayComprehension,
    Body,
    Boolean,
    Null,
    Number,
    Object,
    ObjectComprehension,
    Ref,
    Set,
    SetComprehension,
    String,
    Term,
    Var,
)
from webhook.rego.errors import Location
from webhook.rego.plan.writer import Writer
from webhook.rego.resolve.shapes import is_constant, is_data
from webhook.rego.resolve.unification import pattern_variables
from webhook.rego.resolve.variables import term_names
from webhook.rego.values import RegoSet, Value, make_object


class PlanBody(Protocol):
    """Plans the statements of a body at the writer's place."""

    def __call__(self, body: Body, /) -> None:
        """Plan them."""
        ...


class PlanData(Protocol):
    """Plans a reference below `data`; gives what it evaluates to."""

    def __call__(self, ref: Ref, /) -> ir.Operand:
        """Plan it."""
        ...


def constant_value(term: Term) -> Value:
    """Give the value of a constant term."""
    if isinstance(term, (String, Boolean, Number)):
        return term.value
    if isinstance(term, Null):
        return None
    if isinstance(term, Array):
        return list(map(constant_value, term.items))
    if isinstance(term, Set):
        return RegoSet(map(constant_value, term.items))
    if isinstance(term, Object):
        return make_object((constant_value(key), constant_value(value)) for key, value in term.items)
    raise TypeError(f"not a constant: {type(term).__name__}")


class Terms:
    """Plans the terms of one function; knows which variables are bound, and to what."""

    def __init__(self, writer: Writer, body: PlanBody, data: PlanData) -> None:
        self._writer = writer
        self._body = body
        self._data = data
        self.bound: dict[str, ir.Operand] = {}
        """Variables that have a value at the writer's place."""

    def scoped(self, fill: Callable[[], None]) -> Callable[[], None]:
        """Wrap a filler of a block so that variables bound within it are unknown after it."""

        def run() -> None:
            outer = self.bound
            self.bound = dict(outer)
            location = self._writer.location
            fill()
            self._writer.location = location
            self.bound = outer

        return run

    def is_open(self, term: Term) -> bool:
        """Tell whether a term is a pattern with a variable that has no value yet."""
        if isinstance(term, Var):
            return term.name not in self.bound
        if isinstance(term, Array):
            return any(map(self.is_open, term.items))
        if isinstance(term, Object):
            return any(self.is_open(value) for _, value in term.items)
        return False

    # -- Evaluation --

    def evaluate(self, term: Term) -> ir.Operand:
        """Plan what a term evaluates to."""
        if isinstance(term, Var):
            return self._variable(term.name)
        if isinstance(term, Ref):
            return self._data(term) if is_data(term) else self._reference(term)
        if is_constant(term):
            return ir.Constant(constant_value(term))
        if isinstance(term, Array):
            return self._array(term)
        if isinstance(term, Object):
            return self._object(term)
        if isinstance(term, Set):
            return self._set(term)
        return self._comprehension(term)

    def _variable(self, name: str) -> ir.Operand:
        operand = self.bound.get(name)
        if operand is None:
            # A variable that nothing binds: safety lets none through, but what it stands for is undefined.
            operand = self._writer.local()
            self._writer.emit(ir.ResetLocal(operand, location=self._writer.location))
            self.bound[name] = operand
        return operand

    def _array(self, term: Array) -> ir.Operand:
        items = [self.evaluate(item) for item in term.items]
        target, location = self._writer.local(), self._writer.location
        self._writer.emit(ir.MakeArray(target, len(items), location=location))
        for item in items:
            self._writer.emit(ir.ArrayAppend(target, item, location=location))
        return target

    def _set(self, term: Set) -> ir.Operand:
        items = [self.evaluate(item) for item in term.items]
        target, location = self._writer.local(), self._writer.location
        self._writer.emit(ir.MakeSet(target, location=location))
        for item in items:
            self._writer.emit(ir.SetAdd(target, item, location=location))
        return target

    def _object(self, term: Object) -> ir.Operand:
        pairs = [(self.evaluate(key), self.evaluate(value)) for key, value in term.items]
        target, location = self._writer.local(), self._writer.location
        self._writer.emit(ir.MakeObject(target, location=location))
        for key, value in pairs:
            self._writer.emit(ir.ObjectInsert(target, key, value, location=location))
        return target

    def _comprehension(self, term: Term) -> ir.Operand:
        writer = self._writer
        writer.location = _placed(term, writer.location)
        target, location = writer.local(), writer.location

        def fill() -> None:
            if isinstance(term, ObjectComprehension):
                self._body(term.body)
                key, value = self.evaluate(term.key), self.evaluate(term.value)
                writer.emit(ir.ObjectInsertOnce(target, key, value, location=location))
            elif isinstance(term, ArrayComprehension):
                self._body(term.body)
                writer.emit(ir.ArrayAppend(target, self.evaluate(term.term), location=location))
            elif isinstance(term, SetComprehension):
                self._body(term.body)
                writer.emit(ir.SetAdd(target, self.evaluate(term.term), location=location))
            else:
                raise TypeError(f"not a resolved term: {type(term).__name__}")

        make = {ArrayComprehension: ir.MakeArray, SetComprehension: ir.MakeSet}.get(type(term), ir.MakeObject)
        writer.emit(make(target, location=location))
        writer.blocks(self.scoped(fill))
        return target

    def _reference(self, ref: Ref) -> ir.Operand:
        if isinstance(ref.head, Var) and ref.head.name == "input":
            return self.follow(ir.INPUT, ref.path) if ref.path else self._whole_input()
        return self.follow(self.evaluate(ref.head), ref.path)

    def _whole_input(self) -> ir.Operand:
        """Plan a copy of the variable, which `with` may change while the value is still in use."""
        copy, location = self._writer.local(), self._writer.location
        self._writer.emit(ir.IsDefined(ir.INPUT, location=location))
        self._writer.emit(ir.AssignVar(ir.INPUT, copy, location=location))
        return copy

    def follow(self, source: ir.Operand, path: tuple[Term, ...]) -> ir.Operand:
        """Plan a reference into a value; unbound variables in it are enumerated."""
        for part in path:
            if self.has_unbound(part):
                key, value = self._writer.loop(source)
                self.match(key, part)
                source = value
            else:
                target = self._writer.local()
                operand = self.evaluate(part)
                self._writer.emit(ir.Dot(source, operand, target, location=self._writer.location))
                source = target
        return source

    def has_unbound(self, part: Term) -> bool:
        """Tell whether a segment of a reference has a variable to enumerate."""
        if type(part) is String:
            return False
        if isinstance(part, (Array, Object, Var)):
            return any(name not in self.bound for name in pattern_variables(part))
        return False

    # -- Unification --

    def unify(self, left: Term, right: Term) -> None:
        """Plan `left = right`."""
        waiting = [(left, right)]
        while waiting:
            later = [pair for pair in waiting if not self._unify_now(*pair)]
            # Pairs that only wait for one another have no solution that safety would have let through.
            if len(later) == len(waiting) and all(map(self._is_stuck, later)):
                self._writer.fail()
                return
            waiting = [pair for one, other in later for pair in self._parts(one, other)]

    def _is_stuck(self, pair: tuple[Term, Term]) -> bool:
        return not (isinstance(pair[0], (Array, Object)) and isinstance(pair[1], (Array, Object)))

    def _unify_now(self, left: Term, right: Term) -> bool:
        """Plan a pair of which at least one side has a value; tell whether it has."""
        if not self.is_open(left):
            if self.is_open(right):
                self.match(self.evaluate(left), right)
            else:
                one, other = self.evaluate(left), self.evaluate(right)
                self._writer.emit(ir.Equal(one, other, location=self._writer.location))
            return True
        if self.is_open(right):
            return False
        operand = self.evaluate(right)
        self.match(operand, left)
        return True

    def _parts(self, left: Term, right: Term) -> list[tuple[Term, Term]]:
        """Take a pair of patterns apart; one that can never match fails."""
        if isinstance(left, Array) and isinstance(right, Array):
            if len(left.items) != len(right.items):
                self._writer.fail()
                return []
            return list(zip(left.items, right.items, strict=True))
        if isinstance(left, Object) and isinstance(right, Object):
            pairs = [
                (value, other) for key, value in left.items for name, other in right.items if key == name
            ]
            if not len(pairs) == len(left.items) == len(right.items):
                self._writer.fail()
                return []
            return pairs
        return [(left, right)]

    def match(self, operand: ir.Operand, pattern: Term) -> None:
        """Plan that a value matches a pattern, binding the variables that have no value yet."""
        if isinstance(pattern, Var) and pattern.name not in self.bound:
            self.bound[pattern.name] = operand
        elif isinstance(pattern, Array) and self.is_open(pattern):
            self._writer.emit(ir.IsArray(operand, location=self._writer.location))
            self._match_size(operand, len(pattern.items))
            for index, item in enumerate(pattern.items):
                self._match_part(operand, ir.Constant(index), item)
        elif isinstance(pattern, Object) and self.is_open(pattern):
            self._writer.emit(ir.IsObject(operand, location=self._writer.location))
            self._match_size(operand, len(pattern.items))
            for key, value in pattern.items:
                self._match_part(operand, self.evaluate(key), value)
        else:
            expected = self.evaluate(pattern)
            self._writer.emit(ir.Equal(operand, expected, location=self._writer.location))

    def _match_size(self, operand: ir.Operand, size: int) -> None:
        length = self._writer.local()
        self._writer.emit(ir.Len(operand, length, location=self._writer.location))
        self._writer.emit(ir.Equal(length, ir.Constant(size), location=self._writer.location))

    def _match_part(self, source: ir.Operand, key: ir.Operand, pattern: Term) -> None:
        part = self._writer.local()
        self._writer.emit(ir.Dot(source, key, part, location=self._writer.location))
        self.match(part, pattern)

    def closes_over(self, term: Term) -> bool:
        """Tell whether every variable of a term has a value."""
        return term_names(term) <= self.bound.keys()


def _placed(term: Term, fallback: Location) -> Location:
    return term.location if term.location.row else fallback
