from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import call, failure, passes_limit
from webhook.rego.values import RegoSet


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("contains", ("registry/app", "/"), True),
        ("startswith", ("AWS_KEY", "AWS_"), True),
        ("endswith", ("app:latest", ":latest"), True),
        ("lower", ("ΑΣ İ",), "ασ i"),
        ("upper", ("straße ŉ",), "STRAßE ŉ"),
        ("split", ("a/b//c", "/"), ["a", "b", "", "c"]),
        ("split", ("añb", ""), ["a", "ñ", "b"]),
        ("concat", (", ", ["a", "b"]), "a, b"),
        ("concat", ("-", RegoSet(["b", "a"])), "a-b"),
        ("concat", ("-", []), ""),
        ("indexof", ("añb", "b"), 2),
        ("indexof", ("abc", "x"), -1),
        ("indexof_n", ("aaa", "aa"), [0, 1]),
        ("substring", ("añb", 1, 1), "ñ"),
        ("substring", ("abc", 1, -1), "bc"),
        ("substring", ("abc", 9, 1), ""),
        ("strings.count", ("banana", "an"), 2),
        ("strings.count", ("abc", ""), 4),
        ("strings.reverse", ("añb",), "bña"),
        ("replace", ("a.b.c", ".", "-"), "a-b-c"),
        ("strings.replace_n", ({"<": "&lt;", ">": "&gt;"}, "<b>"), "&lt;b&gt;"),
        ("strings.replace_n", ({"a": "1", "ab": "2"}, "abab"), "1b1b"),
        ("strings.replace_n", ({}, "x"), "x"),
        ("trim", ("--a-b--", "-"), "a-b"),
        ("trim_left", ("xxab", "x"), "ab"),
        ("trim_right", ("abxx", "x"), "ab"),
        ("trim_prefix", ("docker.io/app", "docker.io/"), "app"),
        ("trim_prefix", ("app", "docker.io/"), "app"),
        ("trim_suffix", ("app.git", ".git"), "app"),
        ("trim_space", ("\u2003 a\x1c \n",), "a\x1c"),
        ("format_int", (255, 16), "ff"),
        ("format_int", (-5, 2), "-101"),
        ("format_int", (9.99, 10), "9"),
        ("strings.any_prefix_match", ("gcr.io/x", ["docker.io/", "gcr.io/"]), True),
        ("strings.any_prefix_match", (RegoSet(["a", "b"]), "c"), False),
        ("strings.any_prefix_match", (["ab"], [f"x{n}" for n in range(50)] + ["a"]), True),
        ("strings.any_suffix_match", (["a.tar", "b.zip"], [".zip"]), True),
        ("strings.any_suffix_match", ([], ["x"]), False),
    ],
)
def test_text_is_searched_cut_and_changed(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("contains", ("a", 1), "eval_type_error: operand 2 must be string but got number"),
        ("lower", (None,), "eval_type_error: operand 1 must be string but got null"),
        (
            "concat",
            (",", ["a", 1]),
            "eval_type_error: operand 2 must be array of strings but got array containing number",
        ),
        (
            "concat",
            (",", [["a"]]),
            "eval_type_error: operand 2 must be array of strings but got array containing array",
        ),
        ("concat", (",", "ab"), "eval_type_error: operand 2 must be one of {set, array} but got string"),
        ("indexof", ("a", ""), "eval_builtin_error: empty search character"),
        ("substring", ("abc", -1, 1), "eval_builtin_error: negative offset"),
        ("format_int", (1, 3), "eval_type_error: operand 2 must be one of {2, 8, 10, 16}"),
        (
            "strings.replace_n",
            ({"a": 1}, "a"),
            "eval_type_error: operand 1 non-string value found in pattern object",
        ),
        (
            "strings.any_prefix_match",
            (1, "a"),
            "eval_type_error: operand 1 must be one of {string, set, array} but got number",
        ),
    ],
)
def test_wrong_operands_are_named(name: str, arguments: tuple[Any, ...], message: str) -> None:
    assert failure(name, *arguments) == message


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("concat", ("x" * 10**6, [""] * 100)),
        ("replace", ("a" * 10**6, "a", "b" * 100)),
        ("strings.replace_n", ({"a": "b" * 100}, "a" * 10**6)),
        ("split", ("," * 1_200_000, ",")),
        ("sprintf", ("%2000000d", [1])),
        ("sprintf", ("%*d" * 20, [1000000, 1] * 20)),
    ],
)
def test_runaway_text_stops_the_evaluation(name: str, arguments: tuple[Any, ...]) -> None:
    assert passes_limit(name, *arguments)


@given(st.text(max_size=20), st.text(min_size=1, max_size=2))
def test_split_text_joins_again(text: str, delimiter: str) -> None:
    assert call("concat", delimiter, call("split", text, delimiter)) == text


@given(st.lists(st.text("ab", max_size=4), max_size=4), st.lists(st.text("ab", max_size=3), max_size=30))
def test_any_prefix_match_agrees_with_trying_each(strings: list[str], prefixes: list[str]) -> None:
    expected = any(text.startswith(prefix) for text in strings for prefix in prefixes)
    assert call("strings.any_prefix_match", strings, prefixes) is expected


@given(st.text(max_size=10))
def test_changing_case_never_changes_the_length(text: str) -> None:
    assert len(call("lower", text)) == len(text) == len(call("upper", text))
