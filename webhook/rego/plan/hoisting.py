"""Takes out of a statement what OPA evaluates before it.

References and comprehensions that are arguments of a call, and references within references, are evaluated first. It
matters in two places: before a negated statement, where an undefined argument makes the body undefined and `not` never
comes to be asked; and in `f(i, input.xs[i])`, where the reference binds what stands before it.
"""

from __future__ import annotations

from collections.abc import Collection

from webhook.rego.ast import (
    Array,
    Call,
    Comprehension,
    Every,
    Expr,
    Object,
    Ref,
    Set,
    String,
    Term,
    Var,
    With,
)
from webhook.rego.resolve.shapes import EQUALITY, OWN_NAME_MARK, SCALARS, operator_name, plain_term

_EQUALITIES = ("eq", "equal")


def is_self_bound(expr: Expr, bound: Collection[str]) -> bool:
    """Tell whether a reference in a statement binds a variable that stands beside it, as in `[i, input.xs[i]]`."""
    beside: set[str] = set()
    enumerated: set[str] = set()
    terms = expr.terms
    for term in terms.args if isinstance(terms, Call) else (plain_term(terms),):
        _sort_names(term, beside, enumerated)
    return any(name not in bound for name in beside & enumerated)


def _sort_names(term: Term, beside: set[str], enumerated: set[str]) -> None:
    """Collect the variables of a term: those that references enumerate, and all others."""
    if isinstance(term, Var):
        beside.add(term.name)
    elif type(term) in SCALARS:
        return
    elif isinstance(term, Ref):
        for part in term.path:
            if type(part) is not String:
                _sort_names(part, enumerated, enumerated)
    elif isinstance(term, (Array, Set)):
        for item in term.items:
            _sort_names(item, beside, enumerated)
    elif isinstance(term, Object):
        for key, value in term.items:
            _sort_names(key, beside, enumerated)
            _sort_names(value, beside, enumerated)


class Hoisting:
    """Rewrites one statement; `made` are the statements to be evaluated before it."""

    def __init__(self, mark: int) -> None:
        """Take a number that no other rewritten statement of the same function has."""
        self._mark = mark
        self.made: list[Expr] = []
        self._replacements: tuple[With, ...] = ()

    def statement(self, expr: Expr) -> Expr:
        """Give the statement with variables in place of what is evaluated before it."""
        self._replacements = expr.replacements
        terms = expr.terms
        if isinstance(terms, Every):
            return expr
        made: Term
        if isinstance(terms, Call):
            rewrite = (
                self._side if operator_name(terms) in _EQUALITIES and len(terms.args) == 2 else self._part
            )
            made = Call(terms.operator, tuple(map(rewrite, terms.args)), location=terms.location)
        else:
            made = self._side(plain_term(terms))
        return Expr(made, expr.negated, expr.replacements, location=expr.location)

    def _side(self, term: Term) -> Term:
        """Rewrite a side of a match, or a term alone: only what is within it is evaluated before."""
        if isinstance(term, Ref):
            return Ref(term.head, tuple(map(self._part, term.path)), location=term.location)
        if isinstance(term, Comprehension):
            return term
        return self._part(term)

    def _part(self, term: Term) -> Term:
        if isinstance(term, Var) or type(term) in SCALARS:
            return term
        if isinstance(term, Array):
            return Array(tuple(map(self._part, term.items)), location=term.location)
        if isinstance(term, Set):
            return Set(tuple(map(self._part, term.items)), location=term.location)
        if isinstance(term, Object):
            pairs = tuple((self._part(key), self._part(value)) for key, value in term.items)
            return Object(pairs, location=term.location)
        if isinstance(term, Ref):
            term = Ref(term.head, tuple(map(self._part, term.path)), location=term.location)
        return self._hoist(term)

    def _hoist(self, term: Term) -> Term:
        # No source text and no other stage makes a name like this.
        name = Var(f"{OWN_NAME_MARK}n{len(self.made)}@{self._mark}", location=term.location)
        equality = Call(EQUALITY, (name, term), location=term.location)
        self.made.append(Expr(equality, False, self._replacements, location=term.location))
        return name
