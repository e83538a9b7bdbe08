"""Rego text to tokens.

Owns the lexical grammar: words, numbers, strings, template strings, comments and what is illegal. Must not know
which tokens may follow each other. The grammar is OPA's (https://www.openpolicyagent.org/docs/policy-reference).

Text that is no token becomes a token of kind `ILLEGAL` whose text is the message, so that the parser reports it
in its place and can go on behind it.
"""

import re
from typing import Final

import msgspec

from webhook.rego.ast import Comment, Source
from webhook.rego.errors import PARSE_ERROR, CompileError, Diagnostic, Location

IDENTIFIER: Final = "identifier"
NUMBER: Final = "number"
STRING: Final = "string"
TEMPLATE_PART: Final = "template-string-part"
"""Literal text of a template string up to the `{` of an expression, delimiters included."""
TEMPLATE_END: Final = "template-string-end"
"""Literal text of a template string up to its end, delimiters included."""
ILLEGAL: Final = "illegal"
EOF: Final = "eof"

KEYWORDS: Final = frozenset(
    {"package", "import", "as", "default", "else", "not", "some", "with", "null", "true", "false"}
)
FUTURE_KEYWORDS: Final = frozenset({"if", "in", "every", "contains"})
"""Keywords in v1; in v0 only where imported."""
ALL_KEYWORDS: Final = KEYWORDS | FUTURE_KEYWORDS

MAX_SOURCE_CHARACTERS: Final = 2 * 1024 * 1024
"""Larger files are refused: they are data, not policy, and would hold a worker for seconds."""
MAX_ILLEGAL_TOKENS: Final = 100
"""A file with more is no Rego; lexing stops there."""


class Token(msgspec.Struct, frozen=True, gc=False):
    """One token; for keywords and punctuation the kind is the text itself."""

    kind: str
    text: str
    start: int
    """Offset of the first character."""
    end: int
    row: int
    col: int
    after_newline: bool
    """Whether a line break stands between this token and the one before."""


class Tokens(msgspec.Struct, frozen=True):
    """The tokens of a source, the last of kind `EOF`, and its comments."""

    tokens: list[Token]
    comments: tuple[Comment, ...]


_TOKEN = re.compile(
    r"""[ \t\r]*(?:
      (?P<newline>\n[ \t\r\n]*)
    | (?P<word>[A-Za-z_][A-Za-z_\d]*)
    | (?P<punctuation>:=|==|!=|<=|>=|[\[\]{}(),:;.+\-*/%&|=<>])
    | (?P<string>"[^"\\\n]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\n]*)*"|`[^`]*`)
    | (?P<number>[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)(?![A-Za-z_0-9])
                | [0-9]+(?![A-Za-z_.0-9]))
    | (?P<comment>\#[^\n]*)
    | (?P<template>\$["`])
    | (?P<eof>\Z)
    | (?P<illegal>.)
    )""",
    re.VERBOSE,
)
_TEMPLATE_TEXT = re.compile(r'[^"\\{\n]*(?:\\(?:["\\/bfnrt{]|u[0-9a-fA-F]{4})[^"\\{\n]*)*')
_RAW_TEMPLATE_TEXT = re.compile(r"[^`{\\]*(?:\\\{?[^`{\\]*)*")
_STRING_START = re.compile(r'"[^"\\\n]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\n]*)*')
_INCOMPLETE_NUMBER = re.compile(
    r"[0-9]+(?:(?P<fraction>\.(?![0-9]))|(?:\.[0-9]+)?(?P<exponent>[eE][+-]?(?![+0-9-])))"
)
_WORDLIKE = re.compile(r"[A-Za-z_0-9.]+")
_LINE_REST = re.compile(r"[^\n]*")


def tokenize(source: Source) -> Tokens:
    """Split a source into tokens and comments.

    Raises:
        CompileError: the text is too large or holds characters that no Rego file may hold.

    """
    _refuse_foreign_text(source)
    return _Lexer(source).run()


