from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from webhook.decision.verdict import EvaluationProblem, Outcome, PolicyVerdict, Violation, permit
from webhook.flows.divergence import Strength, compare, diverges, is_clean_trial, strength_of
from webhook.policy.metadata import EnforcementAction
from webhook.rollout.finding import FindingKind

DENY, WARN = EnforcementAction.DENY, EnforcementAction.WARN
FAILED = PolicyVerdict("p", "1", Outcome.ERROR, error=EvaluationProblem("eval_conflict_error", "two"))


def verdict(*violations: tuple[str, EnforcementAction]) -> PolicyVerdict:
    raised = tuple(Violation("p", "1", rule, action, "no") for rule, action in violations)
    actions = {action for _, action in violations}
    outcome = Outcome.DENY if DENY in actions else Outcome.WARN if actions else Outcome.ALLOW
    return PolicyVerdict("p", "1", outcome, raised)


answers = st.lists(
    st.tuples(st.sampled_from(["deny", "violation", "warn"]), st.sampled_from([DENY, WARN])), max_size=4
).map(lambda violations: verdict(*violations))
any_verdicts = (
    st.none() | answers | st.just(FAILED) | answers.map(lambda known: permit(known, "x-1", "legacy"))
)


def kinds(candidate: PolicyVerdict | None, stable: PolicyVerdict | None) -> Sequence[tuple[str, FindingKind]]:
    return [(found.rule, found.kind) for found in compare(candidate, stable)]


@given(answers, answers)
def test_a_stronger_candidate_denies_newly_a_weaker_one_allows_newly_an_equal_one_agrees(
    candidate: PolicyVerdict, stable: PolicyVerdict
) -> None:
    found = {kind for _, kind in kinds(candidate, stable)}
    ours, theirs = strength_of(candidate), strength_of(stable)
    assert (FindingKind.NEWLY_DENIED in found) == (ours > theirs)
    assert (FindingKind.NEWLY_ALLOWED in found) == (ours < theirs)
    if ours == theirs:
        assert found <= {FindingKind.AGREED}
        assert bool(found) == (ours is not Strength.PASSES)


@given(any_verdicts, any_verdicts)
def test_each_rule_is_found_once_with_its_own_violations_and_nothing_raised_is_a_clean_trial(
    candidate: PolicyVerdict | None, stable: PolicyVerdict | None
) -> None:
    found = compare(candidate, stable)
    assert len({divergence.rule for divergence in found}) == len(found)
    for divergence in found:
        assert divergence.violations
        assert {violation.rule for violation in divergence.violations} == {divergence.rule}
    assert diverges(found) == any(divergence.kind is not FindingKind.AGREED for divergence in found)
    if strength_of(candidate):
        assert found


@given(any_verdicts)
def test_a_candidate_that_gave_no_answer_raises_nothing_and_proves_nothing(
    stable: PolicyVerdict | None,
) -> None:
    for candidate in (FAILED, permit(verdict(("deny", DENY)), "x-1", "legacy")):
        assert compare(candidate, stable) == ()
        assert not is_clean_trial(candidate, stable)


def test_where_stable_gave_no_answer_a_denial_is_new_and_a_pass_proves_nothing() -> None:
    assert kinds(verdict(("deny", DENY)), FAILED) == [("deny", FindingKind.NEWLY_DENIED)]
    assert not is_clean_trial(verdict(), FAILED)


def test_a_rule_that_only_warns_is_not_new_beside_one_that_stable_raised() -> None:
    candidate = verdict(("deny", DENY), ("warn", WARN))
    assert kinds(candidate, verdict(("deny", WARN))) == [
        ("deny", FindingKind.NEWLY_DENIED),
        ("warn", FindingKind.AGREED),
    ]
