"""Divergences: how the answers of a candidate and of stable to one request differ, rule by rule. Pure.

Owns what makes a finding `newly-denied`, `newly-allowed` or `agreed`, what makes a request a trial, and the redacted
sample that a reviewer sees. Verdicts come redacted; nothing else of the object gets in.

An answer is as strong as what it does: it lets pass, it speaks against the object (a warning, an audit, a
violation that stood before), it denies. A candidate that denies where stable only warned is *newly* denying, though
both found the same; else the change from `warn` to `deny` would need no review.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from webhook.admission.path import render_path
from webhook.decision.verdict import Outcome, PolicyVerdict, Violation
from webhook.flows.judging import Case
from webhook.policy.metadata import EnforcementAction
from webhook.rollout.finding import FindingKind
from webhook.rollout.strategy import Mode

_SHOWN_VIOLATIONS = 5
_MESSAGE_CHARACTERS = 500
_DETAILS_BYTES = 2_048
_encode = msgspec.json.Encoder(enc_hook=repr).encode
_decode = msgspec.json.Decoder().decode


class Strength(enum.IntEnum):
    """What an answer does to the object."""

    PASSES = 0
    OBJECTS = 1
    DENIES = 2


@dataclass(frozen=True, slots=True)
class Divergence:
    """What is to be said of one rule, by the version that raised it."""

    rule: str
    kind: FindingKind
    violations: Sequence[Violation]
    """Those of the rule; one at least."""


def strength_of(verdict: PolicyVerdict | None) -> Strength:
    """Tell what a verdict does; none, a failed and a permitted one pass."""
    if verdict is None or not verdict.violates:
        return Strength.PASSES
    return Strength.DENIES if verdict.outcome is Outcome.DENY else Strength.OBJECTS


def compare(candidate: PolicyVerdict | None, stable: PolicyVerdict | None) -> Sequence[Divergence]:
    """Compare the answers to one request; None is a version that does not judge it.

    Returns:
        One for each rule that either raised; none when both let pass.

    """
    if candidate is not None and not _answered(candidate):
        return ()  # it gave no answer that could differ
    ours, theirs = strength_of(candidate), strength_of(stable)
    if not ours and not theirs:
        return ()
    found: dict[str, Divergence] = {}
    if candidate is not None and ours:
        for rule, violations in _by_rule(candidate).items():
            newly = max(map(_strength_of_violation, violations)) > theirs
            kind = FindingKind.NEWLY_DENIED if newly else FindingKind.AGREED
            found[rule] = Divergence(rule, kind, violations)
    if stable is not None and theirs > ours:
        for rule, violations in _by_rule(stable).items():
            if max(map(_strength_of_violation, violations)) > ours:
                found[rule] = Divergence(rule, FindingKind.NEWLY_ALLOWED, violations)
    return list(found.values())


def diverges(divergences: Sequence[Divergence]) -> bool:
    """Tell whether the versions answered otherwise."""
    return any(divergence.kind is not FindingKind.AGREED for divergence in divergences)


def is_clean_trial(candidate: PolicyVerdict | None, stable: PolicyVerdict | None) -> bool:
    """Tell whether a request on which nothing was raised counts as a workload that the candidate let pass.

    It does only when both versions gave an answer: what an exception permits is not known to be benign, nor is
    what stable could not judge.
    """
    return candidate is not None and _answered(candidate) and (stable is None or _answered(stable))


def make_sample(
    case: Case,
    mode: Mode,
    divergence: Divergence,
    candidate: PolicyVerdict | None,
    stable: PolicyVerdict | None,
) -> Mapping[str, Any]:
    """Make what a reviewer sees: plain JSON of at most a few kilobytes."""
    first = divergence.violations[0]
    return {
        "message": _text(first.message),
        "path": _text(render_path(first.path)),
        "details": _details(first.details),
        "violations": len(divergence.violations),
        "mode": mode.value,
        "operation": case.request.operation.value,
        "kind": case.request.kind.kind,
        "stable": _answer(stable),
        "candidate": _answer(candidate),
    }


def _by_rule(verdict: PolicyVerdict) -> Mapping[str, Sequence[Violation]]:
    rules: dict[str, list[Violation]] = {}
    for violation in verdict.violations:
        rules.setdefault(violation.rule, []).append(violation)
    return rules


def _strength_of_violation(violation: Violation) -> Strength:
    return Strength.DENIES if violation.action is EnforcementAction.DENY else Strength.OBJECTS


def _answered(verdict: PolicyVerdict) -> bool:
    return verdict.error is None and verdict.outcome is not Outcome.EXEMPT


def _answer(verdict: PolicyVerdict | None) -> Mapping[str, Any] | None:
    if verdict is None:
        return None
    answer: dict[str, Any] = {"version": verdict.version, "outcome": verdict.outcome.value}
    if verdict.violations:
        answer["violations"] = [
            {
                "rule": violation.rule,
                "action": violation.action.value,
                "message": _text(violation.message),
                "path": _text(render_path(violation.path)),
            }
            for violation in verdict.violations[:_SHOWN_VIOLATIONS]
        ]
        if (others := len(verdict.violations) - _SHOWN_VIOLATIONS) > 0:
            answer["others"] = others
    if verdict.error is not None:
        answer["error"] = _text(f"{verdict.error.code}: {verdict.error.message}")
    return answer


def _text(text: str) -> str:
    # A policy may build text that is not UTF-8; a store must still take it.
    shown = text if len(text) <= _MESSAGE_CHARACTERS else text[: _MESSAGE_CHARACTERS - 1] + "…"
    return shown.encode(errors="replace").decode()


def _details(details: Mapping[str, Any]) -> Any:
    try:
        document = _encode(details)
    except (TypeError, ValueError, RecursionError):
        return "[not JSON]"
    return _decode(document) if len(document) <= _DETAILS_BYTES else f"[{len(document):,} bytes, left out]"
