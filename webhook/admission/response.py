"""AdmissionReview out: the bytes that answer one review.

Owns limits that the API server sets on an answer. Must not know policies or verdicts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


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


def encode_response(response: AdmissionResponse) -> bytes:
    """Encode an AdmissionReview that holds `response`."""
    raise NotImplementedError


def fit_warnings(warnings: Sequence[str]) -> tuple[str, ...]:
    """Clean warnings of control characters and cut them to the API server's limits."""
    raise NotImplementedError