def line_at(text: str, offset: int) -> str:
    """Return the line that holds the offset, without its line break."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start : end if end >= 0 else len(text)].rstrip("\r")


def _refuse_foreign_text(source: Source) -> None:
    text = source.text
    if len(text) > MAX_SOURCE_CHARACTERS:
        raise _fault(source, 0, f"file too large: {len(text)} characters, at most {MAX_SOURCE_CHARACTERS}")
    if (offset := text.find("\0")) >= 0:
        raise _fault(source, offset, "illegal null character")
    if text.isascii():
        return
    if (offset := text.find("\ufeff", 1)) >= 0:
        raise _fault(source, offset, "illegal byte-order mark")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _fault(source, error.start, "illegal utf-8 character") from None


def _fault(source: Source, offset: int, message: str) -> CompileError:
    line_start = source.text.rfind("\n", 0, offset) + 1
    row = source.text.count("\n", 0, line_start) + 1
    place = Location(source.path, row, offset - line_start + 1, offset, offset)
    return CompileError((Diagnostic(PARSE_ERROR, message, place, line_at(source.text, offset)),))


class _Lexer:
    """State of one pass over a source."""

    def __init__(self, source: Source) -> None:
        self._path = source.path
        self._text = source.text
        self._position = 1 if source.text.startswith("\ufeff") else 0
        self._row = 1
        self._line_start = 0
        self._after_newline = True
        self._tokens: list[Token] = []
        self._comments: list[Comment] = []
        self._illegal = 0
        self._templates: list[tuple[str, int]] = []
        """Quote and brace depth of each template string whose expression is being read."""

    def run(self) -> Tokens:
        match_token = _TOKEN.match
        while True:
            match = match_token(self._text, self._position)
            if match is None:  # only "." without DOTALL can fail, and newline has a branch of its own
                raise AssertionError("unreachable")
            kind = match.lastgroup or EOF
            start = match.start(kind)
            self._position = match.end()
            if kind == "word":
                word = match[kind]
                self._add(word if word in ALL_KEYWORDS else IDENTIFIER, start)
            elif kind == "punctuation":
                self._punctuation(match[kind], start)
            elif kind == "newline":
                self._newline(start, self._position)
                self._after_newline = True
            elif kind == "string":
                self._add(STRING, start)
                if self._text[start] == "`":
                    self._newline(start, self._position)
            elif kind == "number":
                self._add(NUMBER, start)
            elif kind == "comment":
                self._comment(start)
            elif kind == "template":
                self._template_text(start, self._text[start + 1])
            elif kind == "illegal":
                self._illegal_text(start)
            if kind == EOF or self._illegal >= MAX_ILLEGAL_TOKENS:
                self._add(EOF, self._position)
                return Tokens(self._tokens, tuple(self._comments))

    def _add(self, kind: str, start: int, text: str | None = None) -> None:
        end = self._position
        token_text = self._text[start:end] if text is None else text
        column = start - self._line_start + 1
        self._tokens.append(Token(kind, token_text, start, end, self._row, column, self._after_newline))
        self._after_newline = False

    def _newline(self, start: int, end: int) -> None:
        """Count the line breaks between two offsets."""
        breaks = self._text.count("\n", start, end)
        if breaks:
            self._row += breaks
            self._line_start = self._text.rindex("\n", start, end) + 1

    def _comment(self, start: int) -> None:
        place = Location(self._path, self._row, start - self._line_start + 1, start, self._position)
        text = self._text[start + 1 : self._position]
        self._comments.append(Comment(text.removesuffix("\r"), location=place))

    def _punctuation(self, symbol: str, start: int) -> None:
        if self._templates and symbol in "{}":
            quote, depth = self._templates[-1]
            if symbol == "}" and depth == 0:
                self._templates.pop()
                self._add("}", start)
                self._template_text(start, quote)
                return
            self._templates[-1] = (quote, depth + (1 if symbol == "{" else -1))
        self._add(symbol, start)

    def _template_text(self, start: int, quote: str) -> None:
        """Read literal text of a template string from the current position to its end or its next `{`."""
        pattern = _TEMPLATE_TEXT if quote == '"' else _RAW_TEMPLATE_TEXT
        match = pattern.match(self._text, self._position)
        self._position = match.end() if match else self._position
        stop = self._text[self._position : self._position + 1]
        if stop not in {quote, "{"} or not stop:
            message = "illegal escape sequence" if stop == "\\" else "non-terminated string"
            self._skip_line(start, message)
            return
        self._position += 1
        if stop == "{":
            self._templates.append((quote, 0))
        self._add(TEMPLATE_PART if stop == "{" else TEMPLATE_END, start)
        self._newline(start, self._position)

    def _illegal_text(self, start: int) -> None:
        first = self._text[start]
        if first == '"':
            match = _STRING_START.match(self._text, start)
            stop = self._text[match.end() : match.end() + 1] if match else ""
            self._skip_line(start, "illegal escape sequence" if stop == "\\" else "non-terminated string")
        elif first == "`":
            self._position = len(self._text)
            self._add_illegal(start, "non-terminated string")
        elif first.isdigit():
            match = _WORDLIKE.match(self._text, start)
            self._position = match.end() if match else start + 1
            incomplete = _INCOMPLETE_NUMBER.match(self._text, start)
            lacking = incomplete.lastgroup if incomplete else None
            self._add_illegal(start, f"expected {lacking}" if lacking else "illegal number format")
        else:
            self._add_illegal(start, f"illegal {first} character" if first in "!$" else "illegal token")

    def _skip_line(self, start: int, message: str) -> None:
        match = _LINE_REST.match(self._text, self._position)
        self._position = match.end() if match else self._position
        self._add_illegal(start, message)

    def _add_illegal(self, start: int, message: str) -> None:
        self._illegal += 1
        self._add(ILLEGAL, start, message)
