"""How a builtin fails, and the limits that no builtin's result may pass.

Three ways: a `BuiltinError` (the call is undefined, or an error under strict builtin errors), its special case
`OperandError` for an operand of the wrong type, and `LimitError`, which ends the evaluation in either mode: a policy
that hits a limit must not turn into a verdict.
"""

from typing import Any, NoReturn

from webhook.rego.errors import EvaluationError, RegoError
from webhook.rego.sizes import written_size
from webhook.rego.values import type_name

MAX_STRING_LENGTH = 16 * 1024 * 1024
"""Longest string, in characters, that a builtin may make."""
MAX_ITEMS = 1_000_000
"""Most elements of a collection that a builtin may make."""
MAX_INTEGER_BITS = 14_000
"""Largest integer that arithmetic may make: below the digits that Python agrees to print."""
MACHINE_LIMIT = 1 << 63
"""The first integer that no longer fits in 64 bits."""


class BuiltinError(RegoError):
    """A builtin cannot answer: undefined to the policy, an error under strict builtin errors.

    Tree: BuiltinError > OperandError.
    """

    code = "eval_builtin_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class OperandError(BuiltinError):
    """An operand has a type or a value that the builtin does not take."""

    code = "eval_type_error"


class LimitError(EvaluationError):
    """A result would pass one of the limits: the evaluation ends, strict or not."""

    def __init__(self, message: str) -> None:
        super().__init__("eval_cancel_error", message)


def wrong_type(position: int, value: Any, *expected: str) -> OperandError:
    """Describe an operand of the wrong type; `position` counts from 1."""
    wanted = expected[0] if len(expected) == 1 else f"one of {{{', '.join(expected)}}}"
    return OperandError(f"operand {position} must be {wanted} but got {type_name(value)}")


def wrong_element(position: int, collection: Any, element: Any, *expected: str) -> OperandError:
    """Describe a collection that holds an element of the wrong type; `position` counts from 1."""
    wanted = f"{expected[0]}s" if len(expected) == 1 else f"(any of) {{{', '.join(expected)}}}"
    name = type_name(collection)
    return OperandError(
        f"operand {position} must be {name} of {wanted} but got {name} containing {type_name(element)}"
    )


def wrong_strings(*operands: Any) -> NoReturn:
    """Raise for the first operand that is not a string.

    Raises:
        OperandError: always.

    """
    for position, value in enumerate(operands, 1):
        if type(value) is not str:
            raise wrong_type(position, value, "string")
    raise AssertionError("every operand is a string")


def limit_string(length: int) -> None:
    """Refuse a string of `length` characters when it is too long.

    Raises:
        LimitError: the length is over `MAX_STRING_LENGTH`.

    """
    if length > MAX_STRING_LENGTH:
        raise LimitError(f"a string of {length} characters is over the limit of {MAX_STRING_LENGTH}")


def limit_items(count: int) -> None:
    """Refuse a collection of `count` elements when it is too large.

    Raises:
        LimitError: the count is over `MAX_ITEMS`.

    """
    if count > MAX_ITEMS:
        raise LimitError(f"a collection of {count} elements is over the limit of {MAX_ITEMS}")


def limit_size(value: Any) -> None:
    """Refuse a value that is too large to be written out or copied whole, counting a part that occurs twice twice.

    Raises:
        LimitError: it takes more characters than a string may have, or has about `MAX_ITEMS` values within it.

    """
    size = written_size(value)
    if size > MAX_STRING_LENGTH:
        raise LimitError(f"a value of {size} characters is over the limit of {MAX_STRING_LENGTH}")


def machine_integer(position: int, value: Any) -> int:
    """Give an operand that must be a 64-bit integer.

    Raises:
        OperandError: it is no number, has a fraction or is too large.

    """
    if type(value) is not int:
        if type(value) is float:
            raise fractional(position)
        raise wrong_type(position, value, "number")
    if not -MACHINE_LIMIT <= value < MACHINE_LIMIT:
        raise fractional(position)
    return value


def any_integer(position: int, value: Any) -> int:
    """Give an operand that must be an integer of any size; a double without a fraction counts as one.

    Raises:
        OperandError: it is no number or has a fraction.

    """
    if type(value) is int:
        return value
    if type(value) is not float:
        raise wrong_type(position, value, "integer")
    if not value.is_integer():
        raise fractional(position)
    return int(value)


def fractional(position: int) -> OperandError:
    """Describe a number where only an integer is taken; `position` counts from 1."""
    return OperandError(f"operand {position} must be integer number but got floating-point number")
