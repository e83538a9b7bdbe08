"""How diagnostics and errors read."""

import pytest

from webhook.rego.errors import (
    SHOWN_LINE_WIDTH,
    CompileError,
    Diagnostic,
    EvaluationError,
    Location,
    RegoError,
)


def test_a_diagnostic_shows_place_code_line_and_caret() -> None:
    diagnostic = Diagnostic("rego_parse_error", "bad", Location("p.rego", 3, 6), "x := ]")

    assert str(diagnostic) == "p.rego:3:6: rego_parse_error: bad\n\tx := ]\n\t     ^"


def test_the_caret_stands_below_its_character_behind_tabs() -> None:
    diagnostic = Diagnostic("rego_parse_error", "bad", Location("p.rego", 3, 3), "\t\t]")

    assert str(diagnostic).splitlines()[1:] == ["\t\t\t]", "\t\t\t^"]


def test_a_diagnostic_without_a_line_is_one_line() -> None:
    assert str(Diagnostic("c", "m", Location("f", 1, 1))) == "f:1:1: c: m"


@pytest.mark.parametrize("column", [1, 500, 9_999, 20_000])
def test_an_overlong_line_is_cut_around_the_caret(column: int) -> None:
    line = "".join(chr(ord("a") + number % 26) for number in range(10_000))

    _, quoted, caret = str(Diagnostic("c", "m", Location("f", 1, column), line)).splitlines()

    assert len(quoted) <= SHOWN_LINE_WIDTH + 1
    if column <= len(line):
        assert quoted[caret.index("^")] == line[column - 1]


def test_control_characters_of_a_source_line_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in str(Diagnostic("c", "m", Location("f", 1, 1), "\x1b[31mred"))


@pytest.mark.parametrize(
    ("count", "headline"), [(1, "1 error occurred: f:1"), (2, "2 errors occurred:\nf:1")]
)
def test_a_compile_error_counts_and_lists_its_diagnostics(count: int, headline: str) -> None:
    diagnostics = tuple(Diagnostic("c", "m", Location("f", row, 1)) for row in range(1, count + 1))

    assert str(CompileError(diagnostics)).startswith(headline)


def test_an_evaluation_error_names_its_place_only_when_it_has_one() -> None:
    assert str(EvaluationError("eval_conflict_error", "two values")) == "eval_conflict_error: two values"
    assert str(EvaluationError("eval_conflict_error", "two values", Location("f", 2, 3))).startswith(
        "f:2:3: "
    )


def test_every_error_of_the_package_has_one_root() -> None:
    assert issubclass(CompileError, RegoError)
    assert issubclass(EvaluationError, RegoError)
