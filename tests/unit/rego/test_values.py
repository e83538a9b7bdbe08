import functools
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_values import values
from webhook.rego.values import (
    UNDEFINED,
    Key,
    RegoSet,
    Value,
    compare,
    equal,
    hash_of,
    key_of,
    lookup,
    make_object,
    ordered,
    ordered_items,
    scan,
    type_name,
    value_of,
)


def nested(depth: int) -> Value:
    value: Value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (True, 1),
        (False, 0),
        (None, False),
        (0, ""),
        ([], {}),
        ([True], [1]),
        ({"a": True}, {"a": 1}),
        (RegoSet(), []),
    ],
)
def test_values_of_different_types_differ(left: Value, right: Value) -> None:
    assert not equal(left, right)
    assert compare(left, right) != 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (0, -0.0),
        ([1, {"a": 2}], [1.0, {"a": 2.0}]),
        (RegoSet([1, 2, [3]]), RegoSet([[3.0], 2.0, 1.0])),
        (make_object([(1, "x")]), make_object([(1.0, "x")])),
    ],
)
def test_numbers_are_equal_by_value_at_any_depth(left: Value, right: Value) -> None:
    assert equal(left, right)
    assert compare(left, right) == 0


def test_types_come_in_the_order_of_opa() -> None:
    in_order = [None, False, True, -1, 0.5, 2, "", "a", [], [0], {}, {"a": 1}, RegoSet(), RegoSet([1])]

    assert ordered(reversed(in_order)) == in_order


def test_objects_compare_key_by_key_then_by_size() -> None:
    in_order: list[Value] = [{}, {"a": 1}, {"a": 1, "b": 0}, {"a": 2}, {"b": 0}]

    assert ordered(reversed(in_order)) == in_order


@given(values(), values())
def test_order_and_equality_agree(left: Value, right: Value) -> None:
    assert (compare(left, right) == 0) is equal(left, right)


@given(values(), values())
def test_order_is_antisymmetric(left: Value, right: Value) -> None:
    forth, back = compare(left, right), compare(right, left)

    assert (forth > 0, forth < 0) == (back < 0, back > 0)


@given(st.lists(values(), min_size=5, max_size=12), st.sampled_from(["bare", "within", "behind"]))
def test_many_values_are_sorted_as_they_compare(elements: list[Value], place: str) -> None:
    if place == "within":
        elements = [[[{"a": element}]] for element in elements]
    if place == "behind":
        elements = [[*range(20), element] for element in elements]

    by_comparing = sorted(elements, key=functools.cmp_to_key(compare))

    assert list(map(id, ordered(elements))) == list(map(id, by_comparing))


@pytest.mark.parametrize(
    ("count", "wrap"),
    [(70_000, str), (10_000, lambda number: [number]), (10_000, lambda number: RegoSet([[number]]))],
    ids=["strings", "arrays", "sets"],
)
def test_values_sorted_in_parts_are_sorted_as_a_whole(count: int, wrap: Callable[[int], Value]) -> None:
    elements = [wrap(number * 7_919 % count) for number in range(count)]

    result = ordered(elements)

    assert all(compare(one, next_one) < 0 for one, next_one in itertools.pairwise(result[::100]))
    assert sorted(map(id, result)) == sorted(map(id, elements))


@pytest.mark.parametrize(
    "elements",
    [
        list(range(70_000)),
        [[number] for number in range(10_000)],
        [nested(10) for _ in range(4_000)],
    ],
    ids=["numbers", "arrays", "what keys do not show"],
)
def test_a_long_sort_asks_now_and_then_whether_to_go_on(elements: list[Value]) -> None:
    asked: list[None] = []

    ordered(elements, lambda: asked.append(None))

    assert len(asked) >= 2


@given(values(), values(), values())
def test_order_is_transitive(one: Value, two: Value, three: Value) -> None:
    first, second, third = ordered([one, two, three])

    assert compare(first, second) <= 0
    assert compare(second, third) <= 0
    assert compare(first, third) <= 0


@given(values(), values())
def test_keys_are_equal_when_their_values_are(left: Value, right: Value) -> None:
    assert (key_of(left) == key_of(right)) is equal(left, right)
    if equal(left, right):
        assert hash(key_of(left)) == hash(key_of(right))


@given(values())
def test_a_key_gives_its_value_back(value: Value) -> None:
    assert equal(value_of(key_of(value)), value)


