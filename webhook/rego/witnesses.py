"""Why a rule did not hold: the statement where its body stopped, and rules that tell what stood in it.

Owns the choice of that statement and the making of witness rules. Must not know how programs are compiled or run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Final

import msgspec

from webhook.rego.ast import (
    Body,
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
    String,
    TemplateString,
    Term,
    Var,
    children,
    variable_names,
)
from webhook.rego.errors import Location
from webhook.rego.resolve.shapes import path_text

MAX_WITNESSES: Final = 8
_WITNESS_NAME: Final = "gradate_witness_{}"
_WITNESSED: Final = Var("gradate_witnessed_value")
_ASSIGN: Final = Ref(Var("assign"))
_UNIFY: Final = Ref(Var("eq"))
_INPUT: Final = Var("input")
_DATA: Final = Var("data")


class Witness(msgspec.Struct, frozen=True):
    """One part of a statement whose values are asked for."""

    text: str
    """The part as the author wrote it."""
    rule: Rule
    """Collects its values; goes into the module of the statement."""

    @property
    def name(self) -> str:
        """Name of the rule."""
        return self.rule.head.name


class Stop(msgspec.Struct, frozen=True):
    """Where a body stopped."""

    before: Body
    """The statements that held."""
    statement: Expr
    """The one that did not."""


def stopping_place(rule: Rule, ran: Iterable[Location]) -> Stop:
    """Find the last statement of a rule's body that was reached; the body must not be empty.

    An `every` over one statement gives way to that statement, which then is witnessed for all elements.
    """
    offsets = sorted(location.offset for location in ran)
    reached = 0
    for position, expr in enumerate(rule.body):
        place = expr.location
        if place.row and any(place.offset <= offset < place.end for offset in offsets):
            reached = position
    before, statement = rule.body[:reached], rule.body[reached]
    every = statement.terms
    if not isinstance(every, Every) or len(every.body) != 1:
        return Stop(before, statement)
    element = SomeIn(every.key, every.value, every.domain)
    iterated = Expr(element, False, statement.replacements, location=statement.location)
    inner = every.body[0]
    inner = msgspec.structs.replace(inner, replacements=(*statement.replacements, *inner.replacements))
    return Stop((*before, iterated), inner)


def witnesses(module: Module, stop: Stop) -> list[Witness]:
    """Make witnesses for the parts of the statement that stopped a body, as far as they may have any value."""
    made: dict[str, Witness] = {}
    for part in _parts(stop.statement):
        text = text_at(module, part.location)
        if not text or text in made or len(made) >= MAX_WITNESSES:
            continue
        place = stop.statement.location
        value = Expr(Call(_ASSIGN, (_WITNESSED, part)), False, stop.statement.replacements, location=place)
        head = Head(Ref(Var(_WITNESS_NAME.format(len(made)))), key=_WITNESSED, location=place)
        made[text] = Witness(text, Rule(head, (*_using_all(stop.before), value), location=place))
    return list(made.values())


def _using_all(body: Body) -> Body:
    """Give a body that uses every variable that it declares: an unused one is an error."""
    used = set().union(*(variable_names(expr) for expr in body if not isinstance(expr.terms, SomeDecl)))
    kept: list[Expr] = []
    declared: list[str] = []
    for expr in body:
        if isinstance(expr.terms, SomeDecl):
            variables = tuple(variable for variable in expr.terms.variables if variable.name in used)
            if variables:
                kept.append(Expr(SomeDecl(variables), location=expr.location))
            continue
        kept.append(expr)
        if isinstance(expr.terms, SomeIn):
            patterns = [part for part in (expr.terms.key, expr.terms.value) if part is not None]
            declared += sorted(set().union(*map(variable_names, patterns)))
    uses = (
        Expr(Call(_UNIFY, (Var(f"$gradate_{number}"), Var(name))))
        for number, name in enumerate(declared)
        if not name.startswith("$")
    )
    return (*kept, *uses)


class InputQuestion(msgspec.Struct, frozen=True):
    """A statement of a test that replaces the input: the documents it asks for, and what the input then is."""

    documents: tuple[str, ...]
    """References such as `data.authz.deny`."""
    input: Witness
    """Gives the input documents."""


def input_questions(module: Module, rule: Rule, documents: Documents, first: int) -> list[InputQuestion]:
    """Find what a rule's body asks of policies under an input of its own; witnesses are numbered from `first`."""
    found: list[InputQuestion] = []
    for stop in _steps(rule.body):
        statement = stop.statement
        targets = [replacement.target for replacement in statement.replacements]
        if not targets or not all(isinstance(target, Ref) and target.head == _INPUT for target in targets):
            continue
        asked = tuple(sorted(documents.within(module, statement)))
        if not asked:
            continue
        place = statement.location
        value = Expr(Call(_ASSIGN, (_WITNESSED, Ref(_INPUT))), False, statement.replacements, location=place)
        head = Head(Ref(Var(_WITNESS_NAME.format(first + len(found)))), key=_WITNESSED, location=place)
        witness = Rule(head, (*_using_all(stop.before), value), location=place)
        found.append(InputQuestion(asked, Witness("input", witness)))
    return found


def _steps(body: Body) -> Iterator[Stop]:
    """Yield every statement of a body with those before it, an `every` as its statements for each element."""
    for position, statement in enumerate(body):
        every = statement.terms
        if not isinstance(every, Every):
            yield Stop(body[:position], statement)
            continue
        iterated = Expr(
            SomeIn(every.key, every.value, every.domain),
            False,
            statement.replacements,
            location=statement.location,
        )
        for inner in _steps(every.body):
            yield Stop((*body[:position], iterated, *inner.before), inner.statement)


class Documents:
    """The rules that some modules define, by the names under which other modules use them."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self._rules: set[tuple[str, ...]] = set()
        for module in modules:
            for rule in module.rules:
                if rule.head.args is None:
                    self._rules.add((*module.package.segments, rule.head.name))

    def within(self, module: Module, node: Node) -> set[str]:
        """Give the references of the rules that a node of a module mentions."""
        imports = {
            imported.name: tuple(part.value for part in imported.path.path if isinstance(part, String))
            for imported in module.imports
            if imported.path.head == _DATA
        }
        found: set[str] = set()
        pending = [node]
        while pending:
            current = pending.pop()
            pending.extend(children(current))
            segments = self._segments(module, current, imports)
            for end in range(len(segments), 0, -1):
                if segments[:end] in self._rules:
                    found.add(path_text(segments[:end]))
                    break
        return found

    @staticmethod
    def _segments(module: Module, node: Node, imports: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Give the constant path below `data` that a name or reference stands for."""
        head, path = (node.head, node.path) if isinstance(node, Ref) else (node, ())
        if not isinstance(head, Var):
            return ()
        constant = tuple(part.value for part in takewhile(_is_string, path) if isinstance(part, String))
        if head == _DATA:
            return constant
        return (*imports.get(head.name, (*module.package.segments, head.name)), *constant)


def _is_string(term: Term) -> bool:
    return isinstance(term, String)


def with_witnesses(module: Module, made: Iterable[Witness]) -> Module:
    """Give the module with the rules of the witnesses."""
    return msgspec.structs.replace(module, rules=(*module.rules, *(witness.rule for witness in made)))


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
