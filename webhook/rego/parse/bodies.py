"""Bodies: the expressions that have to hold, with `not`, `some`, `every` and `with`.

Owns statements inside braces. Must not know rules and modules.
"""

from typing import Final

from webhook.rego.ast import Body, Call, Every, Expr, Ref, SomeDecl, SomeIn, Term, Var, With
from webhook.rego.lexer import EOF, IDENTIFIER, Token
from webhook.rego.parse.composites import CompositeParser
from webhook.rego.parse.cursor import ParseError
from webhook.rego.parse.terms import MEMBER, MEMBER_WITH_KEY

_ASSIGNMENTS: Final = {":=": "assign", "=": "eq"}


class BodyParser(CompositeParser):
    """Parser of bodies."""

    def body(self, end: str) -> Body:
        """Parse the expressions of a body up to its closing bracket, which stays the current token."""
        if self.token.kind == end:
            self.fail_at(self.token, "found empty body")
        expressions = [self.literal()]
        while self.token.kind != end:
            if not self.accept(";") and not self.token.after_newline:
                self.fail(rf"expected \n or ; or {end}")
            expressions.append(self.literal())
        return tuple(expressions)

    def query(self) -> Body:
        """Parse expressions up to the end of the text; a query may be empty."""
        return self.body(EOF) if self.token.kind != EOF else ()

    def braced_body(self) -> Body:
        """Parse `{ body }`."""
        self.expect("{")
        self.enter()
        body = self.body("}")
        self.leave()
        self.advance()
        return body

    def literal(self) -> Expr:
        """Parse one expression of a body."""
        start = self.token
        negated = False
        terms: Term | SomeDecl | SomeIn | Every
        if self.is_keyword_in_ref():
            self.take_as_identifier()
        elif start.kind == "not":
            self.advance()
            negated = True
        if self.token.kind in {"some", "every"} and not self.is_keyword_in_ref():
            if negated:
                self.fail(f"illegal negation of '{self.token.kind}'")
            terms = self._some() if start.kind == "some" else self._every()
        else:
            terms = self._statement()
        replacements = () if isinstance(terms, SomeDecl) else self._replacements()
        return Expr(terms, negated, replacements, location=self.span(start))

    def _statement(self) -> Term:
        """Parse a term, or two with `:=` or `=` between."""
        start = self.token
        left = self.infix()
        name = _ASSIGNMENTS.get(self.token.kind)
        if name is None:
            return left
        place = self.place(self.advance())
        operator = Ref(Var(name, location=place), location=place)
        return Call(operator, (left, self.infix()), location=self.span(start))

    def _some(self) -> SomeDecl | SomeIn:
        start = self.advance()
        mark = self.mark()
        try:
            term = self.infix()
        except ParseError as fault:
            if fault.is_final:
                raise
            # As in OPA, what is no membership has to be a list of variables, and is reported as a wrong one.
            self.reset(mark)
            return self._some_variables(start)
        if not isinstance(term, Call):
            self.reset(mark)
            return self._some_variables(start)
        operands = _membership_operands(term)
        if operands is None:
            self.fail("expected `x in xs` or `x, y in xs` expression")
        return SomeIn(*operands, location=self.span(start))

    def _some_variables(self, start: Token) -> SomeDecl:
        variables = [self._declared_variable()]
        while self.accept(","):
            variables.append(self._declared_variable())
        return SomeDecl(tuple(variables), location=self.span(start))

    def _declared_variable(self) -> Var:
        if self.token.kind != IDENTIFIER:
            self.fail("expected var")
        return self.variable()

    def _every(self) -> Every:
        start = self.advance()
        operands = _membership_operands(self.infix())
        if operands is None:
            self.fail("expected `x[, y] in xs { ... }` expression")
        key, value, domain = operands
        if not isinstance(key, Var | None):
            self.fail("expected key to be a variable")
        if not isinstance(value, Var):
            self.fail("expected value to be a variable")
        if self.token.kind != "{":
            self.fail("missing body")
        return Every(key, value, domain, self.braced_body(), location=self.span(start))

    def _replacements(self) -> tuple[With, ...]:
        replacements = []
        while self.at_keyword("with"):
            start = self.advance()
            if self.token.kind != IDENTIFIER:
                self.fail("expected ident")
            target = self.term()
            if not isinstance(target, Var | Ref):
                self.fail("expected with target path")
            if not self.accept("as"):
                self.fail("expected as keyword")
            replacements.append(With(target, self.infix(), location=self.span(start)))
        return tuple(replacements)


def _membership_operands(term: Term) -> tuple[Term | None, Term, Term] | None:
    """Give key, value and domain of `value in domain` or `key, value in domain`; `None` for anything else."""
    if isinstance(term, Call) and term.name == ".".join(MEMBER):
        return None, term.args[0], term.args[1]
    if isinstance(term, Call) and term.name == ".".join(MEMBER_WITH_KEY):
        return term.args[0], term.args[1], term.args[2]
    return None
