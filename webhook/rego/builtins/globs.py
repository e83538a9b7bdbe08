"""Shell-like patterns with delimiters: `glob.*`, by the rules of the library that OPA uses (gobwas/glob).

A pattern is translated into a regular expression and compiled once.
"""

from typing import Any

from re2 import Options, _re2

from webhook.rego.builtins.caches import cached_by_text
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import BuiltinError, wrong_element, wrong_strings, wrong_type
from webhook.rego.builtins.regex import SHORT, WHOLE, limit_search, octets
from webhook.rego.builtins.signatures import BOOLEAN, NULL, STRING, STRINGS, OneOf

_CACHED = 256
_MAX_NESTING = 100
_SPECIAL = frozenset("*?\\[]{}")


def match(pattern: Any, delimiters: Any, value: Any) -> bool:
    """Match text with a pattern; `*` and `?` stop at delimiters, a dot when there are none, null for none at all."""
    if type(pattern) is not str:
        raise wrong_type(1, pattern, "string")
    separators = _separators(delimiters)
    if type(value) is not str:
        raise wrong_type(3, value, "string")
    text = octets(value)
    compiled = compile_glob(pattern, separators)
    if len(text) > SHORT:
        limit_search(compiled, text)
    matched: bool = compiled.Match(WHOLE, text, 0, len(text))[0][0] >= 0
    return matched


def quote_meta(pattern: Any) -> str:
    """Escape what has a meaning in a pattern."""
    if type(pattern) is not str:
        wrong_strings(pattern)
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in pattern)


def _separators(delimiters: Any) -> str:
    if delimiters is None:
        return ""
    if type(delimiters) is not list:
        raise wrong_type(2, delimiters, "array", "null")
    for element in delimiters:
        if type(element) is not str:
            raise wrong_element(2, delimiters, element, "string")
        if len(element) != 1:
            raise wrong_element(2, delimiters, element, "rune")
    return "".join(delimiters) or "."


@cached_by_text(_CACHED)
def compile_glob(pattern: str, separators: str) -> Any:
    """Compile a pattern for use with the given delimiter characters.

    Raises:
        BuiltinError: the pattern is not valid.

    """
    options = Options()
    options.log_errors = False
    options.never_capture = True
    options.dot_nl = True
    compiled = _re2.RE2(octets(_Translator(pattern, separators).translate()), options)
    if not compiled.ok():
        raise BuiltinError(f"glob: {compiled.error().decode(errors='replace')}")
    return compiled


class _Translator:
    """Reads a glob from left to right and writes the regular expression."""

    def __init__(self, pattern: str, separators: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.nesting = 0
        self.single = f"[^{_escaped(separators)}]" if separators else "."

    def translate(self) -> str:
        parts = []
        while self.position < len(self.pattern):
            parts.append(self._item())
        # The end of the pattern closes what is open, as in the library that OPA uses.
        return "".join(parts) + ")" * self.nesting

    def _item(self) -> str:
        character = self._next()
        if character == "*":
            if self.pattern[self.position : self.position + 1] != "*":
                return f"{self.single}*"
            self.position += 1
            return ".*"
        if character == "?":
            return self.single
        if character == "[":
            return self._character_class()
        if character == "{":
            self.nesting += 1
            if self.nesting > _MAX_NESTING:
                raise BuiltinError("too many nested alternatives")
            return "(?:"
        if self.nesting and character == ",":
            return "|"
        if self.nesting and character == "}":
            self.nesting -= 1
            return ")"
        if character == "\\":
            return _escaped(self._next()) if self.position < len(self.pattern) else ""
        return _escaped(character)

    def _character_class(self) -> str:
        negated = "^" if self.pattern[self.position : self.position + 1] == "!" else ""
        self.position += len(negated)
        if self.pattern[self.position + 1 : self.position + 2] == "-":
            low, _, high = self._next(), self._next(), self._next()
            if self._next() != "]":
                raise BuiltinError("expected close range character")
            if high < low:
                raise BuiltinError(f"hi character '{high}' should be greater than lo '{low}'")
            return f"[{negated}{_escaped(low)}-{_escaped(high)}]"
        members = ""
        while (character := self._next()) != "]":
            members += self._next() if character == "\\" else character
        if not members:
            raise BuiltinError("could not parse range")
        return f"[{negated}{_escaped(members)}]"

    def _next(self) -> str:
        if self.position >= len(self.pattern):
            raise BuiltinError("unexpected end of input")
        self.position += 1
        return self.pattern[self.position - 1]


def _escaped(text: str) -> str:
    """Write characters so that they stand for themselves, within a class too."""
    return "".join(character if character.isalnum() else f"\\x{{{ord(character):x}}}" for character in text)


BUILTINS: tuple[Builtin, ...] = (
    declare(
        "glob.match",
        {"pattern": STRING, "delimiters": OneOf((STRINGS, NULL)), "match": STRING},
        {"result": BOOLEAN},
        match,
    ),
    declare("glob.quote_meta", {"pattern": STRING}, {"output": STRING}, quote_meta),
)
