"""Rewrites the statements of one rule into their resolved form.

`:=` and `some` become unification, what `with` puts in place is evaluated before. Every rewriting keeps OPA's order of
statements, so that undefined arguments behave as there. Must not know safety, types or plans.
"""

from __future__ import annotations

from webhook.rego.ast import (
    Array,
    Body,
    Call,
    Every,
    Expr,
    Object,
    Ref,
    SomeDecl,
    SomeIn,
    Term,
    Var,
    With,
)
from webhook.rego.errors import Location
from webhook.rego.resolve.findings import Stage
from webhook.rego.resolve.names import (
    collect_names,
    is_assignment,
    pattern_names,
    root_name,
)
from webhook.rego.resolve.operators import (
    INTERNAL_PRINT,
    PRINT,
    builtin_name,
    find_builtin,
)
from webhook.rego.resolve.scopes import Occurrence
from webhook.rego.resolve.shapes import (
    EQUALITY,
    ROOTS,
    requires_evaluation,
)
from webhook.rego.resolve.terms import TermLowering
from webhook.rego.resolve.text import kind_name

_PRINT_OPERATOR = Ref(Var(INTERNAL_PRINT))


class Lowering(TermLowering):
    """Rewrites the statements of one rule or query."""

    def body(self, body: Body) -> list[Expr]:
        """Rewrite the statements of a body, whose scope is the innermost one."""
        lowered: list[Expr] = []
        for expr in body:
            self.statement(expr, lowered)
        return lowered

    def statement(self, expr: Expr, lowered: list[Expr]) -> None:
        """Rewrite one statement; what it becomes is appended to `lowered`."""
        terms = expr.terms
        statement: Term | Every | None
        if isinstance(terms, SomeDecl):
            self._declare_some(terms)
            return
        support: list[Expr] = []
        if isinstance(terms, Call):
            if is_assignment(terms):
                statement = self._assignment(expr, terms, support)
            elif self._is_print(terms):
                statement = self._print(terms)
            else:
                statement = self._call_statement(terms, support, negated=expr.negated)
        elif isinstance(terms, SomeIn):
            statement = self._some_in(expr, terms, support)
        elif isinstance(terms, Every):
            statement = self._every(terms, support)
        else:
            statement = self.term(terms, support)
        replacements = self._replacements(expr, lowered) if expr.replacements else ()
        if statement is None:
            return
        if replacements:
            support = [_replacing(made, replacements) for made in support]
        lowered.extend(support)
        lowered.append(Expr(statement, expr.negated, replacements, location=expr.location))

    def _declare_some(self, declaration: SomeDecl) -> None:
        for variable in declaration.variables:
            if not variable.is_wildcard:
                self._declare(variable.name, Occurrence.DECLARED, declaration.location)

    def _declare(self, name: str, occurrence: Occurrence, location: Location) -> str:
        outcome = self.scopes.declare(name, occurrence, location)
        if isinstance(outcome, Occurrence):
            self._findings.misuse(outcome.value.format(name), location)
            return name
        return outcome

    def _assignment(self, expr: Expr, call: Call, support: list[Expr]) -> Term | None:
        target, value = call.args
        if expr.negated:
            self._findings.misuse("cannot assign vars inside negated expression", expr.location)
            return None
        if type(target) is Ref and not target.path and root_name(target) in ROOTS:
            if self._around.is_v1 or self._around.strict:
                message = f"variables must not shadow {root_name(target)} (use a different variable name)"
                self._findings.misuse(message, expr.location, Stage.NAMES)
                return None
            target = target.head
        if type(value) is Call and type(target) is Var and not target.is_wildcard:
            # The call's result goes straight into the variable.
            arguments = self._call_arguments(value, support)
            if arguments is None:
                self._assign_target(target)
                return None
            callee, args = arguments
            if callee is not None:
                return Call(callee.operator, (*args, self._assign_target(target)), location=value.location)
            return Call(EQUALITY, (self._assign_target(target), args[0]), location=call.location)
        resolved = self.term(value, support)
        return Call(EQUALITY, (self._assign_target(target), resolved), location=call.location)

    def _assign_target(self, target: Term) -> Term:
        if isinstance(target, Var):
            if target.is_wildcard:
                return target
            return Var(
                self._declare(target.name, Occurrence.ASSIGNED, target.location), location=target.location
            )
        if isinstance(target, Array):
            return Array(tuple(map(self._assign_target, target.items)), location=target.location)
        if isinstance(target, Object):
            support: list[Expr] = []
            pairs = tuple(
                (self.term(key, support), self._assign_target(value)) for key, value in target.items
            )
            return Object(pairs, location=target.location)
        self._findings.misuse(f"cannot assign to {kind_name(target)}", target.location)
        return target

    def _some_in(self, expr: Expr, some: SomeIn, support: list[Expr]) -> Term:
        taken: set[str] = set()
        collect_names(some.domain, taken)
        patterns = [some.value] if some.key is None else [some.key, some.value]
        for pattern in patterns:
            for name in pattern_names(pattern):
                if name not in taken and not name.startswith("$"):
                    self._declare(name, Occurrence.DECLARED, expr.location)
                    taken.add(name)
        value = self.term(some.value, support)
        key = Var(self._around.source.unique()) if some.key is None else self.term(some.key, support)
        domain = self.term(some.domain, support)
        if isinstance(domain, Ref):
            iterated = Ref(domain.head, (*domain.path, key), location=domain.location)
        else:
            iterated = Ref(self.as_variable(domain, support), (key,), location=some.domain.location)
        return Call(EQUALITY, (value, iterated), location=some.location)

    def _every(self, every: Every, support: list[Expr]) -> Every:
        variables = [variable for variable in (every.key, every.value) if variable is not None]
        names = {variable.name for variable in variables}
        self._hidden.append(names)
        domain = self.as_variable(self.term(every.domain, support), support, always=True)
        self.scopes.push()
        key = Var(self._around.source.unique()) if every.key is None else self._every_variable(every.key)
        value = self._every_variable(every.value)
        body = self.body(every.body)
        self.check_unused()
        self.scopes.pop()
        self._hidden.pop()
        return Every(key, value, domain, tuple(body), location=every.location)

    def _every_variable(self, variable: Var) -> Var:
        if variable.is_wildcard:
            return variable
        name = self._declare(variable.name, Occurrence.DECLARED, variable.location)
        return Var(name, location=variable.location)

    def _is_print(self, call: Call) -> bool:
        if builtin_name(call.operator) != PRINT or self._means_local(PRINT):
            return False
        return PRINT not in self._around.names.meanings

    def _print(self, call: Call) -> Call | None:
        if not self._around.print_enabled:
            return None
        captured = tuple(self._capture(argument, (), argument.location) for argument in call.args)
        return Call(_PRINT_OPERATOR, (Array(captured, location=call.location),), location=call.location)

    def _replacements(self, expr: Expr, lowered: list[Expr]) -> tuple[With, ...]:
        made = []
        for replacement in expr.replacements:
            target = self._target(replacement.target)
            value = self._function_value(replacement.value) or self.term(replacement.value, lowered)
            if self._around.replacements.needs_value(target, value) and requires_evaluation(value):
                value = self.as_variable(value, lowered, always=True)
            made.append(With(target, value, location=replacement.location))
        return tuple(made)

    def _target(self, target: Term) -> Term:
        if isinstance(target, Var):
            if target.name in ROOTS:
                return Ref(target, location=target.location)
            return self._global(target) or target
        if isinstance(target, Ref) and isinstance(target.head, Var):
            meaning = self._global(target.head)
            if meaning is not None:
                return Ref(meaning.head, (*meaning.path, *target.path), location=target.location)
        return target

    def _function_value(self, value: Term) -> Ref | None:
        """Give the reference when a replacement's value names a function instead of a value."""
        resolved = self._target(value) if isinstance(value, (Var, Ref)) else value
        if isinstance(resolved, Ref) and self._around.operators.function_rules(resolved):
            return resolved
        name = builtin_name(resolved)
        if name and self.scopes.declared(name.split(".", 1)[0]) is None and find_builtin(name) is not None:
            return Ref(Var(name), location=value.location)
        return None

    def _call_statement(self, call: Call, support: list[Expr], *, negated: bool) -> Term | None:
        if call.operator.head == EQUALITY.head and not call.operator.path and len(call.args) == 2:
            return self._equality(call, support, negated=negated)
        arguments = self._call_arguments(call, support, as_value=False)
        if arguments is None:
            return None
        callee, args = arguments
        return args[0] if callee is None else Call(callee.operator, args, location=call.location)

    def _equality(self, call: Call, support: list[Expr], *, negated: bool) -> Term:
        left, right = call.args
        if type(right) is Var and type(left) is Call:
            left, right = right, left
        if type(right) is Call and type(left) is Var and not left.is_wildcard and not negated:
            target = self.term(left, support)
            arguments = self._call_arguments(right, support)
            if arguments is not None and arguments[0] is not None and type(target) is Var:
                return Call(arguments[0].operator, (*arguments[1], target), location=right.location)
            if arguments is None:
                return target
            return Call(EQUALITY, (target, self._called(arguments, right, support)), location=call.location)
        return Call(EQUALITY, (self.term(left, support), self.term(right, support)), location=call.location)


def _replacing(expr: Expr, replacements: tuple[With, ...]) -> Expr:
    if not replacements:
        return expr
    return Expr(expr.terms, expr.negated, replacements + expr.replacements, location=expr.location)
