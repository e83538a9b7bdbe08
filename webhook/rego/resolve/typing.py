"""Infers types through bodies and finds calls, matches and references that can never succeed.

Follows OPA: variables take the type of their first use, a match of types that exclude each other is an error, so is
a reference into a rule's value where nothing can be. Must not know the order of rules; callers give callees first.
"""

from __future__ import annotations

from webhook.rego.ast import (
    Array,
    ArrayComprehension,
    Body,
    Call,
    Comprehension,
    Every,
    Expr,
    Object,
    ObjectComprehension,
    Ref,
    Set,
    Term,
    Var,
)
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.builtins.signatures import ANY, ArrayOf, ObjectOf, OneOf, Parameter, SetOf, Type, unifies
from webhook.rego.errors import Location
from webhook.rego.resolve.environment import Environment, TypeNode
from webhook.rego.resolve.findings import Findings
from webhook.rego.resolve.references import ReferenceCheck
from webhook.rego.resolve.shapes import (
    SCALARS,
    Clause,
    Closure,
    ResolvedRule,
    is_constant,
    operator_name,
)
from webhook.rego.resolve.text import term_text
from webhook.rego.resolve.types import FunctionType, bounded, in_order, parameter_text, values_of
from webhook.rego.resolve.variables import Mentions, yielded_terms


class TypeCheck:
    """Checks rules, callees first, and remembers the types of what they define."""

    def __init__(self, findings: Findings, rules: TypeNode | None = None) -> None:
        self._findings = findings
        self.rules = rules or TypeNode()

    def check_rule(self, rule: ResolvedRule) -> None:
        """Check one rule and add its type to what is known of its document."""
        for clause in rule.clauses:
            self._check_clause(rule, clause)

    def check_query(self, body: Body) -> None:
        """Check a body that belongs to no rule."""
        _BodyCheck(Environment(self.rules), self._findings).body(body)

    def _check_clause(self, rule: ResolvedRule, clause: Clause) -> None:
        environment = Environment(self.rules)
        before = len(self._findings)
        _BodyCheck(environment, self._findings).body(clause.body)
        if len(self._findings) > before:
            self.rules.insert(rule.path, ANY)
            return
        if rule.arity is not None:
            for argument in clause.arguments:
                for name in _names(argument):
                    if environment.variable(name) is None:
                        environment.note(name, ANY)
            arguments = tuple(environment.type_of(argument) or ANY for argument in clause.arguments)
            result = environment.type_of(clause.value) or ANY
            self.rules.insert(rule.path, FunctionType(arguments, result))
            return
        type_ = environment.type_of(clause.value) or ANY
        if rule.is_set:
            type_ = bounded(SetOf(type_))
        for key in reversed(clause.keys):
            type_ = bounded(ObjectOf(environment.type_of(key) or ANY, type_))
        self.rules.insert(rule.path, type_)


