import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.reviews import POINTERS, pod, request_of, workload
from webhook.admission.errors import InapplicablePatchError, MalformedPatchError
from webhook.admission.patch import apply_patch, read_patch, translate_patch
from webhook.admission.workload import PodView, find_pod

SECCOMP = {
    "op": "add",
    "path": "/spec/securityContext",
    "value": {"seccompProfile": {"type": "RuntimeDefault"}},
}


def view_of(sent: Any) -> PodView:
    view = find_pod(request_of(sent))
    assert isinstance(view, PodView)
    return view


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/a", "value": None},
        {"op": "replace", "path": "/a", "value": 1},
        {"op": "test", "path": "/a", "value": 1},
        {"op": "remove", "path": "/a"},
        {"op": "move", "path": "/a", "from": "/b"},
        {"op": "copy", "path": "/a", "from": "/b"},
    ],
)
def test_every_operation_of_rfc_6902_is_read(operation: dict[str, Any]) -> None:
    assert read_patch([operation]) == (operation,)


def test_keys_that_mean_nothing_are_left_out() -> None:
    assert read_patch([{"op": "remove", "path": "/a", "value": 1, "why": "x"}]) == (
        {"op": "remove", "path": "/a"},
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("add", "an object with op and path"),
        ({"path": "/a"}, "op must be one of"),
        ({"op": ["add"], "path": "/a", "value": 1}, "op must be one of"),
        ({"op": "delete", "path": "/a"}, "op must be one of"),
        ({"op": "remove"}, "path must be a JSON pointer"),
        ({"op": "remove", "path": "spec.a"}, "path must be a JSON pointer"),
        ({"op": "remove", "path": ""}, "path must be a JSON pointer"),
        ({"op": "add", "path": "/a"}, "has no value"),
        ({"op": "move", "path": "/a"}, "from must be a JSON pointer"),
    ],
)
def test_what_is_no_operation_is_refused(value: object, reason: str) -> None:
    with pytest.raises(MalformedPatchError, match=reason):
        read_patch([value])


@pytest.mark.parametrize("kind", POINTERS)
def test_a_patch_of_the_pod_is_moved_into_the_workload(kind: str) -> None:
    sent = workload(kind)
    view = view_of(sent)
    patch = read_patch([SECCOMP, {"op": "copy", "path": "/spec/a", "from": "/spec/securityContext"}])

    patched = apply_patch(sent, translate_patch(patch, view))

    expected = workload(
        kind, {**view.template["spec"], "securityContext": SECCOMP["value"], "a": SECCOMP["value"]}
    )
    assert patched == expected


def test_metadata_that_a_template_lacks_is_made_before_it_is_patched() -> None:
    sent = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": {}}}}
    patch = read_patch([{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}])

    patched = apply_patch(sent, translate_patch(patch, view_of(sent)))

    assert patched["spec"]["template"]["metadata"] == {"labels": {"a": "b"}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/spec/none", "value": 1},
        {"op": "remove", "path": "/spec/none"},
        {"op": "add", "path": "/spec/none/x", "value": 1},
        {"op": "add", "path": "/kind/x", "value": 1},
        {"op": "add", "path": "/spec/containers/7", "value": 1},
        {"op": "add", "path": "/spec/containers/x/y", "value": 1},
        {"op": "add", "path": "/spec/containers/٣/y", "value": 1},
        {"op": "replace", "path": "/spec/containers/-", "value": 1},
        {"op": "add", "path": "/spec/~7", "value": 1},
        {"op": "test", "path": "/kind", "value": "x"},
        {"op": "move", "path": "/a", "from": "/b"},
        {"op": "move", "path": "/spec/a", "from": "/spec"},
    ],
)
def test_an_operation_that_does_not_apply_is_an_error_that_names_it(operation: dict[str, Any]) -> None:
    sent = pod()
    before = copy.deepcopy(sent)

    with pytest.raises(InapplicablePatchError, match=f"{operation['op']} "):
        apply_patch(sent, read_patch([operation]))

    assert sent == before


KEYS = st.sampled_from(["a", "b", "c~d", "e/f"])
LEAVES = st.integers(0, 3) | st.booleans() | st.none()
DOCUMENTS = st.recursive(
    LEAVES,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(KEYS, children, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(KEYS, DOCUMENTS, max_size=3)
POINTER = st.lists(st.sampled_from(["a", "b", "c~0d", "e~1f", "0", "1", "-"]), min_size=1, max_size=4).map(
    lambda segments: "/" + "/".join(segments)
)
OPERATIONS = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["add", "replace"]), "path": POINTER, "value": DOCUMENTS}),
    st.fixed_dictionaries({"op": st.just("remove"), "path": POINTER}),
    st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "path": POINTER, "from": POINTER}),
)


@given(OBJECTS, st.lists(OPERATIONS, max_size=4))
def test_applying_changes_the_copy_alone_and_agrees_with_the_library(
    document: dict[str, Any], operations: list[dict[str, Any]]
) -> None:
    before, patch = copy.deepcopy(document), copy.deepcopy(operations)
    try:
        patched = apply_patch(document, read_patch(operations))
    except InapplicablePatchError:
        return
    finally:
        assert document == before
        assert operations == patch

    assert patched == jsonpatch.apply_patch(before, patch)
