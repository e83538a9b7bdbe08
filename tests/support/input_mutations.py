"""Inputs that are nearly what a policy expects: real documents, changed a little in a few places.

A change turns one value into another, and the place is found by going down from the root, so that what stands high in
a document is changed as often as one of its hundred environment variables. No change touches the document it is given.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from webhook.rego.ast import Source
from webhook.rego.lexer import STRING, tokenize
from webhook.rego.values import Value

BOUNDARIES: tuple[Value, ...] = (
    *(None, True, False, 0, 1, -1, 1.0, 0.0, -0.0, 0.1, 1.5, 1e-320, 1e308),
    *(2**31, 2**53, 2**53 + 1, float(2**53), 2**63, -(2**63) - 1, 10**400),
    *(
        "",
        " ",
        "0",
        "1",
        "true",
        "null",
        "a",
        "/",
        ".",
        "*",
        "%",
        "%v",
        "$(A)",
        "{}",
        "[]",
        "\\",
        '"',
        "`",
        "\n",
    ),
    *("\0", "é", "e\u0301", "ß", "İ", "ǆ", "\u2028", "\ufffd", "\ufeff", "٣", "𝔘", "👩‍👩‍👧"),
    *([], {}, [[]], [{}], [None], {"": None}, {"a": {}}),
)
"""Values at which comparing, counting or writing has an edge."""
_KEYS = ("", "0", "a", "name", "spec", "é")


Change = Callable[["Surroundings", Value], Value]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a change may take another value from."""

    draw: st.DrawFn
    documents: Sequence[Value]
    words: Sequence[str]
    """Texts that the policy itself has."""
    changes: Sequence[Change]

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[self.draw(st.integers(0, len(choices) - 1))]


def _boundary(around: Surroundings, _: Value) -> Value:
    return around.pick(BOUNDARIES)


def _word(around: Surroundings, _: Value) -> Value:
    return around.pick(around.words or _KEYS)


def _extend(around: Surroundings, value: Value) -> Value:
    """Put a word of the policy before or behind a text."""
    word = around.pick(around.words or _KEYS)
    return around.pick((word + value, value + word)) if isinstance(value, str) else value


def _splice(around: Surroundings, _: Value) -> Value:
    value = around.pick(around.documents)
    while _children(value) and around.pick((True, True, False)):
        value = around.pick(_children(value))
    return value


def _wrap(around: Surroundings, value: Value) -> Value:
    return around.pick(([value], [value, value], {around.pick(_KEYS): value}))


def _unwrap(around: Surroundings, value: Value) -> Value:
    return around.pick(_children(value) or [value])


def _convert(around: Surroundings, value: Value) -> Value:
    """Give a value that looks alike but has another type, or another text that looks alike."""
    choices: Sequence[Value] = ("null", {}, [])
    if isinstance(value, bool):
        choices = int(value), str(value).lower(), not value
    elif isinstance(value, int | float):
        choices = str(value), value != 0, value + 1, -value, _twin(value)
    elif isinstance(value, str):
        choices = value.upper(), value.title(), f" {value}", value[:-1], value[1:], list(value)
    elif isinstance(value, list):
        choices = {str(index): item for index, item in enumerate(value)}, len(value)
    elif isinstance(value, dict):
        choices = list(value.values()), list(value), [[key, item] for key, item in value.items()]
    return around.pick(choices)


def _twin(number: Value) -> Value:
    """Give the integer of a double or the double of an integer, where there is one."""
    if isinstance(number, float):
        return int(number)
    return float(number) if abs(number) < 2**1000 else number


def _drop(around: Surroundings, value: Value) -> Value:
    if isinstance(value, list) and value:
        at = around.pick(range(len(value)))
        return value[:at] + value[at + 1 :]
    if isinstance(value, dict) and value:
        dropped = around.pick(list(value))
        return {key: item for key, item in value.items() if key != dropped}
    return value


def _misspell(around: Surroundings, value: Value) -> Value:
    """Give one key of an object a name that no policy asks for."""
    if not isinstance(value, dict) or not value:
        return value
    old = around.pick(list(value))
    return _renamed(value, old, around.pick((old.upper(), f"{old}s", f" {old}", "")))


def _rename(around: Surroundings, value: Value) -> Value:
    """Give one key of an object the name of another one."""
    if not isinstance(value, dict) or not value:
        return value
    return _renamed(value, around.pick(list(value)), around.pick((*around.words, *_KEYS, *value)))


def _renamed(source: dict[str, Value], old: str, new: str) -> Value:
    return {new if key == old else key: item for key, item in source.items()}


def _repeat(around: Surroundings, value: Value) -> Value:
    return [*value, around.pick(value)] if isinstance(value, list) and value else value


def _copy(around: Surroundings, value: Value) -> Value:
    """Give a value of an object under a second key."""
    if not isinstance(value, dict) or not value:
        return value
    return {**value, around.pick((*around.words, *_KEYS)): around.pick(list(value.values()))}


def _reorder(around: Surroundings, value: Value) -> Value:
    if isinstance(value, list):
        at = around.pick(range(len(value) + 1))
        return around.pick((value[::-1], value[at:] + value[:at]))
    return dict(reversed(value.items())) if isinstance(value, dict) else value


KEEPING_TYPES: tuple[Change, ...] = (_drop, _misspell, _repeat, _reorder, _extend)
"""Changes after which what a policy finds in a place has the type that it had."""
CHANGES: tuple[Change, ...] = (
    *KEEPING_TYPES,
    *(_boundary, _word, _splice, _wrap, _unwrap, _convert, _rename, _copy),
)


def _children(value: Value) -> list[Value]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _changed(around: Surroundings, value: Value) -> Value:
    """Change the value or, more often, something within it."""
    if not _children(value) or around.pick(range(5)) == 0:
        return around.pick(around.changes)(around, value)
    if isinstance(value, list):
        at = around.pick(range(len(value)))
        return [*value[:at], _changed(around, value[at]), *value[at + 1 :]]
    key = around.pick(list(value))
    return {**value, key: _changed(around, value[key])}


@st.composite
def mutated(
    draw: st.DrawFn,
    documents: Sequence[Value],
    words: Sequence[str] = (),
    *,
    changes: Sequence[Change] = CHANGES,
    most: int = 6,
) -> Value:
    """Give one of the documents after up to `most` changes."""
    around = Surroundings(draw, documents, words, changes)
    document = around.pick(documents)
    for _ in range(draw(st.integers(1, most))):
        document = _changed(around, document)
    return document


def words_of(*texts: str) -> list[str]:
    """Give the strings that Rego sources hold, and their names of keys."""
    tokens = [token for text in texts for token in tokenize(Source("words.rego", text)).tokens]
    strings = {token.text[1:-1] for token in tokens if token.kind == STRING}
    names = {
        token.text
        for before, token in itertools.pairwise(tokens)
        if before.kind == "." and token.text.isidentifier()
    }
    return sorted(strings | names)
