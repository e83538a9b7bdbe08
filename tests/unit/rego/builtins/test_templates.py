from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import call, failure, passes_limit

VARIABLES = {
    "text": "hi",
    "number": 3,
    "yes": True,
    "nothing": None,
    "list": ["x", "y"],
    "empty": [],
    "object": {"b": 1, "a": {"c": "deep"}},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("no actions", "no actions"),
        ("{{.text}} {{.number}} {{.yes}}", "hi 3 true"),
        ("{{.missing}} {{.nothing}} {{.object.x.y}}", "<undefined> <undefined> <undefined>"),
        ("{{.list}} {{.object}}", "[x y] map[a:map[c:deep] b:1]"),
        ("{{.object.a.c}}{{$.text}}", "deephi"),
        ("a {{- .text -}} b", "ahib"),
        ("a{{/* comment */}}b", "ab"),
        ("{{if .yes}}1{{else}}2{{end}}{{if .empty}}3{{else}}4{{end}}", "14"),
        ("{{if .empty}}1{{else if .text}}2{{else}}3{{end}}", "2"),
        ("{{if .nothing}}1{{else if .empty}}2{{else}}3{{end}}", "3"),
        ("{{with .object.a}}{{.c}}{{end}}{{with .missing}}x{{else}}-{{end}}", "deep-"),
        ("{{range .list}}<{{.}}>{{end}}", "<x><y>"),
        ("{{range $i, $e := .list}}{{$i}}{{$e}}{{end}}", "0x1y"),
        ("{{range $k, $v := .object}}{{$k}};{{end}}", "a;b;"),
        ("{{range .empty}}x{{else}}none{{end}}", "none"),
        ("{{range $i, $e := .list}}{{if $i}}{{break}}{{end}}{{$e}}{{end}}", "x"),
        ("{{range .list}}{{continue}}x{{end}}", ""),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{$x := .text}}{{if .yes}}{{$x = `new`}}{{end}}{{$x}}", "new"),
        ("{{define `T`}}[{{.}}]{{end}}{{template `T` .text}}{{block `B` .list}}{{len .}}{{end}}", "[hi]2"),
        ("{{.text | printf `%s-%s` `a`}}", "a-hi"),
        ("{{printf `%q` (print .text 1 2)}}", '"hi1 2"'),
        ("{{len .text}}{{index .list 1}}{{index .object `a` `c`}}{{slice .text 1}}", "2ydeepi"),
        ("{{and .yes .text}}{{or .empty .text}}{{not .yes}}", "hihifalse"),
        (
            "{{eq .text `a` `hi`}}{{ne 1 2}}{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge `b` `a`}}",
            "truetruetruetruefalsetrue",
        ),
        ("{{html `<a>`}}{{urlquery `a b`}}{{js `'`}}", "&lt;a&gt;a+b\\'"),
        ('{{`raw }}`}}{{"q\\"\\n\\u00e9"}}{{\'a\'}}', 'raw }}q"\né97'),
        ("{{(index .list 0)}}{{(.object).a.c}}", "xdeep"),
        ("{{println .text 1}}", "hi 1\n"),
        ("{{1.5}}{{true}}{{nil}}", "1.5true<undefined>"),
    ],
)
def test_templates_are_gos(template: str, expected: str) -> None:
    assert call("strings.render_template", template, VARIABLES) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{",
        "{{.text",
        "{{if .yes}}",
        "{{end}}",
        "{{else}}",
        "{{if}}{{end}}",
        "{{range .list}}",
        "{{break}}",
        "{{nope}}",
        "{{.text.more}}",
        "{{.text 1}}",
        "{{$x}}",
        "{{template `T`}}",
        "{{define T}}{{end}}",
        "{{index .list 9}}",
        "{{len 3}}",
        "{{eq 1 `a`}}",
        "{{range .text}}{{end}}",
        "{{(.text}}",
        "{{.text | }}",
        "{{not}}",
        "{{#}}",
        "{{" + "(" * 200 + "1" + ")" * 200 + "}}",
        "{{if 1}}" * 200 + "{{end}}" * 200,
    ],
)
def test_wrong_templates_are_refused(template: str) -> None:
    assert failure("strings.render_template", template, VARIABLES).startswith("eval_builtin_error: template")


def test_operands_must_be_text_and_an_object() -> None:
    assert (
        failure("strings.render_template", 1, {})
        == "eval_type_error: operand 1 must be string but got number"
    )
    assert (
        failure("strings.render_template", "", [])
        == "eval_type_error: operand 2 must be object but got array"
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{range .l}}{{range $.l}}{{range $.l}}{{range $.l}}x{{end}}{{end}}{{end}}{{end}}",
        "{{define `T`}}{{template `T`}}{{end}}{{template `T`}}",
    ],
)
def test_runaway_templates_stop_the_evaluation(template: str) -> None:
    assert passes_limit("strings.render_template", template, {"l": list(range(60))})


@given(st.text('{}.|$ab"`()end if', max_size=30))
def test_no_text_breaks_the_reader(template: str) -> None:
    variables: dict[str, Any] = {"a": "b"}
    assert isinstance(failure("strings.render_template", template, variables), str)
