"""Terms: scalars, names, references, calls and operators.

Owns how terms combine and bind. Must not know what stands between brackets: the class above does.
"""

import json
import re
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Final, NoReturn

import msgspec

from webhook.rego.ast import (
    Array,
    ArrayComprehension,
    Boolean,
    Call,
    Null,
    Number,
    Object,
    ObjectComprehension,
    Ref,
    Set,
    SetComprehension,
    String,
    Term,
    Var,
)
from webhook.rego.errors import Location
from webhook.rego.lexer import (
    ALL_KEYWORDS,
    IDENTIFIER,
    NUMBER,
    STRING,
    TEMPLATE_END,
    TEMPLATE_PART,
    Token,
)
from webhook.rego.parse.cursor import Cursor, ParseError

ROOT_DOCUMENTS: Final = frozenset({"input", "data"})
MAX_NUMBER_DIGITS: Final = 4_000
"""Longest number, written out; Python refuses to convert much longer ones."""
MEMBER: Final = ("internal", "member_2")
MEMBER_WITH_KEY: Final = ("internal", "member_3")


class Operator(msgspec.Struct, frozen=True):
    """An infix operator: how strongly it binds, and the builtin it calls."""

    level: int
    builtin: str


OPERATORS: Final = {
    "==": Operator(1, "equal"),
    "!=": Operator(1, "neq"),
    "<": Operator(1, "lt"),
    "<=": Operator(1, "lte"),
    ">": Operator(1, "gt"),
    ">=": Operator(1, "gte"),
    "|": Operator(2, "or"),
    "&": Operator(3, "and"),
    "+": Operator(4, "plus"),
    "-": Operator(4, "minus"),
    "*": Operator(5, "mul"),
    "/": Operator(5, "div"),
    "%": Operator(5, "rem"),
}
"""All bind to the left; `in` binds weaker than any of them."""
WEAKEST: Final = 1

_REFERENCE_SYMBOLS: Final = frozenset({".", "[", "("})
_COMPOSITE_STARTS: Final = frozenset({"[", "{", "(", TEMPLATE_PART, TEMPLATE_END})
_CONSTANTS: Final = {"true": True, "false": False}
_REFERENCE_HEADS: Final = (
    Var,
    Call,
    Array,
    Object,
    Set,
    ArrayComprehension,
    ObjectComprehension,
    SetComprehension,
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def unescape(token_text: str) -> str | None:
    """Return what a quoted string says, or `None` when it holds a raw control character beside an escape."""
    if "\\" not in token_text:
        return token_text[1:-1]
    try:
        value: str = json.loads(token_text)
    except ValueError:
        return None
    return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)


