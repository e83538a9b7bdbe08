from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_builtins import call, failure, passes_limit
from webhook.rego.values import RegoSet

DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("base64.encode", ("ñ?>",), "w7E/Pg=="),
        ("base64.decode", ("w7E/\nPg==",), "ñ?>"),
        ("base64.is_valid", ("YQ==",), True),
        ("base64.is_valid", ("YQ",), False),
        ("base64.is_valid", (1,), False),
        ("base64url.encode", ("ñ?>",), "w7E_Pg=="),
        ("base64url.encode_no_pad", ("ñ?>",), "w7E_Pg"),
        ("base64url.decode", ("w7E_Pg",), "ñ?>"),
        ("base64url.decode", ("w7E_Pg==",), "ñ?>"),
        ("hex.encode", ("ñ",), "c3b1"),
        ("hex.decode", ("C3b1",), "ñ"),
        ("urlquery.encode", ("a b&c=ñ/~",), "a+b%26c%3D%C3%B1%2F~"),
        ("urlquery.decode", ("a+b%26",), "a b&"),
        (
            "urlquery.encode_object",
            ({"b": ["2", "1"], "a": "x y", "c": RegoSet(["n", "m"])},),
            "a=x+y&b=2&b=1&c=m&c=n",
        ),
        ("urlquery.decode_object", ("a=1&b=2&a=3&c",), {"a": ["1", "3"], "b": ["2"], "c": [""]}),
        (
            "json.marshal",
            ({"b": [1, 2.5, None], "a": "<é&>"},),
            '{"a":"\\u003cé\\u0026\\u003e","b":[1,2.5,null]}',
        ),
        ("json.marshal", (RegoSet(["b", "a"]),), '["a","b"]'),
        ("json.marshal_with_options", ([1], {}), "[1]"),
        ("json.marshal_with_options", ({"a": [1]}, {"pretty": True}), '{\n\t"a": [\n\t\t1\n\t]\n}'),
        ("json.marshal_with_options", ({"a": []}, {"indent": " ", "prefix": "> "}), '> {\n>  "a": []\n> }'),
        ("json.marshal_with_options", ([1], {"indent": " ", "pretty": False}), "[1]"),
        (
            "json.unmarshal",
            ('{"a": [1, 1.5, 123456789012345678901234567890]}',),
            {"a": [1, 1.5, 123456789012345678901234567890]},
        ),
        ("json.is_valid", ('{"a":',), False),
        ("json.is_valid", ("null",), True),
        ("json.is_valid", ("[" * 100_000,), False),
        ("crypto.md5", ("a",), "0cc175b9c0f1b6a831c399e269772661"),
        ("crypto.sha1", ("a",), "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("crypto.sha256", ("",), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("crypto.hmac.md5", ("what do ya want for nothing?", "Jefe"), "750c783e6ab0b503eaa86e310a5db738"),
        ("crypto.hmac.equal", ("ab", "ab"), True),
        ("crypto.hmac.equal", ("ab", "abc"), False),
    ],
)
def test_text_is_encoded_and_read(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("base64.decode", ("YQ*=",), "illegal base64 data at input byte 2"),
        ("base64.decode", ("Y\nQ*=",), "illegal base64 data at input byte 3"),
        ("base64.decode", ("YWFhY",), "illegal base64 data at input byte 4"),
        ("base64url.decode", ("a",), "illegal base64url string"),
        ("hex.decode", ("abc",), "odd length hex string"),
        ("hex.decode", ("zz",), "invalid byte: U+007A 'z'"),
        ("urlquery.decode", ("%zz",), 'invalid URL escape "%zz"'),
        ("urlquery.decode_object", ("a=1;b",), "invalid semicolon separator"),
        ("urlquery.encode_object", ({"a": 1},), "values must be string, array[string], or set[string]"),
        ("json.unmarshal", ("{'a':1}",), "malformed"),
        ("json.marshal_with_options", ([], {"indent": 1}), "failed cast to string"),
        ("json.marshal_with_options", ([], {"width": 1}), 'object contained unknown key "width"'),
        ("crypto.sha256", (1,), "operand 1 must be string but got number"),
    ],
)
def test_what_is_not_encoded_is_refused(name: str, arguments: tuple[Any, ...], words: str) -> None:
    assert words in failure(name, *arguments)


@given(st.text())
def test_encodings_read_what_they_wrote(text: str) -> None:
    written = text.encode(errors="replace").decode()
    for family in ("base64", "base64url", "hex", "urlquery"):
        assert call(f"{family}.decode", call(f"{family}.encode", written)) == written


@given(DOCUMENTS)
def test_json_reads_what_it_wrote(document: Any) -> None:
    assert call("json.unmarshal", call("json.marshal", document)) == document


@given(st.text(max_size=12))
def test_base64_is_judged_as_it_is_read(text: str) -> None:
    assert call("base64.is_valid", text) is (failure("base64.decode", text) == "")


def shared_document(depth: int) -> Any:
    document: Any = [1]
    for _ in range(depth):
        document = [document, document]
    return document


