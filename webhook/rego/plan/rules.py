"""Plans the function that computes what the rules at one path define.

Owns the four shapes of rules: complete, function, set and object, with `else` and `default`. Must not know statements.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

import msgspec

from webhook.rego import ir
from webhook.rego.ast import String, Term
from webhook.rego.plan.bodies import Bodies
from webhook.rego.plan.documents import is_function
from webhook.rego.plan.functions import Node
from webhook.rego.plan.writer import Writer
from webhook.rego.resolve.shapes import SCALARS, Clause, Path, ResolvedRule


class Part(msgspec.Struct, frozen=True):
    """A rule, and where in the document of its function its values go."""

    rule: ResolvedRule
    prefix: Path
    """Constant segments before the keys of the rule itself."""

    @property
    def depth(self) -> int:
        """Count of the keys under which values go into the document."""
        return len(self.prefix) + len(self.rule.keys)

    @property
    def fixed(self) -> tuple[Term, ...]:
        """Constant keys before the first that depends on a body."""
        return tuple(takewhile(lambda key: type(key) in SCALARS, self.keys(self.rule.clauses[0])))

    def keys(self, clause: Clause) -> tuple[Term, ...]:
        """Give the keys under which a clause's value goes into the document; none when it is the document."""
        return (*map(String, self.prefix), *clause.keys)


def parts_of(node: Node) -> list[Part]:
    """Give the rules that define the document at a node.

    Rules at constant paths below a rule with a variable in its reference add to the same object.
    """
    parts = [Part(rule, ()) for rule in node.rules]
    if any(rule.keys for rule in node.rules):
        depth = len(node.path)
        for below in node.descend():
            if below is not node and not is_function(below):
                parts += [Part(rule, below.path[depth:]) for rule in below.rules]
    # The deepest come first, so that none reaches into what another gave as its value: that is a conflict.
    return sorted(parts, key=lambda part: (-part.depth, not part.rule.is_set))


