"""Answers of queries over policies, data, inputs and plan bundles."""

import pytest

from webhook.compose.clock import SystemClock
from webhook.flows.policy_files import PolicyFiles
from webhook.flows.policy_query import QueryOptions, Solution, answer_entry_point, answer_query
from webhook.rego.ast import Source
from webhook.rego.bundle import PlanBundle
from webhook.rego.compiler import load_modules, plan_entry_points
from webhook.rego.errors import CompileError, EvaluationError
from webhook.rego.ir import Plan, Policy
from webhook.rego.texts import to_json
from webhook.rego.values import UNDEFINED, Value

SOURCE = Source("a.rego", "package a\nimport rego.v1\np contains x if some x in input.xs\nq := 1")
FILES = PolicyFiles((SOURCE,), {"limit": 2})


def solutions(query: str, options: QueryOptions | None = None, given: Value = None) -> list[Solution]:
    lines: list[str] = []
    document = {"xs": [1, 2, 3]} if given is None else given
    return answer_query(query, FILES, document, options or QueryOptions(), SystemClock(), lines.append)


def answers(query: str) -> list[tuple[list[Value], dict[str, Value]]]:
    return [
        ([to_json(part.value) for part in found.expressions], to_json(dict(found.bindings)))
        for found in solutions(query)
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("data.a.q", [([1], {})]),
        ("data.a.p", [([[1, 2, 3]], {})]),
        ("data.limit", [([2], {})]),
        ("data.nothing", []),
        ("input.xs[0]", [([1], {})]),
        ("x := 1; y := 2; x < y", [([True, True, True], {"x": 1, "y": 2})]),
        ("1 == 2", [([False], {})]),
        ("1 == 1; 1 == 2", []),
        ("data.a.p[x]; x > 1", [([2, True], {"x": 2}), ([3, True], {"x": 3})]),
        ("data.a.p[_] == 2", [([True], {})]),
        ("input.xs[_] > 2", [([True], {})]),
        ("not false", [([True], {})]),
        ("[x | some x in input.xs; x > 1]", [([[2, 3]], {})]),
        ("some x in data.a.p", [([True], {"x": 1}), ([True], {"x": 2}), ([True], {"x": 3})]),
    ],
)
def test_a_query_is_answered_as_opa_does(
    query: str, expected: list[tuple[list[Value], dict[str, Value]]]
) -> None:
    assert answers(query) == expected


def test_each_statement_has_its_text_and_place() -> None:
    (found,) = solutions("x := 1;\n  x == 1")

    assert [(part.text, part.location.row, part.location.col) for part in found.expressions] == [
        ("x := 1", 1, 1),
        ("x == 1", 2, 3),
    ]


def test_a_query_without_input_leaves_it_undefined() -> None:
    assert solutions("input", given=UNDEFINED) == []


def test_printed_lines_reach_the_sink() -> None:
    lines: list[str] = []

    answer_query('print("x", 1)', FILES, UNDEFINED, QueryOptions(), SystemClock(), lines.append)

    assert lines == ["x 1"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "empty query"),
        ("x := ]", r"1:6: rego_parse_error: unexpected \] token"),
        ("x == 1", "rego_unsafe_var_error"),
        ("nothing(1)", "rego_type_error: undefined function nothing"),
    ],
)
def test_a_wrong_query_is_refused(query: str, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        solutions(query)


def test_a_builtin_error_is_undefined_unless_it_is_to_be_strict() -> None:
    assert solutions('to_number("x")') == []
    with pytest.raises(EvaluationError, match="eval_builtin_error"):
        solutions('to_number("x")', QueryOptions(strict_builtin_errors=True))


def test_a_query_stops_at_its_deadline() -> None:
    loops = "; ".join(f"x{number} = numbers.range(1, 1000)[_]" for number in range(4))

    with pytest.raises(EvaluationError, match="eval_cancel_error"):
        solutions(f"{loops}; x0 == 0", QueryOptions(timeout_seconds=0.05))


def bundle() -> PlanBundle:
    policy = plan_entry_points(load_modules([SOURCE]), ["data.a.q", "data.a.p"])
    plans = tuple(
        Plan(plan.name.removeprefix("data.").replace(".", "/"), plan.blocks) for plan in policy.plans
    )
    return PlanBundle(Policy(plans, policy.functions, policy.builtins), {})


def test_an_entry_point_of_a_plan_bundle_is_answered() -> None:
    (found,) = answer_entry_point(
        "data.a.p", bundle(), {"xs": [1]}, QueryOptions(), SystemClock(), lambda _: None
    )

    assert to_json(found.expressions[0].value) == [1]


def test_a_plan_bundle_names_its_entry_points_when_asked_for_another() -> None:
    with pytest.raises(CompileError, match=r"no entry point data\.a; it has data\.a\.q, data\.a\.p"):
        answer_entry_point("data.a", bundle(), {}, QueryOptions(), SystemClock(), lambda _: None)
