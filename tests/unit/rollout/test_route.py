from dataclasses import replace

import pytest

from tests.support.rollouts import NAMESPACES, begun, started
from webhook.rollout.cohort import Cohort, members
from webhook.rollout.life import Phase
from webhook.rollout.route import Assignment, route_of
from webhook.rollout.strategy import Mode, NamespaceSelection, Step, Strategy

OLD, NEW = "sha256:old", "sha256:new"
ALL = Step(Mode.ENFORCE, 100)


def split(strategy: Strategy | None = None, *, stable: str | None = OLD) -> tuple[Assignment, Assignment]:
    """Give what happens inside and outside the cohort."""
    rollout = begun(strategy, stable=stable)
    inside = members(Cohort(rollout.salt, rollout.strategy.namespaces, rollout.threshold), NAMESPACES)
    outside = sorted(set(NAMESPACES) - set(inside))
    route = route_of(stable, rollout)
    return route.assign(inside[0]), route.assign(outside[0]) if outside else route.assign("")


def test_in_the_cohort_the_candidate_decides_and_stable_is_its_fallback() -> None:
    inside, _ = split()
    assert (inside.decide, inside.shadow, inside.fallback, inside.mode) == (NEW, OLD, OLD, Mode.ENFORCE)


def test_outside_the_cohort_stable_decides_and_the_candidate_is_shadow_evaluated() -> None:
    _, outside = split()
    assert (outside.decide, outside.shadow, outside.warn, outside.mode) == (OLD, NEW, None, Mode.SHADOW)
    assert outside.rollout is not None


def test_a_warning_step_leaves_the_decision_to_stable() -> None:
    inside, outside = split(Strategy((Step(Mode.WARN, 5), ALL)))
    assert (inside.decide, inside.warn, inside.shadow, inside.mode) == (OLD, NEW, None, Mode.WARN)
    assert (outside.decide, outside.warn, outside.shadow) == (OLD, None, NEW)


def test_a_shadow_step_evaluates_the_candidate_in_its_share_only() -> None:
    inside, outside = split(Strategy((Step(Mode.SHADOW, 5), ALL)))
    assert (inside.decide, inside.shadow) == (OLD, NEW)
    assert (outside.decide, outside.shadow, outside.mode) == (OLD, None, None)


def test_a_first_version_decides_in_its_cohort_and_nothing_decides_elsewhere() -> None:
    inside, outside = split(stable=None)
    assert (inside.decide, inside.fallback) == (NEW, None)
    assert (outside.decide, outside.shadow) == (None, NEW)


def test_an_excluded_namespace_is_still_governed_by_stable() -> None:
    rollout = begun(Strategy(namespaces=NamespaceSelection(exclude=("secret-*",))))
    for step in (0, 1):
        assigned = route_of(OLD, replace(rollout, step=step, threshold=2**49)).assign("secret-one")
        assert (assigned.decide, assigned.shadow) == (OLD, NEW)


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.HEALTHY, Phase.DEGRADED, Phase.SUPERSEDED])
def test_without_a_rollout_under_way_stable_decides_everywhere(phase: Phase) -> None:
    for route in (route_of(OLD, replace(begun(), phase=phase)), route_of(OLD, None)):
        assert {route.assign(namespace) for namespace in (*NAMESPACES, "")} == {Assignment(OLD)}


def test_a_paused_rollout_routes_as_before() -> None:
    rollout = begun()
    paused = route_of(OLD, replace(rollout, phase=Phase.PAUSED))
    before = route_of(OLD, rollout)
    for namespace in NAMESPACES:
        assert paused.assign(namespace).decide == before.assign(namespace).decide


def test_a_pending_candidate_is_not_even_shadow_evaluated() -> None:
    assert route_of(OLD, started().rollout).assign("team-1") == Assignment(OLD)
