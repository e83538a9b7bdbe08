from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import call, failure, passes_limit
from webhook.rego.budget import Budget
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.errors import EvaluationError
from webhook.rego.values import UNDEFINED, RegoSet

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
SETS = st.lists(VALUES, max_size=6).map(RegoSet)


@given(SETS, SETS)
def test_union_intersection_and_difference_partition_sets(left: RegoSet, right: RegoSet) -> None:
    both, rest = call("and", left, right), call("minus", left, right)
    assert call("or", both, rest) == left
    assert len(both) + len(rest) == len(left)
    assert call("or", left, right) == call("union", RegoSet([left, right]))
    assert both == call("intersection", RegoSet([left, right]))
    assert call("set_diff", left, right) == rest


def test_set_operations_leave_their_arguments_as_they_are() -> None:
    left, right = RegoSet(["a", [1]]), RegoSet(["b", [2]])
    call("or", left, right)
    call("and", left, right)
    assert left == RegoSet(["a", [1]])
    assert right == RegoSet(["b", [2]])


def test_no_sets_have_no_elements_in_common() -> None:
    assert call("intersection", RegoSet()) == RegoSet()
    assert failure("union", RegoSet([1])) == "eval_type_error: operand 1 must be set but got number"
    assert failure("and", [1], RegoSet()) == "eval_type_error: operand 1 must be set but got array"


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("array.concat", ([1], [2]), [1, 2]),
        ("array.slice", ([0, 1, 2, 3], 1, 3), [1, 2]),
        ("array.slice", ([0, 1], -5, 9), [0, 1]),
        ("array.slice", ([0, 1], 2, 1), []),
        ("array.reverse", ([1, 2],), [2, 1]),
        ("array.flatten", ([1, [2, [3]], []],), [1, 2, [3]]),
        ("internal.member_2", (1, [True, 1.0]), True),
        ("internal.member_2", (1, [True]), False),
        ("internal.member_2", ("x", {"k": "x"}), True),
        ("internal.member_2", ([1], RegoSet([[1]])), True),
        ("internal.member_2", ("x", "xyz"), False),
        ("internal.member_3", (0, "a", ["a"]), True),
        ("internal.member_3", ("k", 1, {"k": True}), False),
        ("internal.member_3", ("a", "a", RegoSet(["a"])), True),
        ("internal.member_3", (0, "a", None), False),
        ("equal", (1, True), False),
        ("equal", ([1.0], [1]), True),
        ("lt", ({"a": 1}, RegoSet()), True),
        ("gte", ("b", "a"), True),
        ("neq", (None, False), True),
    ],
)
def test_collections_are_compared_and_cut(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (({"a": 1}, "a", 0), 1),
        (({"a": 1}, "b", "none"), "none"),
        (({"a": {"b": [10, 20]}}, ["a", "b", 1], None), 20),
        (({"a": {"b": 1}}, ["a", "x", "y"], "none"), "none"),
        (({"a": RegoSet(["x"])}, ["a", "x"], None), "x"),
        (({"a": 1}, [], None), {"a": 1}),
        (({"a": False}, "a", True), False),
        (({}, True, "none"), "none"),
    ],
)
def test_object_get_follows_a_key_or_a_path(arguments: tuple[Any, ...], expected: Any) -> None:
    assert call("object.get", *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("object.keys", ({"a": 1, "b": 2},), RegoSet(["a", "b"])),
        ("object.remove", ({"a": 1, "b": 2}, ["a"]), {"b": 2}),
        ("object.remove", ({"a": 1, "b": 2}, {"a": 0}), {"b": 2}),
        ("object.filter", ({"a": 1, "b": 2}, RegoSet(["a", "c"])), {"a": 1}),
        ("object.union", ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}, "b": 1}), {"a": {"x": 1, "y": 3}, "b": 1}),
        ("object.union", ({"a": {"x": 1}}, {"a": 2}), {"a": 2}),
        ("object.union_n", ([{"a": {"b": 2}}, {"a": 4}, {"a": {"c": 3}}],), {"a": {"c": 3}}),
        ("object.union_n", ([],), {}),
        ("object.subset", ({"a": {"b": [1, 2]}, "c": 1}, {"a": {"b": [2]}}), True),
        ("object.subset", ({"a": 1}, {"a": 2}), False),
        ("object.subset", ({"a": 1}, {"b": 1}), False),
        ("object.subset", ([1, 2, 3], [2, 3]), True),
        ("object.subset", ([1, 2, 3], [1, 3]), False),
        ("object.subset", ([1, 2, 3], RegoSet([3, 1])), True),
        ("object.subset", (RegoSet([1, [2]]), RegoSet([[2]])), True),
    ],
)
def test_objects_are_merged_and_cut(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *arguments) == expected


