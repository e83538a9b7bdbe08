from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.reviews import (
    POINTERS,
    pod,
    pod_spec,
    request_document,
    request_of,
    review_body,
    workload,
)
from webhook.admission.path import parse_pointer
from webhook.admission.review import AdmissionRequest, GroupVersionKind, Operation, decode_review
from webhook.admission.workload import PodView, ShapeProblem, find_pod, holds_pod, is_judged

KINDS = sorted(POINTERS)
CONTROLLERS = [kind for kind in KINDS if kind != "Pod"]
MUTABLE = [kind for kind in CONTROLLERS if kind != "Job"]


def view_of(sent: Any, **fields: Any) -> PodView:
    view = find_pod(request_of(sent, **fields))
    assert isinstance(view, PodView)
    return view


def with_image(kind: str, image: str) -> dict[str, Any]:
    return workload(kind, pod_spec(image=image))


@pytest.mark.parametrize("kind", KINDS)
def test_the_pod_of_every_workload_is_found_where_it_stands(kind: str) -> None:
    sent = workload(kind)

    view = view_of(sent)

    assert view.kind == kind
    assert view.pointer == POINTERS[kind]
    assert view.prefix == parse_pointer(POINTERS[kind])
    assert view.pod["spec"] == pod_spec()
    assert view.translate_path(("spec", "containers", 0)) == (*view.prefix, "spec", "containers", 0)


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_a_synthetic_pod_shares_its_spec_and_has_the_owners_namespace_and_name(kind: str) -> None:
    request = request_of(workload(kind))
    view = find_pod(request)

    assert isinstance(view, PodView)
    assert view.pod["spec"] is view.template["spec"]
    assert view.pod["metadata"] == {"labels": {"app": "web"}, "namespace": "shop", "name": "web"}
    assert (view.pod["apiVersion"], view.pod["kind"]) == ("v1", "Pod")
    assert view.template["metadata"] == {"labels": {"app": "web"}}, "the object sent is not changed"


def test_an_unnamed_owner_lends_its_generate_name() -> None:
    sent = workload("Job", name="", generateName="import-")

    assert view_of(sent).pod["metadata"]["name"] == "import-"


def test_a_pod_is_judged_as_it_was_sent() -> None:
    request = request_of(pod())
    view = find_pod(request)

    assert isinstance(view, PodView)
    assert view.pod is request.object


def test_a_pod_that_is_not_named_yet_shows_its_generate_name_so_that_rules_can_print_it() -> None:
    sent = pod(name=None, generateName="web-")
    request = request_of(sent)
    view = find_pod(request)

    assert isinstance(view, PodView)
    assert view.pod["metadata"]["name"] == "web-"
    assert request.object["metadata"]["name"] is None, "the object sent is not changed"


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_shows_the_old_pod_too(kind: str) -> None:
    view = view_of(with_image(kind, "new"), old=with_image(kind, "old"))

    assert view.old_pod is not None
    assert view.old_pod["spec"]["containers"][0]["image"] == "old"


def test_an_unreadable_old_object_is_no_old_pod() -> None:
    assert view_of(pod(), old=pod(spec="x")).old_pod is None


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": {"group": "", "version": "v1", "kind": "ConfigMap"}},
        {"kind": {"group": "example.com", "version": "v1", "kind": "Deployment"}},
        {"kind": {"group": "", "version": "v1", "kind": "Deployment"}},
        {"resource": {"group": "apps", "version": "v1", "resource": "widgets"}},
    ],
)
def test_an_object_of_another_type_holds_no_pod(fields: dict[str, Any]) -> None:
    request = decode_review(review_body({**request_document(workload("Deployment")), **fields})).request

    assert find_pod(request) is None
    assert not holds_pod(request)


def test_a_request_that_names_no_resource_goes_by_its_kind() -> None:
    document = request_document(workload("Deployment"))
    del document["resource"]

    assert isinstance(find_pod(decode_review(review_body(document)).request), PodView)


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v2"])
def test_the_version_of_a_workload_does_not_matter(version: str) -> None:
    document = request_document(workload("Deployment"))
    document["kind"]["version"] = version

    assert isinstance(find_pod(decode_review(review_body(document)).request), PodView)


