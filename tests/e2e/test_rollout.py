"""What a rollout promises to those who work with it, kept by a real server over HTTPS."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gradate import Deployment, Refused, deployed, policy_text, unit_test_text
from webhook.flows.exceptions import GrantException
from webhook.flows.operate import RolloutVerb
from webhook.flows.review import DisputeFinding, FindingName, JudgeFindings, ListFindings
from webhook.flows.review_views import FindingView
from webhook.flows.rollout_status import RolloutName
from webhook.rollout.bars import LEAST_EVALUATIONS_FOR_P99
from webhook.rollout.finding import FindingKind, Verdict
from webhook.server.operation_table import (
    ABORT_ROLLOUT,
    DISPUTE_FINDING,
    GET_FINDING,
    GRANT_EXCEPTION,
    JUDGE_FINDINGS,
    LIST_FINDINGS,
    RETRY_ROLLOUT,
    ROLLOUT_HISTORY,
)

NAMESPACES = tuple(f"team-{number:02}" for number in range(20))
COHORT = 4
"""A fifth of them."""
EASY = {
    "steps": [
        {"mode": "enforce", "percent": 20, "duration": "500ms"},
        {"mode": "enforce", "percent": 100},
    ],
    "analysis": {"falsePositiveRate": {"max": 0.2, "confidence": 0.9}},
}
"""Bars that some dozens of workloads clear."""
POLICIES = (
    "started", "untested", "repeated", "aborted", "excepted", "superseded", "earning", "failing", "disputed",
    "fixed", "deleted", "rehearsed", "erring", "heard", "probed",
)  # fmt: skip


@pytest.fixture(scope="module")
def gradate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One server for all tests of this module; each has a policy of its own."""
    stable = {name: policy_text(name, "1.0.0", denies=[latest(name)]) for name in POLICIES}
    strategies = dict.fromkeys(("earning", "failing"), EASY)
    folder = tmp_path_factory.mktemp("gradate")
    with deployed(folder, stable, strategies=strategies, deletionGraceSeconds=1) as running:
        running.teach(NAMESPACES)
        yield running


def latest(policy: str) -> str:
    """Give the image that every version of a policy denies, and no other policy."""
    return f"registry.example.com/{policy}:latest"


def branch(policy: str) -> str:
    """Give the image that a policy denies from version 1.1.0 on, and no other policy."""
    return f"registry.example.com/{policy}:main"


def stricter(policy: str, version: str = "1.1.0", *others: str) -> str:
    return policy_text(policy, version, denies=[latest(policy), branch(policy), *others])


def begin(gradate: Deployment, policy: str) -> tuple[str, str]:
    """Save a stricter version; give a namespace of its cohort, and one outside."""
    gradate.save(stricter(policy), policy)
    inside = gradate.until_phase(policy, "Progressing", "1.1.0").cohort.namespaces
    # The store is ahead of the processes that serve by a tick.
    gradate.until(lambda: not gradate.submit(branch(policy), namespace=inside[0], name="probe").allowed)
    return inside[0], next(name for name in NAMESPACES if name not in inside)


def findings(gradate: Deployment, policy: str, owner: str, *, number: int = 1) -> tuple[FindingView, ...]:
    """Wait for some findings on a workload, and give them."""

    def look() -> tuple[FindingView, ...]:
        return gradate.operate(LIST_FINDINGS, ListFindings(policy=policy, owner=owner)).items

    gradate.until(lambda: len(look()) >= number)
    return look()


def judge(gradate: Deployment, verdict: Verdict, *found: FindingView) -> None:
    asked = JudgeFindings(ids=tuple(one.id for one in found), verdict=verdict, reason="looked at it")
    gradate.operate(JUDGE_FINDINGS, asked)


def test_a_saved_file_starts_a_rollout_that_enforces_in_its_cohort_and_only_watches_elsewhere(
    gradate: Deployment,
) -> None:
    assert gradate.submit(branch("started"), namespace=NAMESPACES[0]).allowed
    inside, outside = begin(gradate, "started")
    cohort = gradate.status("started").cohort
    assert (cohort.size, cohort.eligible) == (COHORT, len(NAMESPACES))

    denied = gradate.submit(branch("started"), namespace=inside)
    assert not denied.allowed
    admitted = gradate.submit(branch("started"), namespace=outside)
    assert (admitted.allowed, admitted.message) == (True, "")
    for namespace in (inside, outside):
        assert not gradate.submit(latest("started"), namespace=namespace).allowed

    found = findings(gradate, "started", "Deployment/web", number=4)
    assert {(finding.namespace, finding.kind) for finding in found} == {
        (namespace, kind)
        for namespace in (inside, outside)
        for kind in (FindingKind.NEWLY_DENIED, FindingKind.AGREED)
    }
    (mine,) = (
        finding.id
        for finding in found
        if (finding.namespace, finding.kind) == (inside, FindingKind.NEWLY_DENIED)
    )
    for part in (mine, "1.1.0", "step 1 of 2"):
        assert part in denied.message


