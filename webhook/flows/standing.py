"""Standings: what the leader knows of each rollout, for those who watch."""

from collections.abc import Collection

from webhook.ports.observer import RolloutStanding
from webhook.rollout.cohort import cohort_of
from webhook.rollout.evidence import Evidence
from webhook.rollout.life import Phase, Rollout


def standing_of(rollout: Rollout, evidence: Evidence | None, namespaces: Collection[str]) -> RolloutStanding:
    """Put together how a rollout stands; `namespaces` are those known, each once."""
    return RolloutStanding(rollout, evidence, _cohort_size(rollout, namespaces), len(namespaces))


def _cohort_size(rollout: Rollout, namespaces: Collection[str]) -> int:
    if rollout.phase is Phase.HEALTHY:
        return len(namespaces)
    if rollout.phase not in (Phase.PROGRESSING, Phase.PAUSED):
        return 0
    cohort = cohort_of(rollout.salt, rollout.strategy.namespaces, rollout.threshold)
    return sum(map(cohort.contains, namespaces))
