"""Arrays, objects, sets, comprehensions and template strings."""

import pytest

from tests.support.rego_syntax import array, body, call, diagnostics, obj, parsed_term, ref, rego_set, term
from webhook.rego.ast import (
    ArrayComprehension,
    Expr,
    Number,
    ObjectComprehension,
    SetComprehension,
    String,
    TemplateString,
    Term,
    Var,
    With,
)
from webhook.rego.errors import CompileError
from webhook.rego.parser import parse_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", array()),
        ("[1, x, [true]]", array(1, "x", array(True))),
        ("[1,\n]", array(1)),
        ("[, 1]", array(1)),
        ("[x + 1, y > 2]", array(call("plus", "x", 1), call("gt", "y", 2))),
        ("{}", obj()),
        ('{"a": 1, "b": x,}', obj(('"a"', 1), ('"b"', "x"))),
        ("{x * 2: y < 2}", obj((call("mul", "x", 2), call("lt", "y", 2)))),
        ("{f(x): {1}}", obj((call("f", "x"), rego_set(1)))),
        ('{, 1 | 1: "x"}', obj((call("or", 1, 1), '"x"'))),
        ("{1, x}", rego_set(1, "x")),
        ("{1,}", rego_set(1)),
        ("{x + 1}", rego_set(call("plus", "x", 1))),
        ("{x in xs}", rego_set(call("internal.member_2", "x", "xs"))),
        ("{input.x}", rego_set(ref("input", '"x"'))),
    ],
)
def test_a_composite_holds_its_items(text: str, expected: Term) -> None:
    assert parsed_term(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x | y]", ArrayComprehension(Var("x"), body("y"))),
        ("{x | y; z}", SetComprehension(Var("x"), body("y", "z"))),
        ("{x | y\n z}", SetComprehension(Var("x"), body("y", "z"))),
        ("{k: v | y}", ObjectComprehension(Var("k"), Var("v"), body("y"))),
        ("{a + 1: b | y}", ObjectComprehension(call("plus", "a", 1), Var("b"), body("y"))),
        ("[(x + 1) | y]", ArrayComprehension(call("plus", "x", 1), body("y"))),
        ("[x | y | z]", ArrayComprehension(Var("x"), body(call("or", "y", "z")))),
        ("[[x | y] | z]", ArrayComprehension(ArrayComprehension(Var("x"), body("y")), body("z"))),
    ],
)
def test_a_bar_behind_one_term_opens_a_comprehension(text: str, expected: Term) -> None:
    assert parsed_term(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x | y, z]", array(call("or", "x", "y"), "z")),
        ("[z, x | y]", array("z", call("or", "x", "y"))),
        ("[x | y,]", array(call("or", "x", "y"))),
        ("[, x | y]", array(call("or", "x", "y"))),
        ("{x | y, z}", rego_set(call("or", "x", "y"), "z")),
        ("{x: y | z, a: b}", obj(("x", call("or", "y", "z")), ("a", "b"))),
        ("{x: y + 1 | z}", obj(("x", call("or", call("plus", "y", 1), "z")))),
        ("[x + 1 | y]", array(call("or", call("plus", "x", 1), "y"))),
        ("{a | {b | c, d}, e}", rego_set(call("or", "a", rego_set(call("or", "b", "c"), "d")), "e")),
    ],
)
def test_a_bar_that_opens_no_body_is_a_union(text: str, expected: Term) -> None:
    assert parsed_term(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('$""', TemplateString(())),
        ('$"abc"', TemplateString((String("abc"),))),
        (
            '$"a {x} b {y + 1}"',
            TemplateString((String("a "), Expr(Var("x")), String(" b "), Expr(call("plus", "y", 1)))),
        ),
        ("$`a\\n{x}`", TemplateString((String("a\\n"), Expr(Var("x"))), raw=True)),
        (r'$"\{x} \"\n"', TemplateString((String('{x} "\n'),))),
        (r"$`\{x}`", TemplateString((String("{x}"),), raw=True)),
        ('$"{1}{"s"}"', TemplateString((Number("1"), String("s")))),
        ('$"{{"a": {1}}}"', TemplateString((Expr(obj(('"a"', rego_set(1)))),))),
        (
            '$"{x with input as 1}"',
            TemplateString((Expr(Var("x"), replacements=(With(ref("input"), term(1)),)),)),
        ),
        ('$"{$`{x}`}"', TemplateString((Expr(TemplateString((Expr(Var("x")),), raw=True)),))),
    ],
)
def test_a_template_string_holds_text_and_expressions(text: str, expected: Term) -> None:
    assert parsed_term(text) == expected


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("not x", "negation"),
        ("x = 1", "unification"),
        ("x := 1", "assignment"),
        ("every x in y { x }", "'every'"),
        ("some x in y", "'some'"),
        ("some x", "'some'"),
    ],
)
def test_a_template_string_takes_only_values(expression: str, what: str) -> None:
    with pytest.raises(CompileError, match=f"unexpected {what}.* in template-string expression"):
        parse_query(f'$"{{{expression}}}"')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1", 'expected "," or "]"'),
        ("[1 2]", 'expected "," or "]"'),
        ("[1,,2]", "unexpected , token"),
        ("{1 2}", "non-terminated set"),
        ("{a: 1, b}", "non-terminated object"),
        ("{a: 1 b: 2}", "unexpected identifier token: non-terminated object"),
        ("{a: 1 | x y}", "unexpected identifier token: non-terminated object"),
        ("{a: 1, b: 2 - }", "unexpected } token"),
        ("{a + 1: 1 + 2, b 2}", 'unexpected number token: expected ":"'),
        ("{a: 1 + 2, b: 2 3}", 'unexpected number token: expected "," or "}"'),
        ("[x | ]", "found empty body"),
        ("[x | y z]", r"expected \n or ; or ]"),
        ('$"{x y}"', "expected } to end template string expression"),
        ('$"{}"', "unexpected } token"),
    ],
)
def test_a_malformed_composite_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        parse_query(text)

    assert message in caught.value.diagnostics[0].message


def test_an_object_that_ends_too_early_is_reported_where_opa_does_and_where_it_stopped() -> None:
    found = diagnostics('package a\n\np := {\n  "x": 1,\n  "y": {"z": 2 "w": 3},\n}\n')

    assert [(entry.location.row, entry.location.col, entry.message) for entry in found] == [
        (4, 8, "unexpected number token: non-terminated object"),
        (5, 16, "unexpected string token: non-terminated object"),
    ]


def test_nested_unions_that_look_like_comprehensions_take_no_exponential_time() -> None:
    text = "x"
    for _ in range(50):
        text = f"{{a | {text}, b}}"

    assert isinstance(parsed_term(text), Term)
