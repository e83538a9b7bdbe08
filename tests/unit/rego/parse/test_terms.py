"""Scalars, references, calls and operators."""

import pytest

from tests.support.rego_syntax import array, call, parsed_term, ref, rego_set, term
from webhook.rego.ast import Boolean, Call, Null, Number, Ref, String, Term, Var
from webhook.rego.errors import CompileError
from webhook.rego.parser import parse_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", Null()),
        ("true", Boolean(value=True)),
        ("false", Boolean(value=False)),
        ("12", Number("12")),
        ("-12", Number("-12")),
        ("- 12", Number("-12")),
        (".5", Number("0.5")),
        ("-.5", Number("-0.5")),
        ("1.50e+3", Number("1.50e+3")),
        ("123456789012345678901234567890", Number("123456789012345678901234567890")),
        ('"x"', String("x")),
        (r'"a\"b\\c\/d\n\t\u00e9"', String('a"b\\c/d\n\té')),
        (r'"\ud83d\ude00"', String("😀")),
        (r'"\ud83d"', String("\ufffd")),
        (r"`a\nb`", String(r"a\nb")),
        ("`a\nb`", String("a\nb")),
        ("x", Var("x")),
        ("contains", Var("contains")),
        ("input", ref("input")),
        ("data", ref("data")),
    ],
)
def test_a_scalar_or_name_is_read(text: str, expected: Term) -> None:
    assert parsed_term(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b", ref("a", '"b"')),
        ('a["b c"].d', ref("a", '"b c"', '"d"')),
        ("a[b][0].c", ref("a", "b", 0, '"c"')),
        ("a.if.not", ref("a", '"if"', '"not"')),
        ("a[ b ]", ref("a", "b")),
        ("a[x + 1]", ref("a", call("plus", "x", 1))),
        ("[1, 2][i]", ref(array(1, 2), "i")),
        ("{1}[x]", ref(rego_set(1), "x")),
        ("set()[x]", ref(rego_set(), "x")),
        ("(a | b)[x]", ref(call("or", "a", "b"), "x")),
        ("f(x).y", ref(call("f", "x"), '"y"')),
        ("default.port", ref("default", '"port"')),
    ],
)
def test_a_reference_collects_its_path(text: str, expected: Term) -> None:
    assert parsed_term(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f()", call("f")),
        ("f(x, 1)", call("f", "x", 1)),
        ("f(x,)", call("f", "x")),
        ("io.jwt.decode(x)", call("io.jwt.decode", "x")),
        ("f(g(x) + 1)", call("f", call("plus", call("g", "x"), 1))),
        ("set()", rego_set()),
        ('contains(x, "a")', call("contains", "x", '"a"')),
    ],
)
def test_a_call_collects_its_arguments(text: str, expected: Term) -> None:
    assert parsed_term(text) == expected


def test_a_call_of_a_called_value_is_kept_as_written() -> None:
    inner = call("foo.bar", 1)

    assert parsed_term("foo.bar(1)[0](2).baz") == Ref(
        Call(Ref(inner, (Number("0"),)), (Number("2"),)), (String("baz"),)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 6 / 3", call("plus", 1, call("div", call("mul", 2, 6), 3))),
        ("x - y + z", call("plus", call("minus", "x", "y"), "z")),
        ("x -1", call("minus", "x", 1)),
        ("x * -1", call("mul", "x", -1)),
        ("x + 1 | 2 & 3", call("or", call("plus", "x", 1), call("and", 2, 3))),
        ("a | b == c & d", call("equal", call("or", "a", "b"), call("and", "c", "d"))),
        ("x == y != z", call("neq", call("equal", "x", "y"), "z")),
        ("a % b < c", call("lt", call("rem", "a", "b"), "c")),
        ("(1 + 2) * 3", call("mul", call("plus", 1, 2), 3)),
        ("x in xs", call("internal.member_2", "x", "xs")),
        ("k, v in xs", call("internal.member_3", "k", "v", "xs")),
        ("x + 1 in xs | ys", call("internal.member_2", call("plus", "x", 1), call("or", "xs", "ys"))),
        ("a in b in c", call("internal.member_2", call("internal.member_2", "a", "b"), "c")),
        ("(k, v in xs) == true", call("equal", call("internal.member_3", "k", "v", "xs"), True)),
        ("x in {1}", call("internal.member_2", "x", rego_set(1))),
        ("x := y", call("assign", "x", "y")),
        ("1 + x = 2 - y", call("eq", call("plus", 1, "x"), call("minus", 2, "y"))),
        ("x\n  + y", call("plus", "x", "y")),
    ],
)
def test_operators_bind_as_in_opa(text: str, expected: Term) -> None:
    assert parsed_term(text) == expected


def test_in_before_a_bracket_is_a_name() -> None:
    assert [expression.terms for expression in parse_query("x\nin[0]")] == [Var("x"), ref("in", 0)]


def test_a_bracket_behind_a_space_begins_a_new_term() -> None:
    assert [expression.terms for expression in parse_query("f(x)\n [1]")] == [call("f", "x"), array(1)]


def test_each_wildcard_is_a_variable_of_its_own() -> None:
    found = parsed_term("a[_][_]")

    assert isinstance(found, Ref)
    first, second = found.path
    assert isinstance(first, Var)
    assert first.is_wildcard
    assert first != second


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("01", "expected number without leading zero"),
        ("-x", "unexpected identifier token: expected number"),
        ("1e999999", "number too big"),
        ("9" * 5000, "number too big"),
        ('"a\tb\\n"', "illegal string literal"),
        ("1.2.3", "illegal ref (head cannot be number)"),
        ("1e3.x", "illegal ref (head cannot be number)"),
        ("1_000", "illegal number format"),
        ("(1, 2 in )", "non-terminated expression"),
        ('["x", 1 in[1]]', "unexpected identifier token"),
        ('"a".b', "illegal ref (head cannot be string)"),
        ("(a.b).c", "illegal ref (head cannot be ref)"),
        ("a.1", "unexpected number token: expected identifier"),
        ("a. b", "unexpected whitespace token: expected identifier"),
        ("a[1", "unexpected eof token: expected ["),
        ("f(1", 'expected "," or ")"'),
        ("f(1 2)", 'expected "," or ")"'),
        ("(1", "non-terminated expression"),
        ("x + ", "unexpected eof token"),
        ("+", "unexpected plus token"),
        ("if", "unexpected if keyword"),
        ("x := ", "unexpected eof token"),
    ],
)
def test_a_malformed_term_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        parse_query(text)

    assert message in caught.value.diagnostics[0].message


def test_a_term_spans_its_text() -> None:
    text = "  a.b[ x ] + f(1)"

    location = parsed_term(text).location

    assert text[location.offset : location.end] == "a.b[ x ] + f(1)"
    assert (location.row, location.col) == (1, 3)


def test_negative_zero_keeps_its_sign() -> None:
    assert parsed_term("-0") == Number("-0")
    assert term(0) != Number("-0")
