"""Resolves a query against modules that are resolved already.

Owns which variables of a query its results show. Must not know plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from webhook.rego.ast import (
    Body,
    Call,
    Comprehension,
    Every,
    Expr,
    Node,
    Ref,
    Source,
    Term,
    Var,
    children,
)
from webhook.rego.resolve.findings import Findings
from webhook.rego.resolve.lowering import Lowering
from webhook.rego.resolve.names import ModuleNames, declared_names
from webhook.rego.resolve.operators import Operators
from webhook.rego.resolve.replacements import Replacements
from webhook.rego.resolve.resolution import Resolution
from webhook.rego.resolve.safety import Safety
from webhook.rego.resolve.scopes import NameSource
from webhook.rego.resolve.shapes import (
    EQUALITY,
    is_generated,
    is_wildcard,
    operator_name,
    plain_term,
    source_name,
)
from webhook.rego.resolve.terms import Surroundings
from webhook.rego.resolve.typing import TypeCheck
from webhook.rego.resolve.variables import Mentions


class ResolvedQuery(msgspec.Struct, frozen=True):
    """A query, resolved and checked against modules."""

    body: Body
    variables: Mapping[str, str]
    """The names of variables that results show, to what they are called in the body."""
    values: tuple[str | None, ...]
    """For each statement of the query, the variable that holds its value; `None` when it is true if it holds."""


def resolve_query(resolution: Resolution, query: Body, source: Source) -> ResolvedQuery:
    """Resolve and check a query.

    Raises:
        CompileError: something is wrong; it carries everything found.

    """
    findings = Findings()
    texts = {**resolution.texts, source.path: source.text}
    operators = Operators(resolution.sources, findings, for_tests=resolution.options.for_tests)
    around = Surroundings(
        names=ModuleNames({}),
        operators=operators,
        replacements=Replacements(resolution.sources, operators, findings),
        findings=findings,
        source=NameSource("q"),
        strict=resolution.options.strict,
        print_enabled=resolution.options.print_enabled,
        is_v1=True,
    )
    lowering = Lowering(around)
    lowering.enter(lowering.scopes, [declared_names(query)])
    body: list[Expr] = []
    values: list[str | None] = []
    for expr in query:
        statements = lowering.body((expr,))
        values.append(_capture(statements, resolution, around.source))
        body += statements
    lowering.check_unused()
    findings.raise_any(texts)
    if len(query) > 1 or any(map(_iterates, query)):
        # A solution among several is one only when every statement of it holds.
        body += [Expr(Var(name), location=query[0].location) for name in values if name is not None]
    shown = _shown(body)
    ordered = Safety(resolution.arities, around.captures, findings).order_rule(
        tuple(body), set(), set(), query[0].location
    )
    findings.raise_any(texts)
    TypeCheck(findings, resolution.types.rules).check_query(ordered)
    findings.raise_any(texts)
    return ResolvedQuery(ordered, shown, tuple(values))


def _capture(statements: list[Expr], resolution: Resolution, names: NameSource) -> str | None:
    """Let a variable hold what a statement evaluates to, so that false counts as a result as well."""
    if not statements or statements[-1].negated:
        return None
    last = statements[-1]
    terms = last.terms
    made: Term
    result = Var(names.unique(), location=last.location)
    if isinstance(terms, Call):
        name = operator_name(terms)
        arity = resolution.arities.get(name)
        if name == "eq" or arity is None or len(terms.args) != arity or name == "internal.print":
            return None
        made = Call(terms.operator, (*terms.args, result), location=terms.location)
    elif isinstance(terms, Var):
        return terms.name
    elif isinstance(terms, Every):
        return None
    else:
        made = Call(EQUALITY, (result, plain_term(terms)), location=last.location)
    statements[-1] = Expr(made, False, last.replacements, location=last.location)
    return result.name


def _iterates(expr: Expr) -> bool:
    """Tell whether a statement may have several solutions."""
    return any(
        isinstance(part, Ref) and any(isinstance(segment, Var) for segment in part.path)
        for part in _outside_comprehensions(expr)
    )


def _outside_comprehensions(node: Node) -> Iterator[Node]:
    yield node
    if not isinstance(node, Comprehension):
        for child in children(node):
            yield from _outside_comprehensions(child)


def _shown(body: list[Expr]) -> dict[str, str]:
    names = {
        name
        for expr in body
        for name in Mentions(expr).direct
        if not (is_generated(name) or is_wildcard(name))
    }
    return {source_name(name): name for name in sorted(names)}
