"""Results of Rego unit tests as text, JSON and JUnit."""

from xml.etree import ElementTree as ET

import click

from webhook.cli.run_reports import SHOWN_VALUE_CHARACTERS, report_documents, report_junit, report_text
from webhook.flows.policy_tests import (
    CaseResult,
    FailedStatement,
    Outcome,
    RuleTestResult,
    RunReport,
    WitnessedValue,
)
from webhook.rego.errors import Location
from webhook.rego.values import RegoSet

FAILURE = FailedStatement(
    Location("a_test.rego", 7, 2),
    "count(deny) ==\n\t1",
    (
        WitnessedValue("count(deny)", (2,)),
        WitnessedValue("deny", (RegoSet(["m"]), "x")),
        WitnessedValue("input.y", ()),
    ),
)


def result(name: str, outcome: Outcome, **more: object) -> RuleTestResult:
    return RuleTestResult("data.a", name, Location("a_test.rego", 5, 1), outcome, 1_500_000, **more)  # type: ignore[arg-type]


REPORT = RunReport(
    (
        result("test_ok", Outcome.PASS),
        result("test_bad", Outcome.FAIL, failed_at=FAILURE, output=("line \x1b[31m<one>",)),
        result("test_error", Outcome.ERROR, error="a_test.rego:9:1: eval_conflict_error: two values"),
        result("todo_test_later", Outcome.SKIPPED),
        result(
            "test_cases",
            Outcome.FAIL,
            cases=(CaseResult(("a", "b"), passed=False, failed_at=FAILURE), CaseResult(("c",), passed=True)),
        ),
    ),
    2_000_000_000,
)


def text(*, quiet: bool = False) -> list[str]:
    return click.unstyle(report_text(REPORT, quiet=quiet)).splitlines()


def test_text_shows_each_test_with_its_time_and_why_it_failed() -> None:
    assert text()[:10] == [
        "a_test.rego:",
        "  data.a.test_ok: PASS (1.50 ms)",
        "  data.a.test_bad: FAIL (1.50 ms)",
        "    a_test.rego:7: count(deny) == 1",
        "      count(deny) is 2",
        '      deny is one of {"m"}, "x"',
        "      input.y is undefined",
        "    | line \ufffd[31m<one>",
        "  data.a.test_error: ERROR (1.50 ms)",
        "    a_test.rego:9:1: eval_conflict_error: two values",
    ]
    assert "  data.a.todo_test_later: SKIPPED" in text()
    assert "    a / b: FAIL" in text()


def test_text_ends_with_counts_and_the_time() -> None:
    assert text()[-5:] == ["PASS: 1/5", "FAIL: 2/5", "ERROR: 1/5", "SKIPPED: 1/5", "5 tests in 2.00 s"]


def test_quiet_text_leaves_out_what_passes() -> None:
    assert not any("test_ok" in line for line in text(quiet=True))
    assert any("test_bad" in line for line in text(quiet=True))


def test_long_values_and_many_values_are_cut() -> None:
    failure = FailedStatement(
        Location("f", 1, 1),
        "x",
        (WitnessedValue("x", ("y" * 10_000,)), WitnessedValue("n", tuple(range(100)))),
    )
    shown = report_text(RunReport((result("test_x", Outcome.FAIL, failed_at=failure),), 0), quiet=False)

    assert len(shown) < SHOWN_VALUE_CHARACTERS + 500
    assert "n is one of 0, 1, 2, 3, 4, … (100 values)" in shown


def test_json_has_the_form_of_opa() -> None:
    passed, failed, error, skipped, cases = report_documents(REPORT)

    assert passed == {
        "location": {"file": "a_test.rego", "row": 5, "col": 1},
        "package": "data.a",
        "name": "test_ok",
        "duration": 1_500_000,
    }
    assert failed["fail"] is True
    assert failed["failed_at"]["values"][0] == {"text": "count(deny)", "values": ["2"]}
    assert error["error"] == {"message": "a_test.rego:9:1: eval_conflict_error: two values"}
    assert skipped["skip"] is True
    results = cases["sub_results"]
    assert results["c"] == {"name": "c"}
    assert results["a"]["fail"]
    assert results["a"]["sub_results"]["b"]["fail"]
    assert results["a"]["sub_results"]["b"]["failed_at"] == failed["failed_at"]


def test_junit_has_a_suite_for_each_package_and_a_case_for_each_test() -> None:
    root = ET.fromstring(report_junit(REPORT))  # noqa: S314 - our own text

    assert root.attrib == {"tests": "5", "failures": "2", "errors": "1", "skipped": "1", "time": "0.007500"}
    (suite,) = root
    assert suite.attrib["name"] == "data.a"
    assert [case.attrib["name"] for case in suite] == [found.name for found in REPORT.results]
    ok, bad, error, skipped, cases = suite
    assert len(ok) == 0
    assert bad[0].attrib["message"] == "a_test.rego:7: count(deny) == 1"
    assert "count(deny) is 2" in (bad[0].text or "")
    assert bad[1].text == "line \ufffd[31m<one>"
    assert error[0].tag == "error"
    assert skipped[0].tag == "skipped"
    assert "a / b: FAIL" in (cases[0].text or "")
