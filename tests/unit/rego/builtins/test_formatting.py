"""Expected texts were worked out from the documentation of Go's `fmt` and from what OPA hands to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import call, failure, passes_limit
from webhook.rego.budget import peak_memory_bytes
from webhook.rego.values import RegoSet


@pytest.mark.parametrize(
    ("template", "arguments", "expected"),
    [
        ("plain", [], "plain"),
        ("100%%", [], "100%"),
        ("%s has %d", ["web", 3], "web has 3"),
        ("%v %v %v %v", ["a", 1, 1.5, None], "a 1 1.5 null"),
        ("%v", [True], "true"),
        ("%v", [{"b": [1, "x"], "a": RegoSet([2, 1])}], '{"a": {1, 2}, "b": [1, "x"]}'),
        ("%v", [RegoSet()], "set()"),
        ("%s", [["a", "b"]], '["a", "b"]'),
        ("%5d|%-5d|%05d|%+d|% d", [42, 42, 42, 42, 42], "   42|42   |00042|+42| 42"),
        ("%x %X %o %O %b %#x %#o", [255, 255, 8, 8, 5, 255, 8], "ff FF 10 0o10 101 0xff 010"),
        ("%c %q %U %#U", [65, 65, 65, 65], "A 'A' U+0041 U+0041 'A'"),
        ("%.3d|%8.3d|%08.3d", [7, 7, 7], "007|     007|     007"),
        ("%f %.2f %8.2f|%-8.2f|", [1.5, 1.5, 1.5, 1.5], "1.500000 1.50     1.50|1.50    |"),
        ("%e %E %g %G", [1234.5678, 1234.5678, 1e-07, 1e21], "1.234568e+03 1.234568E+03 1e-07 1E+21"),
        ("%v %v %v", [1000000.5, 123456.5, 0.00001], "1.0000005e+06 123456.5 1e-05"),
        ("%g %.3g %v", [100000.5, 123456.5, -0.5], "100000.5 1.23e+05 -0.5"),
        ("%+.1f|%06.1f|% .1f", [1.5, -1.5, 1.5], "+1.5|-001.5| 1.5"),
        ("%x %b", [1.5, 1.5], "0x1.8p+00 6755399441055744p-52"),
        ("%q %#q %+q", ['a"\n', "a", "ñ"], '"a\\"\\n" `a` "\\u00f1"'),
        ("%x %X %# x", ["hi", "hi", "hi"], "6869 6869 0x68 0x69"),
        ("%5s|%-5s|%.2s|%05s", ["ab", "ab", "abc", "ab"], "   ab|ab   |ab|000ab"),
        ("%T %T %T %T", [1, 1.5, "x", 2**70], "int float64 string *big.Int"),
        ("%s %d %v", [2**70, 2**70, 2**70], " ".join([str(2**70)] * 3)),
        ("%*d|%-*d|%.*f", [4, 1, 4, 1, 2, 1.5], "   1|1   |1.50"),
        ("%[2]s %[1]s", ["a", "b"], "b a"),
        ("%[1]s %[1]q", ["a"], 'a "a"'),
        ("%#v %+v", ["x", "y"], '"x" y'),
    ],
)
def test_verbs_write_what_go_writes(template: str, arguments: list[Any], expected: str) -> None:
    assert call("sprintf", template, arguments) == expected


@pytest.mark.parametrize(
    ("template", "arguments", "expected"),
    [
        ("%d", ["x"], "%!d(string=x)"),
        ("%d", [True], "%!d(string=true)"),
        ("%d", [1.5], "%!d(float64=1.5)"),
        ("%s", [5], "%!s(int=5)"),
        ("%s", [1.5], "%!s(float64=1.5)"),
        ("%t", [True], "%!t(string=true)"),
        ("%z", [1], "%!z(int=1)"),
        ("%c", [2**70], f"%!c(big.Int={2**70})"),
        ("%s %s", ["a"], "a %!s(MISSING)"),
        ("a", ["b", 1], "a%!(EXTRA string=b, int=1)"),
        ("%", [], "%!(NOVERB)"),
        ("%5", [1], "%!(NOVERB)%!(EXTRA int=1)"),
        ("%[3]d", [1], "%!d(BADINDEX)"),
        ("%[x]d", [1], "%!d(BADINDEX)"),
        ("%*d", ["x", 1], "%!(BADWIDTH)1"),
        ("%.*d", ["x", 1], "%!(BADPREC)1"),
        ("%5d", ["x"], "%!d(string=    x)"),
    ],
)
def test_mistakes_are_written_as_go_writes_them(template: str, arguments: list[Any], expected: str) -> None:
    assert call("sprintf", template, arguments) == expected


def test_operands_must_be_text_and_an_array() -> None:
    assert failure("sprintf", 1, []) == "eval_type_error: operand 1 must be string but got number"
    assert failure("sprintf", "", {}) == "eval_type_error: operand 2 must be array but got object"


@given(
    st.text(max_size=20),
    st.lists(
        st.text(max_size=3) | st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=3
    ),
)
def test_no_format_is_too_odd(template: str, arguments: list[Any]) -> None:
    assert isinstance(call("sprintf", template, arguments), str)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_reads_back_the_same(number: float) -> None:
    assert float(call("sprintf", "%v", [number])) == number


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("%s" * 1000, ["x" * 10_000_000] * 1000),
        ("%s%[1]s" * 500, ["x" * 10_000_000]),
        ("%v" * 1000, [["x" * 10_000_000]] * 1000),
        ("%1000000d" * 100_000, [1] * 100_000),
        ("", ["x" * 10_000_000] * 1000),
    ],
    ids=["texts", "one text again and again", "arrays", "widths", "extra"],
)
def test_a_text_beyond_the_limit_is_refused_before_it_is_made(template: str, arguments: list[Any]) -> None:
    before = peak_memory_bytes()
    assert passes_limit("sprintf", template, arguments)
    assert peak_memory_bytes() - before < 200_000_000
