import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner, Result

from webhook.cli.webhook_config import webhook_config
from webhook.tls.authority import create_authority
from webhook.tls.errors import CertificateTimeError, InvalidMaterialError, UnreadableFileError


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    path.write_bytes(create_authority(datetime.now(UTC)).certificate_pem)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(webhook_config, [str(argument) for argument in arguments])


def configurations(*arguments: str | Path) -> list[dict[str, Any]]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return list(yaml.safe_load_all(result.output))


def webhooks(*arguments: str | Path) -> list[dict[str, Any]]:
    return [configuration["webhooks"][0] for configuration in configurations(*arguments)]


@pytest.mark.parametrize("version", ["1.30", "1.33", "1.37"])
@pytest.mark.parametrize(
    "where", [("--url", "https://10.0.0.5:8443"), ("--service", "gradate.gradate-system")]
)
def test_both_configurations_fit_the_kubernetes_schema(
    ca: Path, where: tuple[str, str], version: str
) -> None:
    documents = configurations(*where, "--ca", ca, "--also", "networking.k8s.io/ingresses")
    kinds = [document["kind"] for document in documents]
    assert kinds == ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_webhook_names_have_the_three_parts_that_the_api_server_demands(ca: Path) -> None:
    for webhook in webhooks("--service", "gradate.gradate-system", "--ca", ca):
        assert len(webhook["name"].split(".")) >= 3


def test_a_service_gets_its_port_and_path(ca: Path) -> None:
    validating, mutating = webhooks("--service", "hook.policy.svc:8443/team", "--ca", ca)
    assert validating["clientConfig"]["service"] == {
        "name": "hook",
        "namespace": "policy",
        "port": 8443,
        "path": "/team/validate",
    }
    assert mutating["clientConfig"]["service"]["path"] == "/team/mutate"


@pytest.mark.parametrize("url", ["https://h:1/a", "https://h:1/a/", "https://h:1/a/validate"])
def test_a_url_is_the_base_of_both_paths(ca: Path, url: str) -> None:
    validating, mutating = webhooks("--url", url, "--ca", ca)
    assert validating["clientConfig"]["url"] == "https://h:1/a/validate"
    assert mutating["clientConfig"]["url"] == "https://h:1/a/mutate"


def test_the_cluster_can_start_while_gradate_is_down(ca: Path) -> None:
    for webhook in webhooks("--service", "hook.policy", "--ca", ca, "--exclude-namespace", "cilium"):
        assert webhook["failurePolicy"] == "Fail"
        assert webhook["namespaceSelector"]["matchExpressions"] == [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": ["kube-system", "policy", "cilium"],
            }
        ]


def test_the_answers_of_gradate_may_be_relied_on(ca: Path) -> None:
    validating, mutating = webhooks(
        "--url", "https://h", "--ca", ca, "--failure-policy", "ignore", "--timeout", "3"
    )
    for webhook in (validating, mutating):
        assert webhook["sideEffects"] == "None"
        assert webhook["matchPolicy"] == "Equivalent"
        assert webhook["admissionReviewVersions"] == ["v1"]
        assert webhook["failurePolicy"] == "Ignore"
        assert webhook["timeoutSeconds"] == 3
    assert mutating["reinvocationPolicy"] == "IfNeeded"


def test_every_workload_is_sent_and_nothing_is_deleted_or_connected(ca: Path) -> None:
    validating, mutating = webhooks("--url", "https://h", "--ca", ca)
    sent = {resource for rule in validating["rules"] for resource in rule["resources"]}
    assert sent == {
        "cronjobs",
        "daemonsets",
        "deployments",
        "jobs",
        "pods",
        "pods/ephemeralcontainers",
        "pods/resize",
        "podtemplates",
        "replicasets",
        "replicationcontrollers",
        "statefulsets",
    }
    operations = {
        op for webhook in (validating, mutating) for rule in webhook["rules"] for op in rule["operations"]
    }
    assert operations == {"CREATE", "UPDATE"}


def test_pods_that_exist_are_not_sent_for_mutation(ca: Path) -> None:
    _, mutating = webhooks("--url", "https://h", "--ca", ca)
    assert [rule["operations"] for rule in mutating["rules"] if "pods" in rule["resources"]] == [["CREATE"]]


def test_other_resources_are_validated_on_request(ca: Path) -> None:
    validating, mutating = webhooks(
        "--url", "https://h", "--ca", ca, "--also", "services", "--also", "rbac.x/roles"
    )
    assert [(rule["apiGroups"], rule["resources"]) for rule in validating["rules"][-2:]] == [
        ([""], ["services"]),
        (["rbac.x"], ["roles"]),
    ]
    assert "services" not in str(mutating["rules"])


def test_the_bundle_holds_certificates_and_nothing_else(ca: Path) -> None:
    certificate = ca.read_bytes()
    ca.write_bytes(b"# our CA\n" + certificate + create_authority(datetime.now(UTC)).key_pem)
    for webhook in webhooks("--url", "https://h", "--ca", ca):
        assert base64.b64decode(webhook["clientConfig"]["caBundle"]) == certificate


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h", "https only"),
        ("h:8443", "https only"),
        ("https://", "names no host"),
        ("https://u:p@h", "user and password"),
        ("https://h/?a=b", "query and fragment"),
        ("https://h/#x", "query and fragment"),
        ("https://h:99999", "out of range"),
        ("https://h:0", "port 0"),
        ("https://h/a b", "white space"),
    ],
)
def test_a_url_that_an_api_server_would_refuse_is_refused_here(ca: Path, url: str, reason: str) -> None:
    result = run("--url", url, "--ca", ca)
    assert result.exit_code == 2
    assert reason in result.output


@pytest.mark.parametrize(
    "service", ["gradate", "Gradate.system", "a.b:0", "a.b:70000", "a.b:x", "1a.b", "a.b//c"]
)
def test_a_service_that_cannot_exist_is_refused(ca: Path, service: str) -> None:
    result = run("--service", service, "--ca", ca)
    assert result.exit_code == 2
    assert service in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--url", "https://h", "--service", "a.b"),
        ("--url", "https://h", "--timeout", "31"),
        ("--url", "https://h", "--exclude-namespace", "Not_A_Name"),
        ("--url", "https://h", "--also", "a/b/c"),
    ],
)
def test_misuse_ends_with_exit_code_2(ca: Path, arguments: tuple[str, ...]) -> None:
    assert run("--ca", ca, *arguments).exit_code == 2


def test_a_missing_or_broken_ca_is_named(tmp_path: Path) -> None:
    assert isinstance(run("--url", "https://h", "--ca", tmp_path / "none").exception, UnreadableFileError)
    broken = tmp_path / "broken.crt"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert isinstance(run("--url", "https://h", "--ca", broken).exception, InvalidMaterialError)


def test_an_expired_ca_is_refused(tmp_path: Path) -> None:
    old = create_authority(datetime.now(UTC) - timedelta(days=100), lifetime=timedelta(days=10))
    path = tmp_path / "old.crt"
    path.write_bytes(old.certificate_pem)
    assert isinstance(run("--url", "https://h", "--ca", path).exception, CertificateTimeError)
