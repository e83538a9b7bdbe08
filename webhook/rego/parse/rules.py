"""Rules: heads of every kind, bodies, `else` chains and defaults, in v0 and v1.

Owns what one rule may look like. Must not know how rules make up a module.
"""

from abc import abstractmethod
from enum import IntEnum
from typing import Final

import msgspec

from webhook.rego.ast import (
    ArrayComprehension,
    Body,
    Boolean,
    Branch,
    Call,
    Head,
    Node,
    ObjectComprehension,
    Ref,
    Rule,
    Set,
    SetComprehension,
    Term,
    Var,
    children,
)
from webhook.rego.errors import Location
from webhook.rego.lexer import ALL_KEYWORDS, EOF, IDENTIFIER, TEMPLATE_PART, Token
from webhook.rego.parse.bodies import BodyParser
from webhook.rego.parse.cursor import ParseError
from webhook.rego.parse.facts import WrittenHead, head_of
from webhook.rego.parse.terms import OPERATORS

_OPENING: Final = frozenset({"(", "[", "{", TEMPLATE_PART})
_CLOSING: Final = frozenset({")", "]", "}"})
_TERM_CONTINUES: Final = frozenset(OPERATORS) | {"in", "=", ":="}
_TERM_SEPARATORS: Final = frozenset({"|", ":"})
_COMPREHENSIONS: Final = (ArrayComprehension, SetComprehension, ObjectComprehension)


class Phase(IntEnum):
    """When OPA finds an error: text that is no Rego comes before rules that may not stand as they are written."""

    SYNTAX = 0
    STATEMENT = 1
    VERSION = 2


