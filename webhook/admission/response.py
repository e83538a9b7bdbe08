"""AdmissionReview out: the bytes that answer one review.

Owns the limits that the API server sets on an answer. Must not know policies or verdicts.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from webhook.admission.review import API_VERSION, KIND

WARNING_CHARACTERS = 256
"""The API server cuts each warning here once there are many."""
ALL_WARNINGS_CHARACTERS = 4096
"""The API server drops what goes beyond this, over all warnings of one request."""
ANNOTATION_KEY_CHARACTERS = 63


class AdmissionResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one review."""

    uid: str
    allowed: bool
    code: int = 0
    """HTTP status for the client, such as 403; zero leaves the status out."""
    reason: str = ""
    """Machine-readable `metav1.StatusReason`, such as `Forbidden`."""
    message: str = ""
    """What the client reads."""
    warnings: Sequence[str] = ()
    """Cleaned and cut by `encode_response`."""
    audit_annotations: Mapping[str, str] = {}
    """By short key; the API server puts the webhook's name and a slash before it."""
    patch: Sequence[Mapping[str, Any]] = ()
    """JSONPatch operations (RFC 6902)."""


_ENCODER = msgspec.json.Encoder()
_HEAD = f'{{"apiVersion":"{API_VERSION}","kind":"{KIND}","response":{{"uid":'.encode()
_ALLOWED_TAIL = b',"allowed":true}}'
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NOT_IN_KEY = re.compile(r"[^A-Za-z0-9_.-]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def encode_response(response: AdmissionResponse) -> bytes:
    """Encode an AdmissionReview that holds `response`."""
    uid = _ENCODER.encode(response.uid)
    if response.allowed and not (
        response.code or response.warnings or response.audit_annotations or response.patch
    ):
        return _HEAD + uid + _ALLOWED_TAIL
    fields: dict[str, Any] = {"allowed": response.allowed}
    if response.code:
        fields["status"] = _status(response)
    if response.warnings:
        fields["warnings"] = fit_warnings(response.warnings)
    if response.audit_annotations:
        fields["auditAnnotations"] = _clean_annotations(response.audit_annotations)
    if response.patch:
        fields["patchType"] = "JSONPatch"
        fields["patch"] = base64.b64encode(_ENCODER.encode(response.patch)).decode("ascii")
    return _HEAD + uid + b"," + _ENCODER.encode(fields)[1:] + b"}"


def fit_warnings(warnings: Sequence[str]) -> tuple[str, ...]:
    """Clean warnings of control characters and cut them to the API server's limits.

    Where they do not all fit, the last one says how many were left out. Lengths count characters.
    Source: `pkg/endpoints/filters/warning.go` of kubernetes/apiserver.
    """
    cleaned = [text for text in map(_clean_warning, warnings) if text]
    if sum(map(len, cleaned)) <= ALL_WARNINGS_CHARACTERS:
        return tuple(cleaned)
    kept: list[str] = []
    room = ALL_WARNINGS_CHARACTERS - len(_left_out(len(cleaned)))
    for text in cleaned:
        room -= len(text)
        if room < 0:
            break
        kept.append(text)
    return (*kept, _left_out(len(cleaned) - len(kept)))


def _left_out(count: int) -> str:
    return f"{count} more warnings"


def _clean_warning(text: str) -> str:
    line = _CONTROL.sub(" ", _well_formed(text)).strip()
    return line if len(line) <= WARNING_CHARACTERS else line[: WARNING_CHARACTERS - 1] + "…"


def _well_formed(text: str) -> str:
    """Replace lone surrogates, which a JSON escape can make and UTF-8 cannot hold."""
    return _SURROGATE.sub("�", text) if not text.isascii() else text


def _status(response: AdmissionResponse) -> dict[str, Any]:
    status: dict[str, Any] = {"code": response.code}
    if not response.allowed:
        status["status"] = "Failure"
    if response.reason:
        status["reason"] = response.reason
    if response.message:
        status["message"] = _well_formed(response.message)
    return status


def _clean_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Make every key the name part of a qualified name, or the API server would drop the annotation.

    Source: `checkKeyFormat` in `pkg/admission/audit.go` of kubernetes/apiserver.
    """
    cleaned: dict[str, str] = {}
    for key, value in annotations.items():
        name = _NOT_IN_KEY.sub("-", key)[:ANNOTATION_KEY_CHARACTERS].strip("-_.")
        if name:
            cleaned[name] = _well_formed(value)
    return cleaned