@pytest.mark.parametrize("name", ["json.marshal", "yaml.marshal"])
def test_a_document_that_grows_when_written_stops_the_evaluation(name: str) -> None:
    assert passes_limit(name, shared_document(40))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2.5, x]\nb: {c: null, d: ~}", {"a": [1, 2.5, "x"], "b": {"c": None, "d": None}}),
        ("a: yes\nb: Off\nc: 'yes'", {"a": True, "b": False, "c": "yes"}),
        ("1: w\ntrue: x\n2.5: z", {"1": "w", "true": "x", "2.5": "z"}),
        ("y: n", {"true": False}),
        ("a: 0x1F\nb: 017\nc: 0o17\nd: 1_000\ne: 0b11", {"a": 31, "b": 15, "c": 15, "d": 1000, "e": 3}),
        ("a: 1:30\nb: 2020-01-01\nc: 1e3", {"a": "1:30", "b": "2020-01-01", "c": 1000}),
        ("base: &b {x: 1}\nmore:\n  <<: *b\n  z: 2", {"base": {"x": 1}, "more": {"x": 1, "z": 2}}),
        ("a: 1\na: 2", {"a": 2}),
        ("a: |\n  text\n  more\n", {"a": "text\nmore\n"}),
        ("a: !!binary aGk=", {"a": "hi"}),
        ("- {}\n- []", [{}, []]),
        ("", None),
        ("--- a\n--- b", "a"),
        ("- <<\n- !x 5\n- !x [1]\n- !x {a: 1}", ["<<", "5", [1], {"a": 1}]),
        ("!!python/object/apply:os.getcwd []", []),
    ],
)
def test_yaml_is_read_as_a_json_document(text: str, expected: Any) -> None:
    assert call("yaml.unmarshal", text) == expected
    assert call("yaml.is_valid", text)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: b: c",
        "a: .inf",
        "? [1]\n: 2",
        "[" * 1000,
        "- " * 1000,
        "\n".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}' if n else '1'] * 9)}]" for n in range(9)),
    ],
)
def test_dangerous_or_broken_yaml_is_refused(text: str) -> None:
    assert failure("yaml.unmarshal", text).startswith("eval_builtin_error: yaml")
    assert not call("yaml.is_valid", text)


def test_yaml_is_written_with_sorted_keys_and_careful_quotes() -> None:
    document = {"b": ["true", "1", "x: y", "", None], "a": {}, "c": "one\ntwo\n", "d": "- x", "e": 1.5}
    assert call("yaml.marshal", document) == (
        'a: {}\nb:\n- "true"\n- "1"\n- \'x: y\'\n- ""\n- null\nc: |\n  one\n  two\nd: \'- x\'\ne: 1.5\n'
    )
    assert call("yaml.marshal", "x") == "x\n"
    assert call("yaml.marshal", ["2020-01-02", "12:30", "<<"]) == '- "2020-01-02"\n- "12:30"\n- <<\n'
    numbers = [1e21, 123456789.5, 1e-5, 2**64 - 1, 2**64, -2.5, 2.0]
    assert call("yaml.marshal", numbers) == (
        "- 1e+21\n- 1.234567895e+08\n- 1e-05\n- 18446744073709551615\n- 1.8446744073709552e+19\n- -2.5\n- 2\n"
    )


def test_octets_that_are_no_text_are_replaced_one_by_one() -> None:
    assert call("base64.decode", "4oKAAQ==") == "\u2080\x01"
    assert call("base64.decode", "4oIB/w==") == "\ufffd\ufffd\x01\ufffd"
    assert call("hex.decode", "e282") == "\ufffd\ufffd"
    assert call("urlquery.decode", "a+%e2%82b%C3%A9") == "a \ufffd\ufffdbé"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a10": 1, "a9": 2, "a": 3, "B": 4, "_": 5}, "_: 5\nB: 4\na: 3\na9: 2\na10: 1\n"),
        ({"x001": 1, "x01": 2, "x1": 3, "x100": 4, "x10": 5}, "x1: 3\nx01: 2\nx001: 1\nx10: 5\nx100: 4\n"),
        ({"": 1, "a.b": 2, "ab": 3, "a b": 4}, '"": 1\na b: 4\na.b: 2\nab: 3\n'),
        ("😀", '"\\U0001F600"\n'),
    ],
)
def test_yaml_is_written_as_gos_library_writes_it(document: Any, expected: str) -> None:
    assert call("yaml.marshal", document) == expected


@pytest.mark.parametrize("text", ["\x7f", "a\x80b", "\uffff"])
def test_yaml_holds_no_control_characters(text: str) -> None:
    message = "eval_builtin_error: yaml: control characters are not allowed"

    assert failure("yaml.marshal", [text]) == failure("yaml.marshal", {text: 1}) == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'"\ud800"', "\ufffd"),
        (r'["a\udc00b", "\ud83d\ude00", "\uD800A"]', ["a\ufffdb", "😀", "\ufffdA"]),
        (r'"\\ud800"', r"\ud800"),
    ],
)
def test_halves_of_surrogate_pairs_in_json_are_replaced(text: str, expected: Any) -> None:
    assert call("json.unmarshal", text) == expected
    assert call("json.is_valid", text)


REFUSED = "".join(map(chr, range(0x7F, 0xA0))) + "\ufffe\uffff"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=REFUSED), max_size=8)
WITHOUT_DOUBLES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(WITHOUT_DOUBLES)
def test_yaml_reads_what_it_wrote(document: Any) -> None:
    assert call("yaml.unmarshal", call("yaml.marshal", document)) == document


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_yaml_keeps_the_value_of_doubles(number: float) -> None:
    assert call("yaml.unmarshal", call("yaml.marshal", number)) == number
