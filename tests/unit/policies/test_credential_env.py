import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.core_policies import core_policy
from webhook.compose.clock import SystemClock
from webhook.engines.regopy import build_regopy_evaluator
from webhook.ports.evaluator import Purpose

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    entry: tuple[tuple[str, Any], ...]
    finding: str

    @property
    def env(self) -> Entry:
        return dict(self.entry)


def _cases() -> dict[str, Case]:
    table = yaml.safe_load(Path(__file__).with_name("credential_env.yaml").read_text(encoding="utf-8"))
    cases = {}
    for section, rows in table.items():
        for number, (name, value, finding) in enumerate(rows, start=1):
            # Values take no part in test names: some look like credentials.
            cases[f"{section}, {number}: {name}"] = Case(tuple(_entry(name, value).items()), finding)
    return cases


def _entry(name: str, value: object) -> Entry:
    if value is None:
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": "secret", "key": "key"}}}
    return {"name": name, "value": "".join(value) if isinstance(value, list) else value}


CASES = _cases()
FOUND = [case for case in CASES.values() if case.finding != "none"]
PASSED = [case for case in CASES.values() if case.finding == "none"]


def spec(*env: Entry) -> dict[str, Any]:
    return {"containers": [{"name": "app", "image": "app:1", "env": list(env)}]}


def deny(*env: Entry, **parameters: Any) -> list[dict[str, Any]]:
    return core_policy("credential-env").deny(spec(*env), **parameters)


def findings(violations: list[dict[str, Any]]) -> dict[int, str]:
    """Findings by position in the env of the only container."""
    return {violation["path"][4]: violation["details"]["found_by"] for violation in violations}


def test_the_table_is_large_and_weighs_both_sides() -> None:
    assert len(FOUND) >= 100
    assert len(PASSED) >= 100


@pytest.mark.parametrize("name", CASES)
def test_each_case_of_the_table_is_found_as_it_should_be(name: str) -> None:
    case = CASES[name]
    assert findings(deny(case.env)) == ({} if case.finding == "none" else {0: case.finding})


def test_no_case_hides_another_in_the_same_pod() -> None:
    cases = list(CASES.values())
    expected = {index: case.finding for index, case in enumerate(cases) if case.finding != "none"}
    assert findings(deny(*(case.env for case in cases))) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(list(CASES.values())), max_size=12))
def test_a_pod_is_judged_as_its_entries_are_one_by_one(cases: list[Case]) -> None:
    expected = {index: case.finding for index, case in enumerate(cases) if case.finding != "none"}
    assert findings(deny(*(case.env for case in cases))) == expected


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["DB_PASSWORD", "API_TOKEN", "NOTE"]), st.text(min_size=8))
def test_no_violation_ever_holds_the_value(name: str, value: str) -> None:
    for violation in deny({"name": name, "value": value}):
        assert value not in str(violation)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text())
def test_any_text_is_judged_without_an_error(name: str, value: str) -> None:
    assert len(deny({"name": name, "value": value})) <= 1


def test_a_violation_names_container_variable_and_place() -> None:
    (violation,) = deny({"name": "LOG", "value": "x"}, {"name": "DB_PASSWORD", "value": "hunter2"})
    assert violation == {
        "msg": "container app: env DB_PASSWORD holds a literal password",
        "path": ["spec", "containers", 0, "env", 1],
        "details": {"container": "app", "env": "DB_PASSWORD", "found_by": "name"},
    }


@pytest.mark.parametrize("containers", ["containers", "initContainers", "ephemeralContainers"])
def test_every_kind_of_container_is_judged(containers: str) -> None:
    pod = {containers: [{"name": "c", "env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]}
    (violation,) = core_policy("credential-env").deny(pod)
    assert violation["path"] == ["spec", containers, 0, "env", 0]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "x",
        7,
        {"containers": None},
        {"containers": "x"},
        {"containers": [None, "x"]},
        {"containers": [{"name": "c", "env": "x"}]},
        {"containers": [{"name": "c", "env": None}]},
        {"containers": [{"name": "c", "env": [{"name": None, "value": True}]}]},
    ],
)
def test_an_unexpected_shape_is_no_error(odd: object) -> None:
    assert core_policy("credential-env").deny(odd) == []


def test_an_unexpected_entry_does_not_hide_its_neighbours() -> None:
    odd: list[Any] = [{"name": 5, "value": "x"}, {"name": "N", "value": {"a": 1}}, {"value": "x"}, None, "x"]
    assert findings(deny(*odd, {"name": "DB_PASSWORD", "value": "hunter2"})) == {5: "name"}


def test_extra_names_join_the_list() -> None:
    entry = {"name": "SENTRY_DSN", "value": "opaque"}
    assert deny(entry) == []
    assert findings(deny(entry, extra_names=["*_dsn"])) == {0: "name"}


def test_an_extra_name_still_needs_a_literal_credential() -> None:
    assert deny({"name": "SENTRY_DSN", "value": "$(DSN)"}, extra_names=["*_DSN"]) == []


def test_allowed_names_and_values_are_never_reported() -> None:
    password = {"name": "SANDBOX_PASSWORD", "value": "hunter2"}
    url = {"name": "DATABASE_URL", "value": "postgres://app:hunter2@db/app"}
    assert len(deny(password, url)) == 2
    assert deny(password, url, allowed_names=["SANDBOX_*", "database_url"]) == []
    assert findings(deny(password, url, allowed_values=["hunter.", "postgres"])) == {1: "value"}


def test_placeholders_can_be_reported_too() -> None:
    entries = [{"name": "DB_PASSWORD", "value": value} for value in ("changeme", "$(REF)", "********")]
    assert deny(*entries) == []
    assert findings(deny(*entries, allow_placeholders=False)) == {0: "name"}


async def test_regopy_agrees_on_the_whole_table() -> None:
    evaluator = await build_regopy_evaluator(core_policy("credential-env").version, SystemClock())
    cases = list(CASES.values())
    pod = spec(*(case.env for case in cases))
    document = {"request": {"object": {"spec": pod}}, "parameters": {}}
    try:
        answer = await evaluator.evaluate(document, Purpose.VALIDATE, time.monotonic_ns() + 60 * 10**9)
    finally:
        await evaluator.aclose()
    assert answer.failure is None
    violations: list[Any] = list(answer.outputs["deny"])
    assert findings(violations) == findings(core_policy("credential-env").deny(pod))
