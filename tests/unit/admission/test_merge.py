import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.errors import PatchConflictError
from webhook.admission.merge import diff_objects, merge_objects, same
from webhook.admission.patch import apply_patch, read_patch

BASE = {
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}], "tags": ["x"]},
}


def patched(*operations: dict[str, Any]) -> dict[str, Any]:
    return apply_patch(BASE, read_patch(operations))


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def test_two_patches_of_different_places_merge() -> None:
    merged = merge_objects(BASE, patched(add("/spec/x", 1)), patched(add("/spec/containers/1/image", "b:2")))

    assert merged == patched(add("/spec/x", 1), add("/spec/containers/1/image", "b:2"))


def test_two_policies_may_both_create_a_missing_parent() -> None:
    first = patched(add("/metadata/annotations", {}), add("/metadata/annotations/a", "1"))
    second = patched(add("/metadata/annotations", {"b": "2"}))

    assert merge_objects(BASE, first, second)["metadata"]["annotations"] == {"a": "1", "b": "2"}


def test_two_policies_may_ask_for_the_same_value() -> None:
    change = patched(add("/spec/securityContext", {"runAsNonRoot": True}))

    assert merge_objects(BASE, change, copy.deepcopy(change)) == change


def test_what_both_append_is_kept_in_declared_order_and_once() -> None:
    first = patched(add("/spec/tags/-", "y"), add("/spec/tags/-", "both"))
    second = patched(add("/spec/tags/-", "both"), add("/spec/tags/-", "z"))

    assert merge_objects(BASE, first, second)["spec"]["tags"] == ["x", "y", "both", "z"]


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        (add("/spec/x", 1), add("/spec/x", 2), "/spec/x"),
        (add("/spec/x", 1), add("/spec/x", True), "/spec/x"),
        (add("/spec/x", {"a": {"b": 1}}), add("/spec/x", {"a": {"b": 2}}), "/spec/x/a/b"),
        ({"op": "remove", "path": "/metadata/name"}, add("/metadata/name", "x"), "/metadata/name"),
        ({"op": "remove", "path": "/metadata"}, add("/metadata/x", "x"), "/metadata"),
        (
            add("/spec/containers/0", {"name": "new"}),
            add("/spec/containers/1/image", "x"),
            "/spec/containers",
        ),
        (
            {"op": "remove", "path": "/spec/containers/0"},
            add("/spec/containers/1/image", "x"),
            "/spec/containers",
        ),
        (
            add("/spec/containers/0/image", "x"),
            add("/spec/containers/0/image", "y"),
            "/spec/containers/0/image",
        ),
    ],
)
def test_one_place_with_two_values_is_a_conflict_in_either_order(
    first: dict[str, Any], second: dict[str, Any], path: str
) -> None:
    for one, other in itertools.permutations((patched(first), patched(second))):
        with pytest.raises(PatchConflictError) as caught:
            merge_objects(BASE, one, other)
        assert caught.value.path == path


def test_an_insertion_merges_with_changes_elsewhere() -> None:
    first = patched(add("/spec/containers/0", {"name": "new"}))

    merged = merge_objects(BASE, first, patched(add("/metadata/x", 1)))

    assert [container["name"] for container in merged["spec"]["containers"]] == ["new", "a", "b"]
    assert merged["metadata"]["x"] == 1


def test_a_number_is_not_the_boolean_that_python_thinks_it_equals() -> None:
    assert not same({"a": [1]}, {"a": [True]})
    assert diff_objects({"a": 1}, {"a": True}) == ({"op": "replace", "path": "/a", "value": True},)


def test_the_difference_is_as_small_as_the_change() -> None:
    change = patched(add("/spec/securityContext", {}), add("/spec/securityContext/runAsNonRoot", True))

    assert diff_objects(BASE, change) == (add("/spec/securityContext", {"runAsNonRoot": True}),)


def test_patches_that_change_nothing_leave_no_operation() -> None:
    change = patched({"op": "test", "path": "/metadata/name", "value": "web"}, add("/metadata/name", "web"))

    assert diff_objects(BASE, change) == ()


KEYS = st.sampled_from(["a", "b/c", "~d", "name"])
VALUES = st.recursive(
    st.integers(0, 2) | st.booleans() | st.none(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(KEYS, children, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


@given(OBJECTS, OBJECTS)
def test_the_difference_applied_gives_the_changed_object(
    base: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert same(apply_patch(base, read_patch(diff_objects(base, changed))), changed)


@given(OBJECTS, OBJECTS)
def test_a_change_merges_with_none_and_with_itself(base: dict[str, Any], changed: dict[str, Any]) -> None:
    assert same(merge_objects(base, changed, base), changed)
    assert same(merge_objects(base, base, changed), changed)
    assert same(merge_objects(base, changed, copy.deepcopy(changed)), changed)


def sort_lists(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(map(sort_lists, value), key=repr)
    if isinstance(value, dict):
        return {key: sort_lists(item) for key, item in value.items()}
    return value


@given(OBJECTS, OBJECTS, OBJECTS)
def test_the_order_of_two_policies_matters_only_for_what_both_append(
    base: dict[str, Any], first: dict[str, Any], second: dict[str, Any]
) -> None:
    results = []
    for one, other in ((first, second), (second, first)):
        try:
            results.append(sort_lists(merge_objects(base, one, other)))
        except PatchConflictError:
            results.append("conflict")

    assert same(results[0], results[1])


def leaves(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(value, dict) and value:
        return {
            key: leaf for name, item in value.items() for key, leaf in leaves(item, (*path, name)).items()
        }
    return {path: value}


TREES = st.dictionaries(
    KEYS, st.recursive(st.integers(0, 2), lambda c: st.dictionaries(KEYS, c, max_size=3)), max_size=3
)


@given(TREES, TREES, TREES)
def test_no_change_of_either_policy_is_lost(
    base: dict[str, Any], first: dict[str, Any], second: dict[str, Any]
) -> None:
    try:
        merged = leaves(merge_objects(base, first, second))
    except PatchConflictError:
        return
    before = leaves(base)
    for change in (leaves(first), leaves(second)):
        for path, leaf in change.items():
            if leaf != {} and before.get(path) != leaf:
                assert merged[path] == leaf
        for path in before.keys() - change.keys():
            assert path not in merged or merged[path] == {}
