"""Rule heads of every kind, bodies, `else` chains and defaults, in v1 and v0."""

import pytest

from tests.support.rego_syntax import (
    array,
    body,
    call,
    diagnostics,
    messages,
    obj,
    parsed_module,
    parsed_rule,
    ref,
    rego_set,
    term,
)
from webhook.rego.ast import (
    ArrayComprehension,
    Body,
    Branch,
    Call,
    Every,
    Expr,
    Head,
    Rule,
    RuleKind,
    SetComprehension,
    Term,
    Var,
)
from webhook.rego.parser import VersionChoice

TRUE = term(value=True)
X = Var("x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p if x", Head(ref("p"), value=TRUE)),
        ("p := 1", Head(ref("p"), value=term(1), assign=True)),
        ("p = 1 if x", Head(ref("p"), value=term(1))),
        ("p.q.r := 1", Head(ref("p", '"q"', '"r"'), value=term(1), assign=True)),
        ('p["q"] := 1', Head(ref("p", '"q"'), value=term(1), assign=True)),
        ("p.q if x", Head(ref("p", '"q"'), value=TRUE)),
        ("p contains 1", Head(ref("p"), key=term(1))),
        ("p contains x if x", Head(ref("p"), key=X)),
        ("p.q contains x if x", Head(ref("p", '"q"'), key=X)),
        ("p[k].q contains x if x", Head(ref("p", "k", '"q"'), key=X)),
        ("p contains k, v in xs if x", Head(ref("p"), key=call("internal.member_3", "k", "v", "xs"))),
        ("p[k] := v if x", Head(ref("p", "k"), value=Var("v"), assign=True)),
        ("p[k] if x", Head(ref("p", "k"), value=TRUE)),
        ("p[x.y] := 1 if x", Head(ref("p", ref("x", '"y"')), value=term(1), assign=True)),
        ("p.q[k].r := 1 if x", Head(ref("p", '"q"', "k", '"r"'), value=term(1), assign=True)),
        ("f(x) := 1", Head(ref("f"), args=(X,), value=term(1), assign=True)),
        ("f(x, 1) if x", Head(ref("f"), args=(X, term(1)), value=TRUE)),
        ("f([x]) := 1", Head(ref("f"), args=(array("x"),), value=term(1), assign=True)),
        ("p.f(x) := 1", Head(ref("p", '"f"'), args=(X,), value=term(1), assign=True)),
        ("f() := 1", Head(ref("f"), value=term(1), assign=True)),
        ("if.p := 1", Head(ref("if", '"p"'), value=term(1), assign=True)),
        ("p := x in xs if x", Head(ref("p"), value=call("internal.member_2", "x", "xs"), assign=True)),
    ],
)
def test_a_head_of_v1_is_read(text: str, expected: Head) -> None:
    assert parsed_rule(text).head == expected


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("p { x }", Head(ref("p"), value=TRUE), RuleKind.COMPLETE),
        ("p = 1 { x }", Head(ref("p"), value=term(1)), RuleKind.COMPLETE),
        ("p[x] { x }", Head(ref("p"), key=X), RuleKind.PARTIAL_SET),
        ("p [x] { x }", Head(ref("p"), key=X), RuleKind.PARTIAL_SET),
        ("p.q { x }", Head(ref("p"), key=term('"q"')), RuleKind.PARTIAL_SET),
        ('p[{"a": x}] { x }', Head(ref("p"), key=obj(('"a"', "x"))), RuleKind.PARTIAL_SET),
        ('p["a"]', Head(ref("p"), key=term('"a"')), RuleKind.PARTIAL_SET),
        ("p[x] = 1 { x }", Head(ref("p", "x"), value=term(1)), RuleKind.PARTIAL_OBJECT),
        ("p.q.r { x }", Head(ref("p", '"q"', '"r"'), value=TRUE), RuleKind.COMPLETE),
        ("p.q.r", Head(ref("p", '"q"', '"r"'), value=TRUE), RuleKind.COMPLETE),
        ("f(x) { x }", Head(ref("f"), args=(X,), value=TRUE), RuleKind.FUNCTION),
        ("f(x)", Head(ref("f"), args=(X,), value=TRUE), RuleKind.FUNCTION),
        ("if { x }", Head(ref("if"), value=TRUE), RuleKind.COMPLETE),
        ("contains(x) { x }", Head(ref("contains"), args=(X,), value=TRUE), RuleKind.FUNCTION),
    ],
)
def test_a_head_of_v0_is_read(text: str, expected: Head, kind: RuleKind) -> None:
    head = parsed_rule(text, "v0").head

    assert head == expected
    assert head.kind is kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p := 1", ()),
        ("p if x", body("x")),
        ("p if not x", (Expr(X, negated=True),)),
        ("p if { x; x }", body("x", "x")),
        ("p if { x == 1 }", body(call("equal", "x", 1))),
        ("p if { x in xs }", body(call("internal.member_2", "x", "xs"))),
        ("p if {\n x\n x | x\n}", body("x", call("or", "x", "x"))),
        ("p if every x in xs { x }", (Expr(Every(None, X, Var("xs"), body("x"))),)),
        ("p if {}", body(obj())),
        ("p if {x: 1}", body(obj(("x", 1)))),
        ("p if {x | x}", (Expr(SetComprehension(X, body("x"))),)),
        ("p if {1, 2} == {2, 1}", body(call("equal", rego_set(1, 2), rego_set(2, 1)))),
        ("p if {1}[x]", body(ref(rego_set(1), "x"))),
        ("p if [x | x]", (Expr(ArrayComprehension(X, body("x"))),)),
        ('p if { x == {"a": 1} }', body(call("equal", "x", obj(('"a"', 1))))),
        ('p if { x == $"{1}" }', None),
    ],
)
def test_a_body_of_v1_is_braces_or_one_statement(text: str, expected: Body | None) -> None:
    found = parsed_rule(text).body

    assert found == expected if expected is not None else len(found) == 1


