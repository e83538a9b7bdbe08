"""`gradate serve` with the policies that come with it, asked over HTTPS as an API server and a new user ask."""

import base64
import http.client
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
import pytest

from tests.support.gradate import ROOT, Deployment
from tests.support.reviews import POINTERS, pod_spec, request_document, review_body, workload

SECRET = "AKIAQWERTYUIOPASDFGH"
KEY = {"name": "AWS_ACCESS_KEY_ID", "value": SECRET}
LEAKY = pod_spec(env=[{"name": "MODE", "value": "fast"}, KEY])
SECCOMP = {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}
OWN = """package k8s.admission

deny[msg] {
  input.request.kind.kind == "Pod"
  input.request.object.spec.containers[_].env[_].name == "AWS_ACCESS_KEY_ID"
  msg := sprintf("no plain AWS credentials in Pod env, use IRSA or a SecretRef: %v", [input.request.object.metadata.name])
}
"""


@dataclass(frozen=True)
class Response:
    """The `response` of a review."""

    allowed: bool
    status: dict[str, Any]
    warnings: tuple[str, ...]
    patch: list[dict[str, Any]]
    uid: str

    @property
    def message(self) -> str:
        return str(self.status.get("message", ""))


def post(
    server: Deployment, target: str, body: bytes, media_type: str = "application/json"
) -> tuple[int, bytes]:
    trust = ssl.create_default_context(cafile=server.certificates.authority_certificate)
    with closing(http.client.HTTPSConnection("localhost", server.port, timeout=10, context=trust)) as line:
        line.request("POST", target, body, {"Content-Type": media_type})
        answer = line.getresponse()
        return answer.status, answer.read()


