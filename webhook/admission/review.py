"""AdmissionReview in: one strict decode into plain Python, with a typed view of the envelope.

Owns what an `admission.k8s.io/v1` request looks like. Must not know what any object means: `object` and
`oldObject` stay the dicts that the JSON decoder made, and are never copied.
Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import enum
from typing import Any

import msgspec

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
MAX_DEPTH = 128
"""Deepest nesting of the whole document; Kubernetes objects stay below 40."""


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


def decode_review(body: bytes) -> Review:
    """Decode the body of an admission call.

    A duplicate key keeps its last value, as in the API server's own decoder.

    Raises:
        MalformedReviewError: not JSON, not UTF-8, nested too deep, or not an AdmissionReview.
        UnsupportedReviewError: an AdmissionReview of another version than `admission.k8s.io/v1`.

    """
    raise NotImplementedError
