import pytest

from tests.support.reviews import POINTERS, pod, pod_spec, review_of, workload
from webhook.admission.document import Document, build_document, build_old_document, with_parameters
from webhook.admission.review import Review
from webhook.admission.workload import PodView, find_pod


def document_of(review: Review) -> Document:
    view = find_pod(review.request)
    assert isinstance(view, PodView)
    return build_document(review, view)


def test_a_pod_policy_sees_the_request_as_opa_and_gatekeeper_users_know_it() -> None:
    review = review_of(pod())

    document = with_parameters(document_of(review), {"allowed": ["x"]})

    assert document == {
        "request": review.document,
        "review": review.document,
        "parameters": {"allowed": ["x"]},
    }
    assert document["request"]["object"] is review.document["object"]


def test_parameters_of_one_policy_do_not_reach_the_next() -> None:
    document = document_of(review_of(pod()))

    with_parameters(document, {"a": 1})

    assert "parameters" not in document


@pytest.mark.parametrize("kind", [kind for kind in POINTERS if kind != "Pod"])
def test_a_pod_policy_sees_a_workload_as_a_pod_with_the_real_object_beside_it(kind: str) -> None:
    review = review_of(workload(kind))

    document = document_of(review)

    request = document["request"]
    assert document["review"] is request
    assert request["kind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    assert request["requestKind"]["kind"] == kind
    assert (request["name"], request["namespace"], request["uid"]) == ("web", "shop", review.request.uid)
    assert request["object"]["spec"] == pod_spec()
    assert document["workload"] == {
        "kind": kind,
        "object": review.request.object,
        "oldObject": None,
        "pointer": POINTERS[kind],
    }


def test_a_policy_for_the_workloads_own_kind_sees_the_object_as_it_was_sent() -> None:
    review = review_of(workload("Deployment"))

    document = build_document(review, None)

    assert document["request"] is review.document
    assert "workload" not in document


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_the_old_object_is_judged_as_if_it_were_sent_again(kind: str) -> None:
    review = review_of(workload(kind, pod_spec(image="new")), old=workload(kind, pod_spec(image="old")))
    document = document_of(review)

    old = build_old_document(document)

    assert old is not None
    assert old["request"]["object"]["spec"]["containers"][0]["image"] == "old"
    assert old["review"] is old["request"]
    assert old["request"]["operation"] == "UPDATE"
    if kind == "Deployment":
        assert old["workload"]["object"] is review.request.old_object
    assert document["request"]["object"]["spec"]["containers"][0]["image"] == "new"


def test_a_create_has_no_old_document() -> None:
    assert build_old_document(document_of(review_of(pod()))) is None


def test_a_pod_without_a_name_is_shown_with_its_generate_name_in_both_places() -> None:
    document = document_of(review_of(pod(name="", generateName="web-")))

    assert document["request"]["object"]["metadata"]["name"] == "web-"
    assert document["review"]["object"]["metadata"]["name"] == "web-"
