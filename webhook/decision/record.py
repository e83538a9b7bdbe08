"""The decision record: what logs and the journal may keep of one request. No bodies, no environment values."""

from typing import Any

import msgspec

from webhook.admission.path import render_path
from webhook.admission.review import AdmissionRequest
from webhook.decision.decision import Decision
from webhook.decision.verdict import PolicyVerdict, Violation


class VerdictRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One policy's verdict, flat."""

    policy: str
    version: str
    digest: str = ""
    outcome: str
    duration_ns: int = 0
    violations: tuple[dict[str, Any], ...] = ()
    """`{rule, action, message, path, standing}`; path as Kubernetes writes it."""
    omitted: int = 0
    """Further violations."""
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
    return DecisionRecord(
        uid=request.uid,
        operation=request.operation,
        group=request.kind.group,
        version=request.kind.version,
        kind=request.kind.kind,
        sub_resource=request.sub_resource,
        namespace=request.namespace,
        name=request.name or _name(request.object),
        username=request.user_info.username,
        dry_run=bool(request.dry_run),
        allowed=decision.allowed,
        outcome=decision.outcome,
        code=decision.code,
        patched=bool(decision.patch),
        warnings=len(decision.warnings),
        verdicts=tuple(map(_record_verdict, decision.verdicts)),
    )


def _name(judged: Any) -> str:
    metadata = judged.get("metadata") if type(judged) is dict else None
    if type(metadata) is not dict:
        return ""
    name = metadata.get("name") or metadata.get("generateName")
    return name if type(name) is str else ""


def _record_verdict(verdict: PolicyVerdict) -> VerdictRecord:
    return VerdictRecord(
        policy=verdict.policy,
        version=verdict.version,
        digest=verdict.digest,
        outcome=verdict.outcome,
        duration_ns=verdict.duration_ns,
        violations=tuple(map(_record_violation, verdict.violations)),
        omitted=verdict.omitted,
        error=f"{verdict.error.code}: {verdict.error.message}" if verdict.error else "",
    )


def _record_violation(violation: Violation) -> dict[str, Any]:
    return {
        "rule": violation.rule,
        "action": violation.action,
        "message": violation.message,
        "path": render_path(violation.path),
        "standing": violation.standing,
    }
