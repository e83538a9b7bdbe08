"""Where a body stopped, and what is asked about it."""

import pytest

from tests.support.rego_syntax import parsed_module
from webhook.rego.ast import Module
from webhook.rego.compiler import plan_entry_points, resolve_modules
from webhook.rego.errors import Location
from webhook.rego.program import Program
from webhook.rego.texts import to_json
from webhook.rego.values import UNDEFINED, RegoSet, Value
from webhook.rego.witnesses import (
    Documents,
    Stop,
    input_questions,
    stopping_place,
    text_at,
    with_witnesses,
    witnesses,
)


def at(module: Module, text: str) -> Location:
    """Give the place of a text in a module."""
    offset = module.source.text.index(text)
    return Location("test.rego", 1, 1, offset, offset + len(text))


def stop_at(text: str, *reached: str) -> tuple[Module, Stop]:
    """Parse one rule and say where it stopped when these texts were reached."""
    module = parsed_module(text)
    return module, stopping_place(module.rules[0], [at(module, part) for part in reached])


def test_the_last_statement_reached_is_the_one_that_did_not_hold() -> None:
    module, stop = stop_at("p if {\n  a := 1\n  a == 2\n  a == 3\n}", "a := 1", "a == 2")

    assert text_at(module, stop.statement.location) == "a == 2"
    assert len(stop.before) == 1


def test_a_call_within_a_statement_reaches_it() -> None:
    module, stop = stop_at("p if {\n  a := 1\n  count([a]) == 2\n  a\n}", "a := 1", "count")

    assert text_at(module, stop.statement.location) == "count([a]) == 2"


def test_the_statement_of_an_every_takes_its_place() -> None:
    module, stop = stop_at("p if {\n  every x in [1, 2] { x < 2 }\n}", "every")

    assert text_at(module, stop.statement.location) == "x < 2"


def asked(text: str, *reached: str) -> list[str]:
    module, stop = stop_at(text, *reached)
    return [witness.text for witness in witnesses(module, stop)]


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        ("count(input.xs) == 1", ["count(input.xs)", "input.xs"]),
        ('input.a == "x"', ["input.a"]),
        ("x := input.a", ["input.a"]),
        ("some x in input.xs", ["input.xs"]),
        ("input.a in {1, 2}", ["input.a"]),
        ("not input.a", ["input.a"]),
        ("input.a", ["input.a"]),
        ("f(input.a, 1)", ["f(input.a, 1)", "input.a"]),
        ("[input.a, 2] == [1, 2]", ["[input.a, 2]"]),
        ("input.a == input.a", ["input.a"]),
        ("1 == 2", []),
        ("some x, y in {}", []),
    ],
)
def test_parts_that_may_have_any_value_are_asked_for(statement: str, parts: list[str]) -> None:
    assert asked(f"p if {{\n  {statement}\n}}") == parts


def values(text: str, given: Value = UNDEFINED) -> list[Value]:
    """Call witnesses of the last statement of the first rule of a module and give the values of each part."""
    module = parsed_module(text)
    rule = module.rules[0]
    made = witnesses(module, Stop(rule.body[:-1], rule.body[-1]))
    paths = [f"data.test.{witness.name}" for witness in made]
    program = Program(plan_entry_points(resolve_modules([with_witnesses(module, made)]), paths), paths)
    return [to_json(value) for value in program.evaluate(given)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x := 2\n x == 3", [[2]]),
        ("some x in [1, 2]\n x == 3", [[1, 2]]),
        ("some unused in [1, 2]\n input.a == 3", [[7]]),
        ("some k, v in {1: 2}\n k == 3\n input.a", [[]]),
        ("some i\n [1, 2][i] == 2\n input.a == i", [[7], [1]]),
        ("some i, j\n [1, 2][i] == 2\n input.xs[j] == 3", [[8, 9]]),
        ("input.a == 1 with input.a as 5", [[5]]),
        ("count(input.b) == 1", [[], []]),
    ],
)
def test_witnesses_tell_the_values(body: str, expected: list[Value]) -> None:
    assert values(f"p if {{\n {body}\n}}", {"a": 7, "xs": [8, 9]}) == expected


def test_a_statement_under_an_input_of_its_own_asks_for_documents() -> None:
    policy = parsed_module("deny contains 1 if input.x\nf(x) := x")
    tests = parsed_module(
        "import data.test.deny\ntest_a if {\n  given := {1}\n  count(deny) == 1 with input as given\n}"
    )
    (question,) = input_questions(tests, tests.rules[0], Documents([policy]), 3)

    assert question.documents == ("data.test.deny",)
    assert question.input.name == "gradate_witness_3"
    program = Program(
        plan_entry_points(
            resolve_modules([policy, with_witnesses(tests, [question.input])]),
            ["data.test.gradate_witness_3"],
        )
    )
    (value,) = program.evaluate()
    assert isinstance(value, RegoSet)
    assert to_json(value) == [[1]]


@pytest.mark.parametrize(
    ("statement", "documents"),
    [
        ("data.test.deny with input as 1", [("data.test.deny",)]),
        ("data.test.deny[x] with input.a as 1", [("data.test.deny",)]),
        ("deny with input as 1", [("data.test.deny",)]),
        ("policies.deny with input as 1", [("data.test.deny",)]),
        ("every x in [1] { deny with input as x }", [("data.test.deny",)]),
        ("data.test.deny", []),
        ("data.test.deny with data.x as 1", []),
        ("data.other with input as 1", []),
        ("f(1) with input as 1", []),
    ],
)
def test_only_documents_on_an_input_are_questions(statement: str, documents: list[tuple[str, ...]]) -> None:
    policy = parsed_module("deny contains 1 if input.x\nf(x) := x")
    tests = parsed_module(f"import data.test as policies\ntest_a if {{\n  {statement}\n}}")

    found = input_questions(tests, tests.rules[0], Documents([policy]), 0)

    assert [question.documents for question in found] == documents
