"""Whom a kind of request asks, and in which role."""

from collections.abc import Sequence

from tests.support.flows import HeldSnapshot, ScriptedEvaluator
from tests.support.policies import version_of
from tests.support.rehearsal import NEW, OLD, rolling_out, versions
from webhook.flows.agenda import Agenda, Agendas, Roles
from webhook.flows.trial import Contender
from webhook.policy.index import MatchedPolicy
from webhook.rollout.policy_exception import ExceptionId, PolicyException
from webhook.rollout.route import route_of
from webhook.rollout.strategy import Mode


def held(
    mode: Mode = Mode.ENFORCE, *, exceptions: dict[str, tuple[PolicyException, ...]] | None = None
) -> HeldSnapshot:
    """Hold a policy that stands alone, and the two versions of one that is rolling out."""
    rollout = rolling_out(mode)
    route = route_of(rollout.stable, rollout)
    old, new = versions()
    return HeldSnapshot(
        (version_of("alone"), ScriptedEvaluator()),
        (old, ScriptedEvaluator(), route),
        (new, ScriptedEvaluator(in_process=False), route),
        exceptions=exceptions,
    )


def matches_of(snapshot: HeldSnapshot) -> Sequence[MatchedPolicy]:
    return tuple(
        MatchedPolicy(loaded.version, position, as_pod=True)
        for position, loaded in enumerate(snapshot.current.versions)
    )


def digests(roles: Roles) -> tuple[str | None, ...]:
    parts: tuple[Contender | None, ...] = (
        roles.decide, roles.warn, roles.fallback, roles.candidate, roles.stable,
    )  # fmt: skip
    return tuple(None if part is None else part.match.policy.digest for part in parts)


def test_a_policy_without_a_rollout_is_asked_alone_and_both_versions_of_the_other_together() -> None:
    snapshot = held()
    agenda = Agenda(snapshot.current, matches_of(snapshot))
    assert [asked.contender.match.policy.name for asked in agenda.alone] == ["alone"]
    (policy,) = agenda.rolling
    assert digests(policy.roles("payments")) == (NEW, None, OLD, NEW, OLD)


def test_outside_the_cohort_stable_decides_and_is_what_the_candidate_is_compared_with() -> None:
    snapshot = held(Mode.SHADOW)
    (policy,) = Agenda(snapshot.current, matches_of(snapshot)).rolling
    assert digests(policy.roles("payments")) == (OLD, None, None, NEW, OLD)


def test_a_version_that_warns_does_not_decide() -> None:
    snapshot = held(Mode.WARN)
    (policy,) = Agenda(snapshot.current, matches_of(snapshot)).rolling
    assert digests(policy.roles("payments")) == (OLD, NEW, None, NEW, OLD)


def test_a_version_that_does_not_match_has_no_role() -> None:
    snapshot = held()
    alone, stable, _ = matches_of(snapshot)
    (policy,) = Agenda(snapshot.current, (alone, stable)).rolling
    assert digests(policy.roles("payments")) == (None, None, OLD, None, OLD)
    assert policy.in_process
    (both,) = Agenda(snapshot.current, matches_of(snapshot)).rolling
    assert not both.in_process


def test_the_exceptions_of_a_policy_come_with_it() -> None:
    def granted(policy: str) -> PolicyException:
        return PolicyException(
            ExceptionId(policy), policy, "payments", "*", "migration", "team", "ada", 1, 10**18
        )

    names = ["alone", versions()[0].name]
    snapshot = held(exceptions={name: (granted(name),) for name in names})
    agenda = Agenda(snapshot.current, matches_of(snapshot))
    assert [asked.exceptions for asked in agenda.alone] == [(granted("alone"),)]
    assert [policy.exceptions for policy in agenda.rolling] == [(granted(names[1]),)]


def test_the_same_matches_find_the_same_agenda_and_others_find_their_own() -> None:
    snapshot = held()
    agendas, matches = Agendas(snapshot.current), matches_of(snapshot)
    agenda = agendas.find(matches)
    assert agendas.find(matches) is agenda
    assert [asked.contender.match for asked in agendas.find(matches[:1]).alone] == [matches[0]]
    assert not agendas.find(matches[:1]).rolling


def test_many_kinds_of_requests_do_not_fill_the_memory_and_never_get_the_agenda_of_another() -> None:
    snapshot = held()
    agendas, (alone, *_) = Agendas(snapshot.current), matches_of(snapshot)
    for position in range(10_000):
        match = MatchedPolicy(alone.policy, 0, as_pod=bool(position % 2))
        (asked,) = agendas.find((match,)).alone
        assert asked.contender.match is match
    assert len(agendas) <= 4_096