@pytest.mark.parametrize(
    ("operation", "kind", "sub_resource", "judged"),
    [
        ("CREATE", "Pod", "", True),
        ("UPDATE", "Pod", "", True),
        ("DELETE", "Pod", "", False),
        ("CONNECT", "Pod", "exec", False),
        ("UPDATE", "Pod", "ephemeralcontainers", True),
        ("UPDATE", "Pod", "resize", True),
        ("UPDATE", "Pod", "status", False),
        ("CREATE", "Pod", "binding", False),
        ("CREATE", "Pod", "eviction", False),
        ("UPDATE", "Deployment", "status", False),
        ("UPDATE", "Deployment", "resize", False),
        ("UPDATE", "Deployment", "", True),
        ("CREATE", "Widget", "", True),
    ],
)
def test_what_is_judged_depends_on_operation_and_subresource(
    operation: str, kind: str, sub_resource: str, judged: bool
) -> None:
    sent = workload(kind) if kind in POINTERS else {"kind": kind}

    assert is_judged(request_of(sent, operation=operation, subResource=sub_resource)) is judged


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"kind": "Deployment", "spec": "x"}, "spec is not an object"),
        ({"kind": "Deployment", "spec": []}, "spec is not an object"),
        ({"kind": "Deployment", "spec": {"template": "x"}}, "spec.template is not an object"),
        ({"kind": "CronJob", "spec": {"jobTemplate": {"spec": 1}}}, "spec.jobTemplate.spec is not an object"),
        (workload("Deployment", "x"), "spec.template.spec is not an object"),
        (pod(spec=7), "spec is not an object"),
        ({"kind": "Pod", "metadata": "x"}, "metadata is not an object"),
        (pod({"containers": "x"}), "spec.containers is not a list"),
        (pod({"containers": {}}), "spec.containers is not a list"),
        (pod({"containers": [None]}), "spec.containers[0] is not an object"),
        (pod({"containers": [{"env": "x"}]}), "spec.containers[0].env is not a list"),
        (pod({"containers": [{}, {"env": ["x"]}]}), "spec.containers[1].env[0] is not an object"),
        (pod({"initContainers": [{"env": {}}]}), "spec.initContainers[0].env is not a list"),
        (pod({"ephemeralContainers": [[]]}), "spec.ephemeralContainers[0] is not an object"),
        (
            workload("CronJob", {"containers": 1}),
            "spec.jobTemplate.spec.template.spec.containers is not a list",
        ),
    ],
)
def test_a_field_of_a_type_that_kubernetes_never_sends_is_a_shape_problem(sent: Any, place: str) -> None:
    problem = find_pod(request_of(sent))

    assert isinstance(problem, ShapeProblem)
    assert str(problem) == place


@pytest.mark.parametrize(
    "sent",
    [
        {"kind": "Deployment"},
        {"kind": "Deployment", "spec": None},
        {"kind": "Deployment", "spec": {"template": None}},
        {"kind": "CronJob", "spec": {"jobTemplate": None}},
        {"kind": "PodTemplate", "template": None},
    ],
)
def test_a_workload_without_a_template_holds_no_pod(sent: Any) -> None:
    assert find_pod(request_of(sent)) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spec", [{}, {"containers": None}, {"containers": [{"name": "a", "env": None}]}])
def test_nulls_that_go_encodes_for_empty_lists_are_no_problem(kind: str, spec: Any) -> None:
    assert view_of(workload(kind, spec)).pod["spec"] == spec


@pytest.mark.parametrize("kind", KINDS)
def test_every_new_object_may_be_patched(kind: str) -> None:
    assert view_of(workload(kind)).patchable


@pytest.mark.parametrize("kind", MUTABLE)
def test_an_update_may_be_patched_only_when_it_changes_the_template(kind: str) -> None:
    old = with_image(kind, "old")

    assert view_of(with_image(kind, "new"), old=old).patchable
    assert not view_of({**old, "metadata": {"name": "web", "labels": {"new": "label"}}}, old=old).patchable


@pytest.mark.parametrize("kind", ["Pod", "Job"])
def test_an_update_of_an_immutable_template_is_never_patched(kind: str) -> None:
    assert not view_of(with_image(kind, "new"), old=with_image(kind, "old")).patchable


@pytest.mark.parametrize(("sub_resource", "patchable"), [("ephemeralcontainers", True), ("resize", False)])
def test_of_the_subresources_only_ephemeral_containers_may_be_completed(
    sub_resource: str, patchable: bool
) -> None:
    assert view_of(pod(), old=pod(spec={}), subResource=sub_resource).patchable is patchable


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController"])
@pytest.mark.parametrize("controlled", [True, False])
def test_a_copy_of_a_controllers_template_is_not_patched_since_the_controller_would_fight_it(
    kind: str, controlled: bool
) -> None:
    owners = [{"kind": "Deployment", "name": "web", "controller": controlled}, "x"]

    assert view_of(workload(kind, ownerReferences=owners)).patchable is not controlled


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "template", "jobTemplate", "containers", "env", "name", "generateName"]
            ),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(["metadata", "spec", "template"]), ANY_JSON),
    ANY_JSON,
)
def test_no_object_whatever_its_shape_raises(kind: str, sent: dict[str, Any], old: Any) -> None:
    found = find_pod(request_of(sent, kind=kind, old=old if isinstance(old, dict) else None))

    assert found is None or isinstance(found, PodView | ShapeProblem)


def test_the_removal_of_a_finalizer_from_an_object_being_deleted_is_not_judged() -> None:
    old = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}, "spec": {"x": 1}}
    new = {**old, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    request = AdmissionRequest(
        uid="1",
        kind=GroupVersionKind("", "v1", "Pod"),
        operation=Operation.UPDATE,
        object=new,
        old_object=old,
    )
    assert not is_judged(request)


def test_an_object_being_deleted_whose_spec_changes_is_judged() -> None:
    old = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"x": 1}}
    request = AdmissionRequest(
        uid="1",
        kind=GroupVersionKind("", "v1", "Pod"),
        operation=Operation.UPDATE,
        object={**old, "spec": {"x": 2}},
        old_object=old,
    )
    assert is_judged(request)
