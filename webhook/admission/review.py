"""AdmissionReview in: one strict decode into plain Python, with a typed view of the envelope.

Owns what an `admission.k8s.io/v1` request looks like. Must not know what any object means: `object` and
`oldObject` stay the dicts that the JSON decoder made, and are never copied.
Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import enum
import re
from typing import Any

import msgspec

from webhook.admission.errors import MalformedReviewError, UnsupportedReviewError

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
MAX_DEPTH = 128
"""Deepest nesting of the whole document; Kubernetes objects stay below 40."""

_DECODER = msgspec.json.Decoder()
_GROUP_PREFIX = "admission.k8s.io/"
_SHOWN_CHARACTERS = 64
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_SYNTAX = re.compile(r"JSON is malformed: (?P<what>.*) \(byte (?P<offset>\d+)\)")
_VALIDATION = re.compile(r"(?P<reason>.*) - at `\$(?P<place>[^`]*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>\w+)`")
_NEITHER_BRACKET_NOR_QUOTE = bytes(byte for byte in range(256) if chr(byte) not in '{}[]"')
_JSON_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


class Operation(enum.StrEnum):
    """What the API request does to the object."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


class GroupVersionKind(msgspec.Struct, frozen=True):
    """The type of an object; the core group is empty."""

    group: str = ""
    version: str = ""
    kind: str = ""


class GroupVersionResource(msgspec.Struct, frozen=True):
    """The REST resource of an object; the core group is empty."""

    group: str = ""
    version: str = ""
    resource: str = ""


class UserInfo(msgspec.Struct, frozen=True):
    """Who sent the API request."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] | None = ()


class AdmissionRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The request of a review; fields as in Kubernetes, absent strings empty."""

    uid: str
    kind: GroupVersionKind
    operation: Operation
    resource: GroupVersionResource = GroupVersionResource()
    sub_resource: str = ""
    """`ephemeralcontainers`, `status`, …; empty for the object itself."""
    name: str = ""
    """Empty on CREATE with `generateName`."""
    namespace: str = ""
    """Empty for cluster-scoped objects."""
    user_info: UserInfo = UserInfo()
    object: Any = None
    """The decoded object itself, a dict or None; shared, never mutated."""
    old_object: Any = None
    """The stored object on UPDATE and DELETE, a dict or None; shared, never mutated."""
    dry_run: bool | None = None


class Review(msgspec.Struct, frozen=True):
    """One decoded AdmissionReview."""

    request: AdmissionRequest
    document: dict[str, Any]
    """The raw request as it was sent, which policies see; shares all its parts with `request`."""
    body: bytes = b""
    """What it was decoded from: keeping that takes an eighth of the memory, and nothing of the garbage collector."""


def decode_review(body: bytes) -> Review:
    """Decode the body of an admission call.

    A duplicate key keeps its last value, as in the API server's own decoder.

    Raises:
        MalformedReviewError: not JSON, not UTF-8, nested too deep, or not an AdmissionReview.
        UnsupportedReviewError: an AdmissionReview of another version than `admission.k8s.io/v1`.

    """
    review = _decode_json(body)
    _check_depth(body, review)
    document = _open_envelope(review)
    try:
        request = msgspec.convert(document, AdmissionRequest)
    except msgspec.ValidationError as error:
        raise _name_field(str(error)) from error
    _check_request(request)
    return Review(request, document, body)


def _decode_json(body: bytes) -> object:
    try:
        return _DECODER.decode(body)
    except UnicodeDecodeError as error:
        raise MalformedReviewError("", f"not UTF-8 text{_first_invalid_byte(body)}") from error
    except RecursionError as error:
        raise MalformedReviewError("", _TOO_DEEP) from error
    except msgspec.DecodeError as error:
        raise MalformedReviewError("", _explain_syntax(str(error), len(body))) from error


def _first_invalid_byte(body: bytes) -> str:
    """Find the offset in the whole body: the decoder counts from the start of the string."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f" (byte {error.start})"
    return ""


def _explain_syntax(message: str, size: int) -> str:
    if not size:
        return "the body is empty"
    found = _SYNTAX.fullmatch(message)
    if found:
        return f"malformed JSON at byte {found['offset']}: {found['what']}"
    return f"malformed JSON: {message.partition(' - at ')[0].lower()}"


def _check_depth(body: bytes, document: object) -> None:
    """Refuse nesting beyond `MAX_DEPTH`: code that walks the object by recursion must be safe to call.

    A document with few containers that are not empty cannot be deep, and counting is far cheaper than walking.
    Outside strings as many brackets close as open, so that half of them is the number of containers; brackets
    inside strings can only make the count larger: with the quotes kept, a pair `{}` lies either outside all
    strings or inside one.
    """
    brackets = body.translate(None, _NEITHER_BRACKET_NOR_QUOTE)
    containers = (len(brackets) - brackets.count(b'"')) // 2
    if containers < MAX_DEPTH or containers - brackets.count(b"{}") - brackets.count(b"[]") < MAX_DEPTH:
        return
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)  # type: ignore[attr-defined]
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise MalformedReviewError("", _TOO_DEEP)


def _open_envelope(review: object) -> dict[str, Any]:
    if type(review) is not dict:
        raise MalformedReviewError("", "an AdmissionReview is a JSON object")
    api_version, kind, request = review.get("apiVersion"), review.get("kind"), review.get("request")
    if api_version != API_VERSION:
        if kind == KIND and isinstance(api_version, str) and api_version.startswith(_GROUP_PREFIX):
            raise UnsupportedReviewError(api_version[:_SHOWN_CHARACTERS], API_VERSION)
        raise MalformedReviewError("apiVersion", f"must be {API_VERSION}, not {_show(api_version)}")
    if kind != KIND:
        raise MalformedReviewError("kind", f"must be {KIND}, not {_show(kind)}")
    if type(request) is not dict:
        raise MalformedReviewError("request", f"must be an object, not {_show_type(request)}")
    return request


def _check_request(request: AdmissionRequest) -> None:
    if not request.uid:
        raise MalformedReviewError("request.uid", "must not be empty")
    if type(request.object) is not dict:
        if request.object is not None:
            raise MalformedReviewError(
                "request.object", f"must be an object, not {_show_type(request.object)}"
            )
        if request.operation is Operation.CREATE or request.operation is Operation.UPDATE:
            raise MalformedReviewError("request.object", f"is required for {request.operation}")
    if request.old_object is not None and type(request.old_object) is not dict:
        raise MalformedReviewError(
            "request.oldObject", f"must be an object, not {_show_type(request.old_object)}"
        )


def _name_field(message: str) -> MalformedReviewError:
    """Turn the decoder's message into a field and a reason."""
    found = _VALIDATION.fullmatch(message)
    reason, place = (found["reason"], found["place"]) if found else (message, "")
    if len(reason) > _SHOWN_CHARACTERS * 2:
        reason = reason[: _SHOWN_CHARACTERS * 2] + "…"
    field = "request" + place
    missing = _MISSING.fullmatch(reason)
    if missing:
        return MalformedReviewError(f"{field}.{missing['field']}", "is required")
    return MalformedReviewError(field, reason[:1].lower() + reason[1:].replace("`", ""))


def _show(value: object) -> str:
    if value is None:
        return "missing"
    return repr(value[:_SHOWN_CHARACTERS]) if isinstance(value, str) else _show_type(value)


def _show_type(value: object) -> str:
    return _JSON_TYPES.get(type(value), "a value of another type")
