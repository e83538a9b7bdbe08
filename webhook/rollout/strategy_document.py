"""The strategy document that users write: read into values, checked, written back.

Owns the form of DESIGN.md §6 and what contradicts itself. What is left out takes the default; a bar is dropped
only by saying `null`, except the false-positive rate, which every strategy has.
"""

import difflib
import fnmatch
import itertools
import math
from collections.abc import Iterator
from typing import Any

import msgspec

from webhook.rollout.duration import MILLISECOND_NS, format_duration, parse_duration
from webhook.rollout.errors import InvalidDuration, InvalidStrategy, Problem
from webhook.rollout.strategy import (
    Analysis,
    FalsePositiveRate,
    Mode,
    NamespaceSelection,
    OnInconclusive,
    Step,
    Strategy,
    Unreviewed,
)

_DEFAULT = Strategy()


def parse_strategy(document: Any) -> Strategy:
    """Read a strategy as YAML or JSON gives it; `{}` and None are the default.

    Raises:
        InvalidStrategy: with every problem found, each naming its field.

    """
    wire = _decode({} if document is None else document)
    problems = [*_step_problems(wire), *_analysis_problems(wire.analysis), *_selection_problems(wire)]
    if problems:
        raise InvalidStrategy(problems)
    strategy = _build(wire)
    contradictions = [*_order_contradictions(strategy.steps), *_inconclusive_contradictions(strategy)]
    if contradictions:
        raise InvalidStrategy(contradictions)
    return strategy


def strategy_document(strategy: Strategy) -> dict[str, Any]:
    """Write a strategy as `parse_strategy` reads it, every default spelt out."""
    analysis = strategy.analysis
    accuracy, latency = analysis.interception_accuracy_min, analysis.latency_overhead_p99_max_ns
    error_rate = analysis.error_rate_max
    rate = analysis.false_positive_rate
    return {
        "steps": [
            {
                "mode": step.mode.value,
                "percent": step.percent,
                "duration": format_duration(step.duration_ns),
            }
            for step in strategy.steps
        ],
        "analysis": {
            "falsePositiveRate": {"max": rate.max, "confidence": rate.confidence},
            "interceptionAccuracy": None if accuracy is None else {"min": accuracy},
            "latencyOverhead": None if latency is None else {"p99MaxMilliseconds": latency / MILLISECOND_NS},
            "errorRate": None if error_rate is None else {"max": error_rate},
            "unreviewed": analysis.unreviewed.value,
            "onInconclusive": analysis.on_inconclusive.value,
        },
        "namespaces": {
            "include": list(strategy.namespaces.include),
            "exclude": list(strategy.namespaces.exclude),
            "critical": list(strategy.namespaces.critical),
        },
    }


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The document's own form; the public values above are what it means."""


class _WireStep(_Wire, frozen=True):
    mode: Mode
    percent: float
    duration: str | int = 0


class _WireRate(_Wire, frozen=True):
    max: float = _DEFAULT.analysis.false_positive_rate.max
    confidence: float = _DEFAULT.analysis.false_positive_rate.confidence


class _WireAccuracy(_Wire, frozen=True):
    min: float


class _WireLatency(_Wire, frozen=True):
    p99_max_milliseconds: float = msgspec.field(name="p99MaxMilliseconds")


class _WireErrors(_Wire, frozen=True):
    max: float


class _WireAnalysis(_Wire, frozen=True):
    false_positive_rate: _WireRate = _WireRate()
    interception_accuracy: _WireAccuracy | None = _WireAccuracy(min=0.99)
    latency_overhead: _WireLatency | None = _WireLatency(p99_max_milliseconds=5)
    error_rate: _WireErrors | None = _WireErrors(max=0.001)
    unreviewed: Unreviewed = Unreviewed.FALSE_POSITIVE
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD


class _WireNamespaces(_Wire, frozen=True):
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()


class _WireStrategy(_Wire, frozen=True):
    steps: tuple[_WireStep, ...] | None = None
    analysis: _WireAnalysis = _WireAnalysis()
    namespaces: _WireNamespaces = _WireNamespaces()


_KNOWN_FIELDS = tuple(
    sorted(field.encode_name for struct in _Wire.__subclasses__() for field in msgspec.structs.fields(struct))
)


def _decode(document: Any) -> _WireStrategy:
    try:
        return msgspec.convert(document, _WireStrategy)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `")
        field = place.removesuffix("`").removeprefix("$").removeprefix(".")
        if "unknown field" in reason:
            name = reason.rpartition("unknown field `")[2].removesuffix("`")
            nearest = difflib.get_close_matches(name, _KNOWN_FIELDS, n=1)
            hint = f"; did you mean `{nearest[0]}`?" if nearest else ""
            field, reason = (f"{field}.{name}" if field else name), f"there is no such field{hint}"
        raise InvalidStrategy([Problem(field, reason[0].lower() + reason[1:])]) from error


def _build(wire: _WireStrategy) -> Strategy:
    analysis = wire.analysis
    rate, latency, errors = analysis.false_positive_rate, analysis.latency_overhead, analysis.error_rate
    accuracy = analysis.interception_accuracy
    steps = _DEFAULT.steps if wire.steps is None else tuple(map(_build_step, wire.steps))
    return Strategy(
        steps,
        Analysis(
            FalsePositiveRate(rate.max, rate.confidence),
            None if accuracy is None else accuracy.min,
            None if latency is None else round(latency.p99_max_milliseconds * MILLISECOND_NS),
            None if errors is None else errors.max,
            analysis.unreviewed,
            analysis.on_inconclusive,
        ),
        NamespaceSelection(
            wire.namespaces.include,
            wire.namespaces.exclude,
            wire.namespaces.critical,
        ),
    )


