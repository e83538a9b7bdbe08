"""Takes out of a negated statement what OPA evaluates before it.

References and comprehensions that are arguments of a negated call, and references within references, are evaluated
first: when one is undefined, the body is, and `not` never comes to be asked.
"""

from __future__ import annotations

from webhook.rego.ast import (
    Array,
    Call,
    Comprehension,
    Every,
    Expr,
    Object,
    Ref,
    Set,
    Term,
    Var,
    With,
)
from webhook.rego.resolve.shapes import EQUALITY, OWN_NAME_MARK, SCALARS, operator_name, plain_term

_EQUALITIES = ("eq", "equal")


class Hoisting:
    """Rewrites one negated statement; `made` are the statements to be evaluated before it."""

    def __init__(self, mark: int) -> None:
        """Take a number that no other negated statement of the same function has."""
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
