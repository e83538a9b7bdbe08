"""Rewrites the bodies and terms of one rule into their resolved form.

Names become full references or unique variables, calls inside terms become statements of their own before the one
that uses them, `:=` and `some` become unification, comprehensions yield plain terms. Every rewriting keeps OPA's
order of statements, so that undefined arguments behave as there. Must not know safety, types or plans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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
    SetComprehension,
    SomeDecl,
    SomeIn,
    String,
    TemplateString,
    Term,
    Var,
    With,
)
from webhook.rego.errors import Location
from webhook.rego.resolve.findings import Findings
from webhook.rego.resolve.names import (
    ModuleNames,
    collect_names,
    declared_names,
    is_assignment,
    pattern_names,
    root_name,
)
from webhook.rego.resolve.operators import (
    INTERNAL_PRINT,
    METADATA_CHAIN,
    METADATA_RULE,
    PRINT,
    TEMPLATE_STRING,
    Callee,
    Operators,
    builtin_name,
    find_builtin,
)
from webhook.rego.resolve.replacements import Replacements
from webhook.rego.resolve.scopes import NameSource, Occurrence, Scopes
from webhook.rego.resolve.shapes import (
    EQUALITY,
    ROOTS,
    is_generated,
    requires_evaluation,
)
from webhook.rego.resolve.text import kind_name, term_text

_PRINT_OPERATOR = Ref(Var(INTERNAL_PRINT))
_TEMPLATE_OPERATOR = Ref(Var(TEMPLATE_STRING))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rules of one module share while they are rewritten."""

    names: ModuleNames
    operators: Operators
    replacements: Replacements
    findings: Findings
    source: NameSource
    strict: bool
    """Unused variables, arguments and imports are errors, as is shadowing of `input` in v0."""
    print_enabled: bool
    is_v1: bool
    captures: dict[str, bool] = field(default_factory=dict)
    """Result variables of the comprehensions that print and template strings make, to whether it is a print."""


