"""How large a value is when it is written, whatever its parts share."""

import pytest

from webhook.rego.builtins.failures import LimitError, limit_size
from webhook.rego.sizes import written_size
from webhook.rego.values import RegoSet, Value, key_of


def doubled(start: Value, times: int) -> Value:
    value = start
    for _ in range(times):
        value = [value, value]
    return value


def test_a_text_counts_its_characters_each_time_that_it_occurs() -> None:
    text = "x" * 1000
    assert written_size([text, text]) - written_size([text]) >= 1000


def test_keys_count_too_also_those_that_are_no_strings() -> None:
    plain = written_size({"k": 1})
    assert written_size({"k" * 500: 1}) == plain + 499
    assert written_size({key_of(["k" * 500]): 1}) >= plain + 499
    assert written_size({1: 1}) > written_size(1)


@pytest.mark.parametrize("start", [[], {}, RegoSet(["a"]), {"a": 1}], ids=str)
def test_a_value_that_doubles_forty_times_is_measured_at_once(start: Value) -> None:
    assert written_size(doubled(start, 40)) > 2**40


@pytest.mark.parametrize(
    "value",
    [doubled([], 40), {key_of(doubled([], 40)): 1}, RegoSet([doubled([], 40)]), ["x" * 1_000_000] * 17],
    ids=["array", "key", "set", "texts"],
)
def test_what_would_be_written_beyond_the_limit_of_a_string_is_refused(value: Value) -> None:
    with pytest.raises(LimitError):
        limit_size(value)


def test_an_ordinary_document_is_within_the_limit() -> None:
    limit_size([{"name": f"app-{index}", "ports": [index]} for index in range(10_000)])


def test_objects_in_a_set_count_for_more_since_they_are_put_in_order_to_be_written() -> None:
    few, many = (
        [{"name": f"app-{index}", "ports": [index]} for index in range(count)] for count in (5_000, 40_000)
    )
    limit_size(RegoSet(few))
    limit_size(many)
    with pytest.raises(LimitError):
        limit_size(RegoSet(many))
