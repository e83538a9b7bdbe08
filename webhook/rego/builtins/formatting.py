"""`sprintf`: the verbs, flags, widths and mistakes of Go's `fmt.Sprintf`, for what OPA hands to it.

OPA passes integers as `int` or `*big.Int`, other numbers as `float64`, strings as they are, and everything else as the
text of the term; so `%d` of a boolean reads `%!d(string=true)`. A format is parsed once and kept.
Source: https://pkg.go.dev/fmt
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from webhook.rego.builtins.caches import cached_by_text
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import (
    MACHINE_LIMIT,
    MAX_STRING_LENGTH,
    LimitError,
    limit_size,
    limit_string,
    wrong_type,
)
from webhook.rego.builtins.go_numbers import format_double, format_integer, format_rune
from webhook.rego.builtins.signatures import ARRAY, STRING
from webhook.rego.texts import format_value, quote

MAX_WIDTH = 1_000_000
"""Largest width or precision; Go refuses larger ones."""
_FLAGS = frozenset("#0+- ")


@dataclass(frozen=True, slots=True)
class Directive:
    """One `%…` of a format."""

    verb: str
    """The final letter; empty when the format ended before it."""
    flags: frozenset[str] = frozenset()
    width: int | None = None
    precision: int | None = None
    star_width: bool = False
    """The width is taken from the arguments."""
    star_precision: bool = False
    """The precision is taken from the arguments."""
    indices: tuple[int | None, int | None, int | None] = (None, None, None)
    """Explicit argument positions, from 0, before the width, the precision and the verb."""
    bad_index: bool = False

    takes_text: bool = field(init=False)
    """Text stands for itself under it."""

    def __post_init__(self) -> None:
        bare = self.width is None and self.precision is None and not self.flags
        object.__setattr__(self, "takes_text", bare and self.verb in ("s", "v"))


Part = str | Directive


@dataclass(frozen=True, slots=True)
class Format:
    """A format taken apart."""

    parts: tuple[Part, ...]
    """Literal text and directives, in order."""
    directives: tuple[Directive, ...] | None
    """The directives, where each takes just the next argument; else None."""
    frame: str
    """The literal text with `%s` in the place of each directive, for Python to fill."""


def sprintf(template: Any, arguments: Any) -> str:
    """Fill a format's directives with the arguments, as Go does."""
    if type(template) is not str:
        raise wrong_type(1, template, "string")
    if type(arguments) is not list:
        raise wrong_type(2, arguments, "array")
    form = parse_format(template)
    if form.directives is not None and len(form.directives) == len(arguments):
        return fill(form, arguments)
    return _Printer(arguments).run(form.parts)


def fill(form: Format, arguments: Sequence[Any]) -> str:
    """Fill a format that has a directive for each argument."""
    shown = []
    length = len(form.frame)
    for directive, value in zip(form.directives or (), arguments, strict=True):
        text = value if type(value) is str and directive.takes_text else show(directive, value)
        length += len(text)
        if length > MAX_STRING_LENGTH:
            limit_string(length)
        shown.append(text)
    return form.frame % tuple(shown)


def show(part: Directive, value: Any) -> str:
    """Write one argument under one directive that takes nothing else from the arguments."""
    kind = type(value)
    if kind is str:
        return value if part.takes_text else _text(part, value)
    if kind is int:
        if part.verb in ("d", "v") and part.width is None and part.precision is None and not part.flags:
            return str(value)
        return _integer(part, value)
    if kind is float:
        return _double(part, value)
    limit_size(value)
    return _text(part, format_value(value))


@cached_by_text(2048)
def parse_format(template: str) -> Format:
    """Split a format into literal text and directives."""
    parts: list[Part] = []
    position = 0
    while True:
        found = template.find("%", position)
        if found < 0:
            break
        if found > position:
            parts.append(template[position:found])
        directive, position = _Scanner(template, found + 1).scan()
        parts.append("%" if directive.verb == "%" else directive)
    if position < len(template):
        parts.append(template[position:])
    directives = tuple(part for part in parts if isinstance(part, Directive))
    frame = "".join(part.replace("%", "%%") if isinstance(part, str) else "%s" for part in parts)
    return Format(tuple(parts), directives if all(map(_takes_one, directives)) else None, frame)


