from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from webhook.rollout.errors import InvalidStrategy
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
from webhook.rollout.strategy_document import parse_strategy, strategy_document

HOUR = 3_600_000_000_000
FULL = {"mode": "enforce", "percent": 100}


def test_the_documented_strategy_is_read() -> None:
    document = yaml.safe_load(
        """
        steps:
        - {mode: shadow, percent: 100, duration: 1h}
        - {mode: enforce, percent: 5, duration: 72h}
        - {mode: enforce, percent: 100}
        analysis:
          falsePositiveRate: {max: 0.001, confidence: 0.99}
          interceptionAccuracy: {min: 0.9}
          latencyOverhead: {p99MaxMilliseconds: 2.5}
          errorRate: {max: 0}
          unreviewed: ignore
          onInconclusive: extend
        namespaces: {include: [team-*], exclude: [team-secret], critical: [team-payments]}
        """
    )
    assert parse_strategy(document) == Strategy(
        (Step(Mode.SHADOW, 100, HOUR), Step(Mode.ENFORCE, 5, 72 * HOUR), Step(Mode.ENFORCE, 100)),
        Analysis(FalsePositiveRate(0.001, 0.99), 0.9, 2_500_000, 0, Unreviewed.IGNORE, OnInconclusive.EXTEND),
        NamespaceSelection(("team-*",), ("team-secret",), ("team-payments",)),
    )


def test_the_default_is_as_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "rollouts.md").read_text()
    assert parse_strategy(yaml.safe_load(page.split("```yaml")[1].split("```")[0])) == Strategy()


@pytest.mark.parametrize("nothing", [None, {}, {"analysis": {}, "namespaces": {}}])
def test_what_is_left_out_takes_the_default(nothing: Any) -> None:
    assert parse_strategy(nothing) == Strategy()


def test_a_bar_is_dropped_by_saying_null() -> None:
    document = {"analysis": {"interceptionAccuracy": None, "latencyOverhead": None, "errorRate": None}}
    analysis = parse_strategy(document).analysis
    assert analysis.interception_accuracy_min is None
    assert analysis.latency_overhead_p99_max_ns is None
    assert analysis.error_rate_max is None


