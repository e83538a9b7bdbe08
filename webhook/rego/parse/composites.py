"""Terms made of terms: arrays, objects, sets, comprehensions, parentheses and template strings.

Owns what stands between brackets inside a body. Must not know rules; of bodies only the methods that the class
above gives.
"""

from abc import abstractmethod

from webhook.rego.ast import (
    Array,
    ArrayComprehension,
    Body,
    Call,
    Every,
    Expr,
    Object,
    ObjectComprehension,
    Scalar,
    Set,
    SetComprehension,
    SomeDecl,
    SomeIn,
    String,
    TemplateString,
    Term,
)
from webhook.rego.lexer import TEMPLATE_END, Token
from webhook.rego.parse.cursor import NestingError, ParseError
from webhook.rego.parse.terms import WEAKEST, TermParser, unescape


class CompositeParser(TermParser):
    """Parser of composite terms."""

    _failed_comprehensions: set[int]
    """Offsets of a `|` known to be an operator, so that no text is tried as a comprehension twice."""

    @abstractmethod
    def body(self, end: str) -> Body:
        """Parse the expressions of a body up to its closing bracket, which stays the current token."""

    @abstractmethod
    def literal(self) -> Expr:
        """Parse one expression of a body."""

    def composite(self) -> Term:
        """Parse what begins with a bracket or is a template string."""
        start = self.token
        self.enter()
        result: Term
        if start.kind == "[":
            result = self._array()
        elif start.kind == "{":
            result = self._set_or_object()
        elif start.kind == "(":
            result = self._parenthesised()
        else:
            result = self._template_string()
        self.leave()
        return result

    def _parenthesised(self) -> Term:
        self.advance()
        inner = self.infix()
        if self.token.kind != ")":
            self.fail_at(self.token, "non-terminated expression")
        self.advance()
        return inner

    # A head is one term without operators, so that the `|` behind it can open a comprehension. Only if the text
    # behind the `|` is no body is it the operator of a set union after all: `{a | b, c}`.

    def _array(self) -> Term:
        start = self.advance()
        if self.accept("]"):
            return Array((), location=self.span(start))
        leading_comma = self.accept(",")
        item_start = self.token
        head = self.term()
        if not leading_comma:
            body = self._comprehension_body("]")
            if body is not None:
                return ArrayComprehension(head, body, location=self.span(start))
        return Array(self._rest_of_list("]", item_start, head), location=self.span(start))

    def _set_or_object(self) -> Term:
        start = self.advance()
        if self.accept("}"):
            return Object((), location=self.span(start))
        leading_comma = self.accept(",")
        item_start = self.token
        head = self.term()
        if not leading_comma:
            body = self._comprehension_body("}")
            if body is not None:
                return SetComprehension(head, body, location=self.span(start))
        head = self.continue_infix(item_start, head)
        if self.token.kind == ":":
            return self._object(start, head, may_be_comprehension=not leading_comma)
        return Set(self._rest_of_list("}", item_start, head), location=self.span(start))

    def _object(self, start: Token, key: Term, *, may_be_comprehension: bool) -> Term:
        self.advance()
        value_start = self.token
        before = self.mark()
        value = self.term()
        goes_back = may_be_comprehension and self.token.kind == ","
        body: Body | ParseError | None = None
        if may_be_comprehension:
            body = self._comprehension_body_or_fault("}")
        if isinstance(body, tuple):
            return ObjectComprehension(key, value, body, location=self.span(start))
        try:
            value = self.continue_infix(value_start, value)
            if self.token.kind not in {",", "}"}:
                self.fail("non-terminated object")
            pairs = self._further_pairs()
        except ParseError as fault:
            if body is not None and not fault.is_final:
                raise fault.caused_by(body) from None
            if fault.is_final or not goes_back:
                raise
            # As in OPA, which looks for a comprehension first and then is back at the first value.
            self.reset(before)
            self.fail("non-terminated object", fault.cause or fault)
        self.advance()
        return Object(((key, value), *pairs), location=self.span(start))

    def _comprehension_body_or_fault(self, end: str) -> Body | ParseError | None:
        """Parse like `_comprehension_body`, but take the `|` before what is no body for an operator."""
        bar = self.mark()
        start = self.token.start
        try:
            return self._comprehension_body(end)
        except ParseError as fault:
            if isinstance(fault, NestingError):
                raise
            self._failed_comprehensions.add(start)
            self.reset(bar)
            return fault

    def _further_pairs(self) -> list[tuple[Term, Term]]:
        pairs: list[tuple[Term, Term]] = []
        while self.token.kind != "}":
            if not self.accept(","):
                self.fail('expected "," or "}"')
            if self.token.kind == "}":
                break
            key = self.infix(pair=False)
            if not self.accept(":"):
                self.fail('expected ":"')
            pairs.append((key, self.infix(pair=False)))
        return pairs

    def continue_infix(self, start: Token, left: Term) -> Term:
        """Parse the operators behind a term of a list that began at `start`."""
        return self._membership(start, self._binary(WEAKEST, start, left), pair=False)

    def _rest_of_list(self, end: str, start: Token, first: Term) -> tuple[Term, ...]:
        first = self.continue_infix(start, first)
        if not self.accept(",") and self.token.kind != end:
            self.fail("non-terminated set" if end == "}" else f'expected "," or "{end}"')
        return self.terms(end, first)

    def _comprehension_body(self, end: str) -> Body | None:
        """Parse `| body` and the closing bracket; `None`, and nothing consumed, if it is an operator instead."""
        bar = self.token
        if bar.kind != "|" or bar.start in self._failed_comprehensions:
            return None
        mark = self.mark()
        self.advance()
        try:
            body = self.body(end)
        except ParseError:
            if self.token.kind != ",":
                raise
            self._failed_comprehensions.add(bar.start)
            self.reset(mark)
            return None
        self.advance()
        return body

    # -- Template strings --

    def _template_string(self) -> TemplateString:
        start = self.token
        raw = start.text[1] == "`"
        parts: list[Scalar | Expr] = []
        while True:
            token = self.advance()
            text = self._template_text(token, raw=raw)
            if text:
                parts.append(String(text, location=self.place(token)))
            if token.kind == TEMPLATE_END:
                return TemplateString(tuple(parts), raw, location=self.span(start))
            expression = self._template_expression()
            plain = not expression.replacements and isinstance(expression.terms, Scalar)
            parts.append(expression.terms if plain else expression)  # type: ignore[arg-type]
            if self.token.kind != "}":
                self.fail_at(self.token, "expected } to end template string expression")
            self.advance()

    def _template_text(self, token: Token, *, raw: bool) -> str:
        """Return the literal text of a token; the delimiters are `$"` or `}` before and `"` or `{` behind."""
        text = token.text.removeprefix("$")[1:-1].replace(r"\{", "{")
        if raw:
            return text
        value = unescape(f'"{text}"')
        if value is None:
            self.fail_at(token, f"illegal template-string part: {token.text}")
        return value

    def _template_expression(self) -> Expr:
        token = self.token
        expression = self.literal()
        refused = None
        if expression.negated:
            refused = "negation ('not')"
        elif isinstance(expression.terms, Call) and expression.terms.name == "eq":
            refused = "unification ('=')"
        elif isinstance(expression.terms, Call) and expression.terms.name == "assign":
            refused = "assignment (':=')"
        elif isinstance(expression.terms, Every):
            refused = "'every'"
        elif isinstance(expression.terms, SomeDecl | SomeIn):
            refused = "'some'"
        if refused is not None:
            self.fail_at(token, f"unexpected {refused} in template-string expression")
        return expression
