"""Builtins written in place give what the builtins themselves give, for any values."""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rego_engines import plan
from tests.support.rego_values import values
from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.emit import shortcuts
from webhook.rego.errors import EvaluationError
from webhook.rego.program import Program
from webhook.rego.texts import format_value
from webhook.rego.values import UNDEFINED, RegoSet, Value

TEXTS = st.sampled_from(["", "a", "ab", "b", "abab", "A", "é", "%v", "1"])
TERMS = [
    *(f"input.a {operator} input.b" for operator in ("==", "!=", "<", "<=", ">", ">=")),
    *(
        f"input.a {operator} {constant}"
        for operator in ("==", "<", ">=")
        for constant in ("1", "0", "true", '"a"', "1.0")
    ),
    'startswith(input.a, "a")',
    "startswith(input.a, input.b)",
    'startswith("ab", input.b)',
    'startswith(input.a, "")',
    'endswith(input.a, "b")',
    'endswith(input.a, "")',
    "endswith(input.a, input.b)",
    'contains(input.a, "b")',
    "contains(input.a, input.b)",
    'input.a in {"a", "b"}',
    'input.a in ["a", 1]',
    "input.a in input.b",
    '"a" in input.b',
    "is_string(input.a)",
    "is_number(input.a)",
    "is_boolean(input.a)",
    "is_array(input.a)",
    "is_object(input.a)",
    "is_set(input.a)",
    'regex.match("^a", input.a)',
    "count(input.a)",
    "count([input.a, input.b])",
    'object.get(input.a, "a", input.b)',
    "object.get(input.a, input.b, 7)",
    'object.get({"a": input.a}, "a", 7)',
    "upper(input.a)",
    "lower(input.a)",
    "upper(lower(input.a))",
    "input.a + input.b",
    "input.a - 1",
    "count(input.a) + 1",
    'sprintf("%v", [input.a])',
    'sprintf("%v-%v", [input.a, input.b])',
    'sprintf("%s%%", [input.a])',
    'sprintf("{%d}", [input.a])',
    'sprintf("%5v|%v", [input.a, upper(input.b)])',
    'sprintf("%v %v", ["x{}", input.a])',
    'input.a["a"]',
    '[input.a["a"], input.a["b"], input.a[input.b]]',
    "input.a[0]",
    "input.a[input.b]",
    "input.a[upper(input.b)]",
]


@functools.cache
def programs(term: str, *, strict: bool) -> list[Program]:
    """Compile a term as a value, as a test and as a negated test, with and without shortcuts."""
    policy = plan(f"package t\nvalue := {term}\ntest if {term}\nabsent if not {term}", "data.t")
    return [Program(policy, optimise=optimise, strict_builtin_errors=strict) for optimise in (True, False)]


def outcome(program: Program, document: Value) -> str:
    try:
        return format_value(program.query("data.t", document))
    except EvaluationError as error:
        return str(error)


@pytest.mark.parametrize("term", TERMS)
@settings(max_examples=15, deadline=None)
@given(values() | TEXTS, values() | TEXTS, st.booleans())
def test_a_shortcut_gives_what_the_builtin_gives(term: str, one: Value, two: Value, strict: bool) -> None:
    document = {"a": one, "b": two}
    with_shortcuts, without = programs(term, strict=strict)

    assert outcome(with_shortcuts, document) == outcome(without, document)


@pytest.mark.parametrize("name", sorted(shortcuts.RESULT_KINDS))
@settings(max_examples=25, deadline=None)
@given(st.lists(values() | TEXTS, min_size=3, max_size=3))
def test_a_builtin_gives_the_type_that_generated_code_counts_on(name: str, arguments: list[Value]) -> None:
    builtin = BUILTINS[name]
    assert not builtin.needs_context

    try:
        result = builtin.function(*arguments[: builtin.arity])
    except BuiltinError:
        return
    assert result is not UNDEFINED
    assert type(result) is shortcuts.RESULT_KINDS[name]


def test_a_set_of_texts_is_looked_up_like_any_other() -> None:
    (compiled, _) = programs('input.a in {"a", "b"}', strict=False)

    for value in ("a", "c", 1, None, ["a"], RegoSet(["a"])):
        (result,) = compiled.query("data.t", {"a": value, "b": 0})
        assert ("test" in result["result"]) is (value == "a")
