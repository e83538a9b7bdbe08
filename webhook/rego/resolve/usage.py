"""What the bodies of a rule refer to.

Owns the walk over resolved bodies that finds references below `data` and called builtins. Must not know what they
lead to.
"""

from __future__ import annotations

from collections.abc import Iterable

from webhook.rego.ast import Body, Call, Every, Expr, Node, Ref, Var, children
from webhook.rego.resolve.shapes import SCALARS, Clause, is_data, operator_name


class Usage:
    """What some bodies and the terms they yield refer to, replacements by `with` included."""

    __slots__ = ("builtins", "refs")

    def __init__(self, clauses: Iterable[Clause]) -> None:
        self.refs: list[Ref] = []
        """References below `data`, functions that are called among them."""
        self.builtins: set[str] = set()
        """Names of builtins that are called."""
        for clause in clauses:
            for term in (clause.value, *clause.keys):
                self._node(term)
            self._body(clause.body)

    def _body(self, body: Body) -> None:
        for expr in body:
            self._statement(expr)

    def _statement(self, expr: Expr) -> None:
        terms = expr.terms
        if isinstance(terms, Call):
            if terms.operator.path:
                self.refs.append(terms.operator)
            else:
                self.builtins.add(operator_name(terms))
            for argument in terms.args:
                self._node(argument)
        elif isinstance(terms, Every):
            self._body(terms.body)
        else:
            self._node(terms)
        for replacement in expr.replacements:
            self._node(replacement.target)
            self._node(replacement.value)

    def _node(self, node: Node) -> None:
        if type(node) is Var or type(node) in SCALARS:
            return
        if isinstance(node, Expr):
            self._statement(node)
            return
        if isinstance(node, Ref) and is_data(node):
            self.refs.append(node)
        for child in children(node):
            self._node(child)
