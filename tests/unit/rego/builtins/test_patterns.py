from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import call, failure, passes_limit
from webhook.rego.budget import Budget
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.failures import LimitError, OperandError
from webhook.rego.builtins.regex import matcher
from webhook.rego.errors import EvaluationError


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("regex.match", ("^a.c$", "abc"), True),
        ("regex.match", ("b", "abc"), True),
        ("regex.match", ("^b", "abc"), False),
        ("regex.match", (r"^\pL+$", "ñandú"), True),
        ("regex.match", ("(?i)KEY", "my_key"), True),
        ("regex.match", ("(a*)*b", "a" * 5000), False),
        ("re_match", ("a", "a"), True),
        ("regex.is_valid", ("[a-z]+",), True),
        ("regex.is_valid", ("[",), False),
        ("regex.is_valid", (r"(?<!a)b",), False),
        ("regex.is_valid", (1,), False),
        ("regex.find_n", ("a.", "abacad", 2), ["ab", "ac"]),
        ("regex.find_n", ("ñ", "añoñ", -1), ["ñ", "ñ"]),
        ("regex.find_n", ("a*", "baac", -1), ["", "aa", ""]),
        ("regex.find_n", ("a", "aaa", 0), []),
        ("regex.find_all_string_submatch_n", ("(a)(b)?", "ab a", -1), [["ab", "a", "b"], ["a", "a", ""]]),
        ("regex.split", ("[,;] *", "a, b;c"), ["a", "b", "c"]),
        ("regex.split", ("", "añb"), ["a", "ñ", "b"]),
        ("regex.split", ("a", ""), [""]),
        ("regex.split", ("x", "abc"), ["abc"]),
        ("regex.replace", ("foo", "(f)(o)", "$2$1"), "ofo"),
        ("regex.replace", ("foo", "(?P<first>f)", "${first}-$first1"), "f-oo"),
        ("regex.replace", ("foo", "o", "$$"), "f$$"),
        ("regex.replace", ("abc", "x*", "-"), "-a-b-c-"),
        ("regex.replace", ("ab", "^", ">"), ">ab"),
        ("regex.replace", ("añb", "ñ|b", "<$0>"), "a<ñ><b>"),
        ("regex.template_match", ("urn:{[a-z]+}:x", "urn:foo:x", "{", "}"), True),
        ("regex.template_match", ("urn:{[a-z]+}:x", "urn:1:x", "{", "}"), False),
        ("regex.template_match", ("a.b<.>", "aXbc", "<", ">"), False),
        ("regex.globs_match", ("a.*z", "abc[0-9]z"), True),
        ("regex.globs_match", ("a+b", "b*"), False),
        ("regex.globs_match", ("[a-c]+", "[b-z]"), True),
        ("regex.globs_match", (r"\[x\]", r"[[]x\]"), True),
    ],
)
def test_regular_expressions_are_re2s(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("regex.match", ("(", "a"), "missing )"),
        ("regex.match", ("a", 1), "operand 2 must be string but got number"),
        ("regex.template_match", ("{", "a", "{", "}"), "unbalanced braces"),
        ("regex.template_match", ("}", "a", "{", "}"), "unbalanced braces"),
        ("regex.template_match", ("a", "a", "{{", "}"), "exactly one character"),
        ("regex.globs_match", ("a]", "a"), "set-close ']' with no preceding '['"),
        ("regex.globs_match", ("*", "a"), "must be preceded by a non-flag"),
        ("regex.globs_match", ("[a", "a"), "without matching ]"),
        ("glob.match", ("[", [], "a"), "unexpected end of input"),
        ("regex.split", ("(", ""), "missing )"),
        ("glob.match", ("[z-a]", [], "a"), "should be greater"),
        ("glob.match", ("a", ["ab"], "a"), "must be array of runes"),
        ("glob.match", ("a", "ab", "a"), "must be one of {array, null}"),
    ],
)
def test_wrong_patterns_are_explained(name: str, arguments: tuple[Any, ...], words: str) -> None:
    assert words in failure(name, *arguments)


