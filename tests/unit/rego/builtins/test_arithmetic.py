from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import call, failure, passes_limit
from webhook.rego.values import UNDEFINED, RegoSet

INTEGERS = st.integers(-(10**30), 10**30)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("plus", (1, 2), 3),
        ("plus", (0.1, 0.2), 0.3),
        ("plus", (0.5, 0.5), 1),
        ("plus", (10**20, 1), 10**20 + 1),
        ("minus", (1, 0.9), 0.1),
        ("mul", (1.1, 3), 3.3),
        ("div", (7, 2), 3.5),
        ("div", (6, 3), 2),
        ("div", (1, 3), 1 / 3),
        ("div", (5.0, 2.5), 2),
        ("mul", (1e-25, 3), 3e-25),
        ("div", (1e-30, 4), 2.5e-31),
        ("minus", (1e-20, 0.5), -0.5),
        ("mul", (1e-200, 1e-200), 0),
        ("mul", (10 / 3, 3), 10),
        ("plus", (2 / 3, 1 / 3), 1),
        ("mul", (1 / 3, 0.3), 0.1),
        ("mul", (1 / 3, 2), 2 / 3),
        ("div", (10**21, 7), 142857142857142857144),
        ("div", (12345678901234567890, 16), 771604931327160448.0),
        ("mul", (123456789012345678, 0.1), 12345678901234568.0),
        ("rem", (7, 3), 1),
        ("rem", (-7, 3), -1),
        ("rem", (7, -3), 1),
        ("rem", (7.0, 2), 1),
        ("abs", (-3,), 3),
        ("abs", (-2.5,), 2.5),
        ("round", (2.5,), 3),
        ("round", (-2.5,), -3),
        ("round", (2.4,), 2),
        ("ceil", (1.1,), 2),
        ("ceil", (-1.1,), -1),
        ("floor", (1.9,), 1),
        ("floor", (-1.1,), -2),
        ("ceil", (3,), 3),
        ("numbers.range", (1, 4), [1, 2, 3, 4]),
        ("numbers.range", (2, -1), [2, 1, 0, -1]),
        ("numbers.range", (3, 3), [3]),
        ("numbers.range_step", (0, 10, 4), [0, 4, 8]),
        ("numbers.range_step", (10, 0, 5), [10, 5, 0]),
        ("bits.and", (12, 10), 8),
        ("bits.or", (12, 10), 14),
        ("bits.xor", (12, 10), 6),
        ("bits.negate", (5,), -6),
        ("bits.lsh", (1, 70), 2**70),
        ("bits.lsh", (0, 10**12), 0),
        ("bits.rsh", (-8, 1), -4),
        ("bits.and", (8.0, 12), 8),
    ],
)
def test_numbers_are_computed(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    result = call(name, *arguments)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("plus", ("1", 2), "eval_type_error: operand 1 must be number but got string"),
        ("plus", (1, True), "eval_type_error: operand 2 must be number but got boolean"),
        ("div", (1, 0), "eval_builtin_error: divide by zero"),
        ("div", (1, 0.0), "eval_builtin_error: divide by zero"),
        ("rem", (1, 0), "eval_builtin_error: modulo by zero"),
        ("rem", (1.5, 2), "eval_builtin_error: modulo on floating-point number"),
        ("minus", (1, RegoSet()), "eval_type_error: operand 2 must be number but got set"),
        ("minus", (RegoSet(), 1), "eval_type_error: operand 2 must be set but got number"),
        ("minus", ("a", 1), "eval_type_error: operand 1 must be one of {number, set} but got string"),
        (
            "numbers.range",
            (1.5, 2),
            "eval_type_error: operand 1 must be integer number but got floating-point number",
        ),
        ("numbers.range", ("1", 2), "eval_type_error: operand 1 must be integer but got string"),
        (
            "numbers.range_step",
            (1, 2, 0),
            "eval_builtin_error: numbers.range_step: step must be a positive integer",
        ),
        (
            "bits.lsh",
            (1, -1),
            "eval_type_error: operand 2 must be an unsigned integer number but got a negative integer",
        ),
        (
            "rand.intn",
            ("k", 1.5),
            "eval_type_error: operand 2 must be integer number but got floating-point number",
        ),
    ],
)
def test_what_is_no_number_is_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    assert failure(name, *arguments) == message


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mul", (10**3000, 10**3000)),
        ("mul", (1e300, 10**4100)),
        ("bits.lsh", (1, 10**9)),
        ("numbers.range", (0, 10**9)),
        ("plus", (2**14000 - 1, 1)),
    ],
)
def test_runaway_numbers_stop_the_evaluation(name: str, arguments: tuple[Any, ...]) -> None:
    assert passes_limit(name, *arguments)


@given(INTEGERS, INTEGERS.filter(bool))
def test_remainder_and_quotient_fit_together(dividend: int, divisor: int) -> None:
    rest = call("rem", dividend, divisor)
    assert call("rem", dividend - rest, divisor) == 0
    assert abs(rest) < abs(divisor)
    assert call("div", dividend - rest, divisor) * divisor == dividend - rest


@given(st.floats(-1e15, 1e15))
def test_rounding_stays_within_a_half(number: float) -> None:
    rounded = call("round", number)
    assert type(rounded) is int
    assert abs(rounded - number) <= 0.5


def test_rounding_between_minus_one_and_zero_is_opas() -> None:
    """OPA cuts the sign off with the fraction, and policies must get its answer."""
    assert call("ceil", -0.5) == 1
    assert call("floor", -0.5) == 0
    assert call("round", -0.5) == -1


def test_minus_takes_elements_from_a_set() -> None:
    assert call("minus", RegoSet([1, "a", [2]]), RegoSet([1.0, [2]])) == RegoSet(["a"])


def test_sum_and_product_go_over_arrays_and_sets() -> None:
    assert call("sum", [1, 2, 0.5]) == 3.5
    assert call("sum", RegoSet([1, 2])) == 3
    assert call("sum", []) == 0
    assert call("product", [2, 3]) == 6
    assert call("product", []) == 1
    assert failure("sum", [1, "2"]) == (
        "eval_type_error: operand 1 must be array of numbers but got array containing string"
    )


def test_extremes_follow_opas_order() -> None:
    mixed = ["b", None, 3, False, [1], {"a": 1}, RegoSet([0])]
    assert call("min", mixed) is None
    assert call("max", mixed) == RegoSet([0])
    assert call("max", [1, 2.5, 2]) == 2.5
    assert call("min", []) is UNDEFINED
    assert call("sort", ["b", 2, "a", None]) == [None, 2, "a", "b"]


@pytest.mark.parametrize(
    ("value", "expected"), [("héllo", 5), ([1, 2], 2), ({"a": 1}, 1), (RegoSet([1, 1.0]), 1), ("", 0)]
)
def test_count_counts_what_a_value_is_made_of(value: Any, expected: int) -> None:
    assert call("count", value) == expected


def test_any_and_all_take_only_true_for_true() -> None:
    assert call("all", [True, True])
    assert call("all", [])
    assert not call("all", [True, 1])
    assert call("any", RegoSet([False, True]))
    assert not call("any", ["true"])
