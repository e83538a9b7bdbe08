from typing import Any

import pytest

from tests.support.rego_builtins import LATE_2023_NS, call, failure, passes_limit
from webhook.rego.budget import peak_memory_bytes
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.errors import EvaluationError
from webhook.rego.values import RegoSet


def printed(name: str, *arguments: Any) -> list[str]:
    lines: list[str] = []
    context = EvaluationContext(LATE_2023_NS, print_sink=lines.append)
    assert call(name, *arguments, context=context)
    return lines


def test_print_shows_values_and_what_is_undefined() -> None:
    assert printed("internal.print", [RegoSet(["a"]), RegoSet([1]), RegoSet(), RegoSet([["x"]])]) == [
        'a 1 <undefined> ["x"]'
    ]


def test_print_shows_every_combination_of_values() -> None:
    assert printed("internal.print", [RegoSet([1, 2]), "-", RegoSet(["b", "a"])]) == [
        "1 - a",
        "1 - b",
        "2 - a",
        "2 - b",
    ]


def test_print_without_operands_prints_an_empty_line() -> None:
    assert printed("internal.print", []) == [""]


def test_print_outside_of_the_compiler_shows_its_operands() -> None:
    assert printed("print", "a", {"b": None}) == ['a {"b": null}']


def test_nothing_is_printed_where_nobody_listens() -> None:
    assert call("internal.print", [RegoSet(["a"])])


def test_too_many_combinations_stop_the_evaluation() -> None:
    assert passes_limit("internal.print", [RegoSet(range(30))] * 3)


def test_template_strings_join_their_parts() -> None:
    assert call("internal.template_string", ["a ", RegoSet([1]), " ", RegoSet(), None, RegoSet([["x"]])]) == (
        'a 1 <undefined>null["x"]'
    )
    assert call("internal.template_string", []) == ""


def test_a_template_string_with_two_values_for_a_part_is_a_conflict() -> None:
    with pytest.raises(EvaluationError, match="template-strings must not produce multiple outputs") as caught:
        call("internal.template_string", [RegoSet([1, 2])])
    assert caught.value.code == "eval_conflict_error"


def test_test_cases_are_noted_in_order() -> None:
    context = EvaluationContext(LATE_2023_NS)
    call("internal.test_case", ["one"], context=context)
    call("internal.test_case", ["two"], context=context)
    assert context.test_cases == [["one"], ["two"]]


def test_traces_are_accepted_and_dropped() -> None:
    assert call("trace", "note")
    assert failure("trace", 1)


def test_metadata_is_there_for_rules_only() -> None:
    assert "must only be called within the scope of a rule" in failure("rego.metadata.rule")


def test_a_template_string_beyond_the_limit_is_refused_before_it_is_made() -> None:
    before = peak_memory_bytes()
    assert passes_limit("internal.template_string", ["x" * 10_000_000] * 1000)
    assert peak_memory_bytes() - before < 200_000_000
