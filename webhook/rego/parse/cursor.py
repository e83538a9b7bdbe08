"""The place where the parser stands in a list of tokens.

Owns moving, looking ahead, going back, nesting depth and how a syntax error is worded. Must not know the grammar.
"""

from collections.abc import Iterator
from typing import Final, NoReturn

import msgspec

from webhook.rego.ast import Source
from webhook.rego.errors import PARSE_ERROR, Diagnostic, Location
from webhook.rego.lexer import ALL_KEYWORDS, FUTURE_KEYWORDS, IDENTIFIER, ILLEGAL, Token, line_at

MAX_NESTING: Final = 60
"""Deepest nesting of brackets; every later pass recurses over the tree."""

_SYMBOL_NAMES: Final = {
    "+": "plus",
    "-": "minus",
    "*": "mul",
    "/": "div",
    "%": "rem",
    "&": "and",
    "|": "or",
    "=": "eq",
    "==": "equal",
    ":=": "assign",
    "!=": "neq",
    ">": "gt",
    "<": "lt",
    ">=": "gte",
    "<=": "lte",
}
"""How OPA's messages call operators."""


class ParseError(Exception):
    """A syntax error; never leaves the parser, which turns it into a diagnostic."""

    is_behind_operator = False
    """Whether an operand is wrong: OPA goes on with the term before the operator, and tries nothing else."""
    is_behind_in = False
    """Whether it stands behind `in`: OPA goes on with the term before it."""

    def __init__(
        self, message: str, location: Location, index: int, cause: "ParseError | None" = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.index = index
        """How far the parser had come, in tokens."""
        self.cause = cause
        """What stopped the parser further on, where OPA reports the place that it went back to."""

    def caused_by(self, cause: "ParseError") -> "ParseError":
        """Return the same error with its cause, unless it has one."""
        return ParseError(self.message, self.location, self.index, self.cause or cause)

    @property
    def is_final(self) -> bool:
        """Whether reading the text in another way would not help."""
        return self.is_behind_operator


class NestingError(ParseError):
    """Brackets nested too deeply."""

    @property
    def is_final(self) -> bool:
        """Whether reading the text in another way would not help: every way is nested as deeply."""
        return True


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A place to go back to."""

    index: int
    depth: int


class Cursor:
    """A walk over the tokens of one source."""

    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self._source = source
        self._tokens = tokens
        self._index = 0
        self._depth = 0
        self._previous_end = 0
        self.token = tokens[0]
        """The token under the cursor."""

    def advance(self) -> Token:
        """Step over the current token, which must not be the last, and return it."""
        token = self.token
        self._previous_end = token.end
        self._index += 1
        self.token = self._tokens[self._index]
        return token

    def at_keyword(self, keyword: str) -> bool:
        """Whether this keyword follows and is no name that begins a reference."""
        return self.token.kind == keyword and not self.is_keyword_in_ref()

    def accept(self, kind: str) -> bool:
        """Step over the current token if it is of this kind."""
        if self.token.kind != kind:
            return False
        self.advance()
        return True

    def expect(self, kind: str) -> Token:
        """Step over the current token, which has to be of this kind."""
        if self.token.kind != kind:
            self.fail(f"expected {kind}")
        return self.advance()

    def lookahead(self, distance: int) -> Token:
        """Return the token that many places ahead; behind the end the last one."""
        return self._tokens[min(self._index + distance, len(self._tokens) - 1)]

    def ahead(self) -> Iterator[Token]:
        """Give the current token and all behind it."""
        for index in range(self._index, len(self._tokens)):
            yield self._tokens[index]

    def is_adjacent(self) -> bool:
        """Whether no space stands before the current token."""
        return self.token.start == self._previous_end

    def join(self) -> None:
        """Let the current token count as adjacent to the one before."""
        self._previous_end = self.token.start

    def is_keyword_in_ref(self) -> bool:
        """Whether the current token is a keyword that begins a reference, as in `default.port`."""
        token = self.token
        if token.kind not in ALL_KEYWORDS:
            return False
        following = self.lookahead(1)
        return following.kind in {".", "["} and following.start == token.end

    def take_as_identifier(self) -> None:
        """Let the current token be an identifier, whatever keyword it is."""
        self.token = msgspec.structs.replace(self.token, kind=IDENTIFIER)
        self._tokens[self._index] = self.token

    def mark(self) -> Mark:
        """Remember this place."""
        return Mark(self._index, self._depth)

    def reset(self, mark: Mark) -> None:
        """Go back to a place."""
        self._index = mark.index
        self._depth = mark.depth
        self.token = self._tokens[mark.index]
        self._previous_end = self._tokens[mark.index - 1].end if mark.index else 0

    def enter(self) -> None:
        """Go one level of brackets deeper."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            message = f"nesting deeper than {MAX_NESTING} levels"
            raise NestingError(message, self.place(self.token), self._index)

    def leave(self) -> None:
        """Come back from one level of brackets."""
        self._depth -= 1

    def place(self, token: Token) -> Location:
        """Return the location of one token."""
        return Location(self._source.path, token.row, token.col, token.start, token.end)

    def span(self, first: Token) -> Location:
        """Return the location from a token to the last one stepped over."""
        return Location(self._source.path, first.row, first.col, first.start, self._previous_end)

    def fail(self, note: str = "", cause: ParseError | None = None) -> NoReturn:
        """Refuse the current token; `cause` is what stopped the parser further on."""
        token = self.token
        if token.kind == ILLEGAL:
            raise ParseError(token.text, self.place(token), self._index, cause)
        name = _SYMBOL_NAMES.get(token.kind, token.kind)
        sort = "keyword" if token.kind in ALL_KEYWORDS else "token"
        message = f"unexpected {name} {sort}" + (f": {note}" if note else "") + self.hint()
        raise ParseError(message, self.place(token), self._index, cause)

    def hint(self) -> str:
        """Return what to add to a message when a keyword of v1 stands here that is none in this file."""
        for near in (self._tokens[self._index], self._tokens[max(self._index - 1, 0)]):
            if near.kind == IDENTIFIER and near.text in FUTURE_KEYWORDS:
                return f" (hint: `import future.keywords.{near.text}`)"
        return ""

    def fail_at(self, token: Token, message: str) -> NoReturn:
        """Raise a syntax error at a token."""
        raise ParseError(message, self.place(token), self._index)

    def diagnostic(self, message: str, location: Location) -> Diagnostic:
        """Return an error of the parser with its source line."""
        return Diagnostic(PARSE_ERROR, message, location, line_at(self._source.text, location.offset))