def test_a_version_whose_unit_tests_fail_never_begins_and_says_which_failed(gradate: Deployment) -> None:
    gradate.save_tests(unit_test_text("untested", denied="registry.example.com/untested:develop"), "untested")
    gradate.save(stricter("untested"), "untested")
    failed = gradate.until_status("untested", lambda status: status.rollout.checks == "failed")
    assert failed.rollout.phase == "Pending"
    assert "test_it_is_denied" in failed.rollout.message
    assert "a new version that passes" in failed.explanation.needs[0]
    assert all(gradate.submit(branch("untested"), namespace=namespace).allowed for namespace in NAMESPACES)

    gradate.save(stricter("untested", "1.1.1", "registry.example.com/untested:develop"), "untested")
    begun = gradate.until_phase("untested", "Progressing", "1.1.1")
    assert begun.cohort.size == COHORT


def test_a_version_that_lets_a_probe_through_begins_only_once_the_probe_is_gone(gradate: Deployment) -> None:
    image = "registry.example.com/probed:develop"
    probe = f"{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{containers: [{{image: '{image}'}}]}}}}"
    gradate.save_probes(probe, "probed")
    gradate.save(stricter("probed"), "probed")
    failed = gradate.until_status("probed", lambda status: status.rollout.checks == "failed")
    assert failed.rollout.message.endswith("probed.must-deny.yaml: Pod default/web: allow")
    assert failed.rollout.phase == "Pending"
    gradate.save_probes(probe.replace("develop", "main"), "probed")
    gradate.operate(RETRY_ROLLOUT, RolloutVerb(name="probed"))
    gradate.until_phase("probed", "Progressing", "1.1.0")
    (history,) = gradate.operate(ROLLOUT_HISTORY, RolloutName(name="probed")).items
    assert "1 must-deny probe denied" in {one.message.rpartition(", ")[2] for one in history.transitions}


def test_a_first_version_decides_in_its_cohort_and_nothing_decides_elsewhere(gradate: Deployment) -> None:
    gradate.save(stricter("new", "0.1.0"), "new")
    status = gradate.until_phase("new", "Progressing")
    assert (status.rollout.stable, status.cohort.size) == (None, COHORT)
    gradate.until(lambda: not gradate.submit(branch("new"), namespace=status.cohort.namespaces[0]).allowed)
    denied = [name for name in NAMESPACES if not gradate.submit(branch("new"), namespace=name).allowed]
    assert denied == list(status.cohort.namespaces)


def test_a_candidate_that_errs_is_replaced_by_stable_at_once_and_rolls_back(gradate: Deployment) -> None:
    conflict = "\ndeny contains twice\n\ntwice := 1 if input.request.uid\n\ntwice := 2 if input.request.uid\n"
    gradate.save(stricter("erring") + conflict, "erring")
    inside = gradate.until_phase("erring", "Progressing", "1.1.0").cohort.namespaces[0]
    for _ in range(5):
        assert gradate.submit(namespace=inside).allowed
        assert not gradate.submit(latest("erring"), namespace=inside).allowed
    over = gradate.until_phase("erring", "Degraded")
    assert "errorRate is missed" in over.rollout.message


def test_a_workload_that_is_tried_again_under_many_names_is_one_finding(gradate: Deployment) -> None:
    inside, _ = begin(gradate, "repeated")
    owned: dict[str, Any] = {
        "ownerReferences": [owner("Deployment", "shop")],
        "labels": {"pod-template-hash": "5d9c"},
    }
    pods: dict[str, Any] = {
        "ownerReferences": [owner("ReplicaSet", "shop-5d9c")],
        "labels": {"pod-template-hash": "5d9c"},
    }
    with gradate.line() as line:
        image = branch("repeated")
        replies = [line.submit(image, namespace=inside, name="shop") for _ in range(3)]
        replies.append(line.submit(image, namespace=inside, kind="ReplicaSet", name="shop-5d9c", **owned))
        replies += [
            line.submit(
                image, namespace=inside, kind="Pod", name=f"shop-5d9c-{n}", generateName="shop-5d9c-", **pods
            )
            for n in range(10)
        ]
    assert not any(reply.allowed for reply in replies)
    gradate.until(lambda: findings(gradate, "repeated", "Deployment/shop")[0].count == len(replies))
    (finding,) = findings(gradate, "repeated", "Deployment/shop")
    assert all(finding.id in reply.message for reply in replies)
    probes = 1
    assert gradate.evidence("repeated").unreviewed == 1 + probes


