"""Orders the statements of bodies so that every variable is bound before it is needed, and finds those that never are.

As in OPA, a statement moves only when it must: each pass takes, in source order, the statements that have become
safe. Must not know how statements are evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

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
    Term,
    Var,
)
from webhook.rego.errors import Location
from webhook.rego.resolve.findings import Findings, Stage
from webhook.rego.resolve.operators import INTERNAL_PRINT
from webhook.rego.resolve.shapes import is_generated, operator_name, plain_term, source_name
from webhook.rego.resolve.variables import Mentions, outputs, term_names, yielded_terms

_KEYWORDS = frozenset({"in", "if", "contains", "every"})


class _Step:
    """A statement that waits for its turn."""

    __slots__ = ("enclosed", "expr", "mentions")

    def __init__(self, expr: Expr, mentions: Mentions, enclosed: set[str]) -> None:
        self.expr = expr
        self.mentions = mentions
        self.enclosed = enclosed
        """Every variable within its closures, at any depth."""


class Safety:
    """Orders bodies; `arities` gives the arity of each function that calls name."""

    def __init__(
        self, arities: Mapping[str, int | None], captures: AbstractSet[str], findings: Findings
    ) -> None:
        self._arities = arities
        self._captures = captures
        self._findings = findings
        self._unsafe: dict[str, tuple[Location, bool]] = {}
        self._inner: dict[int, list[_Step]] = {}
        """The statements of closures in the rule at hand, by the identity of the closure."""

    def order_rule(self, body: Body, bound: set[str], yielded: set[str], location: Location) -> Body:
        """Order a rule's body; `bound` are its parameters, `yielded` the variables of its head."""
        self._unsafe = {}
        self._inner = {}
        steps = self._steps(body)
        ordered = self._order(body, steps, set(bound))
        mentioned = set(bound).union(*(step.mentions.direct for step in steps))
        for name in sorted(yielded - mentioned):
            if not is_generated(name):
                self._findings.unsafe(f"var {source_name(name)} is unsafe", location, Stage.HEADS)
        self._report()
        return ordered

    def _steps(self, body: Body) -> list[_Step]:
        return [self._step(expr) for expr in body]

    def _step(self, expr: Expr) -> _Step:
        mentions = Mentions(expr)
        enclosed: set[str] = set()
        for closure in mentions.closures:
            inner = self._inner[id(closure)] = self._steps(closure.body)
            enclosed.update(*[step.mentions.direct for step in inner], *[step.enclosed for step in inner])
            if not isinstance(closure, Every):
                enclosed.update(*map(term_names, yielded_terms(closure)))
        return _Step(expr, mentions, enclosed)

    def _report(self) -> None:
        shown = {name: place for name, place in self._unsafe.items() if not is_generated(name)}
        for name, (location, undeclared) in sorted(
            shown.items(), key=lambda item: (item[1][0].row, item[1][0].col, item[0])
        ):
            known = source_name(name)
            if undeclared:
                self._findings.misuse(f"var {known} is undeclared", location)
            elif known in _KEYWORDS:
                hint = f"(hint: `import future.keywords.{known}` to import a future keyword)"
                self._findings.unsafe(f"var {known} is unsafe {hint}", location)
            else:
                self._findings.unsafe(f"var {known} is unsafe", location)
        if not shown:
            for location in dict.fromkeys(place for place, _ in self._unsafe.values()):
                self._findings.unsafe("expression is unsafe", location)

    def _note(self, names: set[str], location: Location, *, undeclared: bool) -> None:
        for name in names:
            known = self._unsafe.get(name)
            if known is None or (location.row, location.col) < (known[0].row, known[0].col):
                self._unsafe[name] = (location, undeclared)

    def _order(self, body: Body, steps: list[_Step], bound: set[str]) -> Body:
        """Order a body whose statements are `steps`."""
        own = set().union(*(step.mentions.direct for step in steps))
        safe = set(bound)
        ordered: list[_Step] = []
        waiting = steps
        while waiting:
            still = [step for step in waiting if not self._take(step, own, safe, ordered)]
            if len(still) == len(waiting):
                break
            waiting = still
        for step in waiting:
            missing = step.mentions.direct - safe - self._outputs(step.expr, safe)
            missing |= (step.enclosed & own) - safe
            self._note(missing, step.expr.location, undeclared=False)
            for closure in step.mentions.closures:
                if isinstance(closure, SetComprehension) and self._is_capture(closure):
                    self._undeclared(_names(closure) - safe, closure.location)
        if waiting:
            return body
        return self._order_closures(ordered, bound)

    def _take(self, step: _Step, own: set[str], safe: set[str], ordered: list[_Step]) -> bool:
        """Append a step whose needs are met."""
        missing = step.mentions.direct - safe
        if step.enclosed and not step.enclosed.isdisjoint(own) and not (step.enclosed & own) <= safe:
            if not _is_print(step.expr):
                return False
            # What is printed must have been declared before; nothing moves a print.
            self._note((step.enclosed & own) - safe, step.expr.location, undeclared=True)
        if missing:
            made = self._outputs(step.expr, safe)
            if not missing <= made:
                return False
            safe |= made
        ordered.append(step)
        return True

    def _outputs(self, expr: Expr, safe: set[str]) -> set[str]:
        terms = expr.terms
        arity = self._arities.get(operator_name(terms)) if isinstance(terms, Call) else None
        return outputs(expr, safe, arity)

    # -- Bodies within a body --

    def _order_closures(self, steps: list[_Step], bound: set[str]) -> Body:
        outer = set(bound)
        result = []
        for step in steps:
            expr = step.expr
            if step.mentions.closures:
                expr = self._close(expr, outer)
            result.append(expr)
            outer |= step.mentions.direct
        return tuple(result)

    def _close(self, expr: Expr, outer: set[str]) -> Expr:
        terms = expr.terms
        made: Term | Every
        if isinstance(terms, Every):
            names = {terms.value.name} | ({terms.key.name} if terms.key is not None else set())
            body = self._order(terms.body, self._inner[id(terms)], outer | names)
            made = Every(terms.key, terms.value, terms.domain, body, location=terms.location)
        elif isinstance(terms, Call):
            made = Call(terms.operator, self._terms(terms.args, outer), location=terms.location)
        else:
            made = self._term(plain_term(terms), outer)
        return Expr(made, expr.negated, expr.replacements, location=expr.location)

    def _terms(self, terms: tuple[Term, ...], outer: set[str]) -> tuple[Term, ...]:
        return tuple([self._term(term, outer) for term in terms])

    def _term(self, term: Term, outer: set[str]) -> Term:
        if isinstance(term, Array):
            return Array(self._terms(term.items, outer), location=term.location)
        if isinstance(term, Set):
            return Set(self._terms(term.items, outer), location=term.location)
        if isinstance(term, Object):
            pairs = tuple((self._term(key, outer), self._term(value, outer)) for key, value in term.items)
            return Object(pairs, location=term.location)
        if isinstance(term, Ref):
            return Ref(term.head, self._terms(term.path, outer), location=term.location)
        if isinstance(term, Comprehension):
            return self._comprehension(term, outer)
        return term

    def _comprehension(self, term: Comprehension, outer: set[str]) -> Term:
        steps = self._inner[id(term)]
        mentioned = outer.union(*(step.mentions.direct for step in steps))
        for yielded in yielded_terms(term):
            self._note(term_names(yielded) - mentioned, term.location, undeclared=False)
        before = self._unsafe.keys() | outer
        body = self._order(term.body, steps, outer)
        if isinstance(term, SetComprehension) and self._is_capture(term):
            self._check_captured(term, before)
        if isinstance(term, ObjectComprehension):
            return ObjectComprehension(term.key, term.value, body, location=term.location)
        if isinstance(term, ArrayComprehension):
            return ArrayComprehension(term.term, body, location=term.location)
        return SetComprehension(term.term, body, location=term.location)

    def _is_capture(self, term: SetComprehension) -> bool:
        return isinstance(term.term, Var) and term.term.name in self._captures

    def _check_captured(self, term: SetComprehension, known: set[str]) -> None:
        """Note variables that a printed or interpolated term would enumerate: it has one value or none."""
        for name in self._unsafe.keys() - known:
            self._unsafe[name] = (self._unsafe[name][0], True)
        self._undeclared(_names(term) - known - self._unsafe.keys(), term.location)

    def _undeclared(self, names: set[str], location: Location) -> None:
        for name in sorted(names):
            if not is_generated(name):
                self._findings.misuse(f"var {source_name(name)} is undeclared", location)


def _names(term: SetComprehension) -> set[str]:
    return set().union(*(Mentions(expr).direct for expr in term.body))


def _is_print(expr: Expr) -> bool:
    return isinstance(expr.terms, Call) and operator_name(expr.terms) == INTERNAL_PRINT