class Lowering:
    """Rewrites one rule or query; holds the scopes at the place it has come to."""

    def __init__(self, around: Surroundings, metadata: Callable[[str], Term] | None = None) -> None:
        self._around = around
        self._metadata = metadata
        self._findings = around.findings
        self.scopes = Scopes(around.source)
        self._hidden: list[set[str]] = []

    # -- Bodies --

    def body(self, body: Body) -> list[Expr]:
        """Rewrite the statements of a body, whose scope is the innermost one."""
        lowered: list[Expr] = []
        for expr in body:
            self._expression(expr, lowered)
        return lowered

    def enter(self, scopes: Scopes, hidden: list[set[str]]) -> None:
        """Begin a body: `hidden` names stand for variables in it, whatever the module calls so."""
        self.scopes = scopes
        self._hidden = hidden

    def check_unused(self) -> None:
        """Note the innermost scope's variables that were declared in vain."""
        for name, location in self.scopes.unused(Occurrence.DECLARED):
            self._findings.misuse(f"declared var {name} unused", location)
        if self._around.strict:
            for name, location in self.scopes.unused(Occurrence.ASSIGNED):
                self._findings.misuse(f"assigned var {name} unused", location)

    def _expression(self, expr: Expr, lowered: list[Expr]) -> None:
        terms = expr.terms
        statement: Term | Every | None
        if isinstance(terms, SomeDecl):
            self._declare_some(terms)
            return
        support: list[Expr] = []
        if isinstance(terms, Call):
            if is_assignment(terms):
                statement = self._assignment(expr, terms, support)
            elif builtin_name(terms.operator) == PRINT and not self._means_local(PRINT):
                statement = self._print(terms)
            else:
                statement = self._call_statement(terms, support, negated=expr.negated)
        elif isinstance(terms, SomeIn):
            statement = self._some_in(expr, terms, support)
        elif isinstance(terms, Every):
            statement = self._every(terms, support)
        else:
            statement = self.term(terms, support)
        if statement is None:
            return
        replacements = self._replacements(expr, lowered) if expr.replacements else ()
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
                self._findings.misuse(message, expr.location)
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

    def _print(self, call: Call) -> Call | None:
        if not self._around.print_enabled:
            return None
        captured = tuple(
            self._capture(argument, (), argument.location, printed=True) for argument in call.args
        )
        return Call(_PRINT_OPERATOR, (Array(captured, location=call.location),), location=call.location)

    def _capture(
        self, term: Term, replacements: tuple[With, ...], location: Location, *, printed: bool = False
    ) -> Term:
        """Wrap a term so that it may be undefined: the set of its values."""
        result = Var(self._around.source.unique(), location=location)
        self._around.captures[result.name] = printed
        self.scopes.push()
        body: list[Expr] = []
        equality = Call(EQUALITY, (result, term), location=location)
        self._expression(Expr(equality, False, replacements, location=location), body)
        self.scopes.pop()
        return SetComprehension(result, tuple(body), location=location)

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
        resolved = self._target(value) if isinstance(value, Var | Ref) else value
        if isinstance(resolved, Ref) and self._around.operators.function_rules(resolved):
            return resolved
        name = builtin_name(resolved)
        if name and self.scopes.declared(name.split(".", 1)[0]) is None and find_builtin(name) is not None:
            return Ref(Var(name), location=value.location)
        return None

    # -- Calls --

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

    def _call_arguments(
        self, call: Call, support: list[Expr], *, as_value: bool = True
    ) -> tuple[Callee | None, tuple[Term, ...]] | None:
        """Rewrite a call's arguments; without a callee the only argument is the call's value."""
        operator = self._operator(call, as_value=as_value)
        if operator is None:
            return None
        name = builtin_name(operator)
        if self._metadata is not None and name in (METADATA_RULE, METADATA_CHAIN) and not call.args:
            return None, (self._metadata(name),)
        args = tuple([self.term(argument, support) for argument in call.args])
        callee = self._around.operators.find(
            operator, call.location, deprecated_allowed=not self._around.is_v1
        )
        if callee is None:
            return None
        if not self._around.operators.check_arity(callee, args, call.location, as_value=as_value):
            return None
        if callee.void and as_value:
            self._findings.mistype(f"{term_text(call)} used as value", call.location)
            return None
        return callee, args

    def _operator(self, call: Call, *, as_value: bool) -> Ref | None:
        head = call.operator.head
        if not isinstance(head, Var):
            self._findings.mistype(f"undefined function {term_text(call.operator)}", call.location)
            return None
        if self._means_local(head.name):
            if as_value:
                self._findings.misuse(f"called function {term_text(call.operator)} shadowed", call.location)
            else:
                self._findings.mistype(f"undefined function {term_text(call.operator)}", call.location)
            return None
        meaning = self._global(head)
        if meaning is None:
            return call.operator
        return Ref(meaning.head, (*meaning.path, *call.operator.path), location=call.operator.location)

    def _means_local(self, name: str) -> bool:
        return self.scopes.declared(name) is not None

    def _called(
        self, arguments: tuple[Callee | None, tuple[Term, ...]], call: Call, support: list[Expr]
    ) -> Term:
        callee, args = arguments
        if callee is None:
            return args[0]
        result = Var(self._around.source.unique(), location=call.location)
        made = Call(callee.operator, (*args, result), location=call.location)
        support.append(Expr(made, location=call.location))
        return result

    # -- Terms --

    def term(self, term: Term, support: list[Expr]) -> Term:
        """Rewrite a term; statements it depends on are appended to `support`."""
        if isinstance(term, Var):
            return self._variable(term)
        if isinstance(term, Ref):
            return self._reference(term, support)
        if isinstance(term, Call):
            arguments = self._call_arguments(term, support)
            if arguments is None:
                return Var(self._around.source.unique(), location=term.location)
            return self._called(arguments, term, support)
        if isinstance(term, Array):
            return Array(tuple([self.term(item, support) for item in term.items]), location=term.location)
        if isinstance(term, Object):
            pairs = tuple([(self.term(key, support), self.term(value, support)) for key, value in term.items])
            return Object(pairs, location=term.location)
        if isinstance(term, Set):
            return Set(tuple([self.term(item, support) for item in term.items]), location=term.location)
        if isinstance(term, TemplateString):
            return self._template(term, support)
        if isinstance(term, Comprehension):
            return self._comprehension(term)
        return term

    def _variable(self, variable: Var) -> Term:
        name = variable.name
        if variable.is_wildcard or is_generated(name):
            return variable
        meaning = self._global(variable)
        if meaning is not None:
            return meaning
        if name in ROOTS and self.scopes.declared(name) is None:
            return Ref(variable, location=variable.location)
        unique = self.scopes.use(name, variable.location)
        return variable if unique == name else Var(unique, location=variable.location)

    def _global(self, variable: Var) -> Ref | None:
        meaning = self._around.names.meanings.get(variable.name)
        if meaning is None or any(variable.name in hidden for hidden in self._hidden):
            return None
        self._around.names.used.add(variable.name)
        return Ref(meaning.head, meaning.path, location=variable.location)

    def _reference(self, ref: Ref, support: list[Expr]) -> Term:
        head = self.term(ref.head, support)
        path = tuple([part if type(part) is String else self.term(part, support) for part in ref.path])
        if type(head) is Ref:
            return Ref(head.head, head.path + path, location=ref.location)
        if not path:
            return head
        return Ref(self.as_variable(head, support), path, location=ref.location)

    def as_variable(self, term: Term, support: list[Expr], *, always: bool = False) -> Var:
        """Give a variable that holds the term; one is made for anything but a variable."""
        if type(term) is Var and not always:
            return term
        result = Var(self._around.source.unique(), location=term.location)
        equality = Call(EQUALITY, (result, term), location=term.location)
        support.append(Expr(equality, location=term.location))
        return result

    def _template(self, template: TemplateString, support: list[Expr]) -> Term:
        parts: list[Term] = []
        for part in template.parts:
            if not isinstance(part, Expr):
                parts.append(part)
            elif isinstance(part.terms, SomeDecl | SomeIn | Every):
                self._findings.misuse("unexpected template-string expression", part.location)
            elif not self._is_relation(part.terms):
                parts.append(self._capture(part.terms, part.replacements, part.location))
        if not parts:
            parts.append(String("", location=template.location))
        result = Var(self._around.source.unique(), location=template.location)
        arguments = (Array(tuple(parts), location=template.location), result)
        call = Call(_TEMPLATE_OPERATOR, arguments, location=template.location)
        support.append(Expr(call, location=template.location))
        return result

    def _is_relation(self, term: Term) -> bool:
        callee = find_builtin(builtin_name(term.operator)) if isinstance(term, Call) else None
        if callee is None or not callee.relation:
            return False
        name = term_text(callee.operator)
        message = f"illegal call to relation built-in '{name}' that may cause multiple outputs"
        self._findings.misuse(message, term.location)
        return True

    def _comprehension(self, term: Comprehension) -> Term:
        self.scopes.push()
        self._hidden.append(declared_names(term.body))
        body = self.body(term.body)
        made: Term
        if isinstance(term, ObjectComprehension):
            key = self.yielded(term.key, body)
            value = self.yielded(term.value, body)
            made = ObjectComprehension(key, value, tuple(body), location=term.location)
        elif isinstance(term, ArrayComprehension):
            made = ArrayComprehension(self.yielded(term.term, body), tuple(body), location=term.location)
        else:
            made = SetComprehension(self.yielded(term.term, body), tuple(body), location=term.location)
        self.check_unused()
        self._hidden.pop()
        self.scopes.pop()
        return made

    def yielded(self, term: Term, body: list[Expr]) -> Term:
        """Rewrite a term that a body yields; what needs evaluation is bound at the body's end."""
        resolved = self.term(term, body)
        return self.as_variable(resolved, body) if requires_evaluation(resolved) else resolved


def _replacing(expr: Expr, replacements: tuple[With, ...]) -> Expr:
    if not replacements:
        return expr
    return Expr(expr.terms, expr.negated, replacements + expr.replacements, location=expr.location)
