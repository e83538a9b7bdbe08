"""Go's text templates as syntax trees: `{{ }}` actions, pipelines, variables, conditions, loops, named templates.

Knows nothing of values. Source: https://pkg.go.dev/text/template
"""

import re
from dataclasses import dataclass, field
from typing import Any

from webhook.rego.builtins.caches import cached_by_text
from webhook.rego.builtins.failures import BuiltinError

MAX_NESTING = 100
_ACTION = re.compile(
    r"\{\{(?P<left>-\s)?(?P<body>(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|'(?:\\.|[^'\\])*'|(?!\}\}).)*?)(?P<right>\s-)?\}\}",
    re.DOTALL,
)
_COMMENT = re.compile(r"/\*.*\*/", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:\\.|[^\"\\])*\"|`[^`]*`)|(?P<char>'(?:\\.|[^'\\])+')"
    r"|(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+))"
    r"|(?P<variable>\$\w*)|(?P<field>\.\w+)|(?P<word>\w+)|(?P<sign>:=|=|\||,|\(|\)|\.))"
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Any


@dataclass(frozen=True, slots=True)
class Chain:
    """A value and fields to follow from it; the value is the dot, a variable's name, or a pipeline in parentheses."""

    base: "str | Pipeline"
    """`.`, a name with its `$`, or a pipeline."""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function, in the first place of a command."""

    name: str


Operand = Literal | Chain | Function


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each of which takes the result of the one before as its last argument, and variables to set."""

    commands: tuple[tuple[Operand, ...], ...]
    variables: tuple[str, ...] = ()
    declares: bool = False
    """The variables are new ones."""


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose result is written, unless it only sets variables."""

    pipeline: Pipeline


@dataclass(slots=True)
class Block:
    """An `if`, `with` or `range`: what to do when there is something, and what when there is nothing."""

    keyword: str
    pipeline: Pipeline
    body: "list[Node]" = field(default_factory=list)
    alternative: "list[Node]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Jump:
    """A `break` or `continue`."""

    keyword: str


@dataclass(frozen=True, slots=True)
class Call:
    """The place of a named template."""

    name: str
    pipeline: Pipeline | None


Node = str | Action | Block | Jump | Call


@dataclass(slots=True)
class Template:
    """A template and those that it names."""

    body: list[Node] = field(default_factory=list)
    named: dict[str, list[Node]] = field(default_factory=dict)


@cached_by_text(128)
def parse_template(text: str) -> Template:
    """Read a template.

    Raises:
        BuiltinError: the text is not one.

    """
    return _TemplateReader(text).read()


def _pieces(text: str) -> list[tuple[str, str | None]]:
    """Split a template into text and the action behind it, white space trimmed where the action asks for it."""
    pieces: list[tuple[str, str | None]] = []
    position, trim = 0, False
    while True:
        found = _ACTION.search(text, position)
        literal = text[position : found.start()] if found else text[position:]
        literal = literal.lstrip(" \t\r\n") if trim else literal
        if found is None:
            if "{{" in literal:
                raise BuiltinError("template: unclosed action")
            pieces.append((literal, None))
            return pieces
        pieces.append((literal.rstrip(" \t\r\n") if found["left"] else literal, found["body"].strip()))
        position, trim = found.end(), found["right"] is not None


class _TemplateReader:
    """Builds the tree of a template from its pieces."""

    def __init__(self, text: str) -> None:
        self.pieces = _pieces(text)
        self.position = 0
        self.template = Template()
        self.loops = 0
        self.depth = 0

    def read(self) -> Template:
        end = self._body(self.template.body)
        if end is not None:
            raise BuiltinError(f"template: unexpected {{{{{end}}}}}")
        return self.template

    def _body(self, nodes: list[Node]) -> str | None:
        """Read nodes up to an `end` or `else`, which is given back; None at the end of the text."""
        while self.position < len(self.pieces):
            literal, action = self.pieces[self.position]
            self.position += 1
            if literal:
                nodes.append(literal)
            if action is None:
                return None
            if _COMMENT.fullmatch(action):
                continue
            keyword = re.match(r"\w*", action).group()  # type: ignore[union-attr]  # it matches nothing, too
            if keyword in ("end", "else"):
                return action
            node = self._node(keyword, action)
            if node is not None:
                nodes.append(node)
        return None

    def _node(self, keyword: str, action: str) -> Node | None:
        rest = action[len(keyword) :]
        if keyword in ("if", "with", "range"):
            return self._block(keyword, rest)
        if keyword in ("break", "continue") and not rest.strip():
            if not self.loops:
                raise BuiltinError(f"template: {{{{{keyword}}}}} outside {{{{range}}}}")
            return Jump(keyword)
        if keyword in ("define", "block", "template"):
            return self._naming(keyword, _Reader(rest))
        return Action(_Reader(action).whole())

    def _block(self, keyword: str, rest: str) -> Block:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise BuiltinError("template: nested too deeply")
        block = Block(keyword, _Reader(rest).whole())
        self.loops += keyword == "range"
        end = self._body(block.body)
        self.loops -= keyword == "range"
        if end is not None and end.startswith("else"):
            condition = end.removeprefix("else").strip()
            chained = re.match(r"(if|with)\b", condition)
            if chained:
                block.alternative.append(self._block(chained[1], condition[chained.end() :]))
                self.depth -= 1
                return block
            end = self._body(block.alternative)
        if end != "end":
            raise BuiltinError(f"template: {{{{{keyword}}}}} without {{{{end}}}}")
        self.depth -= 1
        return block

    def _naming(self, keyword: str, reader: "_Reader") -> Node | None:
        name = reader.name()
        pipeline = None if reader.at_end() else reader.whole()
        if keyword != "template":
            body: list[Node] = []
            if self._body(body) != "end":
                raise BuiltinError(f"template: {{{{{keyword}}}}} without {{{{end}}}}")
            self.template.named[name] = body
        return None if keyword == "define" else Call(name, pipeline)


class _Reader:
    """Reads the inside of one action."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, bool]] = []
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if found is None:
                raise BuiltinError(f'template: unexpected "{text[position:].strip()[:20]}" in action')
            kind = str(found.lastgroup)
            spaced = text[position : position + 1].isspace() or position == 0
            self.tokens.append((kind, found[kind], spaced))
            position = found.end()
        self.position = 0

    def at_end(self) -> bool:
        return self.position >= len(self.tokens)

    def name(self) -> str:
        kind, value, _ = self._next()
        if kind != "text":
            raise BuiltinError("template: a name must be a string")
        return unquote(value)

    def whole(self) -> Pipeline:
        pipeline = self._pipeline(0)
        if not self.at_end():
            raise BuiltinError(f'template: unexpected "{self.tokens[self.position][1]}" in action')
        return pipeline

    def _pipeline(self, depth: int) -> Pipeline:
        if depth > MAX_NESTING:
            raise BuiltinError("template: nested too deeply")
        variables, declares = self._variables()
        commands = [self._command(depth)]
        while self._accept("|"):
            commands.append(self._command(depth))
        return Pipeline(tuple(commands), variables, declares)

    def _variables(self) -> tuple[tuple[str, ...], bool]:
        """Read `$a, $b :=` or `$a =`, if that is what comes."""
        start, names = self.position, []
        while self._peek()[0] == "variable":
            names.append(self._next()[1])
            if not self._accept(","):
                break
        for sign in (":=", "="):
            if names and self._accept(sign):
                return tuple(names), sign == ":="
        self.position = start
        return (), False

    def _command(self, depth: int) -> tuple[Operand, ...]:
        operands: list[Operand] = []
        while self._peek()[1] not in ("|", ")") and not self.at_end():
            operands.append(self._operand(depth))
        if not operands:
            raise BuiltinError("template: missing value for command")
        return tuple(operands)

    def _operand(self, depth: int) -> Operand:
        kind, value, _ = self._next()
        if kind == "text":
            return Literal(unquote(value))
        if kind == "char":
            return Literal(ord(unquote(value)[:1] or "\0"))
        if kind == "number":
            return Literal(_number(value))
        if kind == "variable":
            return Chain(value, self._fields())
        if kind == "field":
            return Chain(".", (value[1:], *self._fields()))
        if value == ".":
            return Chain(".")
        if value == "(":
            inner = self._pipeline(depth + 1)
            if not self._accept(")"):
                raise BuiltinError("template: unclosed left parenthesis")
            return Chain(inner, self._fields())
        if kind == "word":
            return (
                Literal({"true": True, "false": False}.get(value)) if value in _CONSTANTS else Function(value)
            )
        raise BuiltinError(f'template: unexpected "{value}" in operand')

    def _fields(self) -> tuple[str, ...]:
        """Read the fields that follow directly."""
        names = []
        while self._peek()[0] == "field" and not self._peek()[2]:
            names.append(self._next()[1][1:])
        return tuple(names)

    def _peek(self) -> tuple[str, str, bool]:
        return self.tokens[self.position] if not self.at_end() else ("", "", True)

    def _next(self) -> tuple[str, str, bool]:
        if self.at_end():
            raise BuiltinError("template: unexpected end of action")
        self.position += 1
        return self.tokens[self.position - 1]

    def _accept(self, sign: str) -> bool:
        if self._peek()[:2] != ("sign", sign):
            return False
        self.position += 1
        return True


_CONSTANTS = frozenset(("true", "false", "nil"))


def _number(text: str) -> int | float:
    digits = text.replace("_", "")
    try:
        return int(digits, 0)
    except ValueError:
        return float(digits)


def unquote(text: str) -> str:
    """Give the text that a quoted literal stands for."""
    if text[0] == "`":
        return text[1:-1]
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    short, four, eight, octal, plain = found.groups()
    if octal:
        return chr(int(octal, 8))
    code = short or four or eight
    return (
        chr(int(code, 16)) if code and int(code, 16) <= 0x10FFFF else _ESCAPES.get(plain or "", plain or "")
    )
