"""Operations on the bits of integers of any size, negative ones in two's complement: `bits.*`."""

from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import MAX_INTEGER_BITS, LimitError, OperandError, any_integer
from webhook.rego.builtins.signatures import NUMBER


def bits_and(left: Any, right: Any) -> int:
    """Combine two integers with AND."""
    return any_integer(1, left) & any_integer(2, right)


def bits_or(left: Any, right: Any) -> int:
    """Combine two integers with OR."""
    return any_integer(1, left) | any_integer(2, right)


def bits_xor(left: Any, right: Any) -> int:
    """Combine two integers with exclusive OR."""
    return any_integer(1, left) ^ any_integer(2, right)


def negate(number: Any) -> int:
    """Flip every bit."""
    return ~any_integer(1, number)


def shift_left(number: Any, places: Any) -> int:
    """Shift left by `places` bits."""
    integer, count = any_integer(1, number), _places(places)
    if integer and integer.bit_length() + count > MAX_INTEGER_BITS:
        raise LimitError(
            f"an integer of {integer.bit_length() + count} bits is over the limit of {MAX_INTEGER_BITS}"
        )
    return integer << count if integer else 0


def shift_right(number: Any, places: Any) -> int:
    """Shift right by `places` bits, keeping the sign."""
    return any_integer(1, number) >> _places(places)


def _places(value: Any) -> int:
    count = any_integer(2, value)
    if count < 0:
        raise OperandError("operand 2 must be an unsigned integer number but got a negative integer")
    return count


_PAIR = {"x": NUMBER, "y": NUMBER}
_SHIFT = {"x": NUMBER, "s": NUMBER}
_RESULT = {"z": NUMBER}

BUILTINS: tuple[Builtin, ...] = (
    declare("bits.and", _PAIR, _RESULT, bits_and),
    declare("bits.or", _PAIR, _RESULT, bits_or),
    declare("bits.xor", _PAIR, _RESULT, bits_xor),
    declare("bits.negate", {"x": NUMBER}, _RESULT, negate),
    declare("bits.lsh", _SHIFT, _RESULT, shift_left),
    declare("bits.rsh", _SHIFT, _RESULT, shift_right),
)
