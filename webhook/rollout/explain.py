"""A rollout in plain words: where it is, why, what it needs, and when that is expected at the present rate.

Says what `webhook.rollout.assessment` found; decides nothing.
"""

from dataclasses import dataclass

from webhook.rollout.assessment import Assessment, Hold, assess
from webhook.rollout.bars import BarName, BarState, count_false_positives
from webhook.rollout.duration import HOUR_NS, describe_duration, format_duration
from webhook.rollout.evidence import Evidence
from webhook.rollout.finding import FindingKind, Verdict
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


@dataclass(frozen=True, slots=True)
class Seen:
    """What was known of a candidate when its present attempt began."""

    workloads: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the present step ends, if the rate of new workloads stays and no new finding appears."""

    expected_ns: int | None
    """None when a person has to act first, or nothing is known of the rate."""
    reviewed_ns: int | None
    """The same, if all findings that await review are judged at once, and prove right; None when none does."""
    per_hour: float
    """New workloads."""


def explain(
    rollout: Rollout, evidence: Evidence | None, now_ns: int, since: Seen | None = None
) -> Explanation:
    """Explain a rollout as it stands; `since` is where its attempt began, None for the first one."""
    if rollout.phase is Phase.PENDING:
        return _pending(rollout)
    if rollout.phase not in (Phase.PROGRESSING, Phase.PAUSED):
        return _over(rollout)
    assessment = assess(rollout, evidence, now_ns)
    forecast = forecast_step_end(rollout, evidence, now_ns, since)
    return Explanation(
        where=_where(rollout),
        why=_why(rollout, assessment),
        needs=tuple(_needs(rollout, assessment)),
        expected=_expected(rollout, assessment, forecast, now_ns),
        expected_ns=forecast.expected_ns,
        caution=_caution(rollout),
    )


def workloads_per_hour(evidence: Evidence, now_ns: int, since: Seen | None = None) -> float:
    """Give the mean rate at which this attempt has seen new workloads; 0.0 when it cannot be told."""
    if evidence.first_ns is None:
        return 0.0
    # Between two attempts nothing was looked at: that time says nothing of the rate.
    begun = Seen(0, evidence.first_ns) if since is None else since
    if now_ns <= begun.at_ns:
        return 0.0
    return max(evidence.workloads - begun.workloads, 0) * HOUR_NS / (now_ns - begun.at_ns)


def forecast_step_end(
    rollout: Rollout, evidence: Evidence | None, now_ns: int, since: Seen | None = None
) -> Forecast:
    """Estimate when the present step ends."""
    nothing = Forecast(None, None, 0.0)
    if rollout.phase is not Phase.PROGRESSING or evidence is None:
        return nothing
    assessment = assess(rollout, evidence, now_ns)
    if assessment.hold is not None or assessment.missed:
        return nothing
    rate = workloads_per_hour(evidence, now_ns, since)
    rest_ns = max(rollout.current_step.duration_ns - assessment.served_ns, 0)

    def end_ns(needed: int) -> int | None:
        if needed and not rate:
            return None
        return now_ns + max(rest_ns, round(needed / rate * HOUR_NS) if needed else 0)

    counted = count_false_positives(rollout.strategy.analysis, evidence)
    waits_for = {bar.name for bar in assessment.undecided}
    expected_ns = None if waits_for - {BarName.FALSE_POSITIVE_RATE} else end_ns(counted.workloads_needed)
    # A review settles these; whatever else is undecided takes measurements.
    settled_by_review = not waits_for - _REVIEWED and _awaits_review(evidence)
    reviewed_ns = end_ns(counted.workloads_needed_when_reviewed) if settled_by_review else None
    return Forecast(expected_ns, reviewed_ns, rate)


_REVIEWED = frozenset({BarName.FALSE_POSITIVE_RATE, BarName.INTERCEPTION_ACCURACY, BarName.NEWLY_ALLOWED})


def _awaits_review(evidence: Evidence) -> bool:
    return any(
        evidence.count(kind, Verdict.UNREVIEWED) for kind in FindingKind if kind is not FindingKind.AGREED
    )


def _pending(rollout: Rollout) -> Explanation:
    where = f"{rollout.policy} {rollout.version} has not begun; it decides nothing and nothing is evaluated."
    if rollout.checks is Checks.FAILED:
        why = f"Its checks failed: {rollout.message}."
        needs = (
            "a new version that passes its tests and probes, "
            f"or corrected ones and `gradate rollout retry {rollout.policy}`"
        )
        return Explanation(where, why, (needs,), "Not by itself.")
    if rollout.checks is Checks.RUNNING:
        return Explanation(where, "Its tests and probes run.", ("passed checks",), "In moments.")
    why = "Its checks passed, but no namespace is known that it may touch."
    return Explanation(where, why, ("a first request from such a namespace",), "With that request.")


def _over(rollout: Rollout) -> Explanation:
    decides = {
        Phase.HEALTHY: "is stable and decides everywhere",
        Phase.DEGRADED: "was given up" + (" and stable decides everywhere" if rollout.stable else ""),
    }.get(rollout.phase, "is not rolled out any more")
    again = f"a new version, or `gradate rollout retry {rollout.policy}`"
    needs = {Phase.DEGRADED: (again,)}.get(rollout.phase, ())
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
        needs.append(f"`gradate rollout resume {rollout.policy}`")
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


def _expected(rollout: Rollout, assessment: Assessment, forecast: Forecast, now_ns: int) -> str:
    if rollout.phase is Phase.PAUSED:
        return "Not before it is resumed."
    if assessment.missed:
        return "At once."
    reviewed = ""
    if forecast.reviewed_ns is not None and assessment.undecided:
        reviewed = f"{_when(forecast.reviewed_ns, now_ns)} if the open findings are reviewed and prove right"
    pace = f"at {forecast.per_hour:,.0f} new workloads an hour"
    if forecast.expected_ns is not None:
        end = {
            OnInconclusive.HOLD: "",
            OnInconclusive.EXTEND: "; an undecided step is extended",
            OnInconclusive.ABORT: "; a step still undecided at its end is given up",
        }[rollout.strategy.analysis.on_inconclusive]
        words = _when(forecast.expected_ns, now_ns)
        words += f", {pace}" if assessment.undecided else ""
        words += f", or {reviewed}" if forecast.reviewed_ns != forecast.expected_ns and reviewed else ""
        return _capital(f"{words}{end}.")
    if reviewed:
        return _capital(f"{reviewed}, {pace}; not before.")
    if assessment.hold is None and assessment.undecided:
        return "When somebody reviews the open findings, or the measurements change."
    return "Cannot be told yet."


def _when(at_ns: int, now_ns: int) -> str:
    return f"in about {describe_duration(at_ns - now_ns)}" if at_ns > now_ns else "now"


def _caution(rollout: Rollout) -> str:
    if rollout.strategy.analysis.unreviewed is Unreviewed.IGNORE:
        return "Unreviewed findings are ignored: the bound on the false-positive rate is no guarantee."
    return ""


def _sentence(message: str) -> str:
    return _capital(message.rstrip(".")) + "." if message else ""


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