def test_else_branches_are_a_flat_chain() -> None:
    rule = parsed_rule("p := 1 if x else := 2 if { x; x } else := 3")

    assert rule.otherwise == (Branch(term(2), body("x", "x")), Branch(term(3)))


def test_else_without_a_value_is_true() -> None:
    assert parsed_rule("p if x else if x").otherwise == (Branch(TRUE, body("x")),)


def test_else_of_v0_takes_braces() -> None:
    rule = parsed_rule("p = 1 { x } else = 2 { x } else { x }", "v0")

    assert rule.otherwise == (Branch(term(2), body("x")), Branch(TRUE, body("x")))


def test_chained_bodies_are_rules_with_the_same_head() -> None:
    first, second = parsed_module("p[x] { x } { x; x }", "v0").rules

    assert first.head == second.head
    assert (first.body, second.body) == (body("x"), body("x", "x"))


def test_wildcard_arguments_of_chained_bodies_are_different_variables() -> None:
    first, second = parsed_module("f(_) { true } { false }", "v0").rules

    assert first.head.args != second.head.args


def test_a_default_has_no_body() -> None:
    rule = parsed_rule("default p := {1: [x | x]}")

    assert rule.default
    assert rule.body == ()
    assert rule.head.kind is RuleKind.COMPLETE


def test_a_default_without_a_value_is_true() -> None:
    assert parsed_rule("default p").head.value == TRUE


