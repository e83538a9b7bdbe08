import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.support.core_policies import CORE, core_policy
from webhook.cli.webhook_config import OWN_NAMESPACE, SYSTEM_NAMESPACE
from webhook.settings.groups import Settings
from webhook.settings.loader import load_settings

DEPLOY = Path(__file__).parents[3] / "deploy"
Manifest = dict[str, Any]


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def resources() -> list[Manifest]:
    return [read(name) for name in read("kustomization.yaml")["resources"]]


def of_kind(kind: str) -> Manifest:
    return next(resource for resource in resources() if resource["kind"] == kind)


def pod_spec() -> Manifest:
    spec: Manifest = of_kind("Deployment")["spec"]["template"]["spec"]
    return spec


def settings() -> Settings:
    return load_settings(DEPLOY / "gradate.yaml", {}, {}).settings


@pytest.mark.parametrize("version", ["1.30", "1.33", "1.37"])
def test_every_manifest_fits_the_kubernetes_schema(version: str) -> None:
    for manifest in resources():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_kustomization_lists_every_manifest() -> None:
    files = {path.name for path in DEPLOY.glob("*.yaml")} - {"kustomization.yaml", "gradate.yaml"}
    assert set(read("kustomization.yaml")["resources"]) == files


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl for its kustomize")
def test_kustomize_builds_the_base() -> None:
    built = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY)], check=True, capture_output=True, text=True, timeout=60
    )
    manifests = list(yaml.safe_load_all(built.stdout))
    for manifest in manifests:
        kubernetes_validate.validate(manifest, "1.33", strict=True)
        if manifest["kind"] not in {"Namespace", "PriorityClass"}:
            assert manifest["metadata"]["namespace"] == OWN_NAMESPACE
    kinds = {manifest["kind"] for manifest in manifests}
    assert kinds == {resource["kind"] for resource in resources()} | {"ConfigMap"}


def test_every_selector_finds_the_pods_of_the_deployment() -> None:
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    spread = [constraint["labelSelector"] for constraint in pod_spec()["topologySpreadConstraints"]]
    selectors = [
        of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        of_kind("Service")["spec"]["selector"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(selector["matchLabels"] for selector in spread),
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)


def test_the_container_can_write_only_where_it_must() -> None:
    (container,) = pod_spec()["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/gradate", "/tmp"}


def test_the_pod_is_not_root_and_carries_no_token() -> None:
    spec = pod_spec()
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec["automountServiceAccountToken"]
    assert not of_kind("ServiceAccount")["automountServiceAccountToken"]


def test_the_image_runs_as_the_user_of_the_pod() -> None:
    user = pod_spec()["securityContext"]["runAsUser"]
    assert f"\nUSER {user}:{user}\n" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_a_rollout_and_a_drained_node_always_leave_a_replica() -> None:
    deployment = of_kind("Deployment")["spec"]
    assert deployment["replicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert of_kind("PodDisruptionBudget")["spec"]["minAvailable"] < deployment["replicas"]


def test_kubernetes_waits_until_the_server_has_drained() -> None:
    server = settings().server
    draining = server.drain_delay_seconds + server.drain_timeout_seconds
    assert draining + 5 <= pod_spec()["terminationGracePeriodSeconds"]


def test_readiness_is_lost_before_the_listener_closes() -> None:
    probe = pod_spec()["containers"][0]["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < settings().server.drain_delay_seconds


def test_settings_ports_and_mounts_agree() -> None:
    (container,) = pod_spec()["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    server = settings().server
    assert server.listen.endswith(f":{ports['admission']}")
    assert server.operations_listen.endswith(f":{ports['operations']}")
    assert of_kind("Service")["spec"]["ports"][0]["targetPort"] == "admission"
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(Path(server.tls_cert).parent) in mounts
    assert str(Path(settings().store.path).parent) in mounts
    assert container["args"] == ["serve", "--config", "/etc/gradate/gradate.yaml"]


def test_the_same_namespaces_are_exempt_in_the_settings_and_in_the_registration() -> None:
    assert set(settings().admission.exempt_namespaces) == {SYSTEM_NAMESPACE, OWN_NAMESPACE}
    assert of_kind("Namespace")["metadata"]["name"] == OWN_NAMESPACE


def test_the_image_holds_what_the_settings_expect() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert f"COPY policies {settings().policies.folder}\n" in dockerfile
    copied = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "webhook", "policies"}
    sent = {
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert sent == copied


@pytest.mark.parametrize("policy", CORE)
def test_gradate_would_admit_itself(policy: str) -> None:
    assert core_policy(policy).deny(pod_spec()) == []
