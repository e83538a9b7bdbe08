"""How coverage is printed: text, JSON as OPA writes it, and an LCOV file."""

from collections.abc import Iterable
from typing import Any

from webhook.rego.cover import Coverage, FileCoverage, LineRange


def coverage_text(coverage: Coverage) -> str:
    """Write a line for each file, with the lines and rules that did not run."""
    width = max((len(file.path) for file in coverage.files), default=0)
    lines = []
    for file in coverage.files:
        lines.append(f"{file.path:<{width}}  {file.percent:6.2f}%{_missing(file)}")
        lines += [
            f"{'':<{width}}           rule {rule.name} (line {rule.location.row}) never held"
            for rule in file.rules
            if not rule.covered and not rule.covered_statements
        ]
    total = coverage.covered_lines + coverage.not_covered_lines
    lines.append(f"coverage: {coverage.percent:.2f}% ({coverage.covered_lines} of {total} lines)")
    return "\n".join(lines)


def coverage_document(coverage: Coverage) -> dict[str, Any]:
    """Give the document that `opa test --coverage` prints, with the rules of each file beside its lines."""
    return {
        "files": {file.path: _file_document(file) for file in coverage.files},
        "covered_lines": coverage.covered_lines,
        "not_covered_lines": coverage.not_covered_lines,
        "coverage": coverage.percent,
    }


def coverage_lcov(coverage: Coverage) -> str:
    """Write an LCOV tracefile; what ran has the count 1, for executions are not counted."""
    lines = []
    for file in coverage.files:
        rules = {(rule.location.row, rule.name): rule.covered for rule in file.rules}
        rows = dict.fromkeys(_rows(file.covered), 1) | dict.fromkeys(_rows(file.not_covered), 0)
        lines += ["TN:", f"SF:{file.path}"]
        lines += [f"FN:{row},{name}:{row}" for row, name in rules]
        lines += [f"FNDA:{int(covered)},{name}:{row}" for (row, name), covered in rules.items()]
        lines += [f"FNF:{len(rules)}", f"FNH:{sum(rules.values())}"]
        lines += [f"DA:{row},{count}" for row, count in sorted(rows.items())]
        lines += [f"LF:{len(rows)}", f"LH:{file.covered_lines}", "end_of_record"]
    return "\n".join(lines) + "\n"


def _missing(file: FileCoverage) -> str:
    if not file.not_covered:
        return ""
    return "  missing " + ", ".join(
        str(found.start) if found.start == found.end else f"{found.start}-{found.end}"
        for found in file.not_covered
    )


def _file_document(file: FileCoverage) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if file.covered:
        document["covered"] = _range_documents(file.covered)
    if file.not_covered:
        document["not_covered"] = _range_documents(file.not_covered)
    if file.covered_lines:
        document["covered_lines"] = file.covered_lines
    if file.not_covered_lines:
        document["not_covered_lines"] = file.not_covered_lines
    if file.percent:
        document["coverage"] = file.percent
    document["rules"] = [
        {
            "name": rule.name,
            "row": rule.location.row,
            "covered": rule.covered,
            "statements": rule.statements,
            "covered_statements": rule.covered_statements,
        }
        for rule in file.rules
    ]
    return document


def _range_documents(ranges: Iterable[LineRange]) -> list[dict[str, dict[str, int]]]:
    return [{"start": {"row": found.start}, "end": {"row": found.end}} for found in ranges]


def _rows(ranges: Iterable[LineRange]) -> list[int]:
    return [row for found in ranges for row in range(found.start, found.end + 1)]
