"""Whatever the text, the parser gives a module or a `CompileError` with places."""

import string
import time
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.rego.ast import Source
from webhook.rego.errors import NOWHERE, CompileError, Diagnostic
from webhook.rego.parser import parse_module, parse_query

FRAGMENTS = [
    *("package a", "import rego.v1", "import future.keywords", "default", "else", "not", "some", "every"),
    *("if", "contains", "in", "with", "as", "input", "data", "set()", "x", "_", "p", "true", "null"),
    *("1", "1.5e3", '"s"', "`r`", '$"{', '$"a', "}", '"', "`", "\\", "# METADATA", "# title: t", "#"),
    *("[", "]", "{", "(", ")", ",", ":", ".", ";", ":=", "=", "==", "!=", "<", "|", "&", "+", "-", "*"),
    *("\n", " ", "\t", "\r\n", "\ufeff", "\0", "é", "\ud800"),
]
soup = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map(" ".join) | st.lists(
    st.sampled_from(FRAGMENTS), max_size=60
).map("".join)
texts = st.text(max_size=200) | soup | st.text(alphabet=string.printable, max_size=200)


def diagnostics_of(parse: Callable[[], object]) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of a failure, of which there is at least one, or nothing."""
    try:
        parse()
    except CompileError as error:
        return error.diagnostics or (Diagnostic("nothing was reported", "", NOWHERE),)
    return ()


def has_place(diagnostic: Diagnostic, text: str) -> bool:
    location = diagnostic.location
    return 1 <= location.row <= text.count("\n") + 1 and location.col >= 1 and bool(str(diagnostic).encode())


@given(texts)
@settings(max_examples=300, deadline=None)
def test_any_text_gives_a_module_or_errors_with_places(text: str) -> None:
    found = diagnostics_of(lambda: parse_module(Source("f.rego", text)))

    assert all(has_place(diagnostic, text) for diagnostic in found)


@given(soup)
@settings(max_examples=300, deadline=None)
def test_any_statements_below_a_package_give_a_module_or_errors_with_places(text: str) -> None:
    below = f"package a\n{text}"
    found = diagnostics_of(lambda: parse_module(Source("f.rego", below)))

    assert all(has_place(diagnostic, below) for diagnostic in found)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_any_query_gives_a_body_or_an_error_with_a_place(text: str) -> None:
    found = diagnostics_of(lambda: parse_query(text))

    assert all(has_place(diagnostic, text) for diagnostic in found)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_module_or_errors(content: bytes) -> None:
    found = diagnostics_of(lambda: parse_module(Source.decode("f.rego", content)))

    assert all(diagnostic.code == "rego_parse_error" for diagnostic in found)


def test_ten_megabytes_are_refused_at_once() -> None:
    source = Source("f.rego", "package a\n" + "x := 1\n" * 1_500_000)
    started = time.process_time()

    (found,) = diagnostics_of(lambda: parse_module(source))

    assert "file too large" in found.message
    assert time.process_time() - started < 1
