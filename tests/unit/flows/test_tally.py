from hypothesis import given
from hypothesis import strategies as st

from webhook.decision.verdict import EvaluationProblem, Outcome, PolicyVerdict, Violation
from webhook.flows.tally import Tallies
from webhook.policy.metadata import EnforcementAction
from webhook.rollout.evidence import Counters, later_counters
from webhook.rollout.histogram import histogram_of
from webhook.rollout.strategy import Mode

PASSED = PolicyVerdict("p", "1.0.0", Outcome.ALLOW)
VIOLATION = Violation("p", "1.0.0", "deny", EnforcementAction.DENY, "no")
DENIED = PolicyVerdict("p", "1.0.0", Outcome.DENY, (VIOLATION,))
FAILED = PolicyVerdict("p", "1.0.0", Outcome.ERROR, error=EvaluationProblem("eval_conflict_error", "two"))
NEW, OLD = "sha256:new", "sha256:old"


@given(st.lists(st.tuples(st.sampled_from([PASSED, DENIED, FAILED]), st.booleans())), st.integers(0, 5))
def test_a_tally_counts_every_evaluation_and_every_one_that_was_not_made(
    evaluations: list[tuple[PolicyVerdict, bool]], dropped: int
) -> None:
    tallies = Tallies()
    tally = tallies.of(NEW, Mode.SHADOW)
    for verdict, diverges in evaluations:
        tally.count(verdict, diverges=diverges)
    for _ in range(dropped):
        tally.drop()
    verdicts = [verdict for verdict, _ in evaluations]
    assert tallies.of(NEW, Mode.SHADOW).counters() == Counters(
        evaluations=len(evaluations),
        denials=verdicts.count(DENIED),
        divergences=sum(diverges for _, diverges in evaluations),
        errors=verdicts.count(FAILED),
        dropped=dropped,
        durations=histogram_of([0] * len(evaluations)),
    )


def test_only_what_changed_is_told_and_told_again_until_it_is_stored() -> None:
    tallies = Tallies()
    for version, mode in ((NEW, Mode.SHADOW), (NEW, Mode.ENFORCE), (OLD, Mode.SHADOW)):
        tallies.of(version, mode).count(PASSED)
    first = tallies.take_changed()
    assert len(first) == 3
    assert tallies.take_changed() == {}
    tallies.put_back(first)
    tallies.of(NEW, Mode.SHADOW).count(DENIED)
    second = tallies.take_changed()
    assert second.keys() == first.keys()
    assert all(later_counters(first[key], second[key]) == second[key] for key in first)
