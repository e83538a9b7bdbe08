import io
from dataclasses import replace

from msgspec import structs
from rich.console import Console

from tests.support.operating import finding
from tests.support.rollouts import NAMESPACES, NOW, begun, evidence, served
from webhook.cli.review_text import finding_text
from webhook.cli.rollout_text import status_page
from webhook.flows.review_views import view_finding_detail
from webhook.flows.rollout_views import RolloutStatus, view_status
from webhook.rollout.finding import Judgement, Verdict
from webhook.rollout.histogram import histogram_of
from webhook.rollout.strategy import Analysis, Strategy, Unreviewed


def drawn(status: RolloutStatus) -> str:
    screen = Console(file=io.StringIO(), width=200, highlight=False)
    screen.print(status_page(status, "data/gradate.db"))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_a_finding_is_told_with_every_violation_of_both_versions() -> None:
    violations = [{"path": f"spec.containers[{n}].image", "message": f"image {n} [latest]"} for n in range(2)]
    sample = {
        "message": "image 0",
        "path": "spec.containers[0].image",
        "stable": None,
        "candidate": {"version": "1.1.0", "outcome": "deny", "violations": violations},
    }
    judged = Judgement(Verdict.TRUE_POSITIVE, "signal:fixed", "came back", NOW)
    shown = replace(finding(1), sample=sample, fixed_ns=60 * 10**9, verdict=judged.verdict, judgement=judged)
    text = finding_text(view_finding_detail(shown, None, [judged], []))
    assert "does not judge it" in text
    assert "spec.containers[1].image: image 1 \\[latest]" in text
    assert "fixed      after 59.9" in text
    assert "true-positive by signal:fixed: came back" in text
    assert "not in the store any more" in text


def test_an_answer_that_failed_says_how() -> None:
    failed = {"version": "1.1.0", "outcome": "error", "error": "eval_conflict_error: two values"}
    shown = replace(finding(1), sample={"candidate": failed})
    text = finding_text(view_finding_detail(shown, None, [], []))
    assert "error (1.1.0): eval_conflict_error: two values" in text


def test_what_is_out_of_the_ordinary_stands_in_the_status() -> None:
    strategy = Strategy(analysis=Analysis(unreviewed=Unreviewed.IGNORE))
    seen = evidence(500, unreviewed=2, misses=3, disputed=1, stable_durations=histogram_of([2_000_000] * 500))
    out = drawn(view_status(served(begun(strategy), 3600 * 10**9), seen, NAMESPACES, NOW))
    for words in (
        "3 denied by stable, too",
        "1 finding disputed",
        "(no guarantee)",
        "(stable 2",
        "1 hour of 72h",
        "the bound on the false-positive rate is no guarantee",
        "data/gradate.db, 2023-11-14",
    ):
        assert words in out, words


def test_what_a_review_gains_is_said_only_where_it_gains_something() -> None:
    ignoring = Strategy(analysis=Analysis(unreviewed=Unreviewed.IGNORE))
    for strategy, said in ((Strategy(), True), (ignoring, False)):
        status = view_status(begun(strategy), evidence(500, unreviewed=2), NAMESPACES, NOW)
        assert ("if all unreviewed are right" in drawn(status)) is said


def test_many_namespaces_are_counted_and_a_few_are_named() -> None:
    names = [f"team-{number:04}" for number in range(1_000)]
    status = view_status(begun(Strategy()), evidence(), names, NOW)
    many = structs.replace(status.cohort, size=60, namespaces=tuple(names[:60]))
    assert "team-0007 and 52 more" in drawn(structs.replace(status, cohort=many))


def test_work_that_was_shed_is_shown() -> None:
    status = view_status(begun(), evidence(), NAMESPACES, NOW)
    assert status.evidence is not None
    shed = structs.replace(status.evidence, dropped=1_234)
    assert "1,234 shed" in drawn(structs.replace(status, evidence=shed))
