"""What statements mean: negation, `every`, unification, comprehensions and `with`."""

from typing import Any

import pytest

from tests.support.compiled_rego import answer, json_of
from webhook.rego.ast import Source
from webhook.rego.compiler import compile_modules
from webhook.rego.errors import CompileError
from webhook.rego.plan.writer import MOST_LOOPS
from webhook.rego.values import UNDEFINED

DOCUMENT = {
    "xs": [1, 2, 3],
    "o": {"a": 1, "b": 2},
    "s": "abc",
    "no": False,
    "nothing": None,
    "deep": [{"k": [5]}],
}


def ask(rules: str, document: Any = None, data: Any = None) -> Any:
    return json_of(
        answer(f"package test\n{rules}", document=DOCUMENT if document is None else document, data=data)
    )


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        ("not input.missing", True),
        ("not input.no", True),
        ("not input.nothing", False),
        ('not startswith(input.missing, "a")', False),
        ("not count(input.missing) > 0", False),
        ("not input.o[input.missing]", False),
        ("not input.missing == 1", True),
        ("not input.xs[0] == 2", True),
        ("not f(input.missing)", False),
        ("not f(7)", True),
        ("x := 5; not input.xs[x]", True),
        ("not 3 in input.xs", False),
        ("not [x | x := input.missing] == [1]", True),
        ('not to_number("abc")', True),
    ],
)
def test_negation_holds_when_its_statement_does_not_after_arguments_are_known(body: str, holds: bool) -> None:
    assert ask(f"p if {{ {body} }}\nf(x) if x == 5") is (True if holds else UNDEFINED)


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        ("every x in input.xs { x > 0 }", True),
        ("every x in input.xs { x > 1 }", False),
        ("every x in [] { x > 1 }", True),
        ("every i, x in input.xs { x == i + 1 }", True),
        ('every k, v in input.o { k != "c"; v < 3 }', True),
        ("every x in {1, 2} { some y in input.xs; x == y }", True),
        ("every x in 5 { x > 0 }", False),
        ("every x in input.missing { x > 0 }", False),
        ("every x in input.deep { every y in x.k { y == 5 } }", True),
        ("every x in xs { x > 0 } with input.xs as [-1]", False),
    ],
)
def test_every_holds_when_its_body_does_for_each_element(body: str, holds: bool) -> None:
    assert ask(f"p if {{ {body} }}\nxs := input.xs") is (True if holds else UNDEFINED)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("p := [x, y] if { [x, [y, 3]] = [1, [2, 3]] }", [1, 2]),
        ("p := [x, y] if { [x, 2] = [1, y] }", [1, 2]),
        ('p := [x, y] if { {"a": x, "b": y} = input.o }', [1, 2]),
        ('p := x if { {"a": x} = input.o }', UNDEFINED),
        ("p := [x | [x, 3] = [input.xs[_], 3]]", [1, 2, 3]),
        ("p := {i | input.xs[i] = 2}", [1]),
        ("p := x if { [x, y, z] := input.xs; z > y }", 1),
        ("p := x if { x = input.xs[x] }", UNDEFINED),
        ("p := [x, y] if { x = y; y = 1 }", [1, 1]),
        ("p := [a, b] if { [a, b] = [b, 1] }", [1, 1]),
        ("p if { 1 = 1.0; true != 1 }", True),
        ("p := y if { [x | x = 1] = [y] }", 1),
    ],
)
def test_unification_binds_through_patterns(rule: str, expected: Any) -> None:
    assert ask(rule) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("p := [x | some x in [3, 1]]", [3, 1]),
        ("p := {x | some x in [3, 1, 3]}", [1, 3]),
        ("p := {k: v | some k, v in input.o}", {"a": 1, "b": 2}),
        ('p := {"k": v | some v in [1, 2]}', "failed with eval_conflict_error"),
        ("p := [x.k[_] | x := input.deep[_]]", [5]),
        ("p := [y | x := input.xs[_]; y := [z | z := x * 2; z > 2]]", [[], [4], [6]]),
        ("p := [1 | input.missing]", []),
        ("p := x if { y := 2; x := [y | y := 3] }", [3]),
        ("p := count(input.xs) + sum([x | x := input.xs[_]; x > 1])", 8),
        ("p := [path, v] if { walk(input.deep, [path, v]); v == 5 }", [[0, "k", 0], 5]),
        ('p := $"{input.s}-{input.missing}-{1 + 1}"', "abc-<undefined>-2"),
        ("p := {input.s[_]: 1}", UNDEFINED),
        ('p contains sprintf("%v", [input.xs[i]])', ["1", "2", "3"]),
    ],
)
def test_comprehensions_collect_what_their_bodies_find(rule: str, expected: Any) -> None:
    assert ask(rule) == expected