def test_merging_objects_leaves_them_as_they_are() -> None:
    left, right = {"a": {"x": 1}}, {"a": {"y": 2}}
    call("object.union", left, right)
    call("object.union_n", [left, right])
    assert left == {"a": {"x": 1}}
    assert right == {"a": {"y": 2}}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("object.get", ("a", "b", 1), "eval_type_error: operand 1 must be object but got string"),
        (
            "object.remove",
            ({}, "a"),
            "eval_type_error: operand 2 must be one of {object, set, array} but got string",
        ),
        (
            "object.union_n",
            ([{}, 1],),
            "eval_type_error: operand 1 must be array of objects but got array containing number",
        ),
        ("array.concat", ([], {}), "eval_type_error: operand 2 must be array but got object"),
        (
            "array.slice",
            ([], 1.5, 2),
            "eval_type_error: operand 2 must be integer number but got floating-point number",
        ),
        ("json.remove", ("a", []), "eval_type_error: operand 1 must be object but got string"),
        ("json.filter", ({}, {}), "eval_type_error: operand 2 must be one of {set, array} but got object"),
    ],
)
def test_wrong_collections_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    assert failure(name, *arguments) == message


DOCUMENT = {"a": {"b": [{"c": 1, "d": 2}, 3], "e/f": 4}, "g": 5}


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        (["a/b/0/c"], {"a": {"b": [{"c": 1}]}}),
        (["a/e~1f", "g"], {"a": {"e/f": 4}, "g": 5}),
        ([["a", "e/f"]], {"a": {"e/f": 4}}),
        (["/a/b", "a/b/0/c"], {"a": {"b": [{"c": 1, "d": 2}, 3]}}),
        (["nowhere"], {}),
    ],
)
def test_json_filter_keeps_what_paths_lead_to(paths: list[Any], kept: Any) -> None:
    assert call("json.filter", DOCUMENT, paths) == kept


@pytest.mark.parametrize(
    ("paths", "rest"),
    [
        (["a"], {"g": 5}),
        (["a/b/0"], {"a": {"b": [3], "e/f": 4}, "g": 5}),
        (RegoSet(["a/b/0/c", "g"]), {"a": {"b": [{"d": 2}, 3], "e/f": 4}}),
        (["a/b/0/c", "a/b"], {"a": {"e/f": 4}, "g": 5}),
        (["x/y"], DOCUMENT),
    ],
)
def test_json_remove_drops_what_paths_lead_to(paths: Any, rest: Any) -> None:
    assert call("json.remove", DOCUMENT, paths) == rest


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": 1}, [{"op": "remove", "path": "a"}], {}),
        ({"a": 1}, [{"op": "replace", "path": ["a"], "value": 2}], {"a": 2}),
        ({"a": [1, 2]}, [{"op": "replace", "path": "/a/0", "value": 9}], {"a": [9, 2]}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 2}], UNDEFINED),
        ({"a": 1}, [{"op": "remove", "path": "/b"}], UNDEFINED),
        ({"a": [1]}, [{"op": "add", "path": "/a/2", "value": 1}], UNDEFINED),
        ({"a": [1]}, [{"op": "add", "path": "/a/01", "value": 1}], UNDEFINED),
        ({"a": 1}, [{"op": "jump", "path": "/a"}], UNDEFINED),
        ({"a": 1}, [{"op": "add", "path": "", "value": 7}], 7),
        ({"a": RegoSet([1])}, [{"op": "add", "path": ["a", 2], "value": 2}], {"a": RegoSet([1, 2])}),
        ({"a": RegoSet([1])}, [{"op": "remove", "path": ["a", 1]}], {"a": RegoSet()}),
    ],
)
def test_json_patch_applies_operations_or_is_undefined(document: Any, operations: Any, expected: Any) -> None:
    assert call("json.patch", document, operations) == expected


def test_json_patch_leaves_the_document_as_it_is() -> None:
    document = {"a": {"b": [1]}}
    call("json.patch", document, [{"op": "add", "path": "/a/b/-", "value": 2}])
    assert document == {"a": {"b": [1]}}


GRAPH = {"a": ["b", "c"], "b": RegoSet(["d"]), "c": [], "d": ["a"], "x": ["y"]}


def test_reachable_vertices_are_those_of_the_graph() -> None:
    assert call("graph.reachable", GRAPH, ["a"]) == RegoSet(["a", "b", "c", "d"])
    assert call("graph.reachable", GRAPH, RegoSet(["x"])) == RegoSet(["x"])
    assert call("graph.reachable", GRAPH, ["nowhere"]) == RegoSet()


def test_reachable_paths_end_at_leaves_and_before_repetitions() -> None:
    assert call("graph.reachable_paths", GRAPH, ["a"]) == RegoSet([["a", "b", "d"], ["a", "c"]])
    assert call("graph.reachable_paths", GRAPH, ["c"]) == RegoSet([["c"]])


def test_the_paths_through_a_dense_graph_do_not_explode() -> None:
    dense = {str(one): [str(other) for other in range(12)] for one in range(12)}
    assert len(call("graph.reachable_paths", dense, ["0"])) < 12 * 12 * 12


