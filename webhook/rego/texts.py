"""Rego values as text: what JSON and OPA write, and how a number is read.

Knows how a value is written, and nothing of what it is written for.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final

from webhook.rego.values import RegoSet, Value, ordered_items, value_of

_MAX_EXPONENT: Final = 4000
"""Largest power of ten of a number that is beyond the range of a double and therefore kept as an integer."""


def parse_number(text: str) -> int | float:
    """Read a number as JSON and Rego write it: an integer stays exact, the rest is a double.

    Raises: ValueError when `text` is not a finite number, or one of thousands of digits.
    """
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if number - number == 0:
        return number
    exact = Decimal(text)
    if not exact.is_finite() or exact.adjusted() > _MAX_EXPONENT:
        raise ValueError(f"number out of range: {text[:40]}")
    return int(exact)


def to_json(value: Value) -> Value:
    """Give the JSON form: sets become ordered arrays, keys that are no strings their JSON text.

    The result shares nothing mutable with `value`.
    """
    kind = type(value)
    if kind is list:
        return [to_json(element) for element in value]
    if kind is RegoSet:
        return [to_json(element) for element in value.ordered()]
    if kind is dict:
        return {
            key if type(key) is str else dump_json(value_of(key)): to_json(element)
            for key, element in value.items()
        }
    return value


def dump_json(value: Value) -> str:
    """Write the JSON text of a value, compact, keys sorted, no ASCII escapes."""
    return json.dumps(to_json(value), separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def format_value(value: Value) -> str:
    """Write a value as a Rego term, as OPA prints it: `{"a": [1, true]}`, `{1, 2}`, `set()`."""
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is bool:
        return "true" if value else "false"
    if value is None:
        return "null"
    if kind is int or kind is float:
        return format_number(value)
    if kind is list:
        return "[" + ", ".join(map(format_value, value)) + "]"
    if kind is dict:
        return (
            "{" + ", ".join([f"{format_value(k)}: {format_value(v)}" for k, v in ordered_items(value)]) + "}"
        )
    if kind is RegoSet:
        return "{" + ", ".join(map(format_value, value.ordered())) + "}" if len(value) else "set()"
    raise TypeError(f"not a Rego value: {kind.__name__}")


def format_number(number: float) -> str:
    """Write a number as JSON: integers in full, doubles in their shortest form."""
    return repr(number)


_ESCAPES: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def quote(text: str) -> str:
    """Quote a string as Go's `strconv.Quote` does, which is how OPA prints one inside a composite."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
