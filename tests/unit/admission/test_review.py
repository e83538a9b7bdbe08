import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.reviews import pod, request_document, review_body, review_of
from webhook.admission.errors import AdmissionError, MalformedReviewError, UnsupportedReviewError
from webhook.admission.review import MAX_DEPTH, Operation, decode_review


def test_a_review_is_decoded_with_its_typed_envelope() -> None:
    review = review_of(pod(), dryRun=True)

    request = review.request
    assert request.uid == "705ab4f5-6393-11e8-b7cc-42010a800002"
    assert (request.kind.group, request.kind.version, request.kind.kind) == ("", "v1", "Pod")
    assert request.resource.resource == "pods"
    assert request.operation is Operation.CREATE
    assert (request.namespace, request.name) == ("shop", "web-1")
    assert request.user_info.username == "maria"
    assert request.dry_run is True


def test_objects_are_shared_with_the_raw_document_and_never_copied() -> None:
    review = review_of(pod(), old=pod())

    assert review.request.object is review.document["object"]
    assert review.request.old_object is review.document["oldObject"]


def test_what_the_api_server_leaves_out_or_sends_as_null_is_accepted() -> None:
    request = request_document(
        pod(), dryRun=None, userInfo={"username": "x", "groups": None, "extra": {"a": ["b"]}}
    )
    for absent in ("name", "namespace", "requestKind", "requestResource", "options", "oldObject"):
        del request[absent]

    decoded = decode_review(review_body(request)).request

    assert (decoded.name, decoded.namespace, decoded.old_object, decoded.dry_run) == ("", "", None, None)


def test_a_delete_needs_no_object() -> None:
    assert review_of(None, kind="Pod", old=pod(), operation="DELETE").request.object is None