class RulePlanner:
    """Plans the function for one set of rules."""

    def __init__(
        self,
        writer: Writer,
        bodies: Bodies,
        result: ir.Local,
        arguments: tuple[ir.Local, ...],
        parts: list[Part],
    ) -> None:
        self._writer = writer
        self._bodies = bodies
        self._result = result
        self._arguments = arguments
        self._parts = parts
        self._is_object = any(part.depth for part in parts)
        self._is_fixed = all(part.fixed for part in parts)
        shapes = {(part.depth, part.rule.is_set) for part in parts}
        self._is_mixed = len(shapes) > 1

    def blocks(self) -> tuple[ir.Block, ...]:
        """Plan all rules; defaults come last, then the result is returned."""
        made: list[ir.Block] = []
        if self._is_object:
            made.append((ir.MakeObject(self._result, location=self._parts[0].rule.location),))
            made += self._fixed_places()
        elif self._parts[0].rule.is_set:
            made.append((ir.MakeSet(self._result, location=self._parts[0].rule.location),))
        returns_early = self._has_one_value()
        for part in self._parts:
            if not part.rule.default:
                made += self._rule(part, returns_early=returns_early)
        for part in self._parts:
            if part.rule.default:
                made.append(self._block(part.rule.clauses[0], self._default_filler(part)))
        made.append((ir.ReturnLocal(self._result, location=self._parts[0].rule.location),))
        return tuple(made)

    def _fixed_places(self) -> list[ir.Block]:
        """Plan what constant keys bring into being although no body holds: the objects around values, and empty sets.

        A key that is a variable leaves all of it to the bodies, as in OPA.
        """
        if not self._is_fixed:
            return []
        return [self._block(part.rule.clauses[0], self._place_filler(part)) for part in self._parts]

    def _place_filler(self, part: Part) -> Callable[[], None]:
        clause = part.rule.clauses[0]

        def run() -> None:
            target = self._result
            fixed = [self._bodies.terms.evaluate(key) for key in part.fixed]
            is_whole = len(fixed) == part.depth
            for key in fixed[:-1] if is_whole else fixed:
                target = self._inner(target, key, ir.MakeObject, clause)
            if is_whole and part.rule.is_set:
                self._inner(target, fixed[-1], ir.MakeSet, clause)

        return run

    def _has_one_value(self) -> bool:
        """Tell whether every rule gives the same constant, so that the first to hold settles the value."""
        if self._is_object or self._parts[0].rule.is_set:
            return False
        values = [
            clause.value for part in self._parts if not part.rule.default for clause in part.rule.clauses
        ]
        return bool(values) and type(values[0]) in SCALARS and all(value == values[0] for value in values)

    def _block(self, clause: Clause, fill: Callable[[], None]) -> ir.Block:
        self._bodies.terms.bound = {}
        self._writer.location = clause.location
        return self._writer.block(fill)

    def _rule(self, part: Part, *, returns_early: bool) -> list[ir.Block]:
        clauses = part.rule.clauses
        if len(clauses) == 1:
            target = self._result
            fill = self._clause_filler(part, clauses[0], target)
            return [self._block(clauses[0], self._returning(fill, clauses[0]) if returns_early else fill)]
        target = self._writer.local()
        blocks: list[ir.Block] = [(ir.ResetLocal(target, location=clauses[0].location),)]
        for index, clause in enumerate(clauses):
            blocks.append(self._block(clause, self._alternative(part, clause, target, first=not index)))
        location = clauses[0].location
        return [(ir.BlockStatement(tuple(blocks), location=location),)]

    def _returning(self, fill: Callable[[], None], clause: Clause) -> Callable[[], None]:
        def run() -> None:
            fill()
            self._writer.emit(ir.ReturnLocal(self._result, location=clause.location))

        return run

    def _alternative(
        self, part: Part, clause: Clause, target: ir.Local, *, first: bool
    ) -> Callable[[], None]:
        def run() -> None:
            if not first:
                self._writer.emit(ir.IsUndefined(target, location=clause.location))
            self._clause_filler(part, clause, target)()
            if not part.depth:
                self._writer.emit(ir.AssignVarOnce(target, self._result, location=clause.location))

        return run

    def _clause_filler(self, part: Part, clause: Clause, target: ir.Local) -> Callable[[], None]:
        def run() -> None:
            terms = self._bodies.terms
            for argument, pattern in zip(self._arguments, clause.arguments, strict=True):
                terms.match(argument, pattern)
            self._bodies.body(clause.body)
            self._writer.location = clause.location
            # Coverage reads the place of the value as "the body has held".
            self._writer.emit(ir.Nop(location=clause.value.location))
            keys = [terms.evaluate(key) for key in part.keys(clause)]
            value = terms.evaluate(clause.value)
            if keys and target is not self._result:
                # One of an `else` chain: that it has a value ends the chain.
                self._writer.emit(ir.AssignVarOnce(value, target, location=clause.location))
            if keys:
                self._insert(keys, value, part, clause)
            elif part.rule.is_set:
                self._writer.emit(ir.SetAdd(self._result, value, location=clause.location))
            else:
                self._writer.emit(ir.AssignVarOnce(value, target, location=clause.location))

        return run

    def _default_filler(self, part: Part) -> Callable[[], None]:
        clause = part.rule.clauses[0]

        def missing() -> None:
            self._writer.emit(ir.IsUndefined(self._result, location=clause.location))
            self._bodies.body(clause.body)
            self._writer.emit(ir.Nop(location=clause.value.location))
            value = self._bodies.terms.evaluate(clause.value)
            self._writer.emit(ir.AssignVarOnce(value, self._result, location=clause.location))

        def missing_key() -> None:
            block = self._writer.block(self._lookup_filler(part, clause))
            self._writer.emit(ir.Not(block, location=clause.location))
            self._clause_filler(part, clause, self._result)()

        return missing_key if self._is_object else missing

    def _lookup_filler(self, part: Part, clause: Clause) -> Callable[[], None]:
        def run() -> None:
            source: ir.Operand = self._result
            for key in part.keys(clause):
                target = self._writer.local()
                operand = self._bodies.terms.evaluate(key)
                self._writer.emit(ir.Dot(source, operand, target, location=clause.location))
                source = target

        return run

    # -- Values in nested objects --

    def _insert(self, keys: list[ir.Operand], value: ir.Operand, part: Part, clause: Clause) -> None:
        """Plan that a value goes into the document under nested keys."""
        target = self._result
        for key in keys[:-1]:
            target = self._inner(target, key, ir.MakeObject, clause)
        if part.rule.is_set:
            inner = self._inner(target, keys[-1], ir.MakeSet, clause)
            if self._is_mixed:
                self._require_set(target, keys[-1], inner, clause)
            self._writer.emit(ir.SetAdd(inner, value, location=clause.location))
        else:
            if self._is_fixed and len(part.fixed) == part.depth:
                self._require_value(target, keys[-1], value, clause)
            self._writer.emit(ir.ObjectInsertOnce(target, keys[-1], value, location=clause.location))

    def _require_value(self, target: ir.Local, key: ir.Operand, value: ir.Operand, clause: Clause) -> None:
        """Plan that another value at a constant key is a conflict of complete rules, as in OPA."""
        writer = self._writer
        known = writer.local()

        def differs() -> None:
            writer.emit(ir.Dot(target, key, known, location=clause.location))
            writer.emit(ir.AssignVarOnce(value, known, location=clause.location))

        writer.blocks(differs)

    def _inner(
        self, target: ir.Local, key: ir.Operand, make: type[ir.MakeObject | ir.MakeSet], clause: Clause
    ) -> ir.Local:
        """Plan the collection at a key, made when it is missing."""
        writer, location = self._writer, clause.location
        inner = writer.local()

        def present() -> None:
            writer.emit(ir.Dot(target, key, inner, location=location))
            writer.emit(ir.Break(1, location=location))

        def missing() -> None:
            writer.blocks(present)
            writer.emit(make(inner, location=location))
            writer.emit(ir.ObjectInsert(target, key, inner, location=location))

        writer.blocks(missing)
        return inner

    def _require_set(self, target: ir.Local, key: ir.Operand, inner: ir.Local, clause: Clause) -> None:
        """Plan that anything but a set at a key is a conflict."""
        writer, location = self._writer, clause.location

        def is_set() -> None:
            writer.emit(ir.IsSet(inner, location=location))
            writer.emit(ir.Break(1, location=location))

        def conflict() -> None:
            writer.blocks(is_set)
            # No set comes here, so nothing equals this one: that raises OPA's error on keys with two values.
            empty = writer.local()
            writer.emit(ir.MakeSet(empty, location=location))
            writer.emit(ir.ObjectInsertOnce(target, key, empty, location=location))

        writer.blocks(conflict)
