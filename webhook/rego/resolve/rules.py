"""Resolves one rule: its parameters, every `else`, its head, and the order of its bodies.

Must not know how a body is rewritten or ordered, only what belongs to one rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from webhook.rego.ast import (
    Array,
    Body,
    Boolean,
    Call,
    Expr,
    Object,
    Ref,
    Rule,
    Term,
    Var,
)
from webhook.rego.errors import Location
from webhook.rego.resolve.findings import Stage
from webhook.rego.resolve.lowering import Lowering
from webhook.rego.resolve.names import collect_names, declared_names
from webhook.rego.resolve.safety import Safety
from webhook.rego.resolve.scopes import Occurrence, Scopes
from webhook.rego.resolve.shapes import (
    ROOTS,
    SCALARS,
    Clause,
    Path,
    ResolvedRule,
    requires_evaluation,
)
from webhook.rego.resolve.terms import Surroundings
from webhook.rego.resolve.variables import term_names


@dataclass(frozen=True, slots=True)
class _Branch:
    """A body and the value it yields, as written."""

    value: Term
    body: Body
    location: Location


class RuleResolver:
    """Resolves the rules of one module."""

    def __init__(self, around: Surroundings, safety: Safety) -> None:
        self._around = around
        self._safety = safety

    def resolve(
        self, rule: Rule, path: Path, keys: tuple[Term, ...], metadata: Callable[[str], Term]
    ) -> ResolvedRule:
        """Resolve a rule whose reference has a ground prefix and further keys."""
        lowering = Lowering(self._around, metadata)
        arguments = rule.head.args or ()
        names = self._argument_names(arguments, rule)
        parameters = tuple(self._pattern(argument, lowering.scopes) for argument in arguments)
        base = lowering.scopes
        clauses = []
        for branch in _branches(rule):
            lowering.enter(base.fork(), [names, declared_names(branch.body)])
            clauses.append(self._clause(lowering, branch, keys, parameters))
        if self._around.strict:
            for name, _ in base.unused(Occurrence.ARGUMENT):
                hint = "(hint: use _ (wildcard variable) instead)"
                self._around.findings.misuse(f"unused argument {name}. {hint}", rule.head.location)
        return ResolvedRule(
            path=path,
            clauses=tuple(clauses),
            is_set=rule.head.key is not None,
            arity=len(arguments) or None,
            default=rule.default,
            location=rule.location,
        )

    def _clause(
        self, lowering: Lowering, branch: _Branch, keys: tuple[Term, ...], parameters: tuple[Term, ...]
    ) -> Clause:
        before = len(self._around.findings)
        body = lowering.body(branch.body)
        resolved_keys = tuple(self._key(lowering, key, body) for key in keys)
        patterns = tuple(self._evaluated(lowering, pattern, body) for pattern in parameters)
        value = lowering.yielded(branch.value, body)
        if len(self._around.findings) == before:
            lowering.check_unused()
        ordered: Body = tuple(body)
        if len(self._around.findings) == before:
            bound = set().union(*map(term_names, patterns))
            yielded = term_names(value).union(*map(term_names, resolved_keys))
            ordered = self._safety.order_rule(ordered, bound, yielded, branch.location)
        return Clause(value, ordered, patterns, resolved_keys, branch.location)

    def _key(self, lowering: Lowering, key: Term, body: list[Expr]) -> Term:
        resolved = lowering.term(key, body)
        if type(resolved) in SCALARS or type(resolved) is Var:
            return resolved
        return lowering.as_variable(resolved, body)

    def _evaluated(self, lowering: Lowering, pattern: Term, body: list[Expr]) -> Term:
        """Bind the parts of a parameter's pattern that are no patterns, such as `input.x`."""
        if not requires_evaluation(pattern):
            return pattern
        return lowering.as_variable(lowering.term(pattern, body), body)

    # -- Parameters --

    def _argument_names(self, arguments: tuple[Term, ...], rule: Rule) -> set[str]:
        names: set[str] = set()
        for argument in arguments:
            _collect_pattern_names(argument, names)
        for root in sorted(names.intersection(ROOTS)):
            message = f"args must not shadow {root} (use a different variable name)"
            self._around.findings.misuse(message, rule.location, Stage.NAMES)
        return names

    def _pattern(self, term: Term, scopes: Scopes) -> Term:
        """Give the variables of a parameter's pattern their unique names."""
        if isinstance(term, Var) and not term.is_wildcard:
            known = scopes.declared(term.name)
            if known is not None:
                known.uses += 1
                return Var(known.unique, location=term.location)
            outcome = scopes.declare(term.name, Occurrence.ARGUMENT, term.location)
            return Var(outcome, location=term.location) if isinstance(outcome, str) else term
        if isinstance(term, Array):
            return Array(tuple(self._pattern(item, scopes) for item in term.items), location=term.location)
        if isinstance(term, Object):
            pairs = tuple((key, self._pattern(value, scopes)) for key, value in term.items)
            return Object(pairs, location=term.location)
        if isinstance(term, Call):
            self._around.findings.misuse("rule arguments cannot contain calls", term.location)
            return Boolean(True, location=term.location)
        return term


def _branches(rule: Rule) -> list[_Branch]:
    value = rule.head.key if rule.head.key is not None else rule.head.value
    first = _Branch(value if value is not None else Boolean(True), rule.body, rule.location)
    return [first, *(_Branch(branch.value, branch.body, branch.location) for branch in rule.otherwise)]


def _collect_pattern_names(term: Term, names: set[str]) -> None:
    if isinstance(term, Object):
        for _, value in term.items:
            _collect_pattern_names(value, names)
    elif isinstance(term, Array):
        for item in term.items:
            _collect_pattern_names(item, names)
    elif isinstance(term, Var) or (isinstance(term, Ref) and not term.path):
        collect_names(term, names)
