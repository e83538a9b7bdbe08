"""The way from sources to a program, a plan or a query."""

import re
import time

import pytest

from tests.support.compiled_rego import json_of
from webhook.rego.ast import Source
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.compiler import (
    QUERY_PLAN,
    compile_modules,
    compile_query,
    load_modules,
    plan_entry_points,
)
from webhook.rego.errors import CompileError
from webhook.rego.program import Program
from webhook.rego.resolve.resolution import Options
from webhook.rego.values import UNDEFINED

POLICY = Source(
    "policy.rego",
    """package authz

deny contains msg if {
	some container in input.containers
	startswith(container.image, data.settings.prefix)
	msg := sprintf("%s is refused", [container.name])
}

allow if count(deny) == 0
""",
)


def test_a_program_gives_one_value_for_each_entry_point_under_its_name() -> None:
    program = compile_modules(
        [POLICY],
        entrypoints=["data.authz.deny", "data.authz.allow", "data.authz.other"],
        data={"settings": {"prefix": "bad/"}},
    )

    values = program.evaluate({"containers": [{"name": "a", "image": "bad/x"}]})

    assert program.entrypoints == ("data.authz.deny", "data.authz.allow", "data.authz.other")
    assert json_of(values[0]) == ["a is refused"]
    assert values[1:] == [UNDEFINED, UNDEFINED]


def test_v0_and_v1_sources_are_loaded_side_by_side() -> None:
    sources = [
        Source("old.rego", "package old\ndeny[msg] { msg := data.new.message }"),
        Source("new.rego", 'package new\nmessage := "hello" if true'),
    ]

    assert json_of(compile_modules(sources, entrypoints=["data.old.deny"]).evaluate({})[0]) == ["hello"]


def test_syntax_errors_of_all_sources_are_reported_together() -> None:
    sources = [Source(f"{name}.rego", f"package {name}\np := = 1") for name in ("a", "b")]

    with pytest.raises(CompileError) as caught:
        load_modules(sources)

    assert {found.location.file for found in caught.value.diagnostics} == {"a.rego", "b.rego"}


def test_an_error_shows_the_line_and_the_place_in_it() -> None:
    with pytest.raises(CompileError) as caught:
        load_modules([Source("a.rego", "package a\n\np if {\n\tx > 1\n}\n")])

    assert str(caught.value.diagnostics[0]) == (
        "a.rego:4:2: rego_unsafe_var_error: var x is unsafe\n\t\tx > 1\n\t\t^"
    )


def test_an_entry_point_that_is_no_reference_is_refused() -> None:
    with pytest.raises(CompileError):
        plan_entry_points(load_modules([POLICY]), ["data.authz.deny ["])


def test_a_query_gives_bindings_and_the_values_of_its_statements() -> None:
    query = compile_query(load_modules([POLICY]), 'x := input.xs[i]; x > 1; data.authz.allow; y = "z"')

    solutions = Program(query.policy).query(QUERY_PLAN, {"xs": [1, 2], "containers": []})

    assert query.variables == ("i", "x", "y")
    assert query.expressions == ("x := input.xs[i]", "x > 1", "data.authz.allow", 'y = "z"')
    assert solutions == [{"bindings": {"i": 1, "x": 2, "y": "z"}, "expressions": [True, True, True, True]}]


def test_a_query_that_is_false_has_a_value_all_the_same() -> None:
    query = compile_query(load_modules([]), "1 == 2")

    assert Program(query.policy).query(QUERY_PLAN, {}) == [{"bindings": {}, "expressions": [False]}]


@pytest.mark.parametrize(
    "text", ["x", "count(x) > 1", "foo(1)", 'count(1) == "a"', "x := 1; x := 2", " # nothing"]
)
def test_a_query_is_checked_like_a_rule(text: str) -> None:
    with pytest.raises(CompileError):
        compile_query(load_modules([]), text)


def test_prints_show_undefined_arguments_and_reach_the_sink() -> None:
    source = Source("a.rego", 'package a\np if { print("x is", input.x, input.y) }')
    lines: list[str] = []
    program = Program(
        plan_entry_points(load_modules([source], options=Options(print_enabled=True)), ["data.a.p"])
    )

    program.evaluate({"x": [1]}, context=EvaluationContext(0, print_sink=lines.append))

    assert lines == ["x is [1] <undefined>"]


def test_a_builtin_replaced_in_tests_is_still_refused_where_it_would_be_called() -> None:
    source = Source(
        "a.rego",
        'package a\np if q with http.send as {"status": 200}\nq if http.send({}).status == 200',
    )
    resolution = load_modules([source], options=Options(for_tests=True))

    assert Program(plan_entry_points(resolution, ["data.a.p"])).evaluate({}) == [True]
    with pytest.raises(CompileError, match=r"a.rego:3:6: rego_type_error: built-in function http.send"):
        plan_entry_points(resolution, ["data.a.q"])


@pytest.mark.parametrize(
    "text",
    [
        "package a\np := " + "[" * 5000 + "]" * 5000,
        "package a\np := " + " + ".join(["1"] * 5000),
        "package a\np if { " + "; ".join(["input.x[_] == 1"] * 3000) + " }",
        "package a\np := 1 if { false }" + " else := 2 if { false }" * 300,
        "package a\n" + "\n".join(f"p{index} := p{index + 1}" for index in range(2000)) + "\np2000 := 1",
        "package a\np if { input.x" + " with input.a as 1" * 300 + " }",
        "package a\np if { input.x" + " with input.a as 1" * 5000 + " }",
        "package a\np" + ".b" * 5000 + " := 1",
    ],
    ids=[
        "nested arrays",
        "a long sum",
        "a long body of loops",
        "many elses",
        "a long chain of rules",
        "many replacements",
        "thousands of replacements",
        "a long path",
    ],
)
def test_depth_ends_in_an_answer_or_an_error_with_its_place(text: str) -> None:
    other = Source("0.rego", "package b\np := 1")
    try:
        compile_modules([other, Source("a.rego", text)], entrypoints=["data.b.p", "data.a.p"])
    except CompileError as error:
        found = re.search(r"a\.rego:2:\d+: .*deep.*\n\t.+\n\t *\^", str(error))  # an answer is as good
        assert found is not None


def test_a_policy_of_200_lines_compiles_in_well_under_a_second() -> None:
    rule = """
deny contains msg if {
	some container in input.request.object.spec.containers
	not container.securityContext.runAsNonRoot
	count([name | name := container.env[_].name; contains(lower(name), "secret")]) > %d
	msg := sprintf("%%v uses %%v", [container.name, limits[container.name]])
}
"""
    header = "package big\nlimits[c.name] := c.limits if some c in input.request.object.spec.containers\n"
    source = Source("big.rego", header + "".join(rule % index for index in range(28)))

    start = time.process_time()
    compile_modules([source], entrypoints=["data.big.deny"])

    # Of this process alone, and ten times what it takes on a quiet machine: this finds a change of order, not of degree.
    assert time.process_time() - start < 0.5
