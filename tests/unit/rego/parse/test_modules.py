"""Package, imports, recovery behind errors, and bounds."""

import pytest

from tests.support.rego_syntax import diagnostics, messages, parsed_module, ref
from webhook.rego.ast import Import, Source
from webhook.rego.errors import CompileError
from webhook.rego.parser import parse_module


def paths(text: str) -> list[tuple[str, ...]]:
    return [parse_module(Source("f", text), version="v1").package.segments]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("package a", ("a",)),
        ("package a.b_c.d", ("a", "b_c", "d")),
        ('package a["b c"].d', ("a", "b c", "d")),
        ("package a.contains.if", ("a", "contains", "if")),
        ("# comment\n\npackage\ta # comment", ("a",)),
    ],
)
def test_a_package_is_a_path(text: str, segments: tuple[str, ...]) -> None:
    assert paths(text) == [segments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import data.a.b", Import(ref("data", '"a"', '"b"'))),
        ("import data.a as c", Import(ref("data", '"a"'), "c")),
        ("import input", Import(ref("input"))),
        ('import input["x y"] as z', Import(ref("input", '"x y"'), "z")),
        ("import data.if.x", Import(ref("data", '"if"', '"x"'))),
        ("import rego.v1", Import(ref("rego", '"v1"'))),
        ("import future.keywords.in", Import(ref("future", '"keywords"', '"in"'))),
    ],
)
def test_an_import_is_a_path_with_an_alias(text: str, expected: Import) -> None:
    assert parsed_module(text).imports == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "import foo.bar",
            "unexpected import path, must begin with one of: {data, future, input, rego}, got: foo",
        ),
        ("import data.a[x]", "unexpected var token: expecting string"),
        ("import data.a[0]", "unexpected number token: expecting string"),
        ("import data.f(x)", "expected path"),
        ("import data.a as 1", "unexpected number token: expected var"),
        ("import data.if", "unexpected import path, must not end with a keyword, got: if"),
        ("import future.a", "invalid import, must be `future.keywords`"),
        ("import future.keywords.x", "unexpected keyword, must be one of [contains every if in]"),
        ("import future.keywords.in as x", "`future` imports cannot be aliased"),
        ("import rego.v2", "invalid import `rego.v2`, must be `rego.v1`"),
        ("import 1", "unexpected number token"),
        ("package b", "unexpected package"),
    ],
)
def test_a_wrong_import_or_package_says_why(text: str, expected: str) -> None:
    (message,) = messages(text)

    assert message.startswith(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty module"),
        ("\n# only a comment\n", "empty module"),
        ("p := 1", "package expected"),
        ("import data.a", "package expected"),
        ("package", "unexpected eof token"),
        ("package 1", "unexpected number token"),
        ("package a[b]", "unexpected var token: expecting string"),
        ("package f()", "unexpected eof token"),
        ("package f().a", "unexpected call token: expecting var"),
    ],
)
def test_a_file_without_a_package_is_refused_with_a_place(text: str, message: str) -> None:
    (diagnostic,) = diagnostics(text)

    assert diagnostic.message == message
    assert diagnostic.code == "rego_parse_error"
    assert diagnostic.location.row >= 1


def test_every_error_of_a_file_is_reported_with_its_line_those_of_syntax_first() -> None:
    found = diagnostics(
        "package a\n\nallow if {\n  input.x == \n}\n\nfoo := bar baz\n\nok := 1\n\n"
        'deny contains "x" if { x := }\n'
    )

    assert [(entry.location.row, entry.location.col) for entry in found] == [(5, 1), (11, 29), (7, 12)]
    assert [entry.line_text for entry in found] == ["}", 'deny contains "x" if { x := }', "foo := bar baz"]


def test_a_file_full_of_errors_is_not_read_to_its_end() -> None:
    assert len(diagnostics("package a\n" + "x := ]\n" * 5_000)) == 100


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("[", "]"),
        ("{", "}"),
        ("(", ")"),
        ("f(", ")"),
        ("a[", "]"),
        ("{1 | ", "}"),
        ('{"a": ', "}"),
        ("{a: b | ", "}"),
        ('$"{', '}"'),
        ("1 == 1 | 1 & 1 + 1 * [", "]"),
        ("not ", ""),
        ("-", ""),
    ],
)
def test_deep_nesting_is_an_error_with_a_place(opening: str, closing: str) -> None:
    found = diagnostics(f"package a\np if {opening * 5_000}1{closing * 5_000}\nq := 1")

    assert len(found) == 1
    assert found[0].location.row == 2


@pytest.mark.parametrize("body", ["1" + " + 1" * 3_000, "a" + ".b | a" * 3_000])
def test_an_endless_chain_of_operators_is_an_error_with_a_place(body: str) -> None:
    (found,) = diagnostics(f"package a\np := {body}")

    assert found.message == "nesting too deep"
    assert found.location.row == 2


def test_a_long_list_is_not_deep() -> None:
    assert messages("p := [" + "1," * 5_000 + "]") == []


@pytest.mark.parametrize("brackets", ["[{}]", "({})", '{{"a": {}}}', "f({})"])
def test_thirty_levels_of_nesting_are_accepted(brackets: str) -> None:
    text = "1"
    for _ in range(30):
        text = brackets.format(text)

    assert messages(f"p := {text}") == []


def test_twenty_thousand_rules_are_one_module() -> None:
    text = "".join(f"r_{number} if input.x[_] == {number}\n" for number in range(20_000))

    assert len(parsed_module(text).rules) == 20_000


def test_an_import_of_rego_v1_switches_a_v0_file_to_v1() -> None:
    assert parsed_module("import rego.v1\np if true", "v0").version == "v1"
    with pytest.raises(CompileError, match="`if` keyword is required"):
        parsed_module("import rego.v1\np { true }", "v0")


@pytest.mark.parametrize(
    "text",
    [
        "import future.keywords\np contains x if { some x in [1]; every y in [1] { y } }",
        "import future.keywords.if\nimport future.keywords.contains\np contains 1 if { x }",
        "import future.keywords.every\np { every x in [1] { x in [1] } }",
        "import future.keywords.if\np if { x }\nq { x }",
    ],
)
def test_a_v0_file_knows_the_keywords_that_it_imports(text: str) -> None:
    assert parsed_module(text, "v0").version == "v0"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("import future.keywords.x", (3, 8)),
        ("import rego.v2", (3, 8)),
        ("import data.a.if", (3, 15)),
        ("p := input.\nq := 1", (4, 0)),
    ],
)
def test_errors_stand_where_opa_puts_them(text: str, place: tuple[int, int]) -> None:
    found = diagnostics(f"package test\n\n{text}")[0].location

    assert (found.row, found.col) == place
