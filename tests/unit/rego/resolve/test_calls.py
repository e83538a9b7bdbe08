"""Which calls are refused before anything is evaluated."""

import pytest

from tests.support.compiled_rego import errors_in
from webhook.rego.ast import Source
from webhook.rego.compiler import load_modules
from webhook.rego.errors import CompileError
from webhook.rego.resolve.resolution import Options


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("p := nothing(1)", "undefined function nothing"),
        ("p := data.other.f(1)", "undefined function data.other.f"),
        ('p if { x = "f"; data.test[x](1) }', "undefined function data.test[x]"),
        ("f(x) := x\np := f(1, 2)", "function data.test.f has arity 1, got 2 arguments"),
        ("f(x) := x\np := f()", "function data.test.f has arity 1, got 0 arguments"),
        ("f(x, y) := x\np := f(1)", "function data.test.f has arity 2, got 1 argument"),
        ('p := startswith("a")', "startswith: arity mismatch"),
        ("p := any([true])", "deprecated built-in function calls in expression: any"),
        ("q := 1\np := q()", "undefined function data.test.q"),
        ("f(x) := x\np := f", "undefined ref: data.test.f"),
        ("p if { x := print(1) }", "print(1) used as value"),
    ],
)
def test_calls_that_cannot_be_made_are_type_errors(rule: str, message: str) -> None:
    assert errors_in(rule, options=Options(print_enabled=True)) == [f"rego_type_error: {message}"]


def test_a_variable_that_hides_a_function_is_not_called() -> None:
    assert errors_in("p := [count(x) | count := 1; x := 2]") == [
        "rego_compile_error: called function count shadowed"
    ]


def test_a_deprecated_builtin_serves_v0_unless_it_is_strict() -> None:
    rule = "p { any([true]) }"

    assert errors_in(rule, version="v0") == []
    assert errors_in(rule, version="v0", options=Options(strict=True)) == [
        "rego_type_error: deprecated built-in function calls in expression: any"
    ]


@pytest.mark.parametrize("name", ["http.send({})", "opa.runtime()", 'net.lookup_ip_addr("a")'])
def test_a_builtin_that_reaches_outside_is_refused_with_the_reason(name: str) -> None:
    (error,) = errors_in(f"p := {name}")

    assert error.startswith(
        f"rego_type_error: built-in function {name.split('(', maxsplit=1)[0]} is not available: "
    )


def test_a_rule_with_parameters_hides_the_builtin_of_its_name() -> None:
    assert errors_in("count(x) := 1\np := count(1)") == []


@pytest.mark.parametrize(
    ("call", "have"),
    [
        ("p := count()", "(???)"),
        ('p if { count([1], input.x, {"a": 1}) }', "(array<number>, any, object<a: number>)"),
    ],
)
def test_a_wrong_count_of_arguments_shows_the_types_of_those_given(call: str, have: str) -> None:
    with pytest.raises(CompileError) as refusal:
        load_modules([Source("a.rego", f"package test\n{call}")])

    assert refusal.value.diagnostics[0].message.splitlines()[1] == f"\thave: {have}"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("p := strings.every(1)", 'undefined function strings["every"]'),
        ('p if { x := {"a": 1}; x.if == 1 }', 'undefined ref: x["if"]'),
    ],
)
def test_keywords_in_references_are_quoted_as_in_opa(rule: str, message: str) -> None:
    assert errors_in(rule) == [f"rego_type_error: {message}"]


def test_what_replaces_an_undefined_function_is_checked_as_well() -> None:
    assert errors_in("p if { f(1) with f as g }\ng(x) := 1") == [
        "rego_type_error: with keyword target must reference existing input, data, or a function",
        "rego_type_error: undefined function f",
    ]
