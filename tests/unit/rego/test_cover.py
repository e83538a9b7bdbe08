"""What counts as covered, line by line and rule by rule."""

from tests.support.rego_syntax import parsed_module
from webhook.rego.ast import Module
from webhook.rego.compiler import plan_entry_points, resolve_modules
from webhook.rego.cover import FileCoverage, LineRange, RuleCoverage, measure, rule_name
from webhook.rego.program import Program


def covered(module: Module, *documents: str, given: object = None) -> FileCoverage:
    """Evaluate documents of a module and report on it."""
    paths = [f"data.test.{document}" for document in documents]
    program = Program(plan_entry_points(resolve_modules([module]), paths), instrument=True)
    hits = bytearray(len(program.statements))
    for path in paths:
        program.query(path, given, hits=hits)
    ran = [place for place, hit in zip(program.statements, hits, strict=True) if hit]
    (file,) = measure([module], ran).files
    return file


def by_name(file: FileCoverage) -> dict[str, RuleCoverage]:
    return {rule.name: rule for rule in file.rules}


def rows(ranges: tuple[LineRange, ...]) -> list[tuple[int, int]]:
    return [(found.start, found.end) for found in ranges]


def test_a_rule_is_covered_when_its_body_holds_and_a_statement_when_it_is_reached() -> None:
    file = covered(
        parsed_module("p if {\n  input.x\n  input.y\n  input.z\n}"), "p", given={"x": 1, "y": False}
    )

    assert rows(file.covered) == [(3, 4)]
    assert rows(file.not_covered) == [(2, 2), (5, 5)]
    assert file.percent == 50
    assert not by_name(file)["p"].covered
    assert (by_name(file)["p"].statements, by_name(file)["p"].covered_statements) == (4, 2)


def test_constants_and_facts_count() -> None:
    file = covered(parsed_module('p if {\n  x := 1\n  "always"\n  x\n}\nq := 2'), "p", "q")

    assert file.not_covered == ()
    assert file.percent == 100


def test_rules_that_nothing_asks_for_are_not_covered() -> None:
    file = covered(parsed_module("p := 1\nq if {\n  input.x\n}"), "p")

    assert rows(file.not_covered) == [(3, 4)]


def test_each_branch_of_an_else_chain_counts_for_itself() -> None:
    file = covered(
        parsed_module("p := 1 if {\n  input.x\n} else := 2 if {\n  input.y\n} else := 3"), "p", given={"y": 1}
    )

    assert rows(file.covered) == [(3, 5)]
    assert rows(file.not_covered) == [(2, 2), (6, 6)]
    assert by_name(file)["p"].covered


def test_statements_of_comprehensions_and_every_count() -> None:
    file = covered(
        parsed_module(
            "p := [x |\n  some x in input.xs\n  x > 1\n]\nq if every x in input.xs {\n  x > 0\n  x > 1\n}"
        ),
        "p",
        "q",
        given={"xs": [1]},
    )

    assert rows(file.covered) == [(2, 4), (6, 8)]
    assert not by_name(file)["q"].covered


def test_an_element_of_a_set_and_a_key_of_an_object_cover_their_rules() -> None:
    file = covered(
        parsed_module(
            "p contains x if some x in [1]\nq[k] := v if some k, v in {1: 2}\nr.s[x] if some x in [1]"
        ),
        "p",
        "q",
        "r",
    )

    assert all(rule.covered for rule in file.rules)


def test_a_default_is_covered_when_it_is_used() -> None:
    module = parsed_module("default p := 1\np := 2 if input.x")

    assert [rule.covered for rule in covered(module, "p").rules] == [True, False]
    assert [rule.covered for rule in covered(module, "p", given={"x": 1}).rules] == [False, True]


def test_declarations_are_no_statements() -> None:
    file = covered(parsed_module("p if {\n  some x\n  input[x]\n}"), "p")

    assert rows(file.not_covered) == [(2, 2)]


def test_files_add_up() -> None:
    module = parsed_module("p if {\n  input.x\n}\nq := 1")
    report = measure([module], [])

    assert (report.covered_lines, report.not_covered_lines, report.percent) == (0, 3, 0)
    assert measure([], []).percent == 0


def test_rules_are_named_by_their_reference() -> None:
    heads = [
        rule.head
        for rule in parsed_module('a := 1\nb["c d"].e := 1\nf[x] := x if some x in [1]\ng["h"] := 2').rules
    ]

    assert list(map(rule_name, heads)) == ["a", 'b["c d"].e', "f[x]", "g.h"]
