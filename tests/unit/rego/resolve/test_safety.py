"""Which variables are never bound, and in what order statements come to be evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.compiled_rego import answer, errors_in


def unsafe(body: str) -> set[str]:
    """Give the names of variables that nothing binds."""
    errors = errors_in(body)
    assert all(error.startswith("rego_unsafe_var_error: var ") for error in errors), errors
    return {error.split(" ")[2] for error in errors}


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("p if { x > 1 }", {"x"}),
        ("p if { not x }", {"x"}),
        ("p := x", {"x"}),
        ("p contains x", {"x"}),
        ("p[x] := 1", {"x"}),
        ("p[x].q := y if { x := 1 }", {"y"}),
        ("p if { a = [1]; not a[i] = x }", {"i", "x"}),
        ("p if { count([1, x], x) }", {"x"}),
        ("p if { _ = [x | x = input.a[_]; y > 1] }", {"y"}),
        ("p if { _ = [u | true] }", {"u"}),
        ("p if { x = [x | x = 1] }", {"x"}),
        ("p if { x = y; x = [y | y = 1] }", {"x", "y"}),
        ("p if { a.b.c == 1 }", {"a"}),
        ("p if { x := input.y with input as z }", {"x", "z"}),
        ("p if { false } else if { x > 1 }", {"x"}),
        ("p if { false } else := x", {"x"}),
        ("f(x) := [y, z] if { split(x, y, z) }", {"y", "z"}),
        ("p if { every y in [1] { x > y } }", {"x"}),
        ("p if { {{q | x}: 0} }", {"x", "q"}),
        ("p if { some i; i == 1 }", {"i"}),
        ("p if { [x, y] := [1] }", {"x", "y"}),
        ("p := _", {"_"}),
        ("p contains {1: _}", {"_"}),
        ("p if { not input.xs[_] == 1 }", {"_"}),
        ("p if { _ == 1 }", {"_"}),
        ("p if { not input.a[_] == 1 }", {"_"}),
        ("p if { x := [_] }", {"x", "_"}),
        ("p := count(_)", {"_"}),
        ("p contains _", {"_"}),
        ("p[_] := 1", {"_"}),
        ("p := [_ | true]", {"_"}),
    ],
)
def test_variables_that_nothing_binds_are_named(rule: str, names: set[str]) -> None:
    assert unsafe(rule) == names


def test_a_keyword_that_was_not_imported_gets_a_hint() -> None:
    (error,) = errors_in("p { in }", version="v0")

    assert error.endswith("var in is unsafe (hint: `import future.keywords.in` to import a future keyword)")


@pytest.mark.parametrize(
    "body",
    [
        "a[i] = x; a = [1, 2, 3]",
        "x != 0; count([1, 2, 3], x)",
        "x = y; z = 1; y = z",
        "x != 0; [y | y = 1] = x",
        "[1] != [x]; [y | y = 2] = [x]",
        'x[0] == 7; x = input.list with input as {"list": [7]}',
        "not a[0]; a = [false]",
        "[x, y] = [y, 1]; x == 1",
        "every v in xs { v > y }; xs = [2, 3]; y = 1",
        'startswith(s, "B"); s = upper(t); t = "b"',
    ],
)
def test_statements_move_behind_what_binds_their_variables(body: str) -> None:
    assert answer(f"package test\np if {{ {body} }}") is True


@given(order=st.permutations(["a = 1", "b = a + 1", "c = b + 1", "d = [a, b, c]", "not d[0] == 3"]))
def test_the_order_of_statements_does_not_change_the_answer(order: list[str]) -> None:
    module = f"package test\np := d if {{ {'; '.join(order)} }}"

    assert answer(module) == [1, 2, 3]
