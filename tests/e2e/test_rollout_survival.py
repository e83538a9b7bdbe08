"""What becomes of a rollout when processes die and when the store fails."""

import os
import resource
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.gradate import Deployment, deployed, policy_text
from webhook.flows.operate import RolloutVerb
from webhook.flows.review import JudgeFindings, ListFindings
from webhook.flows.rollout_status import ListRollouts, RolloutName
from webhook.ports.store import NAMESPACE_QUIET_NS
from webhook.rollout.finding import Verdict
from webhook.server.operation_table import (
    ABORT_ROLLOUT,
    JUDGE_FINDINGS,
    LIST_FINDINGS,
    LIST_ROLLOUTS,
    ROLLOUT_HISTORY,
)

NAMESPACES = tuple(f"team-{number:02}" for number in range(20))
POLICY = "images"
LATEST, MAIN = "registry.example.com/web:latest", "registry.example.com/web:main"
OLD = {POLICY: policy_text(POLICY, "1.0.0", denies=[LATEST])}
NEW = policy_text(POLICY, "1.1.0", denies=[LATEST, MAIN])
LEASE_SECONDS = 1.0


def begin(gradate: Deployment) -> tuple[str, str]:
    """Save a stricter version; give a namespace of its cohort, and one outside."""
    gradate.teach(NAMESPACES)
    gradate.save(NEW, POLICY)
    inside = gradate.until_phase(POLICY, "Progressing").cohort.namespaces
    gradate.until(lambda: not any(gradate.submit(MAIN, namespace=inside[0]).allowed for _ in range(4)))
    return inside[0], next(name for name in NAMESPACES if name not in inside)


def events_of(gradate: Deployment) -> list[str]:
    (history,) = gradate.operate(ROLLOUT_HISTORY, RolloutName(name=POLICY)).items
    return [str(one.event) for one in history.transitions]


def test_a_kill_in_the_middle_loses_no_verdict_and_promotes_nothing(tmp_path: Path) -> None:
    # A strategy that would promote at once if a crash ever looked like time served or like good evidence.
    strategy = {
        "steps": [{"mode": "enforce", "percent": 20, "duration": "1h"}, {"mode": "enforce", "percent": 100}],
        "analysis": {"falsePositiveRate": {"max": 0.9, "confidence": 0.1}, "latencyOverhead": None},
    }
    with deployed(tmp_path, OLD, strategies={POLICY: strategy}, leaseSeconds=LEASE_SECONDS) as gradate:
        inside, outside = begin(gradate)
        with gradate.line() as line:
            for number in range(12):
                line.submit(namespace=NAMESPACES[number], name=f"shop-{number}")
        gradate.until(lambda: gradate.evidence(POLICY).workloads == 13)
        (finding,) = gradate.operate(LIST_FINDINGS, ListFindings(policy=POLICY)).items
        judged = JudgeFindings(ids=(finding.id,), verdict=Verdict.TRUE_POSITIVE, reason="a branch")
        gradate.operate(JUDGE_FINDINGS, judged)
        before = gradate.status(POLICY)
        with gradate.line() as line:
            for number in range(40):
                line.submit(namespace=outside, name=f"late-{number}")
        gradate.kill()

        gradate.start()
        after = gradate.status(POLICY)
        assert (after.rollout, after.cohort) == (before.rollout, before.cohort)
        assert before.evidence is not None
        assert after.evidence is not None
        assert before.evidence.workloads <= after.evidence.workloads <= before.evidence.workloads + 40
        assert after.evidence.true_positives == 1
        assert not gradate.submit(MAIN, namespace=inside).allowed
        assert gradate.submit(MAIN, namespace=outside).allowed

        gradate.submit(namespace=outside, name="after-the-crash")
        seen = after.evidence.workloads + 2
        gradate.until(lambda: gradate.evidence(POLICY).workloads == seen)
        gradate.until(lambda: "leads the rollouts" in gradate.get("/readyz?verbose"))
        assert events_of(gradate) == ["start", "check", "begin"]
        assert gradate.status(POLICY).rollout.phase == "Progressing"


def test_a_finding_that_somebody_heard_of_outlives_an_orderly_end(alone: Deployment) -> None:
    inside, _ = begin(alone)
    with alone.line() as line:
        replies = [line.submit(MAIN, namespace=inside, name=f"late-{number}") for number in range(5)]
    assert alone.stop() == 0
    alone.start()
    known = {finding.id for finding in alone.operate(LIST_FINDINGS, ListFindings(policy=POLICY)).items}
    for reply in replies:
        assert any(identity in reply.message for identity in known), reply.message


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path, OLD, workers=2, leaseSeconds=LEASE_SECONDS) as gradate:
        yield gradate


