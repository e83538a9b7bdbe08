"""How the results of Rego unit tests are printed: text, JSON as OPA writes it, and JUnit."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

import click

from webhook.flows.policy_tests import CaseResult, FailedStatement, Outcome, RuleTestResult, RunReport
from webhook.rego.errors import Location
from webhook.rego.texts import format_value
from webhook.rego.values import Value

SHOWN_VALUES = 5
SHOWN_VALUE_CHARACTERS = 400

_COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.ERROR: "red", Outcome.SKIPPED: "yellow"}
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report_text(report: RunReport, *, quiet: bool) -> str:
    """Write every test, or only those that did not pass, by file, and the counts."""
    lines: list[str] = []
    file = None
    for result in report.results:
        if quiet and result.outcome is Outcome.PASS:
            continue
        if result.location.file != file:
            file = result.location.file
            lines += ["", f"{file}:"] if lines else [f"{file}:"]
        lines += _result_lines(result)
    if lines:
        lines.append("-" * 80)
    total = len(report.results)
    for outcome in Outcome:
        count = report.count(outcome)
        if count:
            lines.append(click.style(f"{outcome.name}: {count}/{total}", fg=_COLOURS[outcome]))
    lines.append(f"{total} tests in {report.duration_ns / 1e9:.2f} s")
    return "\n".join(lines)


def _result_lines(result: RuleTestResult) -> Iterator[str]:
    outcome = click.style(f"{result.outcome.name}", fg=_COLOURS[result.outcome])
    timing = "" if result.outcome is Outcome.SKIPPED else f" ({result.duration_ns / 1e6:.2f} ms)"
    yield f"  {result.package}.{result.name}: {outcome}{timing}"
    if result.error is not None:
        yield from (f"    {line}" for line in result.error.splitlines())
    if result.failed_at is not None:
        yield from _failure_lines(result.failed_at, "    ")
    for case in result.cases:
        if not case.passed:
            yield f"    {_case_name(case)}: {click.style('FAIL', fg='red')}"
            if case.failed_at is not None:
                yield from _failure_lines(case.failed_at, "      ")
    yield from (f"    | {_harmless(line)}" for line in result.output)


def _failure_lines(failure: FailedStatement, indent: str) -> Iterator[str]:
    yield f"{indent}{failure.location.file}:{failure.location.row}: {_one_line(failure.text)}"
    for probed in failure.values:
        yield f"{indent}  {_one_line(probed.text)} {_values_text(probed.values)}"


def _values_text(values: tuple[Value, ...]) -> str:
    if not values:
        return "is undefined"
    shown = [_shortened(format_value(value)) for value in values[:SHOWN_VALUES]]
    if len(values) == 1:
        return f"is {shown[0]}"
    more = f", … ({len(values)} values)" if len(values) > SHOWN_VALUES else ""
    return f"is one of {', '.join(shown)}{more}"


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_VALUE_CHARACTERS else text[:SHOWN_VALUE_CHARACTERS] + "…"


def _one_line(text: str) -> str:
    return _shortened(" ".join(text.split()))


def _harmless(line: str) -> str:
    """Keep control characters away from the terminal."""
    return "".join(
        character if character.isprintable() or character == "\t" else "\ufffd" for character in line
    )


def _case_name(case: CaseResult) -> str:
    return " / ".join(case.name)


# -- JSON --


def report_documents(report: RunReport) -> list[dict[str, Any]]:
    """Give the list that `opa test --format json` prints, with the failed statement and its values added."""
    return [_result_document(result) for result in report.results]


def _result_document(result: RuleTestResult) -> dict[str, Any]:
    document: dict[str, Any] = {
        "location": _location_document(result.location),
        "package": result.package,
        "name": result.name,
    }
    if result.outcome is Outcome.FAIL:
        document["fail"] = True
    if result.outcome is Outcome.SKIPPED:
        document["skip"] = True
    if result.error is not None:
        document["error"] = {"message": result.error}
    document["duration"] = result.duration_ns
    if result.output:
        document["output"] = "\n".join(result.output)
    if result.failed_at is not None:
        document["failed_at"] = _failure_document(result.failed_at)
    if result.cases:
        document["sub_results"] = _sub_results(result.cases)
    return document


def _sub_results(cases: Iterable[CaseResult]) -> dict[str, Any]:
    """Give named cases as OPA nests them, each name below the one before."""
    top: dict[str, Any] = {}
    for case in cases:
        level = top
        for depth, name in enumerate(case.name, 1):
            document = level.setdefault(name, {"name": name})
            if not case.passed:
                document["fail"] = True
            if depth < len(case.name):
                level = document.setdefault("sub_results", {})
            elif case.failed_at is not None:
                document["failed_at"] = _failure_document(case.failed_at)
    return top


def _failure_document(failure: FailedStatement) -> dict[str, Any]:
    return {
        "location": _location_document(failure.location),
        "text": failure.text,
        "values": [
            {"text": probed.text, "values": [_shortened(format_value(value)) for value in probed.values]}
            for probed in failure.values
        ],
    }


def _location_document(location: Location) -> dict[str, Any]:
    return {"file": location.file, "row": location.row, "col": location.col}


# -- JUnit --


def report_junit(report: RunReport) -> str:
    """Write JUnit XML: a suite for each package, a case for each test."""
    suites: dict[str, list[RuleTestResult]] = {}
    for result in report.results:
        suites.setdefault(result.package, []).append(result)
    root = ET.Element("testsuites", _counts(list(report.results)))
    for package, results in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": package, **_counts(results)})
        for result in results:
            _add_case(suite, result)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(results: list[RuleTestResult]) -> dict[str, str]:
    outcomes = [result.outcome for result in results]
    return {
        "tests": str(len(results)),
        "failures": str(outcomes.count(Outcome.FAIL)),
        "errors": str(outcomes.count(Outcome.ERROR)),
        "skipped": str(outcomes.count(Outcome.SKIPPED)),
        "time": _seconds(sum(result.duration_ns for result in results)),
    }


def _add_case(suite: ET.Element, result: RuleTestResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": result.package,
            "name": _xml_text(result.name),
            "file": _xml_text(result.location.file),
            "line": str(result.location.row),
            "time": _seconds(result.duration_ns),
        },
    )
    if result.outcome is Outcome.SKIPPED:
        ET.SubElement(case, "skipped")
    elif result.outcome is Outcome.ERROR:
        error = ET.SubElement(case, "error", {"message": _xml_text(result.error or "")})
        error.text = _xml_text(result.error or "")
    elif result.outcome is Outcome.FAIL:
        lines = list(_failed_lines(result))
        failure = ET.SubElement(case, "failure", {"message": _xml_text(lines[0] if lines else "not true")})
        failure.text = _xml_text("\n".join(lines))
    if result.output:
        ET.SubElement(case, "system-out").text = _xml_text("\n".join(result.output))


def _failed_lines(result: RuleTestResult) -> Iterator[str]:
    if result.failed_at is not None:
        yield from _failure_lines(result.failed_at, "")
    for case in result.cases:
        if not case.passed:
            yield f"{_case_name(case)}: FAIL"
            if case.failed_at is not None:
                yield from _failure_lines(case.failed_at, "  ")


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:.6f}"


def _xml_text(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
