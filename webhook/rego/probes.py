"""Why a rule did not hold: the statement where its body stopped, and rules that tell what stood in it.

Owns the choice of that statement and the making of probe rules. Must not know how programs are compiled or run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from webhook.rego.ast import (
    Call,
    Comprehension,
    Every,
    Expr,
    Head,
    Module,
    Node,
    Ref,
    Rule,
    Scalar,
    SomeDecl,
    SomeIn,
    TemplateString,
    Term,
    Var,
    children,
)
from webhook.rego.errors import Location

MAX_PROBES: Final = 8
_PROBE_NAME: Final = "gradate_probe_{}"
_PROBED: Final = Var("gradate_probed_value")
_ASSIGN: Final = Ref(Var("assign"))


class Probe(msgspec.Struct, frozen=True):
    """One part of a statement whose values are asked for."""

    text: str
    """The part as the author wrote it."""
    rule: Rule
    """Collects its values; goes into the module of the statement."""

    @property
    def name(self) -> str:
        """Name of the rule."""
        return self.rule.head.name


def stopping_statement(rule: Rule, ran: Iterable[Location]) -> int:
    """Give the position of the last statement of a body that was reached, which is the one that did not hold."""
    offsets = sorted(location.offset for location in ran)
    reached = 0
    for position, expr in enumerate(rule.body):
        place = expr.location
        if place.row and any(place.offset <= offset < place.end for offset in offsets):
            reached = position
    return reached


def probes(module: Module, rule: Rule, position: int) -> list[Probe]:
    """Make probes for the parts of one statement of a rule's body that may have any value."""
    statement = rule.body[position]
    made: dict[str, Probe] = {}
    for part in _parts(statement):
        text = text_at(module, part.location)
        if not text or text in made or len(made) >= MAX_PROBES:
            continue
        value = Expr(
            Call(_ASSIGN, (_PROBED, part)), False, statement.replacements, location=statement.location
        )
        head = Head(Ref(Var(_PROBE_NAME.format(len(made)))), key=_PROBED, location=statement.location)
        probe = Rule(head, (*rule.body[:position], value), location=statement.location)
        made[text] = Probe(text, probe)
    return list(made.values())


def with_probes(module: Module, made: Iterable[Probe]) -> Module:
    """Give the module with the rules of the probes."""
    return msgspec.structs.replace(module, rules=(*module.rules, *(probe.rule for probe in made)))


def text_at(module: Module, location: Location) -> str:
    """Give the source text of a place."""
    return module.source.text[location.offset : location.end]


def _parts(statement: Expr) -> Iterator[Term]:
    """Yield the parts of a statement that are neither constants nor the variables it declares."""
    terms = statement.terms
    if isinstance(terms, SomeIn | Every):
        yield from _variable_parts(terms.domain)
    elif isinstance(terms, Call) and terms.name == "assign":
        yield from _variable_parts(terms.args[-1])
    elif not isinstance(terms, SomeDecl):
        yield from _variable_parts(terms)


def _variable_parts(term: Term) -> Iterator[Term]:
    """Yield a term and the terms it is computed from, comparisons left out: those are known not to hold."""
    if isinstance(term, Scalar) or (isinstance(term, Var) and term.is_wildcard):
        return
    if not isinstance(term, Call):
        if _has_variables(term):
            yield term
        return
    if term.name not in _COMPARISONS:
        yield term
    for argument in term.args:
        yield from _variable_parts(argument)


def _has_variables(node: Node) -> bool:
    if isinstance(node, Var | Ref | Call | Comprehension | TemplateString):
        return True
    return any(_has_variables(child) for child in children(node))


_COMPARISONS: Final = frozenset(
    {"eq", "equal", "neq", "lt", "lte", "gt", "gte", "internal.member_2", "internal.member_3"}
)
