import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rollout.identity import Owner, normalise_spec, owner_of, workload_digest

WEB = Owner("Deployment", "web")

TEMPLATE: dict[str, Any] = {
    "containers": [
        {
            "name": "web",
            "image": "registry.example/web:1.2",
            "ports": [{"containerPort": 8080}],
            "env": [
                {"name": "MODE", "value": "fast"},
                {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
            "resources": {"limits": {"cpu": "1"}},
            "livenessProbe": {"httpGet": {"port": 8080}},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
        }
    ],
    "volumes": [{"name": "config", "configMap": {"name": "web"}}, {"name": "scratch"}],
}


def as_the_api_server_makes_it() -> dict[str, Any]:
    """Give the Pod spec of TEMPLATE as a Pod create shows it, with everything that was added on the way."""
    token = {
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "name": "kube-api-access-x7q2v",
        "readOnly": True,
    }
    return {
        "containers": [
            {
                "name": "web",
                "image": "registry.example/web:1.2",
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "env": [
                    {"name": "MODE", "value": "fast"},
                    {"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
                ],
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
                "livenessProbe": {
                    "httpGet": {"port": 8080, "path": "/", "scheme": "HTTP"},
                    "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
                },
                "securityContext": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}, token],
            }
        ],
        "volumes": [
            {"name": "config", "configMap": {"name": "web", "defaultMode": 420}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "kube-api-access-x7q2v", "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {}}]}},
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "nodeName": "node-7",
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccount": "default",
        "serviceAccountName": "default",
        "imagePullSecrets": [{"name": "default-pull"}],
        "terminationGracePeriodSeconds": 30,
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        ],
    }  # fmt: skip


def controlled_by(kind: str, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "1", "controller": True}
    return {"name": f"{name}-x2x4z", "labels": labels or {}, "ownerReferences": [reference]}


def test_a_template_and_the_pods_made_from_it_are_one_workload() -> None:
    pod_owner = owner_of(
        "Pod", controlled_by("ReplicaSet", "web-7d9f8c6b5", {"pod-template-hash": "7d9f8c6b5"})
    )
    deployment_owner = owner_of("Deployment", {"name": "web"})
    assert workload_digest("ns", pod_owner, as_the_api_server_makes_it()) == workload_digest(
        "ns", deployment_owner, TEMPLATE
    )


def test_normalising_leaves_its_argument_alone() -> None:
    spec = as_the_api_server_makes_it()
    before = copy.deepcopy(spec)
    normalise_spec(spec, WEB)
    assert spec == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hostNetwork", True),
        ("serviceAccountName", "admin"),
        ("restartPolicy", "Never"),
        ("securityContext", {"runAsNonRoot": True}),
        ("terminationGracePeriodSeconds", 31),
        ("volumes", [{"name": "config", "hostPath": {"path": "/"}}]),
        ("tolerations", [{"key": "gpu", "operator": "Exists"}]),
        ("containers", [TEMPLATE["containers"][0] | {"image": "registry.example/web:1.3"}]),
        ("containers", [TEMPLATE["containers"][0] | {"imagePullPolicy": "Always"}]),
        ("initContainers", [{"name": "init", "image": "busybox"}]),
    ],
)
def test_what_an_author_changes_makes_another_workload(field: str, value: Any) -> None:
    assert workload_digest("ns", WEB, TEMPLATE | {field: value}) != workload_digest("ns", WEB, TEMPLATE)


def test_namespace_and_owner_make_another_workload() -> None:
    digests = {
        workload_digest("ns", WEB, TEMPLATE),
        workload_digest("other", WEB, TEMPLATE),
        workload_digest("ns", Owner("Deployment", "api"), TEMPLATE),
        workload_digest("ns", Owner("DaemonSet", "web"), TEMPLATE),
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("kind", "metadata", "owner"),
    [
        ("Deployment", {"name": "web"}, "Deployment/web"),
        ("Pod", {"name": "web"}, "Pod/web"),
        ("Pod", {"generateName": "runner-", "name": "runner-x2x4z"}, "Pod/runner"),
        ("Pod", {"generateName": "runner-"}, "Pod/runner"),
        ("Pod", controlled_by("ReplicaSet", "web-7d9f", {"pod-template-hash": "7d9f"}), "Deployment/web"),
        (
            "Pod",
            controlled_by("ReplicaSet", "web-7d9f", {"pod-template-hash": "other"}),
            "ReplicaSet/web-7d9f",
        ),
        ("ReplicaSet", controlled_by("Deployment", "web"), "Deployment/web"),
        ("Pod", controlled_by("StatefulSet", "db"), "StatefulSet/db"),
        ("Pod", controlled_by("Job", "backup-28391823"), "CronJob/backup"),
        ("Pod", controlled_by("Job", "migrate"), "Job/migrate"),
        ("Pod", controlled_by("Job", "report-x2x4z"), "Job/report"),
        ("Job", {"name": "report-x2x4z", "generateName": "report-"}, "Job/report"),
        ("Job", {"name": "report-x2x4z"}, "Job/report"),
        ("Pod", controlled_by("Workflow", "build-x2x4z"), "Workflow/build"),
        ("Pod", controlled_by("Job", "load-tests"), "Job/load-tests"),
        ("Pod", controlled_by("Job", "-x2x4z"), "Job/-x2x4z"),
        ("Pod", controlled_by("StatefulSet", "db-x2x4z"), "StatefulSet/db-x2x4z"),
        ("StatefulSet", {"name": "db-x2x4z"}, "StatefulSet/db-x2x4z"),
        ("Pod", {"name": "web-x2x4z"}, "Pod/web-x2x4z"),
        ("Job", {"name": "backup-28391823"}, "CronJob/backup"),
        ("Job", controlled_by("CronJob", "backup"), "CronJob/backup"),
        ("Pod", {"name": "web", "ownerReferences": [{"kind": "X", "name": "y"}]}, "Pod/web"),
        ("Pod", {}, "Pod/"),
        ("Pod", {"ownerReferences": "x", "labels": 5, "name": 7}, "Pod/"),
        ("Pod", {"ownerReferences": [None, {"controller": True, "kind": 5}], "name": "a"}, "Pod/a"),
    ],
)
def test_the_outermost_owner_is_found_and_generated_names_collapse(
    kind: str, metadata: dict[str, Any], owner: str
) -> None:
    assert str(owner_of(kind, metadata)) == owner