def ask(server: Deployment, sent: Any, target: str = "/validate?timeout=10s", **fields: Any) -> Response:
    status, body = post(server, target, review_body(request_document(sent, **fields)))
    assert status == http.HTTPStatus.OK, body
    response = msgspec.json.decode(body)["response"]
    patch = base64.b64decode(response["patch"]) if response.get("patchType") == "JSONPatch" else b"[]"
    return Response(
        response["allowed"],
        response.get("status", {}),
        tuple(response.get("warnings") or ()),
        msgspec.json.decode(patch),
        response["uid"],
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One server for all tests that leave it as it was."""
    deployment = Deployment(tmp_path_factory.mktemp("serving"), {"rollout": {"enabled": False}})
    for path in (ROOT / "policies").glob("*.rego"):
        deployment.save(path.read_text(), path.stem)
    try:
        deployment.start()
        yield deployment
        assert deployment.stop() == 0
    finally:
        if deployment.process is not None and deployment.process.poll() is None:
            deployment.kill()


def test_a_literal_credential_is_denied_with_policy_version_field_and_remedy_but_not_its_value(
    server: Deployment,
) -> None:
    response = ask(server, workload("Pod", {**LEAKY, **SECCOMP}), uid="uid-of-the-test")
    assert (response.uid, response.allowed) == ("uid-of-the-test", False)
    assert (response.status["code"], response.status["reason"]) == (403, "Forbidden")
    assert response.message == (
        "1 violation of 1 policy\n\n"
        "credential-env 1.0.0\n"
        "  spec.containers[0].env[1]: container web: env AWS_ACCESS_KEY_ID holds an AWS access key ID\n"
        "  Fix: Use valueFrom.secretKeyRef, mount the Secret as a file, or use workload identity (IRSA)."
    )


@pytest.mark.parametrize("kind", POINTERS)
def test_every_workload_is_judged_and_patched_at_the_place_that_was_sent(
    server: Deployment, kind: str
) -> None:
    pod = POINTERS[kind].removeprefix("/").replace("/", ".")
    sysctls = {"sysctls": [{"name": "kernel.unprivileged_userns_clone", "value": "1"}]}
    denied = ask(server, workload(kind, {**LEAKY, "securityContext": sysctls})).message
    for policy, place in (
        ("credential-env", "spec.containers[0].env[1]"),
        ("missing-seccomp", "spec.containers[0]"),
        ("unsafe-sysctls", "spec.securityContext.sysctls[0]"),
    ):
        assert f"\n{policy} 1.0.0\n  {f'{pod}.{place}'.lstrip('.')}: " in denied

    sent = workload(kind)
    assert not ask(server, sent).allowed
    patched = jsonpatch.apply_patch(sent, ask(server, sent, "/mutate").patch)
    assert ask(server, patched).allowed
    assert ask(server, patched, "/mutate").patch == []


def test_an_update_is_not_blocked_by_what_stood_there_before_but_by_what_it_adds(server: Deployment) -> None:
    old = workload("Deployment", {**LEAKY, **SECCOMP})
    unchanged = ask(server, old, old=old)
    assert unchanged.allowed
    assert unchanged.warnings[0].startswith("credential-env 1.0.0: already in the old object: spec.template.")
    (container,) = LEAKY["containers"]
    more = {**LEAKY, **SECCOMP, "containers": [container, {**container, "name": "second"}]}
    added = ask(server, workload("Deployment", more), old=old)
    assert not added.allowed
    assert "spec.template.spec.containers[1].env[1]: container second" in added.message


def test_a_container_added_to_debug_is_judged_like_any_other(server: Deployment) -> None:
    old = workload("Pod", {**pod_spec(), **SECCOMP})
    debug = {"ephemeralContainers": [{"name": "debug", "image": "busybox", "env": [KEY]}]}
    sent = workload("Pod", {**pod_spec(), **SECCOMP, **debug})
    response = ask(server, sent, old=old, subResource="ephemeralcontainers")
    assert "spec.ephemeralContainers[0].env[0]: ephemeral container debug" in response.message


def test_deletions_and_exempt_namespaces_pass(server: Deployment) -> None:
    leaky = workload("Pod", LEAKY)
    assert ask(server, None, old=leaky, operation="DELETE", kind="Pod").allowed
    assert ask(server, leaky, namespace="kube-system").allowed
    inside = workload("Pod", LEAKY, namespace="kube-system", labels={"gradate/exempt": "true"})
    assert not ask(server, inside, namespace="shop").allowed


@pytest.mark.parametrize("spec", [{"containers": [{"name": "web", "env": "x"}]}, [], {"containers": ["x"]}])
def test_an_object_of_no_known_shape_meets_the_failure_action(server: Deployment, spec: Any) -> None:
    for target in ("/validate", "/mutate"):
        response = ask(server, workload("Pod", spec), target)
        assert not response.allowed
        assert "could not be evaluated" in response.message


def test_a_deadline_that_cannot_be_kept_meets_the_failure_action(server: Deployment) -> None:
    assert "deadline_exceeded" in ask(server, workload("Pod"), "/validate?timeout=1ns").message


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_review"),
        (b'{"a": "\xff"}', "application/json", 400, "malformed_review"),
        (b"[" * 200 + b"]" * 200, "application/json", 400, "malformed_review"),
        (review_body({"uid": "1"}), "application/json", 400, "malformed_review"),
        (
            review_body({}, apiVersion="admission.k8s.io/v1beta1"),
            "application/json",
            400,
            "unsupported_version",
        ),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b" " * (8 * 1024 * 1024 + 1), "application/json", 413, "body_too_large"),
    ],
)
def test_bad_input_is_a_json_error_and_the_next_request_is_served(
    server: Deployment, body: bytes, media_type: str, status: int, code: str
) -> None:
    answer = post(server, "/validate", body, media_type)
    assert (answer[0], msgspec.json.decode(answer[1])["error"]["code"]) == (status, code)
    assert ask(server, workload("Pod", {**pod_spec(), **SECCOMP})).allowed


def test_a_users_own_policy_is_taken_up_kept_through_a_mistake_and_gone_with_its_file(
    server: Deployment,
) -> None:
    sent = workload("Pod", {**LEAKY, **SECCOMP})
    server.save(OWN, "own")
    server.until(lambda: "use IRSA or a SecretRef: web-1" in ask(server, sent).message)

    server.save(OWN.replace("sprintf", "printf"), "own")
    server.until(
        lambda: "own.rego:6:10: rego_type_error: undefined function" in server.get("/readyz?verbose")
    )
    assert "use IRSA or a SecretRef: web-1" in ask(server, sent).message

    server.save(OWN.replace("no plain", "never plain"), "own")
    server.until(lambda: "never plain AWS credentials" in ask(server, sent).message)

    server.delete("own")
    server.until(lambda: "k8s-admission" not in ask(server, sent).message)


def test_every_request_is_one_line_and_one_count_and_no_secret_is_in_either(server: Deployment) -> None:
    counted = _validations(server)
    uids = [f"line-{number}" for number in range(5)]
    for uid in uids:
        ask(server, workload("Pod", LEAKY), uid=uid)

    def lines_of_ours() -> list[dict[str, Any]]:
        return [line for line in server.events("request") if line.get("decision", {}).get("uid") in uids]

    server.until(lambda: len(lines_of_ours()) >= len(uids))
    lines = lines_of_ours()
    assert [line["decision"]["uid"] for line in lines] == uids
    assert {line["decision"]["outcome"] for line in lines} == {"deny"}
    assert _validations(server) == counted + len(uids)
    assert SECRET not in msgspec.json.encode(server.lines).decode() + server.get("/metrics")


def _validations(server: Deployment) -> float:
    series = 'gradate_requests_total{code="200",endpoint="validate"}'
    return sum(
        float(line.rpartition(" ")[2])
        for line in server.get("/metrics").splitlines()
        if line.startswith(series)
    )


def test_workers_that_ask_for_client_certificates_serve_the_api_server_alone(tmp_path: Path) -> None:
    authority = tmp_path / "certs" / "ca.crt"
    settings = {"rollout": {"enabled": False}, "server": {"clientCa": str(authority)}}
    server = Deployment(tmp_path, settings, workers=2)
    server.save(OWN, "own")
    certificate, key = server.certificates.issue_client("kube-apiserver", datetime.now(UTC))
    try:
        server.start()
        known = ssl.create_default_context(cafile=authority)
        known.load_cert_chain(certificate, key)
        for _ in range(8):
            line = http.client.HTTPSConnection("localhost", server.port, timeout=10, context=known)
            with closing(line):
                body = review_body(request_document(workload("Pod", LEAKY)))
                line.request("POST", "/validate", body, {"Content-Type": "application/json"})
                assert b"use IRSA" in line.getresponse().read()
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(server, workload("Pod"))
        assert server.stop() == 0
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()


def test_what_cannot_be_served_is_said_once_with_exit_code_2(tmp_path: Path) -> None:
    """In one process and in several; all at once, because each takes a moment to start."""
    cases = (
        ("absent", None, "1", "absent: no such policy folder; create it or name another with --policies"),
        ("empty", "", "2", "the policy folder holds no policy; put a .rego file"),
        ("broken", "package a\n\ndeny[", "2", "broken/a.rego:3:6: rego_parse_error"),
    )
    started = []
    for name, text, workers, message in cases:
        home = Deployment(tmp_path / name, {}).folder
        if text is not None:
            (home / name).mkdir()
        if text:
            (home / name / "a.rego").write_text(text)
        command = [str(Path(sys.executable).with_name("gradate")), "serve", "--policies", name]
        command += ["--workers", workers, "--listen", "127.0.0.1:0", "--operations-listen", "127.0.0.1:0"]
        process = subprocess.Popen(
            command,
            cwd=home,
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append((process, message))
    for process, message in started:
        error = _last_words(process)
        first, *more = error.splitlines()
        assert process.returncode == 2
        assert first.startswith("gradate: ")
        assert message in error
        # A compiler's finding shows the line of source below.
        assert not more or message.endswith("rego_parse_error")


def _last_words(process: "subprocess.Popen[str]") -> str:
    """Wait for a process to end; one that does not is made to say where it stands."""
    try:
        return process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        return process.communicate()[1]