def test_a_default_function_takes_variables() -> None:
    rule = parsed_rule("default f(_, x) := 1")

    assert rule.default
    assert rule.head.kind is RuleKind.FUNCTION


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p { x }", "`if` keyword is required before rule body"),
        ("f(x) { x }", "`if` keyword is required before function body"),
        ("p if x else { x }", "`if` keyword is required before rule body"),
        ("p[x] { x }", "`contains` keyword is required for partial set rules"),
        ('p["x"]', "`contains` keyword is required for partial set rules"),
        ("p.q.r", "rule must have value assignment and/or body declaration"),
        ("contains := 1", "contains keyword cannot be used for rule name"),
        ("if := 1", "unexpected if keyword"),
        ("some x in xs", "'some' declarations cannot be used for rule head"),
        ("every x in xs { x }", "expression cannot be used for rule head"),
    ],
)
def test_what_v1_requires_is_reported(text: str, expected: str) -> None:
    assert expected in messages(text)


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_a_function_without_value_and_body_is_true(version: VersionChoice) -> None:
    assert messages("f(1)\n(p) := 2", version) == []


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p", "var cannot be used for rule name"),
        ("1 := 2", "number cannot be used for rule name"),
        ("p == 1", "rule name conflicts with built-in function"),
        ("a-b = 1", "unexpected minus token"),
        ("default a-b = 1", "unexpected minus token"),
        ("a/b", "unexpected div token"),
        ("a - b = 1", "call cannot be used for rule name"),
        ("f(x).y := 1", "invalid rule head: arguments have to come last"),
        ("default p := x", "illegal default rule (value cannot contain var)"),
        ("default p := f(1)", "illegal default rule (value cannot contain call)"),
        ("default p := [input.x]", "illegal default rule (value cannot contain ref)"),
        ("default p[0]", "illegal default rule (must have a value)"),
        ("default p.q", "illegal default rule (must have a value)"),
        ('default p.q("x")', "illegal default rule (arguments cannot contain string)"),
        ("default f(x, x) := 1", "illegal default rule (arguments cannot be repeated x)"),
        ("default f(1) := 1", "illegal default rule (arguments cannot contain number)"),
        ("p := 1 with input as 2", "expressions using with keyword cannot be used for rule head"),
        ("not p", "negated expressions cannot be used for rule head"),
        ("some x", "'some' declarations cannot be used for rule head"),
        ('"p" := 1', "string cannot be used for rule name"),
        ("set() := 1", "set cannot be used for rule name"),
        ("[x | x := 1]", "arraycomprehension cannot be used for rule name"),
        ("input", "refs cannot be used for rule head"),
        ('startswith(x, "a")', "rule name conflicts with built-in function"),
        ("f()", "rule argument list must take at least one argument"),
        ("eq(1)", "assignment requires two operands"),
        ('p ["x"] := 1', "var cannot be used for rule name"),
        ("default 1", "unexpected default keyword"),
        ("p := 1 with x", "unexpected eof token: expected as keyword"),
        ("p := 1; q := 2", "multiple expressions cannot be used for rule head"),
    ],
)
def test_what_no_version_accepts_is_reported(text: str, expected: str, version: VersionChoice) -> None:
    assert expected in messages(text, version)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(x) contains 1", "the contains keyword can only be used with multi-value rule definitions"),
        ("p contains 1 if x else := 2", "else keyword cannot be used on multi-value rules"),
        ("p[x] := 1 if x else := 2", "else keyword cannot be used on rules with variables in head"),
        ("p if x else x", "expected else value term or rule body"),
        ("p if x else if", "unexpected eof token: rule body expected"),
        ("p if", "unexpected eof token"),
        ("p if { x", r"expected \n or ; or }"),
        ("p if { x; }", "unexpected } token"),
        ("p if { {x: } }", "unexpected } token"),
        ("p := 1 if x else := 2 if x { x }", "expected else keyword"),
    ],
)
def test_a_malformed_rule_says_what_is_wrong(text: str, expected: str) -> None:
    (message,) = messages(text)

    assert expected in message


def test_a_rule_spans_head_body_and_else() -> None:
    module = parsed_module("\np if {\n  x\n} else := 1\nq := 2")
    first: Rule = module.rules[0]

    assert module.source.text[first.location.offset : first.location.end] == "p if {\n  x\n} else := 1"
    assert (first.location.row, first.location.col) == (3, 1)


@pytest.mark.parametrize("value", ["x.y", "[f(x)]", '$"{x}"'])
def test_values_of_rules_may_be_any_term(value: str) -> None:
    found: Term | None = parsed_rule(f"p := {value} if x").head.value

    assert found is not None
    assert not isinstance(found, Call)


def test_rules_of_v0_are_refused_in_the_order_and_place_of_opa() -> None:
    found = diagnostics("package test\np[x] {\n  x := 1\n}\nq := 1 if {\n  x\n} else := 2 {\n  y\n}")

    assert [(entry.location.row, entry.location.col, entry.message) for entry in found] == [
        (2, 1, "`if` keyword is required before rule body"),
        (2, 1, "`contains` keyword is required for partial set rules"),
        (7, 3, "`if` keyword is required before rule body"),
    ]


@pytest.mark.parametrize("head", ["p", "p.q", "f(y)"])
def test_if_is_a_keyword_before_a_bracket_unless_a_value_came_before(head: str) -> None:
    module = parsed_module(f"{head} if[x] == [1]\nq := 1\nif.r := 2")

    assert [rule.head.name for rule in module.rules] == [head[0], "q", "if"]
    assert module.rules[0].body == body(call("equal", array("x"), array(1)))
