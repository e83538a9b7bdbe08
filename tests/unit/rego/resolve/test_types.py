"""What can never be: matches, calls and references whose types exclude success."""

import pytest

from tests.support.compiled_rego import errors_in, errors_of
from webhook.rego.ast import Source
from webhook.rego.compiler import load_modules
from webhook.rego.errors import CompileError


@pytest.mark.parametrize(
    "match",
    [
        "null = true",
        '1 = "1"',
        "[1, 2] = [1, 2, 3]",
        '[1, 2] = [1, "2"]',
        '{"a": 1} = {"a": "1"}',
        '{"a": 1} = {"a": 1, "b": 2}',
        "{1} = [1]",
        '[x | x := "a"] = [y | y := 1]',
        'x = ["a", 1]; x[_] = null',
        "q == 1",
    ],
)
def test_a_match_of_types_that_exclude_each_other_is_an_error(match: str) -> None:
    assert errors_in(f'p if {{ {match} }}\nq := "a"') == ["rego_type_error: match error"]


@pytest.mark.parametrize(
    "body",
    [
        'input.a == 1; input.a == "a"',
        "x := input.a; x == null; x == 1",
        "q == 1",
        'q == "a"',
        '[1, x] = [y, "a"]; x != y',
        '1 in {"a"}',
        '{"a", 1}[_] == 1',
        "f(1) == [1]",
    ],
)
def test_a_match_that_could_succeed_is_none(body: str) -> None:
    others = 'q := "a" if input.x\nq := 1 if not input.x\nf(x) := [x | some y in input.ys]'

    assert errors_in(f"p if {{ {body} }}\n{others}") == []


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("count(1)", "count"),
        ('1 + "a"', "plus"),
        ('startswith("a", 1)', "startswith"),
        ('sum([1, "a"])', "sum"),
        ("{1} | [1]", "or"),
        ("upper(q)", "upper"),
        ("f(1)", "data.test.f"),
    ],
)
def test_an_argument_of_the_wrong_type_is_an_error(call: str, name: str) -> None:
    assert errors_in(f"p := {call}\nq := 1\nf(x) := upper(x)") == [
        f"rego_type_error: {name}: invalid argument(s)"
    ]


@pytest.mark.parametrize(
    ("ref", "shown"),
    [
        ("q.x", "data.test.q.x"),
        ("r.b", "data.test.r.b"),
        ("x.a", "x.a"),
        ("x[5]", "x[5]"),
        ("y.z.w", "y.z.w"),
        ("data[1]", "data[1]"),
    ],
)
def test_a_reference_to_where_nothing_can_be_is_an_error(ref: str, shown: str) -> None:
    rules = 'q := 1\nr := {"a": 1}'

    (error,) = errors_in(f'p if {{ x := [1, 2]; y := {{"z": 1}}; q; {ref} == x; y }}\n{rules}')

    assert error == f"rego_type_error: undefined ref: {shown}"


@pytest.mark.parametrize(
    "rule",
    [
        "p if { data.unknown.x == 1 }",
        "p if { data.test.q.unknown == 1 }\nq[x] := 1 if some x in input.xs",
        "p := data.test[input.x]",
        'p if { {"a": 1} == obj }\nobj["a"] := 1\nobj["b"] := 2',
        "p := data.base[2]",
    ],
)
def test_documents_that_may_hold_anything_are_not_restricted(rule: str) -> None:
    errors = errors_in(rule)

    assert [error for error in errors if "rego_type_error" in error] == []


def test_an_error_in_a_rule_is_not_repeated_where_it_is_used() -> None:
    assert errors_in("p := q + 1\nq := count(1)") == ["rego_type_error: count: invalid argument(s)"]


def test_the_types_given_and_wanted_are_shown() -> None:
    with pytest.raises(CompileError) as caught:
        load_modules([Source("a.rego", 'package a\np := sum([1, "b"])')])

    (found,) = caught.value.diagnostics
    assert found.message.splitlines()[1:] == [
        "\thave: (array<number, string>, ???)",
        "\twant: (collection: any<array[number], set[number]>, n: number)",
    ]


def test_types_that_double_forty_times_are_not_written_out() -> None:
    doubling = "".join(f"v{index} := [v{index - 1}, v{index - 1}]\n" for index in range(1, 41))
    (error,) = errors_of(f"package test\nv0 := [1]\n{doubling}\np if startswith(v40, v40)")
    assert "startswith" in error
    assert not errors_of(f"package test\nv0 := [1]\n{doubling}\np if v40 == v39")
