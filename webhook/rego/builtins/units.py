"""Amounts with units: `units.parse` (Kubernetes quantities and their like) and `units.parse_bytes`."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from webhook.rego.builtins.arithmetic import number_of
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import BuiltinError, LimitError, wrong_strings
from webhook.rego.builtins.signatures import NUMBER, STRING

_LETTERS = "kmgtpe"
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate(_LETTERS, 1)}
_DECIMAL = {letter: 1000**power for power, letter in enumerate(_LETTERS, 1)}
_BYTES = {"": 1} | _DECIMAL | _BINARY | {f"{unit}b": size for unit, size in (_DECIMAL | _BINARY).items()}
_QUANTITIES: dict[str, Fraction | int] = {
    "": 1,
    **_DECIMAL,
    **_BINARY,
    **{unit.capitalize(): size for unit, size in (_DECIMAL | _BINARY).items()},
    "m": Fraction(1, 1000),
}
_AMOUNT = re.compile(r"(?:[0-9.+-]|[eE](?=[0-9+-]))*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_EXPONENT = re.compile(r"[eE][+-]?\d{7}", re.ASCII)
_PLACES = 10
"""Digits that `units.parse` keeps behind the point."""
_PLAIN_DIGITS = 19
_MAX_EXPONENT = 4_000
"""Largest power of ten that is computed with."""


def parse(text: Any) -> int | float:
    """Read an amount such as `10Ki`, `1.5G` or `200m`; case tells milli from mega."""
    amount, unit = _amount_and_unit("units.parse: ", text, "amount", fold=False)
    if unit[1:]:
        unit = unit[0] + unit[1:].lower()
    if unit not in _QUANTITIES:
        raise BuiltinError(f"units.parse: unit {unit} not recognized")
    size = _QUANTITIES[unit]
    if type(size) is int and amount.isdigit() and len(amount) < _PLAIN_DIGITS:
        return int(amount) * size
    exact = _fraction("units.parse: could not parse amount to a number", amount) * size
    if exact.denominator == 1:
        return exact.numerator
    scaled = round(exact * 10**_PLACES)
    return number_of(Decimal(scaled).scaleb(-_PLACES))


def parse_bytes(text: Any) -> int:
    """Read a count of bytes such as `10KiB` or `1.5gb`; case does not matter and a fraction is dropped."""
    amount, unit = _amount_and_unit("units.parse_bytes: ", text, "byte amount", fold=True)
    if unit not in _BYTES:
        raise BuiltinError(f"units.parse_bytes: byte unit {unit} not recognized")
    return int(_fraction("units.parse_bytes: could not parse byte amount to a number", amount) * _BYTES[unit])


def _amount_and_unit(name: str, text: Any, noun: str, *, fold: bool) -> tuple[str, str]:
    if type(text) is not str:
        wrong_strings(text)
    bare = (text.lower() if fold else text).replace('"', "")
    if " " in bare:
        raise BuiltinError(f"{name}spaces not allowed in resource strings")
    found = _AMOUNT.match(bare)
    amount = found.group() if found else ""
    if _EXPONENT.search(amount):
        raise BuiltinError(f"{name}exponent too large")
    if not amount:
        raise BuiltinError(f"{name}no {noun} provided")
    return amount, bare[len(amount) :]


def _fraction(mistake: str, amount: str) -> Fraction:
    if _NUMBER.fullmatch(amount) is None:
        raise BuiltinError(mistake)
    decimal = Decimal(amount)
    if abs(decimal.adjusted()) > _MAX_EXPONENT:
        raise LimitError("an amount has more digits than the limit")
    return Fraction(decimal)


_TEXT = {"x": STRING}

BUILTINS: tuple[Builtin, ...] = (
    declare("units.parse", _TEXT, {"y": NUMBER}, parse),
    declare("units.parse_bytes", _TEXT, {"y": NUMBER}, parse_bytes),
)
