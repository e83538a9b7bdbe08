from hypothesis import given

from tests.support.rego_values import values
from webhook.rego.documents import merge, replace_at
from webhook.rego.values import UNDEFINED, Value, equal


def test_a_part_is_replaced_and_the_original_is_left_alone() -> None:
    original = {"a": {"b": 1, "c": 2}, "d": [3]}

    replaced = replace_at(original, ("a", "b"), 9)

    assert replaced == {"a": {"b": 9, "c": 2}, "d": [3]}
    assert original == {"a": {"b": 1, "c": 2}, "d": [3]}
    assert replaced["d"] is original["d"]


def test_what_is_missing_on_the_way_is_made() -> None:
    assert replace_at(UNDEFINED, ("a", "b"), 1) == {"a": {"b": 1}}
    assert replace_at({"a": "text"}, ("a", "b"), 1) == {"a": {"b": 1}}


def test_an_empty_path_replaces_the_whole() -> None:
    assert replace_at({"a": 1}, (), 2) == 2


def test_merging_is_recursive_and_the_left_side_wins() -> None:
    left = {"a": {"x": 1}, "b": 2}
    right = {"a": {"x": 9, "y": 3}, "b": {"z": 1}, "c": 4}

    assert merge(left, right) == {"a": {"x": 1, "y": 3}, "b": 2, "c": 4}
    assert right == {"a": {"x": 9, "y": 3}, "b": {"z": 1}, "c": 4}


@given(values())
def test_merging_with_nothing_changes_nothing(value: Value) -> None:
    assert equal(merge(value, {}), value)
