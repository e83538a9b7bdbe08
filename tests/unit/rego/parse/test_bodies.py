"""Statements of bodies: negation, declarations, `every` and `with`."""

import pytest

from tests.support.rego_syntax import array, body, call, messages, obj, ref, term
from webhook.rego.ast import Every, Expr, SomeDecl, SomeIn, Term, Var, With
from webhook.rego.errors import CompileError
from webhook.rego.parser import parse_query


def parsed(text: str) -> Expr:
    (expression,) = parse_query(text)
    return expression


def test_statements_are_separated_by_semicolons_and_line_breaks() -> None:
    assert parse_query("x; y\nz ;\n w") == body("x", "y", "z", "w")


def test_an_empty_query_is_an_empty_body() -> None:
    assert parse_query(" # nothing\n") == ()


def test_not_negates_a_statement() -> None:
    assert parsed("not x = 1") == Expr(call("eq", "x", 1), negated=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("some x", SomeDecl((Var("x"),))),
        ("some x, y", SomeDecl((Var("x"), Var("y")))),
        ("some x in xs", SomeIn(None, Var("x"), Var("xs"))),
        ("some k, v in xs", SomeIn(Var("k"), Var("v"), Var("xs"))),
        ("some [a, 1] in xs", SomeIn(None, array("a", 1), Var("xs"))),
        ('some {"a": x} in f(y)', SomeIn(None, obj(('"a"', "x")), call("f", "y"))),
        ("some x in xs | ys", SomeIn(None, Var("x"), call("or", "xs", "ys"))),
        ("every x in xs { x }", Every(None, Var("x"), Var("xs"), body("x"))),
        ("every k, v in xs { k; v }", Every(Var("k"), Var("v"), Var("xs"), body("k", "v"))),
        ("every x in [1, 2] { x }", Every(None, Var("x"), array(1, 2), body("x"))),
    ],
)
def test_declarations_are_read(text: str, expected: SomeDecl | SomeIn | Every) -> None:
    assert parsed(text) == Expr(expected)


def test_a_declaration_ends_with_its_line() -> None:
    first, second = parse_query("some x\nx")

    assert first.terms == SomeDecl((Var("x"),))
    assert second.terms == Var("x")


@pytest.mark.parametrize("statement", ["x", "f(x) == 1", "some x in xs", "every x in xs { x }", "not x"])
def test_with_belongs_to_any_statement_that_evaluates(statement: str) -> None:
    found = parsed(f'{statement} with input.a as 1 with data.b["c"] as f')

    assert found.replacements == (
        With(ref("input", '"a"'), term(1)),
        With(ref("data", '"b"', '"c"'), Var("f")),
    )


@pytest.mark.parametrize(
    "name", ["not", "some", "every", "with", "default", "if", "in", "true", "null", "else"]
)
def test_a_keyword_begins_a_reference_when_a_path_follows_at_once(name: str) -> None:
    expected: Term = ref(name, '"x"')

    assert parsed(f"{name}.x") == Expr(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not some x", "unexpected some keyword: illegal negation of 'some'"),
        ("not every x in y { x }", "unexpected every keyword: illegal negation of 'every'"),
        ("some 1", "unexpected number token: expected var"),
        ("some x == 1", "unexpected eof token: expected `x in xs` or `x, y in xs` expression"),
        ("some x in }", r"unexpected in keyword: expected \n or ; or eof"),
        ("some x in y * ]", "unexpected ] token"),
        ("every 1 in xs { x }", "unexpected { token: expected value to be a variable"),
        ("every 1, x in xs { x }", "unexpected { token: expected key to be a variable"),
        ("every in xs { x }", "unexpected in keyword"),
        ("every x", "unexpected eof token: expected `x[, y] in xs { ... }` expression"),
        ("every x in xs", "missing body"),
        ("every x in xs {}", "found empty body"),
        ("x y", r"unexpected identifier token: expected \n or ; or eof"),
        ("x with 1 as 2", "unexpected number token: expected ident"),
        ("x with f(1) as 2", "expected with target path"),
        ("x with input 2", "expected as keyword"),
        ("x;", "unexpected eof token"),
    ],
)
def test_a_malformed_statement_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        parse_query(text)

    assert message in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("p { some x in xs }", "in"),
        ("p { every x in xs { x } }", "every"),
        ("p if { x }", "if"),
        ("p contains 1 { x }", "contains"),
    ],
)
def test_a_keyword_not_imported_in_v0_is_hinted_at(text: str, keyword: str) -> None:
    message = messages(text, "v0")[0]

    assert f"(hint: `import future.keywords.{keyword}`)" in message