def test_dry_runs_are_answered_and_are_no_evidence(gradate: Deployment) -> None:
    inside, _ = begin(gradate, "rehearsed")
    assert not gradate.submit(branch("rehearsed"), namespace=inside, dry_run=True, name="dry").allowed
    gradate.submit(branch("rehearsed"), namespace=inside, name="wet")
    assert findings(gradate, "rehearsed", "Deployment/wet")
    asked = ListFindings(policy="rehearsed", owner="Deployment/dry")
    assert gradate.operate(LIST_FINDINGS, asked).total == 0


def test_an_abort_counts_at_the_next_tick_and_the_aborted_content_never_starts_again(
    gradate: Deployment,
) -> None:
    inside, _ = begin(gradate, "aborted")
    gradate.operate(ABORT_ROLLOUT, RolloutVerb(name="aborted", reason="wrong day"), user="noor")
    waited = gradate.until(lambda: gradate.submit(branch("aborted"), namespace=inside).allowed)
    assert waited < 1

    for text in (policy_text("aborted", "1.0.0", denies=[latest("aborted")]), stricter("aborted")):
        reloads = len(gradate.events("snapshot_loaded"))
        gradate.save(text, "aborted")
        gradate.until(lambda seen=reloads: len(gradate.events("snapshot_loaded")) > seen)  # type: ignore[misc]
    gradate.until(lambda: notes(gradate, "aborted"))
    assert "was given up before (aborted by noor: wrong day) and does not start again" in notes(
        gradate, "aborted"
    )
    (history,) = gradate.operate(ROLLOUT_HISTORY, RolloutName(name="aborted")).items
    assert [(one.event, one.actor) for one in history.transitions][-1] == ("abort", "noor")
    assert gradate.submit(branch("aborted"), namespace=inside).allowed

    gradate.operate(RETRY_ROLLOUT, RolloutVerb(name="aborted"))
    assert gradate.until_phase("aborted", "Progressing").rollout.attempt == 2


def test_an_exception_permits_under_both_versions_and_settles_the_finding(gradate: Deployment) -> None:
    inside, outside = begin(gradate, "excepted")
    assert not gradate.submit(branch("excepted"), namespace=inside, name="legacy").allowed
    assert not gradate.submit(latest("excepted"), namespace=outside, name="legacy").allowed
    findings(gradate, "excepted", "Deployment/legacy", number=2)
    granted = GrantException(
        policy="excepted",
        namespace="team-*",
        workload="Deployment/legacy",
        reason="is replaced in May",
        owner="team-09",
        expires="30d",
    )
    gradate.operate(GRANT_EXCEPTION, granted)

    def is_permitted(namespace: str) -> bool:
        reply = gradate.submit(latest("excepted"), namespace=namespace, name="legacy")
        return reply.allowed and any("permitted by exception" in warning for warning in reply.warnings)

    # Both versions deny this image: the false positive that the exception settles may roll the candidate back.
    gradate.until(lambda: is_permitted(inside))
    assert is_permitted(outside)
    assert not gradate.submit(latest("excepted"), namespace=inside, name="other").allowed
    judged = {
        one.kind: (one.verdict, one.judged_by) for one in findings(gradate, "excepted", "Deployment/legacy")
    }
    assert judged[FindingKind.NEWLY_DENIED] == (Verdict.FALSE_POSITIVE, "signal:exception")


def test_a_newer_version_takes_the_place_of_the_one_under_way(gradate: Deployment) -> None:
    inside, _ = begin(gradate, "superseded")
    newer = "registry.example.com/superseded:develop"
    gradate.save(policy_text("superseded", "1.2.0", denies=[latest("superseded"), newer]), "superseded")
    cohort = gradate.until_phase("superseded", "Progressing", "1.2.0").cohort.namespaces
    gradate.until(lambda: not gradate.submit(newer, namespace=cohort[0]).allowed)
    assert gradate.submit(branch("superseded"), namespace=inside).allowed
    older, current = gradate.operate(ROLLOUT_HISTORY, RolloutName(name="superseded")).items
    assert (older.rollout.phase, older.rollout.message) == ("Superseded", "version 1.2.0 takes its place")
    assert current.rollout.stable == older.rollout.stable


def test_evidence_promotes_a_version_to_every_namespace_known_or_not(gradate: Deployment) -> None:
    _, outside = begin(gradate, "earning")
    judge(gradate, Verdict.TRUE_POSITIVE, *findings(gradate, "earning", "Deployment/probe"))
    assert 0 < gradate.evidence("earning").workloads_needed < LEAST_EVALUATIONS_FOR_P99

    def workloads_come_until_it_is_over() -> bool:
        # Again and again, with quiet in between, as in life: a busy server sheds shadow evaluations.
        with gradate.line() as line:
            for number in range(LEAST_EVALUATIONS_FOR_P99):
                line.submit(namespace=NAMESPACES[number % len(NAMESPACES)], name=f"shop-{number}")
        time.sleep(1)
        return gradate.status("earning").rollout.phase != "Progressing"

    gradate.until(workloads_come_until_it_is_over)
    done = gradate.until_phase("earning", "Healthy")
    assert done.cohort.everywhere
    gradate.until(lambda: not gradate.submit(branch("earning"), namespace=outside).allowed)
    assert not gradate.submit(branch("earning"), namespace="made-today").allowed
    (history,) = gradate.operate(ROLLOUT_HISTORY, RolloutName(name="earning")).items
    assert [one.event for one in history.transitions] == ["start", "check", "begin", "advance", "complete"]
    assert all(one.actor == "gradate" for one in history.transitions)


