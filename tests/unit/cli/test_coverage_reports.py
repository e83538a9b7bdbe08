"""Coverage as text, JSON and LCOV."""

from webhook.cli.coverage_reports import coverage_document, coverage_lcov, coverage_text
from webhook.rego.cover import Coverage, FileCoverage, LineRange, RuleCoverage
from webhook.rego.errors import Location

COVERAGE = Coverage(
    (
        FileCoverage(
            "policies/a.rego",
            (LineRange(3, 4), LineRange(8, 8)),
            (LineRange(5, 5), LineRange(10, 12)),
            (
                RuleCoverage("deny", Location("policies/a.rego", 3, 1), True, 3, 2),
                RuleCoverage("warn", Location("policies/a.rego", 10, 1), False, 3, 0),
            ),
        ),
        FileCoverage("b.rego", (LineRange(1, 1),), (), ()),
    )
)


def test_text_names_the_lines_and_rules_that_never_ran() -> None:
    assert coverage_text(COVERAGE).splitlines() == [
        "policies/a.rego   42.86%  missing 5, 10-12",
        "                          rule warn (line 10) never held",
        "b.rego           100.00%",
        "coverage: 50.00% (4 of 8 lines)",
    ]


def test_json_has_the_form_of_opa() -> None:
    document = coverage_document(COVERAGE)

    assert (document["covered_lines"], document["not_covered_lines"], document["coverage"]) == (4, 4, 50)
    file = document["files"]["policies/a.rego"]
    assert file["covered"][0] == {"start": {"row": 3}, "end": {"row": 4}}
    assert file["not_covered"][1] == {"start": {"row": 10}, "end": {"row": 12}}
    assert file["rules"][1] == {
        "name": "warn",
        "row": 10,
        "covered": False,
        "statements": 3,
        "covered_statements": 0,
    }
    assert "not_covered" not in document["files"]["b.rego"]


def test_lcov_lists_rules_and_lines() -> None:
    lines = coverage_lcov(COVERAGE).splitlines()

    first = lines[: lines.index("end_of_record")]
    assert first[:8] == [
        "TN:",
        "SF:policies/a.rego",
        "FN:3,deny:3",
        "FN:10,warn:10",
        "FNDA:1,deny:3",
        "FNDA:0,warn:10",
        "FNF:2",
        "FNH:1",
    ]
    assert first[8:] == [
        "DA:3,1",
        "DA:4,1",
        "DA:5,0",
        "DA:8,1",
        "DA:10,0",
        "DA:11,0",
        "DA:12,0",
        "LF:7",
        "LH:3",
    ]
    assert lines.count("end_of_record") == 2


def test_nothing_to_cover_is_no_division_by_zero() -> None:
    assert coverage_text(Coverage(())) == "coverage: 0.00% (0 of 0 lines)"
