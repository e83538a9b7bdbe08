"""Rollouts and evidence for tests, with every number that does not matter filled in."""

from dataclasses import replace
from typing import Any

from webhook.rollout.evidence import Counters, Evidence
from webhook.rollout.finding import FindingKind, Standing, Verdict
from webhook.rollout.histogram import Histogram, histogram_of
from webhook.rollout.life import Order, Outcome, Phase, Rollout, RolloutId
from webhook.rollout.states import advance, record_checks, start
from webhook.rollout.strategy import Mode, Strategy

NOW = 1_700_000_000_000_000_000
USER = Order("maria")
NAMESPACES = tuple(f"team-{number}" for number in range(40))
ENOUGH = 10_853
"""Workloads that prove the default maximum rate when none is a false positive."""


def started(
    strategy: Strategy | None = None, *, stable: str | None = "sha256:old", now_ns: int = NOW
) -> Outcome:
    return start(
        RolloutId("credential-env-1"),
        "credential-env",
        candidate="sha256:new",
        version="1.1.0",
        stable=stable,
        strategy=strategy or Strategy(),
        seed="seed",
        order=Order("gradate"),
        now_ns=now_ns,
    )


def begun(
    strategy: Strategy | None = None, *, stable: str | None = "sha256:old", now_ns: int = NOW
) -> Rollout:
    pending = started(strategy, stable=stable, now_ns=now_ns).rollout
    checked = record_checks(pending, passed=True, message="12 tests passed", now_ns=now_ns).rollout
    outcome = advance(checked, None, now_ns, NAMESPACES)
    assert outcome is not None
    assert outcome.rollout.phase is Phase.PROGRESSING
    return outcome.rollout


def served(rollout: Rollout, duration_ns: int) -> Rollout:
    return replace(rollout, timer=replace(rollout.timer, served_ns=duration_ns))


def evidence(
    workloads: int = ENOUGH,
    *,
    confirmed: int = 0,
    unreviewed: int = 0,
    true_positives: int = 0,
    misses: int = 0,
    newly_allowed: int = 0,
    errors: int = 0,
    durations: Histogram | None = None,
    stable_durations: Histogram | None = None,
    reported_ns: int | None = NOW,
    **fields: Any,
) -> Evidence:
    fast = histogram_of([100_000] * 1_000)
    return Evidence(
        modes={
            Mode.SHADOW: Counters(evaluations=max(workloads, 1), errors=errors, durations=durations or fast),
        },
        workloads=workloads,
        standings={
            Standing.FALSE_POSITIVE: confirmed,
            Standing.UNREVIEWED: unreviewed,
            Standing.TRUE_POSITIVE: true_positives,
            Standing.VIOLATING: misses + newly_allowed,
        },
        findings={
            FindingKind.NEWLY_DENIED: {
                Verdict.FALSE_POSITIVE: confirmed,
                Verdict.UNREVIEWED: unreviewed,
                Verdict.TRUE_POSITIVE: true_positives,
            },
            FindingKind.NEWLY_ALLOWED: {Verdict.TRUE_POSITIVE: misses, Verdict.UNREVIEWED: newly_allowed},
        },
        stable_durations=fast if stable_durations is None else stable_durations,
        first_ns=NOW - 3_600_000_000_000,
        reported_ns=reported_ns,
        **fields,
    )