def test_verdicts_of_false_positive_roll_a_version_back_by_themselves(gradate: Deployment) -> None:
    inside, _ = begin(gradate, "failing")
    for number in range(6):
        assert not gradate.submit(branch("failing"), namespace=inside, name=f"shop-{number}").allowed
    for number in range(6):
        judge(gradate, Verdict.FALSE_POSITIVE, *findings(gradate, "failing", f"Deployment/shop-{number}"))
    over = gradate.until_phase("failing", "Degraded")
    assert over.rollout.reason == "BarMissed"
    gradate.until(lambda: gradate.submit(branch("failing"), namespace=inside).allowed)
    with pytest.raises(Refused, match="409 conflict: it would roll back at once"):
        gradate.operate(RETRY_ROLLOUT, RolloutVerb(name="failing"))


def test_a_denial_can_be_disputed_the_moment_that_it_is_out(gradate: Deployment) -> None:
    inside, _ = begin(gradate, "heard")
    denied = gradate.submit(branch("heard"), namespace=inside, name="shop")
    (identity,) = set(re.findall(r"f-[0-9a-f]{16}", denied.message))
    disputed = gradate.operate(DISPUTE_FINDING, DisputeFinding(id=identity, reason="it is our release"))
    assert (disputed.finding.owner, disputed.finding.disputed) == ("Deployment/shop", True)


def test_a_dispute_by_annotation_stands_at_the_head_of_the_queue_until_it_is_judged(
    gradate: Deployment,
) -> None:
    inside, outside = begin(gradate, "disputed")
    for name, annotations in (("first", {}), ("second", {"gradate.dev/dispute": "it is  our release"})):
        assert not gradate.submit(
            branch("disputed"), namespace=inside, name=name, annotations=annotations
        ).allowed
    disputes = ListFindings(policy="disputed", disputed=True)
    gradate.until(lambda: gradate.operate(LIST_FINDINGS, disputes).total == 1)
    head = gradate.operate(LIST_FINDINGS, ListFindings(policy="disputed", unreviewed=True)).items[0]
    assert head.owner == "Deployment/second"
    detail = gradate.operate(GET_FINDING, FindingName(id=head.id))
    assert [(one.actor, one.reason) for one in detail.disputes] == [("maria", "it is our release")]
    assert detail.sample["path"] == "spec.template.spec.containers[0].image"
    judge(gradate, Verdict.FALSE_POSITIVE, head)
    assert gradate.operate(LIST_FINDINGS, disputes).total == 0
    assert outside


def test_a_workload_that_comes_back_fixed_was_denied_rightly(gradate: Deployment) -> None:
    inside, _ = begin(gradate, "fixed")
    assert not gradate.submit(branch("fixed"), namespace=inside, name="shop").allowed
    findings(gradate, "fixed", "Deployment/shop")
    assert gradate.submit("registry.example.com/fixed:1.0.1", namespace=inside, name="shop").allowed

    def verdict() -> Verdict:
        return findings(gradate, "fixed", "Deployment/shop")[0].verdict

    gradate.until(lambda: verdict() is Verdict.TRUE_POSITIVE)
    (finding,) = findings(gradate, "fixed", "Deployment/shop")
    assert finding.judged_by == "signal:fixed"
    assert gradate.operate(GET_FINDING, FindingName(id=finding.id)).time_to_fix is not None


def test_a_policy_that_is_deleted_during_its_rollout_ends_it_and_is_in_force_nowhere(
    gradate: Deployment,
) -> None:
    inside, outside = begin(gradate, "deleted")
    gradate.delete("deleted")
    over = gradate.until_phase("deleted", "Superseded")
    assert over.rollout.message == "the policy deleted was deleted"
    for namespace in (inside, outside):
        gradate.until(lambda name=namespace: gradate.submit(latest("deleted"), namespace=name).allowed)  # type: ignore[misc]


def owner(kind: str, name: str) -> dict[str, object]:
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": True}


def notes(gradate: Deployment, policy: str) -> str:
    """Give what the leader said of a policy."""
    return "\n".join(str(line) for line in gradate.events("rollout_noted") if line.get("policy") == policy)
