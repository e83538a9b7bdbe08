"""Python expressions for lookups and comparisons.

The common cases are written in place, the rest falls back to a call. Knows nothing of statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from webhook.rego import ir
from webhook.rego.emit.unit import Unit
from webhook.rego.values import Key, Value, key_of


class Operands(Protocol):
    """What is known of operands at the point where an expression is written."""

    unit: Unit

    def read(self, operand: ir.Operand) -> str:
        """Give the Python expression of an operand, which has no side effects and is cheap to repeat."""

    def kind(self, operand: ir.Operand) -> type | None:
        """Give the type of an operand's value if it is known."""

    def is_keyed(self, operand: ir.Operand) -> bool:
        """Say whether an operand certainly is an object or set."""


def lookup(at: Operands, source: ir.Operand, key: ir.Operand) -> str:
    """Give the expression of `source[key]`, `U` when there is none."""
    source_code, key_code = at.read(source), at.read(key)
    fallback = f"lookup({source_code}, {key_code})"
    if not at.unit.options.inline:
        return fallback
    if at.kind(key) is str:
        found = f"{source_code}.get({key_code}, U)"
        return found if at.is_keyed(source) else _guarded(at, source, dict, found, fallback)
    if isinstance(key, ir.Constant) and type(key.value) is int and key.value >= 0:
        element = f"({source_code}[{key_code}] if len({source_code}) > {key_code} else U)"
        return _guarded(at, source, list, element, fallback)
    return fallback


def _guarded(at: Operands, source: ir.Operand, kind: type, fast: str, fallback: str) -> str:
    """Give an expression that is right for sources of one type, and another one for the rest."""
    known = at.kind(source)
    if known is kind:
        return fast
    return fallback if known else f"{fast} if {at.read(source)}.__class__ is {kind.__name__} else {fallback}"


def key(at: Operands, operand: ir.Operand) -> str:
    """Give the expression of an operand in the form that an object stores as a key."""
    if isinstance(operand, ir.Constant):
        stored = key_of(operand.value)
        return at.unit.intern("K", stored) if type(stored) is Key else at.unit.constant(stored)
    code = at.read(operand)
    return code if at.kind(operand) is str else f"({code} if {code}.__class__ is str else key_of({code}))"


@dataclass(frozen=True, slots=True)
class Condition:
    """A Python condition and its contrary."""

    holds: str
    fails: str

    def negated(self) -> Condition:
        """Give the contrary."""
        return Condition(self.fails, self.holds)


def condition(holds: str) -> Condition:
    """Make a condition whose contrary has no shorter form."""
    return Condition(holds, f"not ({holds})")


def guarded(check: str, fast: Condition, general: str) -> Condition:
    """Make a condition from one that is right under a check, and another one for the rest."""
    return Condition(f"{fast.holds} if {check} else {general}", f"{fast.fails} if {check} else not {general}")


def equality(at: Operands, left: ir.Operand, right: ir.Operand) -> Condition:
    """Give the condition `left == right`, where at most one may be undefined; that one differs."""
    if isinstance(left, ir.Constant):
        left, right = right, left
    left_code, right_code = at.read(left), at.read(right)
    if not at.unit.options.inline or isinstance(left, ir.Constant):
        return condition(f"equal({left_code}, {right_code})")
    same = Condition(f"{left_code} == {right_code}", f"{left_code} != {right_code}")
    if str in {at.kind(left), at.kind(right)}:
        return same
    if isinstance(right, ir.Constant):
        return _equals_constant(left_code, right.value, right_code)
    return guarded(f"{left_code}.__class__ is str", same, f"equal({left_code}, {right_code})")


def _equals_constant(code: str, value: Value, value_code: str) -> Condition:
    kind = type(value)
    if kind is bool or value is None:
        return Condition(f"{code} is {value_code}", f"{code} is not {value_code}")
    if kind is not int and kind is not float:
        return condition(f"equal({code}, {value_code})")
    if value in (0, 1):  # which Python takes booleans for
        return Condition(
            f"{code} == {value_code} and {code}.__class__ is not bool",
            f"{code} != {value_code} or {code}.__class__ is bool",
        )
    return Condition(f"{code} == {value_code}", f"{code} != {value_code}")
