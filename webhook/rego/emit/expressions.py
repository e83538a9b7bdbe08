"""Python expressions for lookups and comparisons.

The common cases are written in place, the rest falls back to a call. Arguments named `*_code` are Python
expressions without side effects, cheap to repeat. Knows nothing of statements.
"""

from __future__ import annotations

from dataclasses import dataclass

from webhook.rego import ir
from webhook.rego.emit.unit import Unit
from webhook.rego.values import Key, Value, key_of


def lookup(unit: Unit, source: ir.Operand, source_code: str, key: ir.Operand, key_code: str) -> str:
    """Give the expression of `source[key]`, `U` when there is none."""
    fallback = f"lookup({source_code}, {key_code})"
    if not unit.options.inline or isinstance(source, ir.Constant) or not isinstance(key, ir.Constant):
        return fallback
    if type(key.value) is str:
        return f"{source_code}.get({key_code}, U) if {source_code}.__class__ is dict else {fallback}"
    if type(key.value) is int and key.value >= 0:
        element = f"({source_code}[{key_code}] if len({source_code}) > {key_code} else U)"
        return f"{element} if {source_code}.__class__ is list else {fallback}"
    return fallback


def key(unit: Unit, operand: ir.Operand, code: str) -> str:
    """Give the expression of an operand in the form that an object stores as a key."""
    if isinstance(operand, ir.Constant):
        stored = key_of(operand.value)
        return unit.intern("K", stored) if type(stored) is Key else unit.constant(stored)
    return f"({code} if {code}.__class__ is str else key_of({code}))"


@dataclass(frozen=True, slots=True)
class Condition:
    """A Python condition and its contrary."""

    holds: str
    fails: str


def condition(holds: str) -> Condition:
    """Make a condition whose contrary has no shorter form."""
    return Condition(holds, f"not ({holds})")


def equality(unit: Unit, left: ir.Operand, left_code: str, right: ir.Operand, right_code: str) -> Condition:
    """Give the condition `left == right`, where at most one may be undefined; that one differs."""
    if isinstance(left, ir.Constant):
        left, left_code, right, right_code = right, right_code, left, left_code
    if not unit.options.inline or isinstance(left, ir.Constant):
        return condition(f"equal({left_code}, {right_code})")
    if isinstance(right, ir.Constant):
        return _equals_constant(left_code, right.value, right_code)
    string = f"{left_code} == {right_code} if {left_code}.__class__ is str"
    return condition(f"{string} else equal({left_code}, {right_code})")


def _equals_constant(code: str, value: Value, value_code: str) -> Condition:
    kind = type(value)
    if kind is bool or value is None:
        return Condition(f"{code} is {value_code}", f"{code} is not {value_code}")
    if kind is not str and kind is not int and kind is not float:
        return condition(f"equal({code}, {value_code})")
    if value in (0, 1):  # which Python takes booleans for
        return Condition(
            f"{code} == {value_code} and {code}.__class__ is not bool",
            f"{code} != {value_code} or {code}.__class__ is bool",
        )
    return Condition(f"{code} == {value_code}", f"{code} != {value_code}")