@pytest.mark.parametrize(
    ("value", "rules", "expected"),
    [
        ('input.a with input as {"a": 1}', "", 1),
        ("q with input.a.b as 2", "q := input.a.b + input.o.a", 3),
        ("q with input.a as 1 with input.b as 2", "q := input.a + input.b", 3),
        ("q with data.base as 1", "q := data.base", 1),
        ("r with data.test.q as 7", "r := q + 1\nq := 1", 8),
        ("data.test.q with data.test.q as 7", "q := 1", 7),
        ("r(1) with f as 5", "r(x) := f(x)\nf(x) := x", 5),
        ("r(1) with f as g", "r(x) := f(x)\nf(x) := x\ng(x) := x + 10", 11),
        ("r with f as input.o", "r := f(1)\nf(x) := x", {"a": 1, "b": 2}),
        ("r with f as q", "r := f(1)\nf(x) := x\nq := 3", 3),
        ("r with f as g with data.test.q as 9", "r := f(1)\nf(x) := x\ng(x) := q\nq := 3", 9),
        ("r with count as input.o.a", "r := q + count([])\nq := 3", 4),
        ("r with count as 5", "r := count([1])", 5),
        ("r with count as g", "r := count([1])\ng(x) := count(x) + 1", 2),
        ("r([1, 2]) with f as count", "r(x) := f(x)\nf(x) := x", 2),
        ("r with time.now_ns as 5", "r := time.now_ns()", 5),
        ("q with input as input.o", "q := input.b", 2),
        ("q with input as input.missing", "q := 1", UNDEFINED),
        ('r with data.lib as {"x": 1}', "r := data.lib.x", 1),
        ("data.lib with data.lib.x as 1", "", {"x": 1}),
        ("f(1) with f as 1 with g as 2", "f(x) := g(x)\ng(x) := x", 1),
        ("r with f as g with g as 5", "r := f(1)\nf(x) := x\ng(x) := x + 1", 2),
        ("a with f as 1", "a := y if y := b with f as 2\nb := f(0)\nf(x) := x", 2),
        (
            "a with f as input.o.a",
            "a := y if y := b with g as input.o.b\nb := f(0) + g(0)\nf(x) := x\ng(x) := x",
            3,
        ),
        ("r with f as input.o.b", "r := data.test.inner[input.s]\ninner.abc := f(1)\nf(x) := x", 2),
        (
            "r with f as input.xs[0]",
            "r := {k | data.test.inner[k]}\ninner.a := f(1)\ninner.b := f(2)\nf(x) := x",
            ["a", "b"],
        ),
    ],
)
def test_with_replaces_documents_and_functions_for_one_statement(
    value: str, rules: str, expected: Any
) -> None:
    assert ask(f"p := x if x := {value}\n{rules}") == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("p := [x, y] if { x := input.s with input.s as 1; y := input.s }", [1, "abc"]),
        ("p := [x, y] if { x = input with input as 5; y = input.s }", [5, "abc"]),
        ("p := [x, y] if { x := r with data.test.q as 7; y := r }\nr := q + 1\nq := 1", [8, 2]),
        ("p := {x | x = input.xs[_] with input.xs as [7, 8]}", [7, 8]),
        ("p := [1 | input.xs[_] > 0 with input.xs as [7, 8]]", [1, 1]),
        ("p := {[i, x] | x = input.xs[i] with input.xs as [7, 8]}", [[0, 7], [1, 8]]),
        ("p := x if { y := 3; x := input.v with input.v as y }", 3),
        ("p if { not q with input.no as true }\nq if not input.no", True),
        ('p := {k | data.lib[k] with data.lib as {"a": 1, "b": 2}}', ["a", "b"]),
    ],
)
def test_a_replacement_ends_with_its_statement(rules: str, expected: Any) -> None:
    assert ask(rules) == expected


