"""Semantic versions: `semver.*`."""

import re
from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import MACHINE_LIMIT, BuiltinError, wrong_strings
from webhook.rego.builtins.signatures import ANY, BOOLEAN, NUMBER, STRING

_VERSION = re.compile(
    r"([+-]?\d{1,19})\.([+-]?\d{1,19})\.([+-]?\d{1,19})(?:-((?:[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?))?"
    r"(?:\+(?:[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?",
    re.ASCII,
)

Identifier = tuple[int, int, str]
"""A part of a pre-release in a form that compares by precedence: numbers before words."""
Version = tuple[int, int, int, int, tuple[Identifier, ...]]
"""A version in a form that compares by precedence: without pre-release last."""


def is_valid(value: Any) -> bool:
    """Say whether a value is a semantic version."""
    return type(value) is str and _parse(value) is not None


def compare(left: Any, right: Any) -> int:
    """Compare two versions by precedence: -1, 0 or 1."""
    if type(left) is not str or type(right) is not str:
        wrong_strings(left, right)
    first, second = _parse(left), _parse(right)
    if first is None:
        raise BuiltinError(f'operand 1: string "{left}" is not a valid SemVer')
    if second is None:
        raise BuiltinError(f'operand 2: string "{right}" is not a valid SemVer')
    return (first > second) - (first < second)


def _parse(text: str) -> Version | None:
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch = (int(part) for part in found.groups()[:3])
    if max(abs(major), abs(minor), abs(patch)) >= MACHINE_LIMIT:
        return None
    before = found[4]
    if not before:
        return major, minor, patch, 1, ()
    return major, minor, patch, 0, tuple(map(_identifier, before.split(".")))


def _identifier(text: str) -> Identifier:
    return (0, int(text[:4000]), "") if text.isdigit() else (1, 0, text)


BUILTINS: tuple[Builtin, ...] = (
    declare("semver.is_valid", {"vsn": ANY}, {"result": BOOLEAN}, is_valid),
    declare("semver.compare", {"a": STRING, "b": STRING}, {"result": NUMBER}, compare),
)
