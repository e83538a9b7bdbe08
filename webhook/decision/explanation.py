"""What humans read of verdicts: the denial's message, warnings and audit annotations.

Written for kubectl, which prints the message after `denied the request:` and keeps its line breaks.
"""

from collections.abc import Iterable, Sequence

from webhook.admission.path import render_path
from webhook.decision.verdict import EvaluationProblem, Outcome, PolicyVerdict, Violation
from webhook.policy.metadata import EnforcementAction, FailureAction

MESSAGE_CHARACTERS = 65_536
"""A longer message says how many violations it leaves out."""
ANNOTATION_CHARACTERS = 4096


def explain_denial(verdicts: Sequence[PolicyVerdict]) -> str:
    """Write the message of a denial: every violation that denies, by policy, with place and remedy."""
    denying = [verdict for verdict in verdicts if _denied(verdict) or _denies_by_error(verdict)]
    return _cut("\n\n".join((_summarise(denying), *map(_explain_verdict, denying))))


def explain_warnings(verdicts: Iterable[PolicyVerdict]) -> tuple[str, ...]:
    """Write one warning for each violation that warns, for what there is to add, and for each error that only warns."""
    warnings = []
    for verdict in verdicts:
        source = f"{verdict.policy} {verdict.version}"
        if verdict.outcome is Outcome.EXEMPT:
            warnings.append(f"{source}: {verdict.note}")
            continue
        for violation in verdict.violations:
            if violation.action is EnforcementAction.WARN:
                existing = "already in the old object: " if violation.standing else ""
                warnings.append(f"{source}: {existing}{_describe(violation)}")
        if verdict.outcome is Outcome.WARN and verdict.note:
            warnings.append(f"{source}: {verdict.note}")
        if verdict.error is not None and verdict.failure_action is FailureAction.WARN:
            warnings.append(f"{source}: {_describe_error(verdict.error)}")
    return tuple(warnings)


def explain_audit(verdicts: Iterable[PolicyVerdict]) -> dict[str, str]:
    """Write audit annotations: policies by outcome, and the violations that nobody else is told of."""
    by_outcome: dict[str, list[str]] = {}
    audited: list[str] = []
    for verdict in verdicts:
        if verdict.outcome is Outcome.ALLOW:
            continue
        source = f"{verdict.policy}@{verdict.version}"
        count = len(verdict.violations) + verdict.omitted
        detail = verdict.error.code if verdict.error is not None else count
        by_outcome.setdefault(verdict.outcome.value, []).append(f"{source} ({detail})")
        audited += [
            f"{source}: {_describe(violation)}"
            for violation in verdict.violations
            if violation.action is EnforcementAction.AUDIT or verdict.outcome is Outcome.EXEMPT
        ]
    annotations = {outcome: ", ".join(policies) for outcome, policies in by_outcome.items()}
    if audited:
        annotations["violations"] = "; ".join(audited)
    return {
        key: text if len(text) <= ANNOTATION_CHARACTERS else text[: ANNOTATION_CHARACTERS - 1] + "…"
        for key, text in annotations.items()
    }


def _denied(verdict: PolicyVerdict) -> list[Violation]:
    if verdict.outcome is Outcome.EXEMPT:
        return []
    return [violation for violation in verdict.violations if violation.action is EnforcementAction.DENY]


def _denies_by_error(verdict: PolicyVerdict) -> bool:
    return verdict.error is not None and verdict.failure_action is FailureAction.DENY


def _summarise(verdicts: Sequence[PolicyVerdict]) -> str:
    violations = sum(len(_denied(verdict)) + verdict.omitted for verdict in verdicts)
    failed = sum(map(_denies_by_error, verdicts))
    counts = []
    if violations:
        noun = "violation" if violations == 1 else "violations"
        counts.append(f"{violations} {noun} of {_count_policies(len(verdicts) - failed)}")
    if failed:
        counts.append(f"{_count_policies(failed)} could not be evaluated")
    return "; ".join(counts)


def _explain_verdict(verdict: PolicyVerdict) -> str:
    if verdict.error is not None:
        lines = [f"{_describe_error(verdict.error)}; its failure action is deny"]
    else:
        remedies = dict.fromkeys(v.remediation for v in _denied(verdict) if v.remediation)
        more = [f"… and {verdict.omitted} more"] if verdict.omitted else []
        lines = [*map(_describe, _denied(verdict)), *more, *(f"Fix: {remedy}" for remedy in remedies)]
    if verdict.note:
        lines.append(verdict.note)
    return "\n".join((f"{verdict.policy} {verdict.version}", *map(_indent, lines)))


def _describe(violation: Violation) -> str:
    place = render_path(violation.path)
    return f"{place}: {violation.message}" if place else violation.message


def _describe_error(error: EvaluationProblem) -> str:
    return f"could not be evaluated ({error.code}): {error.message}"


def _count_policies(number: int) -> str:
    return "1 policy" if number == 1 else f"{number} policies"


def _indent(text: str) -> str:
    return "  " + text.replace("\n", "\n    ")


def _cut(message: str) -> str:
    if len(message) <= MESSAGE_CHARACTERS:
        return message
    kept = message[:MESSAGE_CHARACTERS].rpartition("\n")[0]
    left_out = message.count("\n") - kept.count("\n")
    return f"{kept}\n… and {left_out} more lines"