def test_replacing_a_package_hides_its_rules_from_references_of_every_kind() -> None:
    rules = """package test
p := {[k, v] | v := data.lib[k] with data.lib as {"z": 9}}
q := x if x := data.lib[input.k] with data.lib as {"z": 9}
"""
    modules = [rules, "package lib\na := 1\nb := 2"]

    assert json_of(answer(modules)) == [["z", 9]]
    assert answer(modules, "data.test.q", {"k": "z"}) == 9
    assert answer(modules, "data.test.q", {"k": "a"}) is UNDEFINED


def test_a_rule_that_replaces_part_of_a_package_keeps_the_rest() -> None:
    modules = ["package test\np := x if x := data.lib with data.lib.a as 5", "package lib\na := 1\nb := 2"]

    assert json_of(answer(modules)) == {"a": 5, "b": 2}


def test_a_body_with_too_many_loops_is_refused_at_the_first_one_too_many() -> None:
    loops = "\n".join(f"some x{index} in input.xs" for index in range(MOST_LOOPS + 1))

    with pytest.raises(CompileError, match=f"loops nested too deeply: over {MOST_LOOPS}") as refusal:
        compile_modules(
            [Source("a.rego", f"package test\np if {{\n{loops}\n}}")], entrypoints=["data.test.p"]
        )

    assert refusal.value.diagnostics[0].location.row == MOST_LOOPS + 3


def test_long_bodies_and_rule_sets_need_no_deep_stack() -> None:
    body = "\n".join(f"x{index} := input.xs[0] + {index}" for index in range(800))

    assert answer(f"package test\np := x799 if {{\n{body}\n}}", document=DOCUMENT) == 800


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("[i, input.xs[i]]", [[0, 1], [1, 2], [2, 3]]),
        ("i + input.xs[i]", [1, 3, 5]),
        ('sprintf("%v=%v", [k, input.o[k]])', ["a=1", "b=2"]),
        ("f(i, input.xs[i])", [1, 3, 5]),
        ("{i: input.xs[i]}", [{"0": 1}, {"1": 2}, {"2": 3}]),
        ("{input.xs[i]: i}", [{"1": 0}, {"2": 1}, {"3": 2}]),
        ("[[i], {input.xs[i]}]", [[[0], [1]], [[1], [2]], [[2], [3]]]),
        ("[i, data.test.q[i]]", [["x", 5]]),
        ("[i, input.deep[i].k[j], j]", [[0, 5, 0]]),
    ],
)
def test_a_reference_binds_what_stands_before_it_in_the_same_statement(term: str, expected: Any) -> None:
    rules = f'p := [x | x := {term}]\nf(x, y) := x + y\nq["x"] := 5'

    assert ask(rules) == expected
    assert ask(f'p contains {term}\nf(x, y) := x + y\nq["x"] := 5') == expected


def test_a_comparison_binds_by_the_references_in_it() -> None:
    assert ask("p := [i | i < input.xs[i]]") == [0, 1, 2]
    assert ask("p := [i | i, input.xs[i] in {0: 1, 1: 5, 2: 3}]") == [0, 2]
    assert ask("p := [i | f(i, input.xs[i]) with input.xs as [0, 5]]\nf(x, y) if x == y") == [0]