class _BodyCheck:
    """Checks the bodies of one rule."""

    def __init__(self, environment: Environment, findings: Findings) -> None:
        self._environment = environment
        self._findings = findings
        self._references = ReferenceCheck(environment, findings, self._unify_one)

    def body(self, body: Body) -> None:
        for expr in body:
            before = len(self._findings)
            for closure in Mentions(expr).closures:
                self._closure(closure)
            self._references.statement(expr)
            self._expression(expr, suppressed=len(self._findings) > before)

    def _closure(self, closure: Closure) -> None:
        if isinstance(closure, Every):
            self._environment.push()
            self._every_references(closure.body)
            self._environment.pop()
            return
        self._environment.push()
        before = len(self._findings)
        self.body(closure.body)
        types = [self._environment.type_of(term) for term in yielded_terms(closure)]
        self._environment.pop()
        made: Type | None = None
        if len(self._findings) == before:
            # A parameter that stands in no statement may be anything.
            made = _closure_type(closure, [ANY if type_ is None else type_ for type_ in types])
        self._environment.closures[id(closure)] = made

    def _every_references(self, body: Body) -> None:
        """Check only the references in an `every`, as OPA does."""
        for expr in body:
            for closure in Mentions(expr).closures:
                self._closure(closure)
            self._references.statement(expr)

    def _expression(self, expr: Expr, *, suppressed: bool) -> None:
        self._replacements(expr)
        terms = expr.terms
        if not isinstance(terms, Call):
            return
        name = operator_name(terms)
        if name == "eq" or (name == "equal" and len(terms.args) == 2):
            self._equality(terms, expr.location, suppressed=suppressed)
        else:
            self._call(terms, name, expr.location, suppressed=suppressed)

    def _replacements(self, expr: Expr) -> None:
        for replacement in expr.replacements:
            target = self._function(replacement.target)
            value = self._function(replacement.value)
            if target is None or value is None:
                continue
            pairs = zip(target.arguments, value.arguments, strict=False)
            if len(target.arguments) != len(value.arguments) or not all(unifies(a, b) for a, b in pairs):
                details = _details(list(value.arguments), list(map(str, target.arguments)))
                self._findings.mistype(
                    f"{term_text(replacement.target)}: arity mismatch{details}", replacement.location
                )

    def _function(self, term: Term) -> FunctionType | None:
        if not isinstance(term, (Ref, Var)):
            return None
        builtin = BUILTINS.get(term_text(term))
        if builtin is not None:
            return FunctionType(tuple(map(in_order, builtin.arguments)), in_order(builtin.result.type))
        found = self._environment.reference(term) if isinstance(term, Ref) else None
        return found if isinstance(found, FunctionType) else None

    def _call(self, call: Call, name: str, location: Location, *, suppressed: bool) -> None:
        builtin = BUILTINS.get(name)
        function = self._environment.reference(call.operator) if builtin is None else None
        if builtin is not None:
            parameters = [*builtin.parameters] if builtin.void else [*builtin.parameters, builtin.result]
            wanted = [parameter.type for parameter in parameters]
            wanted += [builtin.variadic or ANY] * (len(call.args) - len(wanted))
        elif isinstance(function, FunctionType):
            parameters = [Parameter("", type_) for type_ in (*function.arguments, function.result)]
            wanted = [*function.arguments, function.result]
        else:
            # A rule without parameters can be called, as in OPA, when no single type is known of its value.
            if function is not None and not isinstance(function, OneOf):
                self._findings.mistype(f"undefined function {term_text(call.operator)}", location)
            self._widen_all(call)
            return
        pairs = zip(call.args, wanted, strict=False)
        if all(self._unify_one(argument, type_) for argument, type_ in pairs):
            return
        have = [self._environment.type_of(argument) for argument in call.args]
        if not (suppressed and None in have):
            details = _details(have, list(map(parameter_text, parameters)))
            self._findings.mistype(f"{term_text(call.operator)}: invalid argument(s){details}", location)

    def _widen_all(self, call: Call) -> None:
        for argument in call.args:
            self._unify_one(argument, ANY)

    def _equality(self, call: Call, location: Location, *, suppressed: bool) -> None:
        left, right = call.args
        left_type, right_type = self._environment.type_of(left), self._environment.type_of(right)
        if self._unify_two(left, left_type, right, right_type):
            return
        if suppressed and (left_type is None or right_type is None):
            return
        shown = ["???" if type_ is None else str(type_) for type_ in (left_type, right_type)]
        self._findings.mistype(f"match error\n\tleft  : {shown[0]}\n\tright : {shown[1]}", location)

    # -- Unification of types through patterns --

    def _unify_two(self, left: Term, left_type: Type | None, right: Term, right_type: Type | None) -> bool:
        if left_type is None and right_type is not None:
            return self._unify_one(left, right_type)
        if right_type is None and left_type is not None:
            return self._unify_one(right, left_type)
        if left_type is not None:
            return unifies(left_type, right_type)
        if isinstance(left, Array) and isinstance(right, Array):
            if len(left.items) != len(right.items):
                return False
            return self._unify_all(list(zip(left.items, right.items, strict=True)))
        if isinstance(left, Object) and isinstance(right, Object):
            return self._unify_objects(left, right)
        for one, other in ((left, right), (right, left)):
            if isinstance(one, (Array, Object, Var)) and isinstance(other, Var):
                return self._unify_one(one, ANY) and self._unify_one(
                    other, self._environment.type_of(one) or ANY
                )
        return False

    def _unify_terms(self, one: Term, other: Term) -> bool:
        return self._unify_two(one, self._environment.type_of(one), other, self._environment.type_of(other))

    def _unify_objects(self, left: Object, right: Object) -> bool:
        values = [(value, other) for key, value in left.items for name, other in right.items if key == name]
        if not len(left.items) == len(right.items) == len(values):
            return False
        return self._unify_all(values)

    def _unify_all(self, pairs: list[tuple[Term, Term]]) -> bool:
        fits = [self._unify_terms(one, other) for one, other in pairs]
        return all(fits)

    def _unify_one(self, term: Term, type_: Type, *, widening: bool = False) -> bool:
        """Match a term with a type, giving its variables theirs."""
        if isinstance(term, Var):
            known = self._environment.variable(term.name)
            if widening:
                self._environment.widen(term.name, type_)
                return True
            if known is not None:
                return unifies(known, type_)
            self._environment.note(term.name, type_)
            return True
        if type(term) in SCALARS or isinstance(term, (Ref, Comprehension)):
            return unifies(self._environment.type_of(term), type_)
        if isinstance(type_, OneOf):
            if not type_.members:
                self._widen_parts(term)
                return True
            fits = [self._unify_one(term, member, widening=True) for member in type_.members]
            return any(fits)
        if isinstance(term, Array):
            return isinstance(type_, ArrayOf) and self._unify_array(term, type_, widening=widening)
        if isinstance(term, Object):
            return isinstance(type_, ObjectOf) and self._unify_object(term, type_, widening=widening)
        if isinstance(term, Set) and isinstance(type_, SetOf):
            items = values_of(type_) or ANY
            fits = [self._unify_one(item, items, widening=widening) for item in term.items]
            return all(fits)
        return False

    def _widen_parts(self, term: Term) -> None:
        parts: list[Term] = []
        if isinstance(term, (Array, Set)):
            parts = list(term.items)
        elif isinstance(term, Object):
            parts = [part for pair in term.items for part in pair]
        for part in parts:
            self._unify_one(part, ANY, widening=True)

    def _unify_array(self, term: Array, type_: ArrayOf, *, widening: bool) -> bool:
        if len(term.items) != len(type_.leading) and type_.items is None:
            return False
        fits = True
        for index, item in enumerate(term.items):
            wanted = type_.at(index)
            fits = wanted is not None and self._unify_one(item, wanted, widening=widening) and fits
        return fits

    def _unify_object(self, term: Object, type_: ObjectOf, *, widening: bool) -> bool:
        if len(term.items) != len(type_.properties) and type_.values is None:
            return False
        for key, value in term.items:
            wanted: Type | None = ANY
            if is_constant(key):
                wanted = self._environment.step(type_, key)
            if wanted is None or not self._unify_one(value, wanted, widening=widening):
                return False
        return True


def _closure_type(closure: Comprehension, types: list[Type]) -> Type:
    if isinstance(closure, ObjectComprehension):
        return bounded(ObjectOf(types[0], types[1]))
    if isinstance(closure, ArrayComprehension):
        return bounded(ArrayOf(types[0]))
    return bounded(SetOf(types[0]))


def _details(have: list[Type] | list[Type | None], want: list[str]) -> str:
    given = ", ".join("???" if type_ is None else str(type_) for type_ in have)
    return f"\n\thave: ({given})\n\twant: ({', '.join(want)})"


def _names(term: Term) -> set[str]:
    return Mentions(Expr(term)).direct