@pytest.mark.parametrize(
    ("document", "field", "reason"),
    [
        ({"stepz": []}, "stepz", "did you mean `steps`"),
        ({"analysis": {"falsePositiveRate": {"maxx": 1}}}, "analysis.falsePositiveRate.maxx", "did you mean `max`"),
        ({"steps": []}, "steps", "at least one step"),
        ({"steps": [{"percent": 5}]}, "steps[0]", "missing required field `mode`"),
        ({"steps": [{"mode": "enforc", "percent": 5}]}, "steps[0].mode", "invalid enum value"),
        ({"steps": [{"mode": "enforce", "percent": "5"}]}, "steps[0].percent", "expected `float`"),
        ({"steps": [{"mode": "enforce", "percent": 0}, FULL]}, "steps[0].percent", "enforces nowhere; use mode `shadow`"),
        ({"steps": [{"mode": "shadow", "percent": 0}, FULL]}, "steps[0].percent", "evaluates nowhere"),
        ({"steps": [{"mode": "warn", "percent": 101}, FULL]}, "steps[0].percent", "101 is not above 0"),
        ({"steps": [{"mode": "warn", "percent": -1}, FULL]}, "steps[0].percent", "-1 is not above 0"),
        ({"steps": [{"mode": "warn", "percent": float("nan")}, FULL]}, "steps[0].percent", "nan is not above 0"),
        ({"steps": [FULL | {"duration": "3 days"}]}, "steps[0].duration", "is no duration"),
        ({"steps": [FULL | {"duration": "-1h"}]}, "steps[0].duration", "is negative"),
        ({"analysis": {"falsePositiveRate": {"max": 0}}}, "analysis.falsePositiveRate.max", "can never be proven"),
        ({"analysis": {"falsePositiveRate": {"max": 1}}}, "analysis.falsePositiveRate.max", "below 1"),
        ({"analysis": {"falsePositiveRate": None}}, "analysis.falsePositiveRate", "expected `object`"),
        ({"analysis": {"falsePositiveRate": {"confidence": 95}}}, "analysis.falsePositiveRate.confidence", "between 0 and 1"),
        ({"analysis": {"interceptionAccuracy": {"min": 2}}}, "analysis.interceptionAccuracy.min", "between 0 and 1"),
        ({"analysis": {"latencyOverhead": {"p99MaxMilliseconds": 0}}}, "analysis.latencyOverhead.p99MaxMilliseconds", "above 0"),
        ({"analysis": {"errorRate": {"max": 1}}}, "analysis.errorRate.max", "below 1"),
        ({"analysis": {"unreviewed": "maybe"}}, "analysis.unreviewed", "invalid enum value"),
        ({"namespaces": {"include": []}}, "namespaces.include", "could touch no namespace"),
        ({"namespaces": {"critical": [" "]}}, "namespaces.critical[0]", "is empty"),
        ([], "", "expected `object`"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_field(document: Any, field: str, reason: str) -> None:
    with pytest.raises(InvalidStrategy) as caught:
        parse_strategy(document)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert reason in caught.value.problems[0].reason


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"steps": [{"mode": "enforce", "percent": 50}]}, "steps[0]"),
        ({"steps": [{"mode": "enforce", "percent": 50}, {"mode": "warn", "percent": 60}, FULL]}, "steps[1].mode"),
        ({"steps": [{"mode": "enforce", "percent": 50}, {"mode": "enforce", "percent": 50}, FULL]}, "steps[1].percent"),
        ({"steps": [FULL], "analysis": {"onInconclusive": "abort"}}, "analysis.onInconclusive"),
        ({"namespaces": {"include": ["a"], "exclude": ["a"]}}, "namespaces.exclude"),
        ({"namespaces": {"critical": ["a"], "exclude": ["*"]}}, "namespaces.exclude"),
        ({"namespaces": {"include": ["team-a"], "exclude": ["team-*"]}}, "namespaces.exclude"),
        ({"namespaces": {"include": ["team-*"], "critical": ["team-a", "payments"]}}, "namespaces.critical[1]"),
    ],
)  # fmt: skip
def test_a_strategy_that_contradicts_itself_is_refused(document: Any, field: str) -> None:
    with pytest.raises(InvalidStrategy) as caught:
        parse_strategy(document)
    assert field in {problem.field for problem in caught.value.problems}


def test_patterns_that_only_overlap_are_no_contradiction() -> None:
    selection = {"include": ["team-*"], "exclude": ["*-test"], "critical": ["team-pay*", "*-live", "team-a"]}
    assert parse_strategy({"namespaces": selection}).namespaces.critical == ("team-pay*", "*-live", "team-a")


def test_every_mistake_is_reported_at_once() -> None:
    document = {
        "steps": [{"mode": "enforce", "percent": 0, "duration": "x"}, FULL],
        "analysis": {"falsePositiveRate": {"max": 2, "confidence": 2}},
    }
    with pytest.raises(InvalidStrategy) as caught:
        parse_strategy(document)
    assert len(caught.value.problems) == 4
    assert "steps[0].duration" in str(caught.value)


def test_warning_everywhere_before_enforcing_in_a_few_is_no_contradiction() -> None:
    steps = [{"mode": "warn", "percent": 100, "duration": "1d"}, {"mode": "enforce", "percent": 0.01}, FULL]
    assert parse_strategy({"steps": steps}).steps[1] == Step(Mode.ENFORCE, 0.01)


@given(
    percents=st.lists(st.floats(0.01, 99.9), unique=True, max_size=4).map(sorted),
    hours=st.integers(0, 1_000),
    choice=st.sampled_from(OnInconclusive),
    accuracy=st.none() | st.floats(0, 1),
    latency=st.none() | st.integers(1, 10**10),
)
def test_what_is_written_is_read_back(
    percents: list[float], hours: int, choice: OnInconclusive, accuracy: float | None, latency: int | None
) -> None:
    steps = (
        *(Step(Mode.ENFORCE, percent, HOUR) for percent in percents),
        Step(Mode.ENFORCE, 100, hours * HOUR + 1),
    )
    strategy = Strategy(
        steps,
        Analysis(
            interception_accuracy_min=accuracy, latency_overhead_p99_max_ns=latency, on_inconclusive=choice
        ),
    )
    assert parse_strategy(strategy_document(strategy)) == strategy
