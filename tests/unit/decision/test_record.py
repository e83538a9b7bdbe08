import json

import msgspec

from tests.support.policies import version_of
from tests.support.reviews import pod, pod_spec, request_of, workload
from webhook.admission.workload import PodView, find_pod
from webhook.decision.decision import PASSED, combine
from webhook.decision.judge import Judge
from webhook.decision.record import record
from webhook.decision.verdict import EvaluationProblem

SECRET = "hunter2-is-my-password"


def test_a_record_tells_what_was_decided_without_any_value_of_the_object() -> None:
    sent = workload("Deployment", pod_spec(env=[{"name": "X", "value": SECRET}]))
    request = request_of(sent, dryRun=True)
    view = find_pod(request)
    assert isinstance(view, PodView)
    judge = Judge(request, view)
    verdict = judge.judge(
        version_of(),
        {"deny": [{"msg": f"X is {SECRET}", "path": "spec.containers[0]"}]},
        as_pod=True,
        duration_ns=5,
    )
    failed = judge.fail(version_of("slow"), EvaluationProblem("late", f"at {SECRET}"))

    encoded = msgspec.json.encode(record(request, combine([verdict, failed])))

    assert json.loads(encoded) == {
        "uid": request.uid,
        "operation": "CREATE",
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "username": "maria",
        "dryRun": True,
        "allowed": False,
        "outcome": "deny",
        "code": 403,
        "verdicts": [
            {
                "policy": "example",
                "version": "0.0.0",
                "digest": "sha256:example",
                "outcome": "deny",
                "durationNs": 5,
                "violations": [
                    {
                        "rule": "deny",
                        "action": "deny",
                        "message": "X is [redacted]",
                        "path": "spec.template.spec.containers[0]",
                        "standing": False,
                    }
                ],
            },
            {
                "policy": "slow",
                "version": "0.0.0",
                "digest": "sha256:slow",
                "outcome": "error",
                "error": "late: at [redacted]",
            },
        ],
    }


def test_an_object_that_is_not_named_yet_goes_by_its_generate_name() -> None:
    request = request_of(pod(name="", generateName="web-"))

    assert record(request, PASSED).name == "web-"


def test_a_patch_and_warnings_are_counted_and_not_kept() -> None:
    patched = combine([], ({"op": "add", "path": "/x", "value": SECRET},))

    kept = record(request_of(pod()), patched)

    assert kept.patched
    assert SECRET not in repr(kept)
