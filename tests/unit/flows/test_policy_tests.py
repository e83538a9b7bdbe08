"""Outcomes of Rego unit tests, and what is told about those that fail."""

import re

import pytest

from webhook.compose.clock import SystemClock
from webhook.flows.policy_files import PolicyFiles
from webhook.flows.policy_tests import (
    FailedStatement,
    Outcome,
    RuleTestResult,
    RunOptions,
    RunReport,
    run_policy_tests,
)
from webhook.rego.ast import Source
from webhook.rego.errors import CompileError
from webhook.rego.texts import to_json

POLICY = "package a\nimport rego.v1\ndeny contains msg if {\n  some msg in input.messages\n  msg != `ok`\n}\n"


def run(tests: str, options: RunOptions | None = None, data: dict[str, object] | None = None) -> RunReport:
    sources = (
        Source("a.rego", POLICY),
        Source("a_test.rego", f"package a_test\nimport rego.v1\nimport data.a\n{tests}"),
    )
    return run_policy_tests(PolicyFiles(sources, data or {}), options or RunOptions(), SystemClock())


def result(tests: str, **data: object) -> RuleTestResult:
    (only,) = run(tests, data=dict(data)).results
    return only


def told(failure: FailedStatement | None) -> tuple[str, int, dict[str, object]]:
    assert failure is not None
    values = {probed.text: to_json(list(probed.values)) for probed in failure.values}
    return failure.text, failure.location.row, values


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        ("test_x if true", Outcome.PASS),
        ("test_x := true", Outcome.PASS),
        ("test_x if false", Outcome.FAIL),
        ("test_x := 1", Outcome.FAIL),
        ("test_x := false", Outcome.FAIL),
        ("test_x contains 1", Outcome.FAIL),
        ("test_x if data.nothing", Outcome.FAIL),
        ("todo_test_x if false", Outcome.SKIPPED),
        ("test_x if count({k: v | some k in [1]; some v in [1, 2]}) == 1", Outcome.ERROR),
        ('test_x if count(a.deny) == 1 with input as {"messages": ["m"]}', Outcome.PASS),
        ("test_x if data.limits.max == 3", Outcome.PASS),
        ("test_x if not to_number(`x`)", Outcome.PASS),
    ],
)
def test_a_test_passes_when_its_value_is_true(test: str, outcome: Outcome) -> None:
    assert result(test, limits={"max": 3}).outcome is outcome


def test_an_error_says_code_and_place() -> None:
    error = result("test_x if count({k: v | some k in [1]; some v in [1, 2]}) == 1").error

    assert error is not None
    assert error.startswith("a_test.rego:4:")
    assert "eval_conflict_error" in error


def test_builtin_errors_are_errors_of_the_test_when_asked_for() -> None:
    (only,) = run("test_x if not to_number(`x`)", RunOptions(strict_builtin_errors=True)).results

    assert only.outcome is Outcome.ERROR


def test_a_test_that_takes_too_long_is_stopped() -> None:
    loops = "; ".join(f"some x{number} in numbers.range(1, 1000)" for number in range(4))

    (only,) = run(f"test_x if {{ {loops}; false }}", RunOptions(timeout_seconds=0.05)).results

    assert only.outcome is Outcome.ERROR
    assert "eval_cancel_error" in (only.error or "")
    assert only.duration_ns < 2_000_000_000


def test_the_failed_statement_and_its_values_are_told() -> None:
    found = result(
        'test_x if {\n  given := {"messages": ["m", "n"]}\n  count(a.deny) == 1 with input as given\n}'
    )

    assert told(found.failed_at) == (
        "count(a.deny) == 1 with input as given",
        6,
        {"count(a.deny)": [2], "a.deny": [["m", "n"]]},
    )


def test_an_undefined_part_has_no_values() -> None:
    assert told(result("test_x if data.nothing.here == 1").failed_at)[2] == {"data.nothing.here": []}


def test_a_value_that_is_not_true_is_what_failed() -> None:
    text, row, values = told(result("test_x := 3 if true").failed_at)

    assert (text, row, values) == ("test_x := 3", 4, {})


def test_print_output_belongs_to_its_test() -> None:
    first, second = run('test_x if print("one", [1])\ntest_y if { print("two"); false }').results

    assert first.output == ("one [1]",)
    assert second.output == ("two",)


CASES = """test_x[note] if {
  some note, case in {"one": {"in": 1, "out": 2}, "two": {"in": 2, "out": 5}}
  case.in + 1 == case.out
}"""


def test_each_named_case_has_its_own_outcome() -> None:
    found = result(CASES)

    assert found.outcome is Outcome.FAIL
    assert [(case.name, case.passed) for case in found.cases] == [(("one",), True), (("two",), False)]
    assert told(found.cases[1].failed_at) == (
        "case.in + 1 == case.out",
        6,
        {"case.in + 1": [3], "case.in": [2], "case.out": [5]},
    )


def test_cases_may_be_named_by_values_and_nested() -> None:
    found = result("test_x[a][b] if {\n  some a in [1, 2]\n  some b in [true]\n  a == 1\n}")

    assert [(case.name, case.passed) for case in found.cases] == [
        (("1", "true"), True),
        (("2", "true"), False),
    ]


def test_a_test_passes_when_all_its_cases_do() -> None:
    assert result("test_x[note] if some note in [`a`, `b`]").outcome is Outcome.PASS


def test_rules_of_one_name_fail_for_themselves() -> None:
    report = run("test_x if false\ntest_x if true")

    assert [found.outcome for found in report.results] == [Outcome.FAIL, Outcome.PASS]
    assert told(report.results[0].failed_at)[0] == "false"


def test_only_chosen_tests_run() -> None:
    report = run("test_x if true\ntest_y if true", RunOptions(select=re.compile("_y$")))

    assert [found.name for found in report.results] == ["test_y"]


def test_a_report_counts_outcomes() -> None:
    report = run("test_x if true\ntest_y if false\ntodo_test_z if true")

    assert [report.count(outcome) for outcome in Outcome] == [1, 1, 0, 1]
    assert not report.passed
    assert report.coverage is None


def test_coverage_covers_policies_and_tests() -> None:
    report = run('test_x if count(a.deny) == 0 with input as {"messages": []}', RunOptions(coverage=True))

    assert report.coverage is not None
    assert {file.path: file.percent for file in report.coverage.files} == {
        "a.rego": pytest.approx(100 / 3),
        "a_test.rego": 100,
    }


def test_modules_that_do_not_compile_are_refused() -> None:
    with pytest.raises(CompileError, match="rego_unsafe_var_error"):
        run("test_x if y == 1")


def test_v0_modules_are_tested_beside_v1() -> None:
    sources = (
        Source("a.rego", "package a\nallow { input.x }"),
        Source("b.rego", "package b\nimport rego.v1\ntest_x if data.a.allow with input.x as true"),
        Source("c.rego", "package c\ntest_y { not data.a.allow }"),
    )

    report = run_policy_tests(PolicyFiles(sources, {}), RunOptions(), SystemClock())

    assert report.count(Outcome.PASS) == 2
