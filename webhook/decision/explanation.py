"""What humans read of verdicts: the denial's message, warnings and audit annotations.

Written for kubectl, which prints the message after `denied the request:` and keeps its line breaks.
"""

from collections.abc import Iterable, Sequence

from webhook.admission.path import render_path
from webhook.decision.verdict import Outcome, PolicyVerdict, Violation
from webhook.policy.metadata import EnforcementAction, FailureAction

MESSAGE_CHARACTERS = 65_536
"""A longer message says how many violations it leaves out."""
ANNOTATION_CHARACTERS = 4096


def explain_denial(verdicts: Sequence[PolicyVerdict]) -> str:
    """Write the message of a denial: every violation that denies, by policy, with place and remedy."""
    paragraphs = []
    total = 0
    for verdict in verdicts:
        lines = [_indent(_describe(violation)) for violation in _denying(verdict)]
        if verdict.error is not None and verdict.failure_action is FailureAction.DENY:
            lines.append(_indent(f"{_describe_error(verdict)}; its failure action is deny"))
        if not lines:
            continue
        total += len(lines)
        remedies = dict.fromkeys(v.remediation for v in _denying(verdict) if v.remediation)
        lines += [_indent(f"Fix: {remedy}") for remedy in remedies]
        paragraphs.append("\n".join((f"{verdict.policy} {verdict.version}", *lines)))
    count = f"{_count(total, 'violation')} of {_count(len(paragraphs), 'policy', 'policies')}"
    return _cut("\n\n".join((count, *paragraphs)))


def explain_warnings(verdicts: Iterable[PolicyVerdict]) -> tuple[str, ...]:
    """Write one warning for each violation that warns, and for each error whose failure action is warn."""
    warnings = []
    for verdict in verdicts:
        source = f"{verdict.policy} {verdict.version}"
        for violation in verdict.violations:
            if violation.action is EnforcementAction.WARN:
                existing = "already in the old object: " if violation.standing else ""
                warnings.append(f"{source}: {existing}{_describe(violation)}")
        if verdict.error is not None and verdict.failure_action is FailureAction.WARN:
            warnings.append(f"{source}: {_describe_error(verdict)}")
    return tuple(warnings)


def explain_audit(verdicts: Iterable[PolicyVerdict]) -> dict[str, str]:
    """Write audit annotations: policies by outcome, and the violations that nobody else is told of."""
    by_outcome: dict[str, list[str]] = {}
    audited: list[str] = []
    for verdict in verdicts:
        if verdict.outcome is Outcome.ALLOW:
            continue
        source = f"{verdict.policy}@{verdict.version}"
        detail = verdict.error.code if verdict.error is not None else len(verdict.violations)
        by_outcome.setdefault(verdict.outcome, []).append(f"{source} ({detail})")
        audited += [
            f"{source}: {_describe(violation)}"
            for violation in verdict.violations
            if violation.action is EnforcementAction.AUDIT
        ]
    annotations = {outcome: ", ".join(policies) for outcome, policies in by_outcome.items()}
    if audited:
        annotations["violations"] = "; ".join(audited)
    return {
        key: text if len(text) <= ANNOTATION_CHARACTERS else text[: ANNOTATION_CHARACTERS - 1] + "…"
        for key, text in annotations.items()
    }


def _denying(verdict: PolicyVerdict) -> list[Violation]:
    return [violation for violation in verdict.violations if violation.action is EnforcementAction.DENY]


def _describe(violation: Violation) -> str:
    place = render_path(violation.path)
    return f"{place}: {violation.message}" if place else violation.message


def _describe_error(verdict: PolicyVerdict) -> str:
    if verdict.error is None:
        return ""
    return f"could not be evaluated ({verdict.error.code}): {verdict.error.message}"


def _count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def _indent(text: str) -> str:
    return "  " + text.replace("\n", "\n    ")


def _cut(message: str) -> str:
    if len(message) <= MESSAGE_CHARACTERS:
        return message
    kept = message[:MESSAGE_CHARACTERS].rpartition("\n")[0]
    left_out = message.count("\n") - kept.count("\n")
    return f"{kept}\n… and {left_out} more lines"
