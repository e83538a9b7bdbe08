"""Rewrites the terms of one rule into their resolved form.

Names become full references or unique variables; calls inside terms become statements of their own before the one
that uses them; comprehensions yield plain terms. Must not know what statements there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
from webhook.rego.resolve.findings import Findings, Stage
from webhook.rego.resolve.names import (
    ModuleNames,
    declared_names,
)
from webhook.rego.resolve.operators import (
    METADATA_CHAIN,
    METADATA_RULE,
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
from webhook.rego.resolve.text import term_text

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
    captures: set[str] = field(default_factory=set)
    """Result variables of the comprehensions that print and template strings make."""


class TermLowering(ABC):
    """Rewrites terms; holds the scopes at the place it has come to."""

    def __init__(self, around: Surroundings, metadata: Callable[[str], Term] | None = None) -> None:
        self._around = around
        self._metadata = metadata
        self._findings = around.findings
        self.scopes = Scopes(around.source)
        self._hidden: list[set[str]] = []

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

    @abstractmethod
    def body(self, body: Body) -> list[Expr]:
        """Rewrite the statements of a body, whose scope is the innermost one."""

    @abstractmethod
    def statement(self, expr: Expr, lowered: list[Expr]) -> None:
        """Rewrite one statement; what it becomes is appended to `lowered`."""

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
            elif isinstance(part.terms, (SomeDecl, SomeIn, Every)):
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

    # -- Calls --

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
            operator, call.location, deprecated_allowed=not (self._around.is_v1 or self._around.strict)
        )
        if callee is None:
            return None
        if not self._around.operators.check_arity(callee, args, call.location, as_value=as_value):
            return None
        if callee.void and as_value:
            self._findings.mistype(f"{term_text(call)} used as value", call.location, Stage.BODIES)
            return None
        return callee, args

    def _operator(self, call: Call, *, as_value: bool) -> Ref | None:
        head = call.operator.head
        if not isinstance(head, Var):
            self._refuse_unknown(call)
            return None
        if self._means_local(head.name):
            if as_value:
                self._findings.misuse(f"called function {term_text(call.operator)} shadowed", call.location)
            else:
                self._refuse_unknown(call)
            return None
        meaning = self._global(head)
        if meaning is None:
            return call.operator
        return Ref(meaning.head, (*meaning.path, *call.operator.path), location=call.operator.location)

    def _refuse_unknown(self, call: Call) -> None:
        message = f"undefined function {term_text(call.operator)}"
        self._findings.mistype(message, call.location, Stage.FUNCTIONS)

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

    def _capture(self, term: Term, replacements: tuple[With, ...], location: Location) -> Term:
        """Wrap a term so that it may be undefined: the set of its values."""
        result = Var(self._around.source.unique(), location=location)
        self._around.captures.add(result.name)
        self.scopes.push()
        body: list[Expr] = []
        equality = Call(EQUALITY, (result, term), location=location)
        self.statement(Expr(equality, False, replacements, location=location), body)
        self.scopes.pop()
        return SetComprehension(result, tuple(body), location=location)
