"""Arithmetic: `+`, `-`, `*`, `/`, `%`, rounding, ranges and `rand.intn`.

Integers are exact at any size up to a limit. OPA computes fractions with a 64-bit mantissa and prints the shortest
text; here they are computed in decimal with a few more digits than a double keeps, so that 0.1 + 0.2 is 0.3 in both.
"""

from decimal import MAX_EMAX, MIN_EMIN, ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, DecimalException
from typing import Any

from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import (
    MAX_INTEGER_BITS,
    BuiltinError,
    LimitError,
    any_integer,
    limit_items,
    machine_integer,
    wrong_type,
)
from webhook.rego.builtins.sets import difference
from webhook.rego.builtins.signatures import NUMBER, SET, STRING, ArrayOf, OneOf
from webhook.rego.values import RegoSet

_INTEGER_BOUND = 1 << MAX_INTEGER_BITS
_INTEGER_DIGITS = 4_200
_DECIMAL = Context(prec=22, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)
_WHOLE = Context(prec=_INTEGER_DIGITS, rounding=ROUND_DOWN, Emin=MIN_EMIN, Emax=MAX_EMAX)
_HALF = Decimal("0.5")
_MANTISSA_BITS = 64
_SHORT = Context(prec=12, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)
_ROUNDING = Decimal(2) ** -52
_ROUNDED_LENGTH = 17
"""Doubles that take so much text have all the digits that fit: they are most likely rounded."""


def is_number(value: Any) -> bool:
    """Say whether a value is a number; a boolean is none."""
    kind = type(value)
    return kind is int or kind is float


def check_numbers(left: Any, right: Any) -> None:
    """Refuse operands that are not both numbers.

    Raises:
        OperandError: one is not.

    """
    if not is_number(left):
        raise wrong_type(1, left, "number")
    if not is_number(right):
        raise wrong_type(2, right, "number")


def decimal_of(number: float) -> Decimal:
    """Give the decimal that a number is written as."""
    return Decimal(number) if type(number) is int else Decimal(repr(number))


def number_of(result: Decimal) -> int | float:
    """Give a computed decimal as an integer when a 64-bit mantissa makes it one, else as a double.

    Raises:
        LimitError: it is too large for either.

    """
    if result.adjusted() > _INTEGER_DIGITS:
        raise LimitError("a number has more digits than the limit")
    if result == result.to_integral_value(context=_WHOLE):
        return int(result)
    whole = int(result)
    spare_bits = _MANTISSA_BITS - whole.bit_length()
    scale = 1 << abs(spare_bits)
    if spare_bits <= 0:
        return int(_WHOLE.divide(result, scale).to_integral_value(ROUND_HALF_EVEN, context=_WHOLE)) * scale
    scaled = int(_WHOLE.multiply(result, scale).to_integral_value(ROUND_HALF_EVEN, context=_WHOLE))
    if scaled and not scaled % scale:
        return scaled // scale
    return float(result) or 0


def _computed(result: Decimal, left: float, right: float) -> int | float:
    """Give a result as a number; one that a rounded operand keeps just off a short number is the short number.

    OPA's numbers keep a few digits more than doubles, so that there 10 / 3 * 3 is 10.
    """
    if any(type(number) is float and len(repr(number)) >= _ROUNDED_LENGTH for number in (left, right)):
        short = _SHORT.plus(result)
        if abs(short - result) <= abs(result) * _ROUNDING:
            return number_of(short)
    return number_of(result)


def bounded(result: int) -> int:
    """Give an integer back when it is within the limit.

    Raises:
        LimitError: it is not.

    """
    if -_INTEGER_BOUND < result < _INTEGER_BOUND:
        return result
    raise LimitError(f"an integer of {result.bit_length()} bits is over the limit of {MAX_INTEGER_BITS}")


def plus(left: Any, right: Any) -> int | float:
    """Add two numbers."""
    if type(left) is int and type(right) is int:
        return bounded(left + right)
    check_numbers(left, right)
    return _computed(_DECIMAL.add(decimal_of(left), decimal_of(right)), left, right)


def minus(left: Any, right: Any) -> Any:
    """Subtract a number from a number, or a set's elements from a set."""
    if type(left) is int and type(right) is int:
        return bounded(left - right)
    if type(left) is RegoSet and type(right) is RegoSet:
        return difference(left, right)
    if is_number(left) and is_number(right):
        return _computed(_DECIMAL.subtract(decimal_of(left), decimal_of(right)), left, right)
    if not is_number(left) and type(left) is not RegoSet:
        raise wrong_type(1, left, "number", "set")
    raise wrong_type(2, right, "set" if is_number(right) else "number")


def multiply(left: Any, right: Any) -> int | float:
    """Multiply two numbers."""
    if type(left) is int and type(right) is int:
        return bounded(left * right)
    check_numbers(left, right)
    return _computed(_DECIMAL.multiply(decimal_of(left), decimal_of(right)), left, right)