def _takes_one(directive: Directive) -> bool:
    return (
        bool(directive.verb)
        and not directive.star_width
        and not directive.star_precision
        and not directive.bad_index
        and directive.indices == (None, None, None)
    )


class _Scanner:
    """Reads one directive after its percent sign."""

    def __init__(self, template: str, position: int) -> None:
        self.template = template
        self.position = position
        self.bad_index = False

    def scan(self) -> tuple[Directive, int]:
        flags = set()
        while self._peek() in _FLAGS and self._peek():
            flags.add(self._peek())
            self.position += 1
        first = self._index()
        star_width = self._accept("*")
        width = None if star_width else self._number()
        if (star_width or width is not None) and first is not None and not star_width:
            self.bad_index = True
        second: int | None = None
        star_precision, precision = False, None
        verb_index = None if star_width else first
        if self._accept("."):
            if verb_index is not None:
                self.bad_index = True
            second = self._index()
            star_precision = self._accept("*")
            precision = None if star_precision else (self._number() or 0)
            verb_index = None if star_precision else second
        if verb_index is None:
            verb_index = self._index()
        verb = self._peek()
        self.position += len(verb)
        indices = (first if star_width else None, second if star_precision else None, verb_index)
        directive = Directive(
            verb, frozenset(flags), width, precision, star_width, star_precision, indices, self.bad_index
        )
        return directive, self.position

    def _peek(self) -> str:
        return self.template[self.position : self.position + 1]

    def _accept(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self.position += 1
        return True

    def _number(self) -> int | None:
        start = self.position
        while self._peek().isascii() and self._peek().isdigit():
            self.position += 1
        if start == self.position:
            return None
        digits = self.template[start : self.position]
        if len(digits) > len(str(MAX_WIDTH)) or int(digits) > MAX_WIDTH:
            raise LimitError(f"sprintf: a width of {digits[:20]} is over the limit of {MAX_WIDTH}")
        return int(digits)

    def _index(self) -> int | None:
        """Read `[n]`; a malformed one marks the directive as bad."""
        if self._peek() != "[":
            return None
        end = self.template.find("]", self.position)
        digits = self.template[self.position + 1 : max(end, self.position + 1)]
        if end < 0:
            self.position += 1
            self.bad_index = True
            return None
        self.position = end + 1
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 6 or int(digits) == 0:
            self.bad_index = True
            return None
        return int(digits) - 1


class _Printer:
    """Walks the arguments under a format whose directives do not pair with them one to one."""

    def __init__(self, arguments: Sequence[Any]) -> None:
        self.arguments = arguments
        self.next = 0
        self.reordered = False

    def run(self, parts: Sequence[Part]) -> str:
        return "".join(_limited(self._texts(parts)))

    def _texts(self, parts: Sequence[Part]) -> Iterator[str]:
        for part in parts:
            yield part if isinstance(part, str) else self._directive(part)
        if not self.reordered and self.next < len(self.arguments):
            yield "%!(EXTRA "
            for index, value in enumerate(self.arguments[self.next :]):
                yield f"{', ' if index else ''}{go_type(value)}={show(_PLAIN, value)}"
            yield ")"

    def _directive(self, directive: Directive) -> str:
        self.reordered = directive.indices != (None, None, None) or directive.bad_index
        notes = ""
        width_index, precision_index, verb_index = directive.indices
        if directive.star_width:
            width = self._star(width_index)
            if width is None:
                notes += "%!(BADWIDTH)"
            elif width < 0:
                directive = replace(directive, width=-width, flags=(directive.flags | {"-"}) - {"0"})
            else:
                directive = replace(directive, width=width)
        if directive.star_precision:
            precision = self._star(precision_index)
            if precision is None or precision < 0:
                notes += "%!(BADPREC)"
            else:
                directive = replace(directive, precision=precision)
        return notes + self._verb(directive, verb_index)

    def _verb(self, directive: Directive, index: int | None) -> str:
        verb = directive.verb
        if not verb:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if index is not None:
            self.next = index
        if directive.bad_index or (index is not None and index >= len(self.arguments)):
            return f"%!{verb}(BADINDEX)"
        if self.next >= len(self.arguments):
            return f"%!{verb}(MISSING)"
        self.next += 1
        return show(directive, self.arguments[self.next - 1])

    def _star(self, index: int | None) -> int | None:
        if index is not None:
            self.next = index
        if self.next >= len(self.arguments):
            return None
        value = self.arguments[self.next]
        self.next += 1
        return value if type(value) is int and abs(value) <= MAX_WIDTH else None


def _limited(texts: Iterable[str]) -> Iterator[str]:
    """Give the texts as long as they fit into one string."""
    length = 0
    for text in texts:
        length += len(text)
        limit_string(length)
        yield text


_PLAIN = Directive("v")


def go_type(value: Any) -> str:
    """Name the Go type as which OPA passes a value to `fmt`."""
    if type(value) is int:
        return "int" if -MACHINE_LIMIT <= value < MACHINE_LIMIT else "*big.Int"
    return "float64" if type(value) is float else "string"


def _mistake(directive: Directive, value: Any, text: str) -> str:
    """Write what Go writes for a verb that a value's type does not take."""
    return f"%!{directive.verb}({go_type(value)}={text})"


def _integer(directive: Directive, value: int) -> str:
    verb, flags = directive.verb, _without_v_flags(directive)
    if verb == "T":
        return pad(directive, go_type(value))
    big = go_type(value) == "*big.Int"
    if verb in "vdbxXoO" or (big and verb == "s"):
        base_verb = "d" if verb in "vs" else verb
        return format_integer(value, base_verb, flags, directive.width, directive.precision)
    if big:
        return f"%!{verb}(big.Int={value})"
    if verb in "cqU":
        return pad(directive, format_rune(value, verb, flags, directive.precision), zero=verb == "c")
    shown = format_integer(value, "d", flags, directive.width, directive.precision)
    return _mistake(directive, value, shown)


def _double(directive: Directive, value: float) -> str:
    verb, flags = directive.verb, _without_v_flags(directive)
    if verb == "T":
        return pad(directive, go_type(value))
    if verb in "veEfFgGbxX":
        return format_double(value, "g" if verb == "v" else verb, flags, directive.width, directive.precision)
    return _mistake(directive, value, format_double(value, "g", flags, directive.width, directive.precision))


def _text(directive: Directive, value: str) -> str:
    verb, flags, precision = directive.verb, directive.flags, directive.precision
    if verb == "T":
        return pad(directive, "string")
    if verb in ("x", "X"):
        return pad(directive, _hexadecimal(value, verb, flags, precision))
    shown = value if precision is None else value[:precision]
    if verb == "q" or (verb == "v" and "#" in flags):
        return pad(directive, _quoted(shown, flags if verb == "q" else frozenset()))
    if verb in ("s", "v"):
        return pad(directive, shown)
    return _mistake(directive, value, pad(directive, shown))


def _without_v_flags(directive: Directive) -> frozenset[str]:
    """Drop `+` and `#` under `%v`, where they ask for details that numbers do not have."""
    return directive.flags - {"+", "#"} if directive.verb == "v" else directive.flags


def _quoted(text: str, flags: frozenset[str]) -> str:
    if (
        "#" in flags
        and "`" not in text
        and all(c == "\t" or (c.isprintable() and c != "\ufeff") for c in text)
    ):
        return f"`{text}`"
    quoted = quote(text)
    if "+" in flags:
        return "".join(c if c.isascii() else _ascii_escape(ord(c)) for c in quoted)
    return quoted


def _ascii_escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _hexadecimal(text: str, verb: str, flags: frozenset[str], precision: int | None) -> str:
    octets = text.encode("utf-8", "replace")[:precision]
    prefix = f"0{verb}" if "#" in flags and octets else ""
    digits = f" {prefix}".join(f"{octet:02x}" for octet in octets) if " " in flags else octets.hex()
    return prefix + (digits.upper() if verb == "X" else digits)


def pad(directive: Directive, text: str, *, zero: bool = True) -> str:
    """Fill text up to the directive's width, on the left unless the flag says otherwise."""
    if directive.width is None or len(text) >= directive.width:
        return text
    if "-" in directive.flags:
        return text.ljust(directive.width)
    return text.rjust(directive.width, "0" if zero and "0" in directive.flags else " ")


BUILTINS: tuple[Builtin, ...] = (
    declare("sprintf", {"format": STRING, "values": ARRAY}, {"output": STRING}, sprintf),
)
