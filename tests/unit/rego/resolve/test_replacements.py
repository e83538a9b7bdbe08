"""What `with` may replace."""

import pytest

from tests.support.compiled_rego import errors_in
from webhook.rego.resolve.resolution import Options

BUILTIN = "with keyword replacing built-in function:"


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("q.a", "rego_compile_error: with keyword cannot partially replace virtual document(s)"),
        (
            "nothing",
            "rego_type_error: with keyword target must reference existing input, data, or a function",
        ),
        ("walk", f"rego_compile_error: {BUILTIN} target must not be a relation"),
        ("print", f"rego_compile_error: {BUILTIN} target must not be a void function"),
        ("rego.metadata.rule", f'rego_compile_error: {BUILTIN} replacement of "rego.metadata.rule" invalid'),
        (
            "internal.member_2",
            f'rego_compile_error: {BUILTIN} replacement of internal function "internal.member_2" invalid',
        ),
    ],
)
def test_what_cannot_be_replaced_is_refused(target: str, error: str) -> None:
    assert errors_in(f'p if true with {target} as 1\nq := {{"a": 1}}') == [error]


@pytest.mark.parametrize(
    "replacement",
    [
        "input as 1",
        "input.a.b as {}",
        "data.x.y as []",
        "data.test.q as 1",
        "count as 1",
        "count as f",
        "f as count",
        "f as input.x",
        "time.now_ns as 5",
    ],
)
def test_documents_and_functions_are_replaced(replacement: str) -> None:
    assert errors_in(f"p if true with {replacement}\nq := 1\nf(x) := 1") == []


def test_a_function_is_replaced_by_one_with_as_many_parameters() -> None:
    errors = errors_in("p if f(1) with f as g\nf(x) := 1\ng(x, y) := 1")

    assert errors == ["rego_type_error: data.test.f: arity mismatch"]


def test_a_test_may_replace_a_builtin_that_is_not_available() -> None:
    rules = 'p if q with http.send as {"status": 200}\nq if http.send({}).status == 200'

    assert errors_in(rules, options=Options(for_tests=True)) == []
    assert len(errors_in(rules)) == 1
