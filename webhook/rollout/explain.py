"""A rollout in plain words: where it is, why, what it needs, and when that is expected at the present rate.

Says what `webhook.rollout.assessment` found; decides nothing.
"""

from dataclasses import dataclass

from webhook.rollout.assessment import Assessment, Hold, assess
from webhook.rollout.bars import BarName, BarState, count_false_positives
from webhook.rollout.duration import HOUR_NS, describe_duration, format_duration
from webhook.rollout.evidence import Evidence
from webhook.rollout.life import Checks, Phase, Rollout
from webhook.rollout.strategy import OnInconclusive, Unreviewed


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person wants to know about a rollout."""

    where: str
    """One sentence: phase, step, cohort."""
    why: str
    """One sentence: what put or keeps it there."""
    needs: tuple[str, ...]
    """What has to happen before it goes on, one thing each; empty when nothing is awaited."""
    expected: str
    """When, in words; empty when nothing is awaited."""
    expected_ns: int | None = None
    """When, as wall-clock time; None when it depends on people or nothing can be said."""
    caution: str = ""
    """What the numbers do not promise."""


def explain(rollout: Rollout, evidence: Evidence | None, now_ns: int) -> Explanation:
    """Explain a rollout as it stands."""
    if rollout.phase is Phase.PENDING:
        return _pending(rollout)
    if rollout.phase not in (Phase.PROGRESSING, Phase.PAUSED):
        return _over(rollout)
    assessment = assess(rollout, evidence, now_ns)
    needs = tuple(_needs(rollout, assessment))
    expected_ns = forecast_step_end(rollout, evidence, now_ns)
    return Explanation(
        where=_where(rollout),
        why=_why(rollout, assessment),
        needs=needs,
        expected=_expected(rollout, assessment, evidence, expected_ns, now_ns),
        expected_ns=expected_ns,
        caution=_caution(rollout),
    )


def workloads_per_hour(evidence: Evidence, now_ns: int) -> float:
    """Give the mean rate at which new workloads were seen; 0.0 when it cannot be told."""
    if evidence.first_ns is None or now_ns <= evidence.first_ns:
        return 0.0
    return evidence.workloads * HOUR_NS / (now_ns - evidence.first_ns)


def forecast_step_end(rollout: Rollout, evidence: Evidence | None, now_ns: int) -> int | None:
    """Estimate when the present step ends, if the rate of new workloads stays and no new finding appears.

    Returns:
        Wall-clock time, or None when a person has to act first or nothing is known of the rate.

    """
    if rollout.phase is not Phase.PROGRESSING or evidence is None:
        return None
    assessment = assess(rollout, evidence, now_ns)
    if assessment.hold is not None or assessment.missed:
        return None
    if any(bar.name is not BarName.FALSE_POSITIVE_RATE for bar in assessment.undecided):
        return None
    wait_ns = max(rollout.current_step.duration_ns - assessment.served_ns, 0)
    needed = count_false_positives(rollout.strategy.analysis, evidence).workloads_needed
    if needed:
        rate = workloads_per_hour(evidence, now_ns)
        if not rate:
            return None
        wait_ns = max(wait_ns, round(needed / rate * HOUR_NS))
    return now_ns + wait_ns


def _pending(rollout: Rollout) -> Explanation:
    where = f"{rollout.policy} {rollout.version} has not begun; it decides nothing and nothing is evaluated."
    if rollout.checks is Checks.FAILED:
        why = f"Its checks failed: {rollout.message}."
        return Explanation(where, why, ("a new version that passes its tests and probes",), "Not by itself.")
    if rollout.checks is Checks.RUNNING:
        return Explanation(where, "Its tests and probes run.", ("passed checks",), "In moments.")
    why = "Its checks passed, but no namespace is known that it may touch."
    return Explanation(where, why, ("a first request from such a namespace",), "With that request.")


def _over(rollout: Rollout) -> Explanation:
    decides = {
        Phase.HEALTHY: "is stable and decides everywhere",
        Phase.DEGRADED: "was given up" + (" and stable decides everywhere" if rollout.stable else ""),
    }.get(rollout.phase, "is not rolled out any more")
    needs = {Phase.DEGRADED: ("a new version, or `gradate rollout retry`",)}.get(rollout.phase, ())
    expected = "Not by itself." if needs else ""
    return Explanation(
        f"{rollout.policy} {rollout.version} {decides}.", _sentence(rollout.message), needs, expected
    )


def _where(rollout: Rollout) -> str:
    step, count = rollout.step + 1, len(rollout.strategy.steps)
    return f"{rollout.policy} {rollout.version} is {rollout.phase} in step {step} of {count}: {rollout.current_step.describe()}."


def _why(rollout: Rollout, assessment: Assessment) -> str:
    if rollout.phase is Phase.PAUSED:
        return _sentence(rollout.message)
    if missed := assessment.missed:
        return f"It rolls back at the next tick: {missed.name} is missed, {missed.missing}."
    if assessment.hold is not None:
        return f"It holds: {assessment.hold}."
    if assessment.served_ns < rollout.current_step.duration_ns:
        return f"The step has served {describe_duration(assessment.served_ns)} of {format_duration(rollout.current_step.duration_ns)}."
    if assessment.undecided:
        return "The step has served its time, and the evidence is not complete."
    return "The step has served its time and every bar is cleared; it goes on at the next tick."


def _needs(rollout: Rollout, assessment: Assessment) -> list[str]:
    needs: list[str] = []
    if rollout.phase is Phase.PAUSED:
        needs.append("`gradate rollout resume`")
    if assessment.hold is Hold.NO_DATA:
        needs.append("a first workload")
    elif assessment.hold is Hold.CLOCK:
        needs.append("clocks that agree")
    elif assessment.hold is not None:
        needs.append("replicas that report and a store that can be read")
    rest_ns = rollout.current_step.duration_ns - assessment.served_ns
    if rest_ns > 0:
        needs.append(f"{describe_duration(rest_ns)} more in this step")
    needs += [f"{bar.name}: {bar.missing}" for bar in assessment.bars if bar.state is BarState.UNDECIDED]
    return needs


def _expected(
    rollout: Rollout,
    assessment: Assessment,
    evidence: Evidence | None,
    expected_ns: int | None,
    now_ns: int,
) -> str:
    if rollout.phase is Phase.PAUSED:
        return "Not before it is resumed."
    if assessment.missed:
        return "At once."
    if expected_ns is not None:
        rate = workloads_per_hour(evidence, now_ns) if evidence is not None else 0.0
        when = f"In about {describe_duration(expected_ns - now_ns)}" if expected_ns > now_ns else "Now"
        pace = f", at {rate:,.0f} new workloads an hour" if assessment.undecided else ""
        end = {
            OnInconclusive.HOLD: "",
            OnInconclusive.EXTEND: "; an undecided step is extended",
            OnInconclusive.ABORT: "; a step still undecided at its end is given up",
        }[rollout.strategy.analysis.on_inconclusive]
        return f"{when}{pace}{end}."
    if assessment.hold is None and assessment.undecided:
        return "When somebody reviews the open findings, or the measurements change."
    return "Cannot be told yet."


def _caution(rollout: Rollout) -> str:
    if rollout.strategy.analysis.unreviewed is Unreviewed.IGNORE:
        return "Unreviewed findings are ignored: the bound on the false-positive rate is no guarantee."
    return ""


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:].rstrip(".") + "." if message else ""
