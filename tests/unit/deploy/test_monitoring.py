"""The dashboard and the rules name only what Gradate exposes; every alert has its section to read."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.promql import exposed_series, mistakes, recorded_labels, uses

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = MONITORING / "gradate-rules.yaml"
TESTS = sorted((MONITORING / "tests").glob("*.yaml"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
# What Grafana puts in before it asks Prometheus.
GRAFANA = {"$__rate_interval": "5m", "$job": "gradate", "$policy": ".*"}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, of Debian's package prometheus"
)


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((MONITORING / "gradate-dashboard.json").read_text(encoding="utf-8"))
    return document


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in GRAFANA.items():
                expression = expression.replace(name, value)
            yield expression, {**target, "panel": panel}


def known() -> dict[str, frozenset[str]]:
    records = {rule["record"]: recorded_labels(rule["record"]) for rule in rules() if "record" in rule}
    return exposed_series() | records


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("rate(gradate_request_total[5m])", ["gradate_request_total does not exist"]),
        ("gradate_leader{color='x'}", []),  # no label matcher of PromQL as we write it
        ('gradate_leader{color="x"}', ["gradate_leader has no color"]),
        ('sum by (kind, job) (rate(gradate_requests_total{code="200"}[5m]))', ["gradate_requests_total has no kind"]),
        ("sum by (job) (max by (job, step) (gradate_leader))", ["gradate_leader has no step"]),
        ("histogram_quantile(0.5, sum by (le, endpoint) (rate(gradate_request_seconds_bucket[5m])))", []),
    ],
)  # fmt: skip
def test_series_and_labels_that_do_not_exist_are_found(expression: str, wrong: list[str]) -> None:
    assert mistakes(expression, exposed_series()) == wrong


def test_the_rules_use_only_series_and_labels_that_exist() -> None:
    assert [wrong for rule in rules() for wrong in mistakes(rule["expr"], known())] == []
    assert all(any(uses(rule["expr"])) for rule in rules())


def test_a_recorded_series_is_named_after_the_labels_that_it_keeps() -> None:
    for rule in rules():
        if "record" in rule:
            (kept,) = {
                frozenset(re.split(r",\s*", labels)) - {"le"}
                for labels in re.findall(r"by \(([^)]*)\)", rule["expr"])
            }
            assert kept == recorded_labels(rule["record"]), rule["record"]


def test_the_dashboard_uses_only_series_and_labels_that_exist() -> None:
    assert [wrong for expression, _ in targets() for wrong in mistakes(expression, known())] == []
    assert all(any(uses(expression)) for expression, _ in targets())


def test_the_dashboard_shows_every_metric_that_issues_and_design_name() -> None:
    shown = {use.series for expression, _ in targets() for use in uses(expression)}
    own = {series for series in exposed_series() if series.startswith("gradate_rollout_")}
    # Shown as their sum, or in other terms.
    assert own - shown <= {
        "gradate_rollout_evaluations",
        "gradate_rollout_dropped",
        "gradate_rollout_reason",
    }
    assert {
        "gradate_time_to_fix_seconds_bucket",
        "gradate_journal_waiting_trials",
        "gradate_trials_dropped_total",
        "gradate_shed_requests_total",
        "gradate_certificate_expiry_timestamp_seconds",
        "gradate_snapshot_generation",
    } <= shown


def test_what_a_legend_names_is_a_label_of_its_query() -> None:
    for expression, target in targets():
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        grouped = {
            label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(", ")
        }
        assert named <= grouped, expression


def test_every_panel_has_a_place_of_its_own_and_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(column for column, _ in cells) < 24
        taken |= cells
    assert all(panel["description"] for panel in panels())
    identities = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(identities)) == len(identities)


def test_the_dashboard_asks_the_data_source_that_a_reader_chooses() -> None:
    (choice, *_) = dashboard()["templating"]["list"]
    assert (choice["name"], choice["type"], choice["query"]) == ("datasource", "datasource", "prometheus")
    assert {target["datasource"]["uid"] for _, target in targets()} == {"${datasource}"}
    assert "__inputs" not in dashboard()


def test_every_alert_has_a_severity_a_summary_and_a_section_to_read() -> None:
    headings = set(re.findall(r"^### (\w+)$", OPERATIONS, re.MULTILINE))
    for name, alert in alerts().items():
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
    assert {heading for heading in headings if heading.startswith("Gradate")} == alerts().keys()


def test_every_section_of_an_alert_says_what_to_do() -> None:
    for section in re.split(r"^### ", OPERATIONS, flags=re.MULTILINE)[1:]:
        if section.startswith("Gradate"):
            for part in ("**Means.**", "**Causes.**", "**Do.**"):
                assert part in section, section.splitlines()[0]


def fired(test: dict[str, Any]) -> Iterator[str]:
    """Give the alerts that a test of promtool expects to fire."""
    for case in test.get("alert_rule_test", []):
        if case["exp_alerts"]:
            yield case["alertname"]
    for case in test.get("promql_expr_test", []):
        for sample in case.get("exp_samples", []):
            yield from re.findall(r'alertname="(\w+)"', sample["labels"])


def test_every_alert_is_seen_to_fire_in_a_test() -> None:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in TESTS]
    seen = {name for document in documents for test in document["tests"] for name in fired(test)}
    assert seen == alerts().keys()


@needs_promtool
def test_promtool_finds_no_mistake_in_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True, timeout=60)


@needs_promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", path.name], cwd=path.parent, check=False, capture_output=True, text=True,
        timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    queries = [{"record": f"query:{number}", "expr": expr} for number, (expr, _) in enumerate(targets())]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": queries}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert "SUCCESS" in done.stdout, done.stdout + done.stderr
