from typing import Any

import pytest

from tests.support.reviews import POINTERS, pod, request_of, workload
from webhook.admission.patch import apply_patch
from webhook.admission.workload import PodView, find_pod
from webhook.decision.mutation import Mutation, PatchProposal, mutate


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def mutation_of(sent: Any, *proposals: tuple[str, Any], as_pod: bool = True) -> Mutation:
    request = request_of(sent)
    view = find_pod(request)
    assert isinstance(view, PodView)
    return mutate(request, view, [PatchProposal(policy, values, as_pod) for policy, values in proposals])


SECCOMP = add("/spec/securityContext", {"seccompProfile": {"type": "RuntimeDefault"}})


@pytest.mark.parametrize("kind", POINTERS)
def test_a_patch_of_the_pod_becomes_one_of_the_object_sent(kind: str) -> None:
    mutation = mutation_of(workload(kind), ("seccomp", [SECCOMP]))

    assert mutation == Mutation(({**SECCOMP, "path": POINTERS[kind] + SECCOMP["path"]},))


def test_a_policy_for_the_object_itself_patches_it_where_it_says() -> None:
    mutation = mutation_of(workload("Deployment"), ("replicas", [add("/spec/replicas", 2)]), as_pod=False)

    assert mutation.operations == (add("/spec/replicas", 2),)


def test_patches_of_several_policies_become_one() -> None:
    user = add("/spec/securityContext", {"runAsNonRoot": True})

    mutation = mutation_of(pod(), ("seccomp", [SECCOMP]), ("user", [user]))

    assert not mutation.problems
    assert apply_patch(pod(), mutation.operations)["spec"]["securityContext"] == {
        "seccompProfile": {"type": "RuntimeDefault"},
        "runAsNonRoot": True,
    }


def test_a_conflict_is_the_later_policys_problem_and_names_both() -> None:
    other = add("/spec/securityContext", {"seccompProfile": {"type": "Localhost"}})

    mutation = mutation_of(
        pod(), ("first", [add("/spec/x", 1)]), ("seccomp", [SECCOMP]), ("late", [other, add("/spec/y", 1)])
    )

    assert set(mutation.problems) == {"late"}
    problem = mutation.problems["late"]
    assert problem.code == "patch_conflict"
    assert problem.message == (
        "its patch conflicts with that of seccomp: "
        "/spec/securityContext/seccompProfile/type would get two different values"
    )
    assert apply_patch(pod(), mutation.operations)["spec"].get("y") is None


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (["x"], "malformed_patch"),
        ([{"op": "replace", "path": "/spec/none", "value": 1}], "inapplicable_patch"),
        ([add("/spec/y", 1), {"op": "remove", "path": "/none"}], "inapplicable_patch"),
    ],
)
def test_a_patch_that_cannot_stand_leaves_no_trace(values: Any, code: str) -> None:
    mutation = mutation_of(pod(), ("bad", values), ("seccomp", [SECCOMP]))

    assert [problem.code for problem in mutation.problems.values()] == [code]
    assert mutation.operations == (SECCOMP,)


def test_a_patch_that_changes_nothing_is_no_patch() -> None:
    assert mutation_of(pod(), ("noop", [add("/metadata/name", "web-1")])) == Mutation()