class RuleParser(BodyParser):
    """Parser of rules."""

    strict = True
    """Whether the rules of v1 hold: `if` before bodies, `contains` for sets."""

    @abstractmethod
    def report(self, message: str, location: Location, phase: Phase = Phase.SYNTAX) -> None:
        """Note an error that does not keep the parser from going on."""

    def rules(self) -> list[Rule]:
        """Parse one rule; several bodies behind one head make several."""
        start = self.token
        mark = self.mark()
        if self.is_keyword_in_ref():
            self.take_as_identifier()
        is_default = self.accept("default")
        if is_default and self.is_keyword_in_ref():
            self.take_as_identifier()
        if not self._begins_head():
            self.reset(mark)
            return self._fact(start)
        if is_default:
            return [self._default(start)]
        written = self._head()
        is_bare = written.value is None and written.element is None
        # Behind a value, `if[x]` and `if.x` begin a reference.
        has_if = self.token.kind == "if" if is_bare else self.at_keyword("if")
        if not has_if and self.token.kind != "{" and not self._stands_alone(written):
            self.reset(mark)
            return self._fact(start)
        head = self._meaning(written, has_if=has_if)
        if not has_if and self.token.kind != "{":
            self._require_contains(written, head)
            return [Rule(head, location=self.span(start))]
        body = self._rule_body(written.sort, start)
        self._require_contains(written, head)
        otherwise = self._otherwise(head, written.sort)
        rules = [Rule(head, body, otherwise, location=self.span(start))]
        while self.token.kind == "{":
            if otherwise:
                self.fail_at(self.token, "expected else keyword")
            body_start = self.token
            body = self.braced_body()
            rules.append(Rule(self._repeated(head), body, location=self.span(body_start)))
        return rules

    # -- Heads --

    def _head(self) -> WrittenHead:
        start = self.token
        name = self.variable()
        if self.token.kind in OPERATORS and self.is_adjacent():
            self.fail()
        is_spaced = self.token.kind in {".", "[", "("} and not self.is_adjacent()
        path, args = self._head_path(start, name)
        element: Term | None = None
        value: Term | None = None
        assignment = self.token.kind
        if assignment == "contains":
            if args is not None:
                self.fail("the contains keyword can only be used with multi-value rule definitions")
            self.advance()
            element = self.infix()
        elif assignment in {"=", ":="}:
            self.advance()
            value = self.infix()
        return WrittenHead(
            self.span(start), name, path, args, element, value, assign=assignment == ":=", spaced=is_spaced
        )

    def _begins_head(self) -> bool:
        return self.token.kind == IDENTIFIER and not (self.token.text == "set" and self.is_empty_call())

    def _stands_alone(self, written: WrittenHead) -> bool:
        """Whether a head is a rule without a body, so that reading it as an expression would change nothing."""
        if written.element is not None:
            return True
        return written.value is not None and not written.spaced and self.token.kind not in {"with", ";"}

    def _fact(self, start: Token) -> list[Rule]:
        """Parse a rule without a body as the expression that it is."""
        expression = self.literal()
        found = head_of(expression)
        while self.accept(";"):
            self.literal()
            found = "multiple expressions cannot be used for rule head"
        if isinstance(found, str):
            self.report(found + self.hint(), expression.location, Phase.STATEMENT)
            return []
        head = self._meaning(found, has_if=False)
        self._require_contains(found, head)
        if self.strict and found.value is None and found.args is None and len(found.path) > 1:
            message = f"{found.sort} must have value assignment and/or body declaration"
            self.report(message, found.location, Phase.VERSION)
        return [Rule(head, location=self.span(start))]

    def _head_path(self, start: Token, name: Var) -> tuple[tuple[Term, ...], tuple[Term, ...] | None]:
        """Parse what follows the name: path and arguments, `None` without parentheses."""
        if self.token.kind not in {".", "[", "("} or self.token.after_newline:
            return (), None
        self.join()
        reference = self.reference(start, name)
        ref = reference.operator if isinstance(reference, Call) else reference
        if not isinstance(ref.head, Var):
            self.fail_at(start, "invalid rule head: arguments have to come last")
        # As in OPA, `f() = 1` is a complete rule.
        return ref.path, (reference.args or None) if isinstance(reference, Call) else None

    def _meaning(self, written: WrittenHead, *, has_if: bool) -> Head:
        """Give a head its kind: without `if`, `p[x]` adds to a set unless it has a value."""
        path, key, value = written.path, written.element, written.value
        if self.strict and not path and written.name.name in ALL_KEYWORDS:
            message = f"{written.name.name} keyword cannot be used for rule name"
            self.report(message, written.name.location, Phase.VERSION)
        is_old_set = len(path) == 1 and not has_if and written.args is None and key is None and value is None
        if is_old_set:
            key, path = path[0], ()
        if key is None and value is None:
            value = Boolean(value=True, location=written.location)
        place = Location(
            written.location.file,
            written.location.row,
            written.location.col,
            written.location.offset,
            path[-1].location.end if path else written.name.location.end,
        )
        ref = Ref(written.name, path, location=place)
        return Head(ref, written.args, key, value, written.assign, location=written.location)

    def _require_contains(self, written: WrittenHead, head: Head) -> None:
        if self.strict and head.key is not None and written.element is None:
            message = "`contains` keyword is required for partial set rules"
            self.report(message, written.location, Phase.VERSION)

    def _repeated(self, head: Head) -> Head:
        """Return the head for a further body; its wildcards are variables of their own."""
        if head.args is None:
            return head
        args = tuple(
            self.wildcard(arg.location) if isinstance(arg, Var) and arg.is_wildcard else arg
            for arg in head.args
        )
        return msgspec.structs.replace(head, args=args)

    # -- Bodies --

    def _rule_body(self, sort: str, start: Token) -> Body:
        """Parse `if …` or `{ … }` behind a head or `else`, which began at `start`."""
        if not self.accept("if"):
            if self.strict:
                message = f"`if` keyword is required before {sort} body"
                self.report(message, self.place(start), Phase.VERSION)
            return self.braced_body()
        if self.token.kind != "{":
            return (self.literal(),)
        if self._braces_may_be_term():
            return self._term_or_body()
        return self.braced_body()

    def _braces_may_be_term(self) -> bool:
        """Whether the `{` under the cursor may open an object or a comprehension rather than a body."""
        depth = 0
        distance = 0
        for token in self.ahead():
            kind = token.kind
            if kind in _OPENING:
                depth += 1
            elif kind in _CLOSING:
                depth -= 1
                if depth == 0:
                    break
            elif depth == 1 and kind in _TERM_SEPARATORS:
                return True
            distance += 1
        closing, following = self.lookahead(distance), self.lookahead(distance + 1)
        if distance == 1 or following.kind in _TERM_CONTINUES:
            return True
        return following.kind in {".", "["} and following.start == closing.end

    def _term_or_body(self) -> Body:
        """Parse braces as a term if that works and it is no set, for a set is never false; else as a body."""
        mark = self.mark()
        term_fault: ParseError | None = None
        try:
            expression = self.literal()
            if not isinstance(expression.terms, Set):
                return (expression,)
        except ParseError as fault:
            if fault.is_final or fault.is_behind_in:
                raise
            term_fault = fault
        self.reset(mark)
        try:
            return self.braced_body()
        except ParseError as fault:
            if term_fault is not None and term_fault.index > fault.index:
                raise fault.caused_by(term_fault) from None
            raise

    def _otherwise(self, head: Head, sort: str) -> tuple[Branch, ...]:
        """Parse the `else` chain."""
        branches: list[Branch] = []
        while self.at_keyword("else"):
            if any(contains_variable(segment) for segment in head.ref.path):
                self.fail_at(self.token, "else keyword cannot be used on rules with variables in head")
            if head.key is not None:
                self.fail_at(self.token, "else keyword cannot be used on multi-value rules")
            branch = self._branch(sort)
            branches.append(branch)
            if not branch.body:
                break
        return tuple(branches)

    def _branch(self, sort: str) -> Branch:
        start = self.advance()
        value: Term = Boolean(value=True, location=self.place(start))
        if self.token.kind in {"=", ":="}:
            self.advance()
            value = self.infix()
        elif self.token.kind not in {"if", "{"}:
            self.fail("expected else value term or rule body")
        body: Body = ()
        if self.token.kind == "{":
            body = self._rule_body(sort, start)
        elif self.at_keyword("if"):
            self.advance()
            if self.token.kind == EOF:
                self.fail("rule body expected")
            body = self.braced_body() if self.token.kind == "{" else (self.literal(),)
        return Branch(value, body, location=self.span(start))

    # -- Defaults --

    def _default(self, start: Token) -> Rule:
        written = self._head()
        # As in OPA, only a lone key leaves open what the default is: anything else is true.
        lacks_value = written.value is None and len(written.path) == 1 and written.args is None
        if written.element is not None or lacks_value:
            self.fail_at(start, "illegal default rule (must have a value)")
        head = self._meaning(written, has_if=True)
        place = self.span(start)
        for sort in sorted(_changing_parts(head.value)):
            self.report(f"illegal default rule (value cannot contain {sort})", place)
        self._check_default_args(head.args or (), place)
        return Rule(head, default=True, location=place)

    def _check_default_args(self, args: tuple[Term, ...], place: Location) -> None:
        seen: set[str] = set()
        for arg in args:
            if not isinstance(arg, Var):
                sort = type(arg).__name__.lower()
                self.report(f"illegal default rule (arguments cannot contain {sort})", place)
            elif arg.name in seen:
                self.report(f"illegal default rule (arguments cannot be repeated {arg.name})", place)
            else:
                seen.add(arg.name)


def contains_variable(term: Node) -> bool:
    """Whether a term holds a variable outside of comprehensions."""
    if isinstance(term, _COMPREHENSIONS):
        return False
    return isinstance(term, Var) or any(contains_variable(child) for child in children(term))


def _changing_parts(value: Node | None) -> set[str]:
    """Name the sorts of nodes outside of comprehensions that make a value depend on anything."""
    if value is None or isinstance(value, _COMPREHENSIONS):
        return set()
    if isinstance(value, (Ref, Var, Call)):
        return {type(value).__name__.lower()}
    return set().union(*(_changing_parts(child) for child in children(value)))
