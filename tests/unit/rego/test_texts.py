"""How values are written, and how numbers are read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_values import values
from webhook.rego.texts import dump_json, format_value, parse_number, quote, to_json
from webhook.rego.values import RegoSet, Value, make_object


@given(values())
def test_json_form_is_json(value: Value) -> None:
    assert json.loads(dump_json(value)) == json.loads(json.dumps(to_json(value)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_json_documents_are_their_own_json_form(document: Value) -> None:
    assert to_json(document) == document


def test_json_form_shares_nothing_with_the_value() -> None:
    value: Value = {"a": [1]}
    form = to_json(value)
    form["a"].append(2)

    assert value == {"a": [1]}


def test_keys_that_are_no_strings_become_json_text() -> None:
    value = make_object([(1, "a"), (True, "b"), (None, "c"), (["x", RegoSet([1])], "d")])

    assert to_json(value) == {"1": "a", "true": "b", "null": "c", '["x",[1]]': "d"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (0.5, "0.5"),
        ("a\tb", '"a\\tb"'),
        ([1, "x"], '[1, "x"]'),
        ({}, "{}"),
        ({"b": 1, "a": [True]}, '{"a": [true], "b": 1}'),
        (RegoSet(), "set()"),
        (RegoSet([2, 1]), "{1, 2}"),
        (make_object([(RegoSet([1]), None)]), "{{1}: null}"),
    ],
)
def test_values_print_as_opa_prints_them(value: Value, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("\x00\x1b\x7f", '"\\x00\\x1b\\x7f"'),
        ("é ü 漢 🙂", '"é ü 漢 🙂"'),
        ("\u00a0\u2028\U000e0001", '"\\u00a0\\u2028\\U000e0001"'),
    ],
)
def test_strings_are_quoted_as_go_quotes_them(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-12", -12),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("2e308", 2 * 10**308),
    ],
)
def test_numbers_are_read_exactly_or_as_doubles(text: str, number: float) -> None:
    assert parse_number(text) == number
    assert type(parse_number(text)) is type(number)


@pytest.mark.parametrize("text", ["", "x", "1e999999", "nan", "inf", "-inf"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_number(text)
