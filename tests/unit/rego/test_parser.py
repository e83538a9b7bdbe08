"""Choosing the language, parsing queries and references, and real modules."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.rego_syntax import body, ref
from webhook.rego.ast import LanguageVersion, Source
from webhook.rego.errors import CompileError
from webhook.rego.parser import VersionChoice, parse_module, parse_query, parse_ref

CONFORMANCE = Path(
    os.environ.get("GRADATE_CONFORMANCE", Path(__file__).parents[3].parent / "shared" / "conformance")
)
needs_conformance = pytest.mark.skipif(
    not CONFORMANCE.is_dir(), reason="OPA's conformance data is not here: set GRADATE_CONFORMANCE"
)


def first_error(text: str, version: VersionChoice) -> str:
    with pytest.raises(CompileError) as caught:
        parse_module(Source("test.rego", text), version=version)
    return caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("package a\np := 1", "v1"),
        ("package a\np if { true }", "v1"),
        ("package a\nimport rego.v1\np contains 1", "v1"),
        ("package a\nimport future.keywords\np contains 1 if { true }", "v1"),
        ("package a\np { true }", "v0"),
        ("package a\np[x] { x := 1 }", "v0"),
        ("package a\nimport future.keywords.in\np { 1 in [1] }", "v0"),
        ("package a\nimport future.keywords.if\np if { true }\nq { true }", "v0"),
        ("package a\nif { true }", "v0"),
    ],
)
def test_auto_takes_v1_where_it_fits_and_else_v0(text: str, version: LanguageVersion) -> None:
    assert parse_module(Source("test.rego", text)).version == version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("package a\np if { true }\nq { true }", "`if` keyword is required before rule body"),
        ("package a\np if { ] }", "unexpected ] token"),
        ("package a\np contains 1 { ] }", "unexpected ] token"),
        ("package a\np { ] }", "unexpected ] token"),
        ("package a\np { contains(x, 1) ] }", r"unexpected ] token: expected \n or ; or }"),
    ],
)
def test_auto_reports_a_broken_file_in_the_language_it_is_written_in(text: str, message: str) -> None:
    assert first_error(text, "auto") == message


def test_a_version_given_is_the_only_one_tried() -> None:
    assert first_error("package a\np { true }", "v1") == "`if` keyword is required before rule body"
    assert "hint" in first_error("package a\np if { true }", "v0")


def test_v0_and_v1_modules_of_one_meaning_have_equal_bodies() -> None:
    old = parse_module(Source("old.rego", "package a\np[x] { x := 1 }"))
    new = parse_module(Source("new.rego", "package a\np contains x if { x := 1 }"))

    assert old.rules == new.rules


def test_a_query_is_a_body_without_braces() -> None:
    assert parse_query("x; y") == body("x", "y")


def test_a_broken_query_is_refused_with_its_place() -> None:
    with pytest.raises(CompileError, match="<query>:1:5: rego_parse_error"):
        parse_query("x = ")


@pytest.mark.parametrize(
    ("text", "expected"), [("data.a", ref("data", '"a"')), ("input", ref("input")), ("x", ref("x"))]
)
def test_a_reference_stands_alone(text: str, expected: object) -> None:
    assert parse_ref(text) == expected


@pytest.mark.parametrize("text", ["", "1", "f(x)", "x; y", "not x", "x == y", "x with input as 1"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(CompileError):
        parse_ref(text)


def conformance_cases() -> list[dict[str, Any]]:
    with (CONFORMANCE / "opa-cases.jsonl").open() as lines:
        return [json.loads(line) for line in lines]


@needs_conformance
def test_every_module_and_query_of_opas_conformance_cases_parses() -> None:
    failures = []
    for case in conformance_cases():
        try:
            parse_query(case["query"])
            for text in case.get("modules") or ():
                parse_module(Source(case["id"], text), version="v1")
        except CompileError as error:
            failures.append(str(error))
    assert failures == []


@needs_conformance
def test_every_raw_source_parses_unless_opa_refuses_it() -> None:
    cases = json.loads((CONFORMANCE / "rego-sources.json").read_text())
    for number, case in enumerate(cases):
        refused = "rego_parse_error" in str(case["want"])
        source = Source(f"{number}.rego", case["module"])
        if refused:
            with pytest.raises(CompileError):
                parse_module(source)
        else:
            parse_module(source)
