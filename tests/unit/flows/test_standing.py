from dataclasses import replace

import pytest

from tests.support.rollouts import NAMESPACES, begun, evidence
from webhook.flows.standing import standing_of
from webhook.rollout.life import Phase


def test_the_cohort_is_counted_among_the_known_namespaces() -> None:
    seen = evidence()
    standing = standing_of(begun(), seen, NAMESPACES)
    assert (standing.cohort, standing.namespaces, standing.evidence) == (2, 40, seen)


@pytest.mark.parametrize(
    ("phase", "cohort"),
    [(Phase.PENDING, 0), (Phase.PAUSED, 2), (Phase.HEALTHY, 40), (Phase.DEGRADED, 0), (Phase.SUPERSEDED, 0)],
)
def test_a_rollout_that_is_over_acts_everywhere_or_nowhere(phase: Phase, cohort: int) -> None:
    assert standing_of(replace(begun(), phase=phase), None, NAMESPACES).cohort == cohort