def _build_step(step: _WireStep) -> Step:
    return Step(step.mode, step.percent, parse_duration(step.duration))


def _step_problems(wire: _WireStrategy) -> Iterator[Problem]:
    if wire.steps is not None and not wire.steps:
        yield Problem("steps", "a rollout needs at least one step")
    for index, step in enumerate(wire.steps or ()):
        field = f"steps[{index}]"
        if step.percent == 0:
            deed = "evaluates" if step.mode is Mode.SHADOW else f"{step.mode}s"
            advice = "leave it out" if step.mode is Mode.SHADOW else "use mode `shadow`, or leave it out"
            yield Problem(f"{field}.percent", f"a step of 0 percent {deed} nowhere; {advice}")
        elif not 0 < step.percent <= 100:
            yield Problem(f"{field}.percent", f"{step.percent:g} is not above 0 and at most 100")
        try:
            parse_duration(step.duration)
        except InvalidDuration as error:
            yield Problem(f"{field}.duration", str(error))


def _analysis_problems(analysis: _WireAnalysis) -> Iterator[Problem]:
    rate = analysis.false_positive_rate
    if rate.max == 0:
        yield Problem(
            "analysis.falsePositiveRate.max",
            "0 can never be proven, however many workloads are clean; name the highest rate you accept",
        )
    elif not 0 < rate.max < 1:
        yield Problem("analysis.falsePositiveRate.max", f"{rate.max:g} is not above 0 and below 1")
    if not 0 < rate.confidence < 1:
        yield Problem("analysis.falsePositiveRate.confidence", f"{rate.confidence:g} is not between 0 and 1")
    accuracy, latency, errors = (
        analysis.interception_accuracy,
        analysis.latency_overhead,
        analysis.error_rate,
    )
    if accuracy is not None and not 0 <= accuracy.min <= 1:
        yield Problem("analysis.interceptionAccuracy.min", f"{accuracy.min:g} is not between 0 and 1")
    if latency is not None and not 0 < latency.p99_max_milliseconds < math.inf:
        yield Problem(
            "analysis.latencyOverhead.p99MaxMilliseconds", "is not a number of milliseconds above 0"
        )
    if errors is not None and not 0 <= errors.max < 1:
        yield Problem("analysis.errorRate.max", f"{errors.max:g} is not at least 0 and below 1")


def _selection_problems(wire: _WireStrategy) -> Iterator[Problem]:
    lists: dict[str, tuple[str, ...]] = {
        "include": wire.namespaces.include,
        "exclude": wire.namespaces.exclude,
        "critical": wire.namespaces.critical,
    }
    for name, patterns in lists.items():
        for index, pattern in enumerate(patterns):
            if not pattern.strip():
                yield Problem(f"namespaces.{name}[{index}]", "is empty; name a namespace or a pattern")
    if not wire.namespaces.include:
        yield Problem("namespaces.include", "is empty, so the rollout could touch no namespace; leave it out")
    for name in ("include", "critical"):
        for pattern in lists[name]:
            if _covered(pattern, lists["exclude"]):
                yield Problem("namespaces.exclude", f"excludes `{pattern}`, which `{name}` names")
    for index, pattern in enumerate(lists["critical"]):
        if _is_name(pattern) and lists["include"] and not _covered(pattern, lists["include"]):
            yield Problem(f"namespaces.critical[{index}]", f"`{pattern}` is not among what `include` names")


def _covered(pattern: str, others: tuple[str, ...]) -> bool:
    """Tell whether others match a name, or hold the same pattern; what two patterns have in common is not asked."""
    if "*" in others or pattern in others:
        return True
    return _is_name(pattern) and any(fnmatch.fnmatchcase(pattern, other) for other in others)


def _is_name(pattern: str) -> bool:
    return not any(special in pattern for special in "*?[")


def _order_contradictions(steps: tuple[Step, ...]) -> Iterator[Problem]:
    ranks = list(Mode)
    for index, (before, after) in enumerate(itertools.pairwise(steps), start=1):
        if ranks.index(after.mode) < ranks.index(before.mode):
            yield Problem(
                f"steps[{index}].mode", f"`{after.mode}` does less than the `{before.mode}` before it"
            )
        elif after.mode is before.mode and after.percent <= before.percent:
            yield Problem(
                f"steps[{index}].percent",
                f"{after.percent:g} is no wider than the {before.percent:g} before it",
            )
    if (steps[-1].mode, steps[-1].percent) != (Mode.ENFORCE, 100):
        yield Problem(
            f"steps[{len(steps) - 1}]",
            "the last step must be {mode: enforce, percent: 100}: a promoted version decides everywhere",
        )


def _inconclusive_contradictions(strategy: Strategy) -> Iterator[Problem]:
    choice = strategy.analysis.on_inconclusive
    if choice is not OnInconclusive.HOLD and not any(step.duration_ns for step in strategy.steps):
        yield Problem(
            "analysis.onInconclusive",
            f"`{choice}` acts when a step's time is over, and no step has a duration",
        )
