"""Numbers as Go's `fmt` and `strconv` write them, under a verb, flags, a width and a precision."""

import math
from decimal import Decimal

from webhook.rego.texts import quote

_BASES = {"d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}
_SHORTEST_DIGITS = 6
"""Go turns to an exponent from this many digits before the point on, where no precision is given."""


def format_integer(
    value: int, verb: str, flags: frozenset[str], width: int | None, precision: int | None
) -> str:
    """Write an integer under one of the verbs d, b, o, O, x and X."""
    sign = _sign(value < 0, flags)
    if precision is not None:
        digits = (
            "" if precision == 0 and value == 0 else format(abs(value), _BASES[verb]).rjust(precision, "0")
        )
        if not digits:
            return " " * (width or 0)
    else:
        digits = format(abs(value), _BASES[verb])
        if width is not None and "0" in flags and "-" not in flags:
            digits = digits.rjust(width - len(sign), "0")
    prefix = "0o" if verb == "O" else ""
    if "#" in flags and not (verb == "o" and digits.startswith("0")):
        prefix = _PREFIXES.get(verb, prefix)
    return _fill(sign + prefix + digits, flags, width)


def format_rune(value: int, verb: str, flags: frozenset[str], precision: int | None) -> str:
    """Write an integer as the character it numbers: `c` plain, `q` quoted, `U` as U+0041."""
    valid = 0 <= value < 0xD800 or 0xDFFF < value <= 0x10FFFF
    character = chr(value) if valid else "\ufffd"
    if verb == "c":
        return character
    if verb == "U":
        text = f"U+{value & 0xFFFFFFFFFFFFFFFF:0{max(precision or 0, 4)}X}"
        return f"{text} '{character}'" if "#" in flags and valid and character.isprintable() else text
    if character == "'":
        return "'\\''"
    body = '"' if character == '"' else quote(character)[1:-1]
    if "+" in flags and not body.isascii():
        body = f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
    return f"'{body}'"


def format_double(
    value: float, verb: str, flags: frozenset[str], width: int | None, precision: int | None
) -> str:
    """Write a double under one of the verbs e, E, f, F, g, G, b, x and X."""
    negative = math.copysign(1.0, value) < 0
    body = _double_body(abs(value), verb, "#" in flags, precision)
    sign = _sign(negative, flags)
    if width is not None and "0" in flags and "-" not in flags:
        return sign + body.rjust(width - len(sign), "0")
    return _fill(sign + body, flags, width)


def _double_body(value: float, verb: str, sharp: bool, precision: int | None) -> str:
    lower = verb.lower()
    if lower in "ef":
        body = format(value, f"{'#' if sharp else ''}.{6 if precision is None else precision}{lower}")
    elif lower == "g":
        body = shortest(value) if precision is None else format(value, f".{precision}g")
        if sharp:
            body = format(value, f"#.{6 if precision is None else precision}g")
    elif lower == "x":
        body = _hexadecimal(value, precision)
    else:
        body = _binary(value)
    return body.upper() if verb in "EGX" else body


def shortest(value: float) -> str:
    """Write a positive double with the fewest digits that read back the same, as `%v` does."""
    if value == 0:
        return "0"
    _, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    if -4 <= point - 1 < _SHORTEST_DIGITS:
        return _positional(text, point)
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    return f"{mantissa}e{point - 1:+03d}"


def _positional(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]


def _hexadecimal(value: float, precision: int | None) -> str:
    mantissa, exponent = value.hex().removeprefix("0x").split("p")
    whole, _, fraction = mantissa.partition(".")
    if precision is not None and precision < len(fraction):
        scaled = round(int(whole + fraction, 16) / 16 ** (len(fraction) - precision))
        text = f"{scaled:x}".rjust(precision + 1, "0")
        whole, fraction = text[: len(text) - precision], text[len(text) - precision :]
    elif precision is None:
        fraction = fraction.rstrip("0")
    else:
        fraction = fraction.ljust(precision, "0")
    return f"0x{whole}{'.' + fraction if fraction else ''}p{int(exponent):+03d}"


def _binary(value: float) -> str:
    if value == 0:
        return "0p-1074"
    mantissa, exponent = math.frexp(value)
    return f"{int(mantissa * (1 << 53))}p{exponent - 53:+d}"


def _sign(negative: bool, flags: frozenset[str]) -> str:
    if negative:
        return "-"
    return "+" if "+" in flags else " " if " " in flags else ""


def _fill(text: str, flags: frozenset[str], width: int | None) -> str:
    if width is None:
        return text
    return text.ljust(width) if "-" in flags else text.rjust(width)
