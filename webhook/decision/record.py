"""The decision record: what logs and the journal may keep of one request. No bodies, no environment values."""

from typing import Any

import msgspec

from webhook.admission.review import AdmissionRequest
from webhook.decision.decision import Decision


class VerdictRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One policy's verdict, flat."""

    policy: str
    version: str
    digest: str = ""
    outcome: str
    duration_ns: int = 0
    violations: tuple[dict[str, Any], ...] = ()
    """`{rule, action, message, path, standing}`; path as Kubernetes writes it."""
    error: str = ""
    """`code: message`."""


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One request and what was decided."""

    uid: str
    operation: str
    group: str = ""
    version: str = ""
    kind: str
    sub_resource: str = ""
    namespace: str = ""
    name: str = ""
    """The object's, or its `generateName`."""
    username: str = ""
    dry_run: bool = False
    allowed: bool
    outcome: str
    code: int = 200
    patched: bool = False
    warnings: int = 0
    """How many were sent."""
    verdicts: tuple[VerdictRecord, ...] = ()


def record(request: AdmissionRequest, decision: Decision) -> DecisionRecord:
    """Record a decision."""
    raise NotImplementedError