def test_a_duplicate_key_keeps_its_last_value_as_in_the_api_server() -> None:
    body = review_body(request_document(pod())).replace(b'"uid":', b'"uid":"first","uid":', 1)

    assert decode_review(body).request.uid == "705ab4f5-6393-11e8-b7cc-42010a800002"


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"uid": ""}, "request.uid", "must not be empty"),
        ({"uid": 7}, "request.uid", "expected str, got int"),
        ({"uid": None}, "request.uid", "expected str, got null"),
        ({"operation": "PATCH"}, "request.operation", "invalid enum value 'PATCH'"),
        ({"operation": "x - at `$.uid`"}, "request.operation", "invalid enum value 'x - at $.uid'"),
        ({"operation": "X" * 999}, "request.operation", "invalid enum value '" + "X" * 108 + "…"),
        ({"operation": None}, "request.operation", "expected str, got null"),
        ({"kind": "Pod"}, "request.kind", "expected object, got str"),
        ({"kind": {"kind": 1}}, "request.kind.kind", "expected str, got int"),
        ({"object": "x"}, "request.object", "must be an object, not a string"),
        ({"object": []}, "request.object", "must be an object, not an array"),
        ({"object": True}, "request.object", "must be an object, not a boolean"),
        ({"object": None}, "request.object", "is required for CREATE"),
        ({"oldObject": 3}, "request.oldObject", "must be an object, not a number"),
        ({"namespace": []}, "request.namespace", "expected str, got array"),
        ({"dryRun": "yes"}, "request.dryRun", "expected bool | null, got str"),
    ],
)
def test_a_bad_field_of_the_request_is_named(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(MalformedReviewError) as caught:
        decode_review(review_body({**request_document(pod()), **changes}))

    assert (caught.value.field, caught.value.reason) == (field, reason)


@pytest.mark.parametrize("field", ["uid", "kind", "operation"])
def test_a_missing_field_of_the_request_is_named(field: str) -> None:
    request = request_document(pod())
    del request[field]

    with pytest.raises(MalformedReviewError, match=f"request.{field}: is required"):
        decode_review(review_body(request))


@pytest.mark.parametrize(
    ("envelope", "message"),
    [
        ({"apiVersion": "v1"}, "apiVersion: must be admission.k8s.io/v1, not 'v1'"),
        ({"apiVersion": None}, "apiVersion: must be admission.k8s.io/v1, not missing"),
        ({"apiVersion": 1}, "apiVersion: must be admission.k8s.io/v1, not a number"),
        ({"kind": "Pod"}, "kind: must be AdmissionReview, not 'Pod'"),
        ({"request": None}, "request: must be an object, not null"),
        ({"request": []}, "request: must be an object, not an array"),
    ],
)
def test_a_wrong_envelope_is_named(envelope: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedReviewError) as caught:
        decode_review(review_body(request_document(pod()), **envelope))

    assert str(caught.value) == message


@pytest.mark.parametrize("version", ["v1beta1", "v2"])
def test_another_version_of_the_review_is_refused_with_the_one_that_is_served(version: str) -> None:
    with pytest.raises(
        UnsupportedReviewError, match=f"'admission.k8s.io/{version}' is not served; send admission.k8s.io/v1"
    ):
        decode_review(review_body(request_document(pod()), apiVersion=f"admission.k8s.io/{version}"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"{", "malformed JSON: input data was truncated"),
        (b'{"a":}', "malformed JSON at byte 5: invalid character"),
        (b"{} {}", "malformed JSON at byte 4: trailing characters"),
        (b"[1e999]", "malformed JSON: number out of range"),
        (b'{"a": "\xff"}', "not UTF-8 text (byte 7)"),
        (b'{"\xc3\x28": 1}', "not UTF-8 text (byte 2)"),
        (b"\xef\xbb\xbf{}", "malformed JSON at byte 0: invalid character"),
        (b"[]", "an AdmissionReview is a JSON object"),
        (b"null", "an AdmissionReview is a JSON object"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused_with_its_place(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedReviewError) as caught:
        decode_review(body)

    assert (caught.value.field, caught.value.reason) == ("", reason)


def nested(depth: int, opening: str, closing: str) -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


@pytest.mark.parametrize("depth", [200, 5_000, 200_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"}":', "}]"), ('["]",', "]")]
)
def test_deep_nesting_is_refused(depth: int, opening: str, closing: str) -> None:
    body = review_body({}).replace(b"{}", b'{"object":{"spec":' + nested(depth, opening, closing) + b"}}")

    with pytest.raises(MalformedReviewError, match=f"nested deeper than {MAX_DEPTH} levels"):
        decode_review(body)


def test_many_shallow_containers_are_not_taken_for_deep_nesting() -> None:
    annotations = {"metadata": {"annotations": {"x": "{[" * 500, "y": '"{' * 500}}}
    sent = {**pod({"containers": [{"name": "a", "env": [{"name": "n", "value": "v"}] * 500}]}), **annotations}

    assert review_of(sent).request.object == sent


def depth_of(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = 1 if isinstance(value, dict | list) else 0
    return own + max(map(depth_of, children), default=0)


@given(
    st.recursive(
        st.text('{}[]"\\ab', max_size=6) | st.none(),
        lambda children: (
            st.lists(children, max_size=4)
            | st.dictionaries(st.text('{}[]"a', max_size=3), children, max_size=4)
        ),
        max_leaves=60,
    ),
    st.integers(1, MAX_DEPTH + 4),
)
def test_exactly_the_documents_deeper_than_the_limit_are_refused(filling: Any, layers: int) -> None:
    sent: Any = filling
    for layer in range(layers):
        sent = {"x": sent, "}": "]"} if layer % 2 else [sent, "[{"]
    document = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"object": {"x": sent}},
    }

    with pytest.raises(MalformedReviewError) as caught:
        decode_review(json.dumps(document).encode())

    assert (caught.value.field == "") is (depth_of(document) > MAX_DEPTH)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_is_sent_only_the_documented_errors_come_back(body: bytes) -> None:
    with pytest.raises(AdmissionError):
        decode_review(body)
