import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.response import (
    ALL_WARNINGS_CHARACTERS,
    WARNING_CHARACTERS,
    AdmissionResponse,
    encode_response,
    fit_warnings,
)


def respond(**fields: Any) -> dict[str, Any]:
    document = json.loads(encode_response(AdmissionResponse(**{"uid": "u-1", "allowed": True, **fields})))
    assert (document["apiVersion"], document["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = document["response"]
    return response


def test_a_plain_allowance_is_the_uid_and_nothing_else() -> None:
    assert respond() == {"uid": "u-1", "allowed": True}


@given(st.text())
def test_any_uid_is_echoed(uid: str) -> None:
    assert respond(uid=uid)["uid"] == uid


def test_a_denial_has_code_reason_and_message() -> None:
    assert respond(allowed=False, code=403, reason="Forbidden", message="no\nway") == {
        "uid": "u-1",
        "allowed": False,
        "status": {"code": 403, "status": "Failure", "reason": "Forbidden", "message": "no\nway"},
    }


def test_a_patch_is_base64_of_json_patch() -> None:
    operations = ({"op": "add", "path": "/spec/x", "value": {"a": [1, None, "é"]}},)

    response = respond(patch=operations)

    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == list(operations)


def test_warnings_are_one_line_without_control_characters() -> None:
    assert respond(warnings=["a\r\nb\tc\x00\x1b[31m\u2028d", " ", ""])["warnings"] == ["a b c [31m d"]


def test_a_long_warning_is_cut_with_an_ellipsis() -> None:
    (warning,) = respond(warnings=["ü" * 300])["warnings"]

    assert len(warning) == WARNING_CHARACTERS
    assert warning.endswith("ü…")


def test_warnings_that_do_not_fit_are_counted() -> None:
    warnings = fit_warnings(["w" * 200] * 30)

    assert warnings[-1] == "10 more warnings"
    assert len(warnings) == 21


@given(st.lists(st.text(max_size=400), max_size=60))
def test_warnings_always_fit_the_api_servers_limits(texts: list[str]) -> None:
    warnings = fit_warnings(texts)

    assert all(0 < len(text) <= WARNING_CHARACTERS for text in warnings)
    assert sum(map(len, warnings)) <= ALL_WARNINGS_CHARACTERS
    assert all(text.isprintable() or not any(ord(char) < 32 for char in text) for text in warnings)


def test_annotation_keys_become_names_that_the_api_server_accepts() -> None:
    keys = {"deny": "a", "gradate.dev/x y": "b", "-._": "dropped", "k" * 100: "c"}

    assert respond(audit_annotations=keys)["auditAnnotations"] == {
        "deny": "a",
        "gradate.dev-x-y": "b",
        "k" * 63: "c",
    }


def test_lone_surrogates_do_not_break_the_answer() -> None:
    response = respond(
        allowed=False, code=403, message="a\ud800b", warnings=["\udfff"], audit_annotations={"k": "\ud9ff"}
    )

    assert response["status"]["message"] == "a\ufffdb"
    assert response["warnings"] == ["\ufffd"]
    assert response["auditAnnotations"] == {"k": "\ufffd"}