def test_of_two_workers_one_leads_both_count_and_a_killed_one_is_replaced(pair: Deployment) -> None:
    inside, outside = begin(pair)
    leaders = {line["worker"] for line in pair.events("rollout_changed")}
    assert len(leaders) == 1
    begun = pair.evidence(POLICY).evaluations
    for number in range(24):  # each over a connection of its own, so that both workers get some
        pair.submit(namespace=outside, name=f"shop-{number}")
    pair.until(lambda: pair.evidence(POLICY).workloads == 25)
    counted = pair.evidence(POLICY).evaluations
    assert counted >= begun + 24
    assert evaluating_replicas(pair) == 2

    (leader,) = leaders
    pids = {line["name"]: line["pid"] for line in pair.events("worker_started")}
    os.kill(pids[leader], signal.SIGKILL)
    pair.until(lambda: pair.events("worker_lost"))  # connections that it had not accepted are reset
    assert not pair.submit(MAIN, namespace=inside).allowed
    assert pair.submit(MAIN, namespace=outside).allowed
    assert pair.evidence(POLICY).evaluations >= counted
    pair.save(policy_text(POLICY, "1.2.0", denies=[LATEST, f"{MAIN}-2"]), POLICY)
    pair.until_phase(POLICY, "Progressing", "1.2.0")
    starts = [
        line["worker"]
        for line in pair.events("rollout_changed")
        if line["version"] == "1.2.0" and line["transition"] == "start"
    ]
    assert len(starts) == 1

    cohort = pair.status(POLICY).cohort.namespaces
    pair.until(lambda: "2 of 2 ready" in pair.get("/readyz?verbose"))
    pair.until(lambda: not any(pair.submit(f"{MAIN}-2", namespace=cohort[0]).allowed for _ in range(8)))
    pair.operate(ABORT_ROLLOUT, RolloutVerb(name=POLICY, reason="enough"))
    waited = pair.until(lambda: all(pair.submit(f"{MAIN}-2", namespace=cohort[0]).allowed for _ in range(8)))
    assert waited < 1


def evaluating_replicas(gradate: Deployment) -> int:
    """Count the processes that evaluated the candidate."""
    connection = sqlite3.connect(gradate.folder / "data" / "gradate.db")
    try:
        (count,) = connection.execute("SELECT count(DISTINCT replica) FROM counters").fetchone()
        return int(count)
    finally:
        connection.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Deployment]:
    strategy = {
        "steps": [{"mode": "enforce", "percent": 20}, {"mode": "enforce", "percent": 100}],
        "analysis": {
            "falsePositiveRate": {"max": 0.3, "confidence": 0.9},
            "interceptionAccuracy": None,
            "latencyOverhead": None,
            "unreviewed": "ignore",
        },
    }
    with deployed(tmp_path, OLD, strategies={POLICY: strategy}, leaseSeconds=LEASE_SECONDS) as gradate:
        yield gradate


def test_a_cohort_whose_namespaces_were_deleted_takes_in_the_next_ones(alone: Deployment) -> None:
    begin(alone)
    before = alone.status(POLICY).cohort.namespaces
    assert alone.stop() == 0
    store = sqlite3.connect(alone.folder / "data" / "gradate.db")
    with store:
        places = ", ".join("?" * len(before))
        store.execute(
            f"UPDATE namespace SET seen_ns = seen_ns - ? WHERE name IN ({places})",  # noqa: S608 - question marks
            (NAMESPACE_QUIET_NS + 3_600 * 10**9, *before),
        )
    store.close()
    alone.start()
    alone.until(lambda: "widen" in events_of(alone))
    after = alone.status(POLICY).cohort.namespaces
    assert after
    assert not set(after) & set(before)
    alone.until(lambda: not alone.submit(MAIN, namespace=after[0]).allowed)


@contextmanager
def full_disk(gradate: Deployment) -> Iterator[None]:
    """Let the server's files grow no more."""
    assert gradate.process is not None
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(gradate.process.pid, resource.RLIMIT_FSIZE, (0, unlimited))
    try:
        yield
    finally:
        resource.prlimit(gradate.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


def test_while_the_store_cannot_be_written_serving_goes_on_and_the_rollout_holds_and_says_so(
    alone: Deployment,
) -> None:
    inside, outside = begin(alone)
    with full_disk(alone):
        alone.until(lambda: "rollouts hold, the store fails" in alone.get("/readyz?verbose"))
        with alone.line() as line:
            for number in range(40):
                line.submit(namespace=NAMESPACES[number % 20], name=f"shop-{number}")
        for _ in range(3):
            assert not alone.submit(MAIN, namespace=inside).allowed
            assert alone.submit(MAIN, namespace=outside).allowed
        assert alone.get("/readyz") == "ok"
        assert alone.status(POLICY).rollout.phase == "Progressing"
        assert alone.evidence(POLICY).workloads < 10
        alone.until(lambda: "nobody leads" in alone.operate(LIST_ROLLOUTS, ListRollouts()).note)
    # What was seen meanwhile is told afterwards, and proves enough.
    alone.until_phase(POLICY, "Healthy")
    assert not alone.operate(LIST_ROLLOUTS, ListRollouts()).note
    alone.until(lambda: "leads the rollouts" in alone.get("/readyz?verbose"))
    alone.until(lambda: not alone.submit(MAIN, namespace=outside).allowed)


def test_a_store_that_is_removed_is_not_written_on_in_secret(alone: Deployment) -> None:
    inside, outside = begin(alone)
    shutil.rmtree(alone.folder / "data")
    alone.until(lambda: "removed or replaced while in use" in alone.get("/readyz?verbose"))
    assert not alone.submit(MAIN, namespace=inside).allowed
    assert alone.submit(MAIN, namespace=outside).allowed
    assert not list((alone.folder / "data").glob("*"))
    assert alone.stop() == 0