def test_a_compiled_pattern_answers_as_the_builtin_does() -> None:
    matches = matcher("^a+$")
    assert matches("aaa")
    assert not matches("ab")
    with pytest.raises(OperandError, match="operand 2 must be string but got null"):
        matches(None)


def test_too_many_matches_stop_the_evaluation() -> None:
    assert passes_limit("regex.replace", "a" * 10**6, "a", "b" * 100)


@given(st.text("abñ", max_size=12), st.sampled_from(["a", "b+", "ñ|a", "x", "[ab]*"]))
def test_pieces_between_matches_and_the_matches_make_up_the_text(text: str, pattern: str) -> None:
    assert call("regex.replace", text, pattern, "$0") == text
    found = call("regex.find_n", pattern, text, -1)
    assert len("".join(found)) <= len(text)


@pytest.mark.parametrize(
    ("pattern", "delimiters", "text", "expected"),
    [
        ("*.example.com", [], "api.example.com", True),
        ("*.example.com", [], "a.b.example.com", False),
        ("**.example.com", [], "a.b.example.com", True),
        ("*.example.com", None, "a.b.example.com", True),
        ("a*c", ["/"], "a.b.c", True),
        ("a*c", ["/"], "a/c", False),
        ("a?c", [], "abc", True),
        ("a?c", ["b"], "abc", False),
        ("[abc]x", [], "bx", True),
        ("[!abc]x", [], "bx", False),
        ("[a-c]x", [], "cx", True),
        ("[!a-c]x", [], "dx", True),
        ("{cat,dog}s", [], "dogs", True),
        ("{a,b{c,d}}", [], "bd", True),
        ("{a,b{c", [], "bc", True),
        ("a,b", [], "a,b", True),
        (r"\*", [], "*", True),
        (r"\*", [], "x", False),
        ("*", ["]"], "a]", False),
        ("a*", None, "a\nb", True),
        ("", [], "", True),
        (".", [], "x", False),
    ],
)
def test_globs_stop_at_delimiters(pattern: str, delimiters: Any, text: str, expected: bool) -> None:
    assert call("glob.match", pattern, delimiters, text) is expected


@given(st.text(max_size=12))
def test_a_quoted_glob_matches_itself(text: str) -> None:
    assert call("glob.match", call("glob.quote_meta", text), None, text)


LARGE_PATTERN = "a.{900}c"
LONG_TEXT = "ab" * 100_000


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("regex.match", (LARGE_PATTERN, LONG_TEXT)),
        ("regex.find_n", (LARGE_PATTERN, LONG_TEXT, -1)),
        ("regex.split", (LARGE_PATTERN, LONG_TEXT)),
        ("regex.replace", (LONG_TEXT, LARGE_PATTERN, "x")),
        ("glob.match", ("*a" * 5_000, [], LONG_TEXT)),
        ("json.match_schema", (f'"{LONG_TEXT}"', {"pattern": LARGE_PATTERN})),
    ],
)
def test_a_search_that_could_take_seconds_is_refused(name: str, arguments: tuple[Any, ...]) -> None:
    assert passes_limit(name, *arguments)


def test_a_constant_pattern_refuses_such_a_search_too() -> None:
    with pytest.raises(LimitError):
        matcher(LARGE_PATTERN)(LONG_TEXT)


def test_an_ordinary_pattern_searches_a_megabyte() -> None:
    assert call("regex.match", "^[a-z0-9]+([-.][a-z0-9]+)*c$", "ab" * 500_000 + "c")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("regex.find_n", ("a", LONG_TEXT, -1)),
        ("regex.find_all_string_submatch_n", ("a", LONG_TEXT, -1)),
        ("regex.split", ("a", LONG_TEXT)),
        ("regex.replace", (LONG_TEXT, "a", "c")),
    ],
)
def test_many_searches_stop_when_the_deadline_has_passed(name: str, arguments: tuple[Any, ...]) -> None:
    context = EvaluationContext(0)
    context.check = Budget(deadline_ns=1).check
    with pytest.raises(EvaluationError, match="passed its deadline"):
        call(name, *arguments, context=context)
