"""`regex.globs_match`: whether some text matches both of two simple patterns.

The patterns have characters, `.`, sets such as `[a-z]`, the flags `*` and `+` behind one of these, and backslashes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import BuiltinError, wrong_strings
from webhook.rego.builtins.signatures import BOOLEAN, STRING

Range = tuple[str, str]
"""First and last character."""
_EVERYTHING: tuple[Range, ...] = (("\0", "\U0010ffff"),)


@dataclass(frozen=True, slots=True)
class _Token:
    """Characters of which one is taken, once or, by its flag, repeatedly."""

    ranges: tuple[Range, ...]
    flag: str = ""

    @property
    def optional(self) -> bool:
        return self.flag == "*"

    def meets(self, other: "_Token") -> bool:
        return any(low <= last and first <= high for low, high in self.ranges for first, last in other.ranges)


def globs_match(first: Any, second: Any) -> bool:
    """Say whether the two patterns have a match in common."""
    if type(first) is not str or type(second) is not str:
        wrong_strings(first, second)
    return _intersect(_Tokenizer(first).tokens(), _Tokenizer(second).tokens())


def _intersect(first: list[_Token], second: list[_Token]) -> bool:
    """Walk both patterns at once over the pairs of positions that some text leads to."""
    goal = (len(first), len(second))
    pending = [(0, 0)]
    seen = set(pending)
    while pending:
        pair = pending.pop()
        if pair == goal:
            return True
        for following in _following(first, second, pair):
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return False


def _following(first: list[_Token], second: list[_Token], pair: tuple[int, int]) -> Iterable[tuple[int, int]]:
    left, right = pair
    one = first[left] if left < len(first) else None
    other = second[right] if right < len(second) else None
    if one is not None and one.optional:
        yield left + 1, right
    if other is not None and other.optional:
        yield left, right + 1
    if one is not None and other is not None and one.meets(other):
        for next_left in (left, left + 1) if one.flag else (left + 1,):
            for next_right in (right, right + 1) if other.flag else (right + 1,):
                yield next_left, next_right


class _Tokenizer:
    """Reads one pattern; `x+` becomes a token that must be taken and one that may repeat."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0

    def tokens(self) -> list[_Token]:
        result: list[_Token] = []
        while self.position < len(self.pattern):
            token = self._token()
            flag = self.pattern[self.position : self.position + 1]
            if flag and flag in "*+":
                self.position += 1
                if flag == "+":
                    result.append(token)
                token = _Token(token.ranges, "*")
            result.append(token)
        return result

    def _token(self) -> _Token:
        character = self._next()
        if character == ".":
            return _Token(_EVERYTHING)
        if character == "[":
            return self._set()
        if character == "]":
            raise self._mistake("set-close ']' with no preceding '['")
        if character in "*+":
            raise self._mistake(f"flag '{character}' must be preceded by a non-flag")
        if character == "\\":
            character = self._escaped()
        return _Token(((character, character),))

    def _set(self) -> _Token:
        ranges: list[Range] = []
        while (character := self._member()) != "]":
            low = self._escaped() if character == "\\" else character
            high = low
            if self.pattern[self.position : self.position + 1] == "-":
                self.position += 1
                high = self._member()
                if high == "]":
                    raise self._mistake("range '-' must be followed by a character")
                high = self._escaped() if high == "\\" else high
                if high < low:
                    raise self._mistake(f"range is out of order: '{high}' comes before '{low}'")
            ranges.append((low, high))
        return _Token(tuple(ranges))

    def _member(self) -> str:
        if self.position >= len(self.pattern):
            raise self._mistake("found [ without matching ]")
        return self._next()

    def _escaped(self) -> str:
        if self.position >= len(self.pattern):
            raise self._mistake("input ends with a \\ (escape) character")
        return self._next()

    def _next(self) -> str:
        self.position += 1
        return self.pattern[self.position - 1]

    def _mistake(self, message: str) -> BuiltinError:
        return BuiltinError(
            f"input:{self.pattern}, pos:{self.position}, {message}: the input provided is invalid"
        )


BUILTINS: tuple[Builtin, ...] = (
    declare("regex.globs_match", {"glob1": STRING, "glob2": STRING}, {"result": BOOLEAN}, globs_match),
)
