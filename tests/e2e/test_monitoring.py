"""What dashboard and rules read is there, in the metrics of a real server that rolls a policy out."""

import http.client
import json
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.local_server import HOST, ROOT, LocalServer, issue_certificates, serve_gradate
from tests.support.promql import SCRAPED, uses

MONITORING = ROOT / "deploy" / "monitoring"
# Series that something has to go wrong for, or that a person or several workers have to make.
NOT_AT_ONCE = {
    "gradate_background_failures_total",
    "gradate_internal_errors_total",
    "gradate_rollout_interception_ratio",
    "gradate_store_failures_total",
    "gradate_telemetry_dropped_total",
    "gradate_time_to_fix_seconds_bucket",
    "gradate_trials_dropped_total",
    "gradate_workers",
}
PATIENCE_SECONDS = 30.0


def expressions() -> Iterator[str]:
    rules = yaml.safe_load((MONITORING / "gradate-rules.yaml").read_text(encoding="utf-8"))
    yield from (rule["expr"] for group in rules["groups"] for rule in group["rules"])
    dashboard = json.loads((MONITORING / "gradate-dashboard.json").read_text(encoding="utf-8"))
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ()))


def pod(name: str, variables: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "app", "image": "shop/web:1.4", "env": variables}],
        },
    }


class Caller:
    """An API server, as far as this test needs one."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        trust = ssl.create_default_context(cafile=server.authority)
        self._connection = http.client.HTTPSConnection("localhost", server.port, context=trust, timeout=10)

    def create(self, judged: dict[str, Any], namespace: str) -> bool:
        """Send a review, and give whether the object is allowed."""
        request = {
            "uid": "1", "operation": "CREATE", "namespace": namespace, "name": judged["metadata"]["name"],
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "object": judged,
        }  # fmt: skip
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/validate", json.dumps(review), headers)
        allowed: bool = json.loads(self._connection.getresponse().read())["response"]["allowed"]
        return allowed

    def scrape(self) -> dict[str, set[str]]:
        """Give every series, with the labels that it has."""
        connection = http.client.HTTPConnection(HOST, self._server.operations_port, timeout=10)
        connection.request("GET", "/metrics")
        found: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(connection.getresponse().read().decode()):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
        connection.close()
        return found


def until(condition: Callable[[], bool], complaint: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def rolling_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A server with a candidate that denies what stable allows, and one denial by each."""
    folder = tmp_path_factory.mktemp("monitoring")
    shutil.copytree(ROOT / "policies", folder / "policies")
    certificates = issue_certificates(folder / "certs")
    with serve_gradate(folder, certificates, folder / "policies") as server:
        caller = Caller(server)
        assert caller.create(pod("web", []), "shop")
        assert not caller.create(pod("web", [{"name": "DB_PASSWORD", "value": "hunter2-and-more"}]), "shop")
        _save_a_stricter_version(folder / "policies" / "credential_env.rego")
        until(lambda: "gradate_rollout_cohort_ratio" in caller.scrape(), lambda: "no rollout began")
        yield caller


def _save_a_stricter_version(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    stricter = re.sub(r"version: \d+\.\d+\.\d+", "version: 9.0.0", text, count=1)
    path.write_text(
        stricter + '\ndeny contains "no Pod may be called strange" if input.request.name == "strange"\n'
    )


def test_every_series_of_dashboard_and_rules_appears_with_its_labels(rolling_out: Caller) -> None:
    found: dict[str, set[str]] = {}
    used = [use for expression in expressions() for use in uses(expression)]
    own = {use.series for use in used if use.series.startswith("gradate_")} - NOT_AT_ONCE

    def look() -> bool:
        rolling_out.create(pod("strange", []), "shop")
        found.update(rolling_out.scrape())
        return own <= found.keys()

    until(look, lambda: f"never seen: {sorted(own - found.keys())}")
    for use in used:
        if use.series in own:
            assert use.labels - SCRAPED <= found[use.series], use