def test_the_pods_of_a_stateful_set_are_one_workload() -> None:
    def pod(ordinal: int) -> dict[str, Any]:
        claim = {"name": "data", "persistentVolumeClaim": {"claimName": f"data-db-{ordinal}"}}
        return {
            "containers": [{"name": "db", "image": "db:1"}],
            "hostname": f"db-{ordinal}",
            "subdomain": "db",
            "volumes": [claim],
        }

    owner = Owner("StatefulSet", "db")
    template = {"containers": [{"name": "db", "image": "db:1"}]}
    assert {workload_digest("ns", owner, spec) for spec in (pod(0), pod(11), template)} == {
        workload_digest("ns", owner, template)
    }
    assert normalise_spec(pod(0), Owner("Deployment", "db")).get("volumes")


def test_the_pods_of_a_daemon_set_are_one_workload() -> None:
    def pod(node: str) -> dict[str, Any]:
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        return {"containers": [{"name": "log", "image": "log:1"}], "affinity": {"nodeAffinity": required}}

    owner = Owner("DaemonSet", "log")
    assert normalise_spec(pod("a"), owner) == {"containers": [{"name": "log", "image": "log:1"}]}


def test_an_author_s_own_affinity_stays() -> None:
    terms = [{"matchExpressions": [{"key": "zone"}], "matchFields": [{"key": "metadata.name"}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    spec = {"affinity": {"nodeAffinity": required, "podAffinity": {"x": 1}}}
    normal = normalise_spec(spec, WEB)["affinity"]
    kept = normal["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert kept == [{"matchExpressions": [{"key": "zone"}]}]
    assert normal["podAffinity"] == {"x": 1}


@pytest.mark.parametrize(
    ("image", "policy"),
    [("web", "Always"), ("web:latest", "Always"), ("web:1", "IfNotPresent"), ("host:5000/web", "Always"), ("web@sha256:0", "IfNotPresent")],
)  # fmt: skip
def test_the_default_pull_policy_of_an_image_does_not_count(image: str, policy: str) -> None:
    bare = {"containers": [{"name": "c", "image": image}]}
    stated = {"containers": [{"name": "c", "image": image, "imagePullPolicy": policy}]}
    assert workload_digest("ns", WEB, bare) == workload_digest("ns", WEB, stated)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
pod_keys = st.sampled_from(
    ["containers", "initContainers", "volumes", "tolerations", "affinity", "env", "ports", "resources", "livenessProbe",
     "name", "key", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", "matchFields",
     "volumeMounts", "valueFrom", "fieldRef", "configMap", "httpGet", "requests", "limits", "image", "imagePullPolicy",
     "persistentVolumeClaim", "claimName"]
)  # fmt: skip
odd_specs = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(pod_keys, inner, max_size=4),
    max_leaves=20,
)


@given(odd_specs)
def test_a_spec_of_any_shape_has_a_digest(spec: Any) -> None:
    before = copy.deepcopy(spec)
    for owner in (WEB, Owner("StatefulSet", "db")):
        assert len(workload_digest("ns", owner, spec)) == 32
    assert spec == before


@given(odd_specs)
def test_the_normal_form_is_its_own_normal_form(spec: Any) -> None:
    once = normalise_spec(spec, WEB)
    assert normalise_spec(once, WEB) == once


@pytest.mark.parametrize(
    "spec",
    [
        {"volumes": [{"name": []}]},
        {"containers": [{"volumeMounts": [{"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": {}}]}]},
    ],
)  # fmt: skip
def test_a_name_of_another_type_stays_as_it_is(spec: Any) -> None:
    assert normalise_spec(spec, WEB) == spec


def test_a_remembered_digest_is_the_one_that_was_worked_out() -> None:
    def spec(padding: int) -> dict[str, Any]:
        return {**TEMPLATE, "nodeSelector": {"zone": "x" * padding}}

    for padding in (0, 100_000):
        digests = {workload_digest("ns", WEB, spec(padding)) for _ in range(3)}
        assert len(digests) == 1
        assert digests.isdisjoint({workload_digest("ns", WEB, spec(padding + 1))})
        assert digests.isdisjoint({workload_digest("other", WEB, spec(padding))})
        assert digests.isdisjoint({workload_digest("ns", Owner("Job", "web"), spec(padding))})
