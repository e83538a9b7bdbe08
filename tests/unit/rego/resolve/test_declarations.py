"""How variables come to be declared, and what refuses them."""

import pytest

from tests.support.compiled_rego import errors_in, errors_of
from webhook.rego.resolve.resolution import Options

STRICT = Options(strict=True)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("p if { x := 1; x := 2 }", "var x assigned above"),
        ("p if { x = 1; x := 2 }", "var x referenced above"),
        ("p if { x.y == 1; x := input }", "var x referenced above"),
        ("p if { some x; some x; x = 1 }", "var x declared above"),
        ("p if { [x, x] := [1, 2] }", "var x assigned above"),
        ("p if { some x in input.a; some x in input.b }", "var x declared above"),
        ("p if { x := [1 | y := 1; y := 2]; x }", "var y assigned above"),
        ("f(x) if { x := 1 }", "arg x redeclared"),
        ("p := [x | x := 1; x := 2]", "var x assigned above"),
        ("p if { not x := 1 }", "cannot assign vars inside negated expression"),
        ("p if { some x }", "declared var x unused"),
        ("p if { every x in [1] { true } }", "declared var x unused"),
    ],
)
def test_a_name_is_declared_once_and_before_its_use(rule: str, message: str) -> None:
    assert errors_in(rule) == [f"rego_compile_error: {message}"]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("null", "null"),
        ("true", "boolean"),
        ("4.5", "number"),
        ('"a"', "string"),
        ("[true | true]", "arraycomprehension"),
        ("{true | true}", "setcomprehension"),
        ("{1: true | true}", "objectcomprehension"),
        ("input.x + 1", "call"),
        ("data.x", "ref"),
        ("[y, 1]", "number"),
    ],
)
def test_only_names_and_patterns_of_names_are_assigned_to(target: str, kind: str) -> None:
    assert errors_in(f"p if {{ {target} := input.z }}") == [f"rego_compile_error: cannot assign to {kind}"]


@pytest.mark.parametrize(
    "rule",
    [
        "x := 2\np contains x if { x := 1 }",
        "p if { x := 1; y := [x | x := 2]; y[0] > x }",
        "p if { x := 1; [x | x := 2][_] == x }",
        'f({"a": [x]}) := x',
        "f(x, [x]) := x",
        "p contains v if { some v in input.xs }",
        "p if { some k, [a, b] in input.xs; k == a + b }",
        "p if { every k, v in input.xs { k == v } }",
        "p := x if { count = 5; x := count }",
    ],
)
def test_inner_declarations_hide_outer_ones_and_rules(rule: str) -> None:
    assert errors_in(rule) == []


def test_everything_wrong_is_reported_at_once_by_stage_and_place() -> None:
    module = """package test

a if { x := 1; x := 2 }
b if { y > 1 }
c if nothing(1)
d contains 1
d := 2
e if e
"""
    assert [error.split(":")[0] for error in errors_of(module)] == [
        "3 rego_compile_error",
        "6 rego_type_error",
        "5 rego_type_error",
        "4 rego_unsafe_var_error",
        "8 rego_recursion_error",
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("p if { x := 1; y := 2; y > 1 }", "assigned var x unused"),
        ("p := [1 | x := 1]", "assigned var x unused"),
        ("f(x, y) := x", "unused argument y. (hint: use _ (wildcard variable) instead)"),
        ("import data.a\np := 1", "import data.a unused"),
        ("import data.a as b\np := 1", "import data.a as b unused"),
    ],
)
def test_strict_mode_refuses_what_is_not_used(rule: str, message: str) -> None:
    assert errors_in(rule, options=STRICT) == [f"rego_compile_error: {message}"]
    assert errors_in(rule) == []


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("input := 1", "rules must not shadow input (use a different rule name)"),
        ("p if { data := 1; data > 0 }", "variables must not shadow data (use a different variable name)"),
        ("f(input) := 1", "args must not shadow input (use a different variable name)"),
        ("f([data]) := 1", "args must not shadow data (use a different variable name)"),
        ("import data.a\nimport data.b as a\np := a", "import must not shadow import data.a"),
    ],
)
def test_documents_and_imports_are_not_hidden(rule: str, message: str) -> None:
    assert errors_in(rule)[0] == f"rego_compile_error: {message}"


def test_v0_lets_a_variable_hide_the_input() -> None:
    assert errors_of("package test\np { input := 1; input > 0 }", version="v0") == []


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("p if { print(x) }", "var x is undeclared"),
        ("p if { print(x); x = 7 }", "var x is undeclared"),
        ("p if { print(input.xs[_]) }", "var _ is undeclared"),
        ("f(x) if { print(x, y) }", "var y is undeclared"),
        ("p if { xs := [1 | some x; print(x)]; xs }", "var x is undeclared"),
    ],
)
def test_what_is_printed_was_declared_before(rule: str, message: str) -> None:
    assert errors_in(rule, options=Options(print_enabled=True)) == [f"rego_compile_error: {message}"]


def test_prints_are_left_out_unless_enabled() -> None:
    assert errors_in("p if { print(x) }") == []


@pytest.mark.parametrize("template", ['$"{input.xs[_]}"', '$"{input.xs[i]}"', '$"{[1, 2][_]}"'])
def test_a_template_string_enumerates_nothing(template: str) -> None:
    (error,) = errors_in(f"p := {template}")

    assert error.endswith("is undeclared")


@pytest.mark.parametrize("rule", ['p := $"{x}"', 'p := y if { y := $"<{x}>" }', 'p := $"{$"{x}"}"'])
def test_a_template_string_declares_nothing(rule: str) -> None:
    assert errors_in(rule) == ["rego_compile_error: var x is undeclared"]


def test_a_variable_bound_to_nothing_is_undeclared_in_template_strings() -> None:
    errors = errors_in('p contains item if { some label in labels; item := $"{label}" }')

    assert errors[0] == "rego_compile_error: var label is undeclared"


@pytest.mark.parametrize(
    ("rules", "rows"),
    [
        ("p if nothing(1)\ndata := 1", [3, 2]),
        ("p if nothing(1)\nq if { 1 with foo as 2 }", [3, 2]),
        ("p if nothing(1)\nq := 1\nq contains 2", [3, 2]),
        ("p if x\nq contains y if true", [3, 2]),
        ("p if p\nq if x", [3, 2]),
        ("p := any([true])\nq := count(1)", [3, 2]),
    ],
)
def test_what_opa_checks_first_is_reported_first(rules: str, rows: list[int]) -> None:
    assert [int(error.split()[0]) for error in errors_of(f"package test\n{rules}")] == rows


def test_several_defaults_are_reported_at_the_package_as_in_opa() -> None:
    assert errors_of("# Rules\npackage test\n\ndefault p := 1\n\ndefault p := 2") == [
        "2 rego_type_error: multiple default rules data.test.p found at module0.rego:4, module0.rego:6"
    ]
