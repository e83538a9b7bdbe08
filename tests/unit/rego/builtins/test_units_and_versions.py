from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import LATE_2023_NS, call, failure, passes_limit
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.values import UNDEFINED


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("units.parse", "10", 10),
        ("units.parse", "10Ki", 10240),
        ("units.parse", "10ki", 10240),
        ("units.parse", "1.5G", 1_500_000_000),
        ("units.parse", "200m", 0.2),
        ("units.parse", "2000m", 2),
        ("units.parse", "1M", 1_000_000),
        ("units.parse", "1e3", 1000),
        ("units.parse", "1E", 10**18),
        ("units.parse", '"5"', 5),
        ("units.parse", "-1.25", -1.25),
        ("units.parse_bytes", "10KiB", 10240),
        ("units.parse_bytes", "10kb", 10_000),
        ("units.parse_bytes", "1.5mb", 1_500_000),
        ("units.parse_bytes", "0.5", 0),
        ("units.parse_bytes", "1M", 1_000_000),
        ("units.parse_bytes", "2Ei", 2 * 1024**6),
    ],
)
def test_amounts_are_multiplied_by_their_units(name: str, text: str, expected: Any) -> None:
    assert call(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("units.parse", "", "units.parse: no amount provided"),
        ("units.parse", "Mi", "units.parse: no amount provided"),
        ("units.parse", "1 Mi", "units.parse: spaces not allowed in resource strings"),
        ("units.parse", "1foo", "units.parse: unit foo not recognized"),
        ("units.parse", "1.2.3", "units.parse: could not parse amount to a number"),
        ("units.parse", "1e1234567", "units.parse: exponent too large"),
        ("units.parse_bytes", "1x", "units.parse_bytes: byte unit x not recognized"),
        ("units.parse_bytes", "GB", "units.parse_bytes: no byte amount provided"),
    ],
)
def test_what_is_no_amount_is_refused(name: str, text: str, message: str) -> None:
    assert failure(name, text) == f"eval_builtin_error: {message}"


def test_an_amount_of_too_many_digits_stops_the_evaluation() -> None:
    assert passes_limit("units.parse", "1e999999")


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("1.10.0", "1.9.0", 1),
        ("1.0.0", "1.0.0+build", 0),
        ("1.0.0-alpha", "1.0.0", -1),
        ("1.0.0-alpha.1", "1.0.0-alpha.beta", -1),
        ("1.0.0-alpha.beta", "1.0.0-alpha", 1),
        ("1.0.0-2", "1.0.0-10", -1),
    ],
)
def test_versions_compare_by_precedence(left: str, right: str, expected: int) -> None:
    assert call("semver.compare", left, right) == expected
    assert call("semver.compare", right, left) == -expected


@pytest.mark.parametrize(
    "value",
    ["1.0", "1", "1.0.0.0", "a.b.c", "1.0.0-", "1.0.0-é", "v1.0.0", 1, None, "", "1.0.99999999999999999999"],
)
def test_other_values_are_no_versions(value: Any) -> None:
    assert call("semver.is_valid", value) is (value == "1.0.0-")


def test_comparing_names_the_operand_that_is_no_version() -> None:
    assert (
        failure("semver.compare", "1.0.0", "x")
        == 'eval_builtin_error: operand 2: string "x" is not a valid SemVer'
    )


def test_a_uuid_tells_its_version_and_origin() -> None:
    assert call("uuid.parse", "{6BA7B810-9dad-11d1-80b4-00c04fd430c8}") == {
        "version": 1,
        "variant": "RFC4122",
        "time": 886_630_433_151_182_400,
        "macvariables": "global:unicast",
        "nodeid": "00-c0-4f-d4-30-c8",
        "clocksequence": 180,
    }
    assert call("uuid.parse", "6ba7b810") is UNDEFINED


def test_random_answers_repeat_within_an_evaluation_and_for_a_seed() -> None:
    one, other = EvaluationContext(LATE_2023_NS, seed=7), EvaluationContext(LATE_2023_NS, seed=7)
    drawn = [call("rand.intn", key, 1000, context=one) for key in "abcabc"]
    assert drawn[:3] == drawn[3:]
    assert drawn == [call("rand.intn", key, 1000, context=other) for key in "abcabc"]
    identifier = call("uuid.rfc4122", "k", context=one)
    assert identifier == call("uuid.rfc4122", "k", context=one)
    assert identifier != call("uuid.rfc4122", "l", context=one)
    assert call("uuid.parse", identifier) == {"version": 4, "variant": "RFC4122"}


@given(st.integers(-(2**62), 2**62))
def test_random_integers_stay_below_the_bound(bound: int) -> None:
    drawn = call("rand.intn", "k", bound)
    assert drawn == 0 if bound == 0 else 0 <= drawn < abs(bound)


def test_an_unseeded_evaluation_draws_for_itself() -> None:
    drawn = {call("uuid.rfc4122", "k", context=EvaluationContext(LATE_2023_NS)) for _ in range(3)}
    assert len(drawn) == 3