@given(st.lists(values(), max_size=20))
def test_a_set_holds_each_value_once(elements: list[Value]) -> None:
    distinct: list[Value] = []
    for element in elements:
        if not any(equal(element, other) for other in distinct):
            distinct.append(element)
    built = RegoSet(elements)

    assert len(built) == len(distinct)
    assert all(element in built for element in elements)
    assert built == RegoSet(reversed(elements))
    assert built.ordered() == ordered(distinct)


@given(values(), st.lists(values(), max_size=20))
def test_a_set_has_only_what_was_added(value: Value, elements: list[Value]) -> None:
    assert (value in RegoSet(elements)) is any(equal(value, element) for element in elements)


def test_true_and_one_are_two_keys() -> None:
    value = make_object([(True, "yes"), (1, "one")])

    assert lookup(value, True) == "yes"
    assert lookup(value, 1.0) == "one"


@pytest.mark.parametrize(
    ("source", "key", "found"),
    [
        ({"a": 1}, "a", 1),
        ({"a": 1}, "b", UNDEFINED),
        ({"a": 1}, 0, UNDEFINED),
        (["x", "y"], 1, "y"),
        (["x", "y"], 1.0, "y"),
        (["x", "y"], 2, UNDEFINED),
        (["x", "y"], -1, UNDEFINED),
        (["x", "y"], 0.5, UNDEFINED),
        (["x", "y"], True, UNDEFINED),
        (["x", "y"], "0", UNDEFINED),
        (RegoSet(["x"]), "x", "x"),
        (RegoSet(["x"]), "y", UNDEFINED),
        ("text", 0, UNDEFINED),
        (None, "a", UNDEFINED),
        (UNDEFINED, "a", UNDEFINED),
    ],
)
def test_a_lookup_finds_an_element_or_nothing(source: Value, key: Value, found: Value) -> None:
    assert lookup(source, key) is found or lookup(source, key) == found


def test_collections_are_scanned_in_order() -> None:
    assert list(scan(["b", "a"])) == [(0, "b"), (1, "a")]
    assert list(scan({"b": 1, "a": 2})) == [("a", 2), ("b", 1)]
    assert list(scan(RegoSet([2, "a", 1]))) == [(1, 1), (2, 2), ("a", "a")]
    assert list(scan(make_object([("a", 1), (True, 2)]))) == [(True, 2), ("a", 1)]
    assert list(scan("text")) == []
    assert list(scan(UNDEFINED)) == []


def test_items_come_as_values_not_as_keys() -> None:
    assert ordered_items(make_object([([1], "x"), ("a", "y")])) == [("a", "y"), ([1], "x")]


def test_undefined_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError):
        bool(UNDEFINED)


def test_what_is_no_rego_value_is_not_hashed() -> None:
    with pytest.raises(TypeError, match="tuple"):
        hash_of((1, 2))


def test_types_have_their_rego_names() -> None:
    examples: list[Value] = [None, True, 1, 1.5, "", [], {}, RegoSet()]

    assert list(map(type_name, examples)) == [
        "null",
        "boolean",
        "number",
        "number",
        "string",
        "array",
        "object",
        "set",
    ]


def test_values_nested_too_deeply_end_in_a_recursion_error_and_not_in_a_crash() -> None:
    one, two = nested(100_000), nested(100_000)

    for operation in (equal, compare):
        with pytest.raises(RecursionError):
            operation(one, two)
    with pytest.raises(RecursionError):
        Key(one)


def doubled(times: int, wrap: Callable[[Value], Value]) -> Value:
    """Build a value that counts 2**times values and holds few."""
    value: Value = [1]
    for _ in range(times):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: [value, value],
        lambda value: {"a": value, "b": value},
        lambda value: [0, {"a": value, "b": [value]}],
        lambda value: [RegoSet([value]), RegoSet([value])],
    ],
)
def test_values_that_share_parts_are_compared_and_hashed_part_by_part(wrap: Callable[[Value], Value]) -> None:
    one, other = doubled(40, wrap), doubled(40, wrap)

    assert equal(one, other)
    assert compare(one, other) == 0
    assert hash_of(one) == hash_of(other)
    assert not equal(one, [*other, 1] if type(other) is list else {**other, "c": 1})
    assert other in RegoSet([one, *([n] for n in range(20))])


def test_large_values_differ_by_one_part() -> None:
    one, other = [[n, {"n": n}] for n in range(2_000)], [[n, {"n": n}] for n in range(2_000)]

    assert equal(one, other)
    other[1_999][1] = {"n": True}
    one[1_999][1] = {"n": 1}
    assert not equal(one, other)
    assert compare(one, other) == 1