def test_walk_visits_values_from_the_outside_in_with_their_paths() -> None:
    assert call("walk", {"b": [1], "a": RegoSet(["x"])}) == [
        [[], {"b": [1], "a": RegoSet(["x"])}],
        [["a"], RegoSet(["x"])],
        [["a", "x"], "x"],
        [["b"], [1]],
        [["b", 0], 1],
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("is_number", 1.5, True),
        ("is_number", True, False),
        ("is_string", "", True),
        ("is_boolean", 0, False),
        ("is_array", RegoSet(), False),
        ("is_set", RegoSet(), True),
        ("is_object", {}, True),
        ("is_null", None, True),
        ("type_name", RegoSet(), "set"),
        ("type_name", 1.5, "number"),
        ("to_number", "1e3", 1000),
        ("to_number", "-12", -12),
        ("to_number", "0.25", 0.25),
        ("to_number", None, 0),
        ("to_number", True, 1),
        ("cast_array", RegoSet(["b", "a"]), ["a", "b"]),
        ("cast_set", [1, 1], RegoSet([1])),
        ("cast_string", "x", "x"),
    ],
)
def test_types_are_told_and_changed(name: str, value: Any, expected: Any) -> None:
    assert call(name, value) == expected


@pytest.mark.parametrize(
    "text", ["", "abc", "1_000", "0x10", " 1", "inf", "NaN", "1e", "1e400", "1e999999999"]
)
def test_text_that_is_no_number_is_refused(text: str) -> None:
    assert failure("to_number", text)


def test_a_cast_changes_nothing_else() -> None:
    assert failure("cast_boolean", 1) == "eval_type_error: operand 1 must be boolean but got number"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("graph.reachable_paths", ({str(n): [str(m) for m in range(300)] for n in range(300)}, ["0"])),
        ("json.patch", ([], [{"op": "add", "path": "/-", "value": 1}] * 20_000)),
        ("net.cidr_contains_matches", (["10.0.0.0/8"] * 2_000, ["10.0.0.1"] * 2_000)),
        ("json.match_schema", ({"a": [1] * 20_000}, {"properties": {"a": {"items": {"type": "null"}}}})),
        ("time.parse_duration_ns", ("1h" * 10_000,)),
        ("time.format", ([1, "UTC", "2006" * 5_000],)),
        ("time.parse_ns", ("2006" * 5_000, "2020")),
    ],
)
def test_work_that_grows_without_bound_is_refused(name: str, arguments: Any) -> None:
    assert passes_limit(name, *arguments)


def test_many_objects_are_united_in_one_pass() -> None:
    objects = [{str(n): n, "all": {str(n): n}} for n in range(1_000)]

    united = call("object.union_n", objects)

    assert len(united) == 1_001
    assert len(united["all"]) == 1_000
    assert objects[0] == {"0": 0, "all": {"0": 0}}


def doubled(start: Any, key: str, times: int) -> Any:
    value = start
    for _ in range(times):
        value = {key: value, "other": value}
    return value


def test_objects_whose_parts_double_forty_times_are_united_at_once() -> None:
    one, other = doubled({"x": 1}, "k", 40), doubled({"y": 2}, "k", 40)
    found = call("object.union", one, other)
    for _ in range(39):
        assert list(found) == ["k", "other"]
        found = found["k"]
    assert found == {"k": {"x": 1, "y": 2}, "other": {"x": 1, "y": 2}}
    assert len(call("object.union_n", [one, other, one])) == 2


def test_walk_stops_when_the_deadline_has_passed() -> None:
    context = EvaluationContext(0)
    context.check = Budget(deadline_ns=1).check
    with pytest.raises(EvaluationError, match="passed its deadline"):
        call("walk", doubled({}, "k", 40), context=context)


def test_membership_of_what_doubles_forty_times_is_told_at_once() -> None:
    one, other = doubled(1, "k", 40), doubled(1, "k", 40)
    assert call("internal.member_2", one, [0, other])
    assert not call("internal.member_2", one, {"a": other["k"]})
    assert call("internal.member_2", True, [True])
    assert not call("internal.member_2", True, [1])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("product", ([1.5] * 100_000,)),
        ("sum", ([1.5] * 100_000,)),
        ("graph.reachable", ({str(index): [str(index + 1)] for index in range(10_000)}, ["0"])),
        ("walk", (doubled(1, "k", 200),)),
        ("sort", ([[index] for index in range(10_000)],)),
        ("max", ([[index] for index in range(10_000)],)),
        ("min", ([[index] for index in range(10_000)],)),
        ("net.cidr_merge", ([f"10.0.{index // 256}.{index % 256}/32" for index in range(1_000)],)),
        ("yaml.unmarshal", ("- a: b\n" * 10_000,)),
        ("yaml.is_valid", ("- a: b\n" * 10_000,)),
    ],
)
def test_long_work_stops_when_the_deadline_has_passed(name: str, arguments: tuple[Any, ...]) -> None:
    context = EvaluationContext(0)
    context.check = Budget(deadline_ns=1).check
    with pytest.raises(EvaluationError, match="passed its deadline"):
        call(name, *arguments, context=context)