def divide(left: Any, right: Any) -> int | float:
    """Divide; the quotient of integers is an integer when nothing is left over."""
    check_numbers(left, right)
    if right == 0:
        raise BuiltinError("divide by zero")
    if type(left) is int and type(right) is int and left % right == 0:
        return left // right
    return _computed(_DECIMAL.divide(decimal_of(left), decimal_of(right)), left, right)


def remainder(left: Any, right: Any) -> int:
    """Give the remainder of integer division, with the sign of the dividend."""
    check_numbers(left, right)
    if not (float(left).is_integer() if type(left) is float else True):
        raise BuiltinError("modulo on floating-point number")
    if not (float(right).is_integer() if type(right) is float else True):
        raise BuiltinError("modulo on floating-point number")
    dividend, divisor = int(left), int(right)
    if divisor == 0:
        raise BuiltinError("modulo by zero")
    rest = abs(dividend) % abs(divisor)
    return rest if dividend >= 0 else -rest


def absolute(number: Any) -> int | float:
    """Drop the sign."""
    if not is_number(number):
        raise wrong_type(1, number, "number")
    return number_of(abs(decimal_of(number))) if type(number) is float else abs(number)


def round_half_away(number: Any) -> int | float:
    """Round to the nearest integer, halves away from zero."""
    if type(number) is int:
        return number
    if type(number) is not float:
        raise wrong_type(1, number, "number")
    exact = decimal_of(number)
    return number_of(_truncated(exact + _HALF if exact >= 0 else exact - _HALF))


def ceil(number: Any) -> int | float:
    """Round up to an integer. OPA takes (-1, 0) to 1, and so does this."""
    if type(number) is int:
        return number
    if type(number) is not float:
        raise wrong_type(1, number, "number")
    exact = decimal_of(number)
    whole = _truncated(exact)
    return number_of(whole if whole < 0 or whole == exact else whole + 1)


def floor(number: Any) -> int | float:
    """Round down to an integer. OPA takes (-1, 0) to 0, and so does this."""
    if type(number) is int:
        return number
    if type(number) is not float:
        raise wrong_type(1, number, "number")
    exact = decimal_of(number)
    whole = _truncated(exact)
    return number_of(whole if whole >= 0 or whole == exact else whole - 1)


def _truncated(exact: Decimal) -> Decimal:
    try:
        return exact.to_integral_value(rounding=ROUND_DOWN, context=_WHOLE)
    except DecimalException as error:
        raise LimitError("a number has more digits than the limit") from error


def number_range(first: Any, last: Any) -> list[int]:
    """List the integers from `first` to `last`, both included, downwards when `last` is smaller."""
    return _steps(any_integer(1, first), any_integer(2, last), 1)


def number_range_step(first: Any, last: Any, step: Any) -> list[int]:
    """List every `step`-th integer from `first` to `last`, downwards when `last` is smaller."""
    start, stop, width = any_integer(1, first), any_integer(2, last), any_integer(3, step)
    if width <= 0:
        raise BuiltinError("numbers.range_step: step must be a positive integer")
    return _steps(start, stop, width)


def _steps(start: int, stop: int, width: int) -> list[int]:
    limit_items(abs(stop - start) // width + 1)
    return list(range(start, stop + 1, width) if start <= stop else range(start, stop - 1, -width))


def random_integer(context: EvaluationContext, key: Any, bound: Any) -> int:
    """Draw an integer in [0, bound), the same for the same key throughout an evaluation."""
    if type(key) is not str:
        raise wrong_type(1, key, "string")
    return context.random_integer(key, machine_integer(2, bound))


_PAIR = {"x": NUMBER, "y": NUMBER}
_ONE = {"x": NUMBER}
_NUMBER_OR_SET = OneOf((NUMBER, SET))
_RANGE = {"range": ArrayOf(NUMBER)}

BUILTINS: tuple[Builtin, ...] = (
    declare("plus", _PAIR, {"z": NUMBER}, plus, infix="+"),
    declare("minus", {"x": _NUMBER_OR_SET, "y": _NUMBER_OR_SET}, {"z": _NUMBER_OR_SET}, minus, infix="-"),
    declare("mul", _PAIR, {"z": NUMBER}, multiply, infix="*"),
    declare("div", _PAIR, {"z": NUMBER}, divide, infix="/"),
    declare("rem", _PAIR, {"z": NUMBER}, remainder, infix="%"),
    declare("abs", _ONE, {"y": NUMBER}, absolute),
    declare("round", _ONE, {"y": NUMBER}, round_half_away),
    declare("ceil", _ONE, {"y": NUMBER}, ceil),
    declare("floor", _ONE, {"y": NUMBER}, floor),
    declare("numbers.range", {"a": NUMBER, "b": NUMBER}, _RANGE, number_range),
    declare("numbers.range_step", {"a": NUMBER, "b": NUMBER, "step": NUMBER}, _RANGE, number_range_step),
    declare(
        "rand.intn",
        {"str": STRING, "n": NUMBER},
        {"y": NUMBER},
        random_integer,
        needs_context=True,
        deterministic=False,
    ),
)