class TermParser(Cursor, ABC):
    """Parser of terms."""

    _wildcards = 0
    """How many `_` were seen; each becomes a variable of its own."""

    @abstractmethod
    def composite(self) -> Term:
        """Parse what begins with a bracket or is a template string."""

    # -- Operators --

    def infix(self, *, pair: bool = True) -> Term:
        """Parse a term with operators; with `pair`, `k, v in xs` is one too."""
        start = self.token
        return self._membership(start, self._binary(WEAKEST, start, self.term()), pair=pair)

    def relation(self) -> Term:
        """Parse a term with any operator but `in`."""
        start = self.token
        return self._binary(WEAKEST, start, self.term())

    def _membership(self, start: Token, left: Term, *, pair: bool) -> Term:
        """Continue behind `left` with `in xs`, or with `, v in xs` when `pair`."""
        if pair and self.token.kind == ",":
            left = self._keyed_membership(start, left)
        while self.token.kind == "in":
            if self.is_keyword_in_ref():
                # As in OPA, this is a name for now; another way of reading the text may find the keyword.
                self.token = msgspec.structs.replace(self.token, kind=IDENTIFIER)
                break
            operator = self._operator(self.advance(), *MEMBER)
            left = Call(operator, (left, self._domain()), location=self.span(start))
        return left

    def _domain(self) -> Term:
        """Parse what stands behind `in`."""
        try:
            return self.relation()
        except ParseError as fault:
            fault.is_behind_in = True
            raise

    def _operand(self) -> Term:
        """Parse what stands behind an operator."""
        try:
            return self.term()
        except ParseError as fault:
            fault.is_behind_operator = True
            raise

    def _keyed_membership(self, start: Token, key: Term) -> Term:
        mark = self.mark()
        self.advance()
        try:
            value = self.relation()
            if self.at_keyword("in"):
                operator = self._operator(self.advance(), *MEMBER_WITH_KEY)
                return Call(operator, (key, value, self.relation()), location=self.span(start))
        except ParseError as fault:
            if fault.is_final:
                raise
        self.reset(mark)
        return key

    def _binary(self, weakest: int, start: Token, left: Term) -> Term:
        """Continue behind `left`, which began at `start`, with operators at least as strong as `weakest`."""
        operator = OPERATORS.get(self.token.kind)
        while operator is not None and operator.level >= weakest:
            called = self._operator(self.advance(), operator.builtin)
            right_start = self.token
            right = self._operand()
            following = OPERATORS.get(self.token.kind)
            if following is not None and following.level > operator.level:
                right = self._binary(operator.level + 1, right_start, right)
                following = OPERATORS.get(self.token.kind)
            left = Call(called, (left, right), location=self.span(start))
            operator = following
        return left

    def _operator(self, token: Token, name: str, *rest: str) -> Ref:
        place = self.place(token)
        path = tuple(String(part, location=place) for part in rest)
        return Ref(Var(name, location=place), path, location=place)

    # -- Single terms --

    def term(self) -> Term:
        """Parse one term without operators, followed by its reference path and call arguments."""
        start = self.token
        kind = start.kind
        head: Term
        if kind in {IDENTIFIER, "contains"}:
            head = self._empty_set() if start.text == "set" and self.is_empty_call() else self.variable()
        elif kind == STRING:
            head = self._string()
        elif kind in _COMPOSITE_STARTS:
            head = self.composite()
        elif kind in {NUMBER, "-", "."}:
            head = self._number()
        elif kind in _CONSTANTS:
            head = Boolean(_CONSTANTS[kind], location=self.place(self.advance()))
        elif kind == "null":
            head = Null(location=self.place(self.advance()))
        else:
            self.fail()
        if self.token.kind in _REFERENCE_SYMBOLS and self.is_adjacent():
            return self.reference(start, head)
        if isinstance(head, Var) and head.name in ROOT_DOCUMENTS:
            return Ref(head, location=head.location)
        return head

    def variable(self) -> Var:
        """Parse a name; `_` becomes a variable that occurs nowhere else."""
        token = self.advance()
        if token.text == "_":
            return self.wildcard(self.place(token))
        return Var(token.text, location=self.place(token))

    def wildcard(self, location: Location) -> Var:
        """Return a variable that occurs nowhere else."""
        name = f"${self._wildcards}"
        self._wildcards += 1
        return Var(name, location=location)

    def reference(self, start: Token, head: Term) -> Ref | Call:
        """Parse the `.name`, `[index]` and `(arguments)` behind a head that began at `start`."""
        if not isinstance(head, _REFERENCE_HEADS):
            self.fail_at(start, f"illegal ref (head cannot be {type(head).__name__.lower()})")
        path: list[Term] = []
        while self.is_adjacent():
            kind = self.token.kind
            if kind == ".":
                path.append(self._dotted_name())
            elif kind == "[":
                path.append(self._bracketed())
            elif kind == "(" and (path or isinstance(head, Var)):
                head = self._call(start, Ref(head, tuple(path), location=self.span(start)))
                path = []
            else:
                break
        if isinstance(head, Call) and not path:
            return head
        return Ref(head, tuple(path), location=self.span(start))

    def _dotted_name(self) -> String:
        dot = self.advance()
        token = self.token
        if not self.is_adjacent():
            self._refuse_space(dot, token)
        if token.kind != IDENTIFIER and token.kind not in ALL_KEYWORDS:
            self.fail(f"expected {IDENTIFIER}")
        return String(token.text, location=self.place(self.advance()))

    def _refuse_space(self, dot: Token, following: Token) -> NoReturn:
        """Refuse the space behind a dot; OPA counts a line break to the line that it begins."""
        place = self.place(dot)
        if following.after_newline:
            place = msgspec.structs.replace(place, row=place.row + 1, col=0)
        raise ParseError(f"unexpected whitespace token: expected {IDENTIFIER}", place, self._index)

    def _bracketed(self) -> Term:
        self.advance()
        self.enter()
        index = self.infix()
        if self.token.kind != "]":
            self.fail("expected [")  # OPA names the bracket that opened the index
        self.advance()
        self.leave()
        return index

    def _call(self, start: Token, operator: Ref) -> Call:
        self.advance()
        self.enter()
        arguments = self.terms(")")
        self.leave()
        return Call(operator, arguments, location=self.span(start))

    def terms(self, end: str, *first: Term) -> tuple[Term, ...]:
        """Parse terms separated by commas, and the closing bracket; a last comma may be left hanging."""
        items = list(first)
        while self.token.kind != end:
            items.append(self.infix(pair=False))
            if not self.accept(",") and self.token.kind != end:
                self.fail(f'expected "," or "{end}"')
        self.advance()
        return tuple(items)

    def is_empty_call(self) -> bool:
        """Whether `()` follows the name under the cursor."""
        opening, closing = self.lookahead(1), self.lookahead(2)
        return opening.kind == "(" and closing.kind == ")" and opening.start == self.token.end

    def _empty_set(self) -> Set:
        start = self.advance()
        self.advance()
        self.advance()
        return Set((), location=self.span(start))

    # -- Scalars --

    def _string(self) -> String:
        token = self.token
        value = token.text[1:-1] if token.text[0] == "`" else unescape(token.text)
        if value is None:
            self.fail_at(token, f"illegal string literal: {token.text}")
        return String(value, location=self.place(self.advance()))

    def _number(self) -> Number:
        start = self.token
        prefix = "-" if self.accept("-") else ""
        if self.accept("."):
            prefix += "0."
        if self.token.kind != NUMBER:
            self.fail("expected number")
        token = self.token
        if (
            not prefix.endswith(".")
            and len(token.text) > 1
            and token.text[0] == "0"
            and token.text[1].isdigit()
        ):
            self.fail("expected number without leading zero")
        text = prefix + token.text
        if not _is_representable(text):
            self.fail_at(start, "invalid float" if text.count(".") > 1 else "number too big")
        self.advance()
        return Number(text, location=self.span(start))


def _is_representable(text: str) -> bool:
    """Whether a literal is one number, of a size that can be computed with."""
    if len(text) <= 15 and text.isdigit():
        return True
    if len(text) > MAX_NUMBER_DIGITS or text.count(".") > 1:
        return False
    return abs(Decimal(text).adjusted()) <= MAX_NUMBER_DIGITS
