"""Which variables a statement mentions, closes over and binds.

Owns OPA's notion of outputs, on which safety rests. Must not know the order of statements.
"""

from __future__ import annotations

from collections.abc import Iterable

from webhook.rego.ast import (
    Array,
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
from webhook.rego.resolve.shapes import ROOTS, SCALARS, Closure, operator_name, plain_term
from webhook.rego.resolve.unification import bound_by_unifying


class Mentions:
    """The variables in one statement: in its own terms, and within the closures it contains."""

    __slots__ = ("closures", "direct")

    def __init__(self, expr: Expr) -> None:
        self.direct: set[str] = set()
        self.closures: list[Closure] = []
        terms = expr.terms
        if isinstance(terms, Call):
            self._terms(terms.args)
        elif isinstance(terms, Every):
            self._term(terms.domain)
            self.closures.append(terms)
        else:
            self._term(plain_term(terms))
        for replacement in expr.replacements:
            if not isinstance(replacement.value, Ref):
                self._term(replacement.value)

    def _terms(self, terms: Iterable[Term]) -> None:
        for term in terms:
            if type(term) is Var:
                self.direct.add(term.name)
            elif type(term) not in SCALARS:
                self._term(term)

    def _term(self, term: Term) -> None:
        if isinstance(term, Var):
            self.direct.add(term.name)
        elif type(term) in SCALARS:
            return
        elif isinstance(term, Ref):
            if type(term.head) is Var and term.head.name not in ROOTS:
                self.direct.add(term.head.name)
            self._terms(term.path)
        elif isinstance(term, (Array, Set)):
            self._terms(term.items)
        elif isinstance(term, Object):
            for key, value in term.items:
                self._term(key)
                self._term(value)
        elif isinstance(term, Comprehension):
            self.closures.append(term)
        else:
            raise TypeError(f"not a resolved term: {type(term).__name__}")

    def enclosed(self) -> set[str]:
        """Give every variable within the closures, at any depth."""
        names: set[str] = set()
        for closure in self.closures:
            names |= closure_names(closure)
        return names


def closure_names(closure: Closure) -> set[str]:
    """Give every variable in a comprehension or in the body of an `every`, at any depth."""
    names = body_names(closure.body)
    if not isinstance(closure, Every):
        for term in yielded_terms(closure):
            names |= term_names(term)
    return names


def yielded_terms(closure: Comprehension) -> tuple[Term, ...]:
    """Give the terms that a comprehension yields."""
    return (closure.key, closure.value) if isinstance(closure, ObjectComprehension) else (closure.term,)


def body_names(body: Body) -> set[str]:
    """Give every variable in a body, at any depth."""
    names: set[str] = set()
    for expr in body:
        mentions = Mentions(expr)
        names |= mentions.direct
        if mentions.closures:
            names |= mentions.enclosed()
    return names


def term_names(term: Term) -> set[str]:
    """Give every variable in a term, at any depth."""
    mentions = Mentions(Expr(term))
    return mentions.direct | mentions.enclosed()


# -- What a statement binds --


def outputs(expr: Expr, safe: set[str], arity: int | None) -> set[str]:
    """Give the variables that a statement binds once those in `safe` are bound.

    `arity` is that of the called function, `None` for anything else.
    """
    if expr.negated:
        return set()
    for replacement in expr.replacements:
        if not isinstance(replacement.value, Ref) and not term_names(replacement.value) <= safe:
            return set()
    terms = expr.terms
    if isinstance(terms, Every):
        return set()
    found: set[str] = set()
    if not isinstance(terms, Call):
        _reference_outputs(plain_term(terms), safe, found)
        return found
    for argument in terms.args:
        _reference_outputs(argument, safe, found)
    if operator_name(terms) == "eq":
        found |= bound_by_unifying(safe | found, terms.args[0], terms.args[1])
        return found - safe
    if arity is None or len(terms.args) <= arity:
        return found
    if not _input_names(terms.args[:arity]) <= found | safe:
        return set()
    return found | _input_names(terms.args[arity:])


def _reference_outputs(term: Term, safe: set[str], found: set[str]) -> None:
    """Add the variables that references with a bound head enumerate."""
    if type(term) is Var or type(term) in SCALARS:
        return
    if isinstance(term, Ref):
        head = term.head
        if type(head) is Var and (head.name in ROOTS or head.name in safe):
            for part in term.path:
                if type(part) is Var:
                    found.add(part.name)
                elif type(part) not in SCALARS:
                    _path_outputs(part, safe, found)
    elif isinstance(term, (Array, Set)):
        for item in term.items:
            _reference_outputs(item, safe, found)
    elif isinstance(term, Object):
        for key, value in term.items:
            _reference_outputs(key, safe, found)
            _reference_outputs(value, safe, found)


def _path_outputs(part: Term, safe: set[str], found: set[str]) -> None:
    if isinstance(part, Ref):
        _reference_outputs(part, safe, found)
    else:
        found |= _input_names((part,))


def _input_names(terms: Iterable[Term]) -> set[str]:
    """Give the variables in terms except within sets, object keys, closures and heads of references."""
    names: set[str] = set()
    for term in terms:
        if isinstance(term, Var):
            names.add(term.name)
        elif isinstance(term, Ref):
            names |= _input_names(term.path)
        elif isinstance(term, Array):
            names |= _input_names(term.items)
        elif isinstance(term, Object):
            names |= _input_names(value for _, value in term.items)
    return names
