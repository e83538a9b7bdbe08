import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rego.builtins.registry import BUILTINS, UNAVAILABLE
from webhook.rego.builtins.signatures import (
    ANY,
    ARRAY,
    BOOLEAN,
    NULL,
    NUMBER,
    OBJECT,
    SET,
    STRING,
    ArrayOf,
    ObjectOf,
    OneOf,
    SetOf,
    Type,
    unifies,
)

SCALARS = st.sampled_from([NULL, BOOLEAN, NUMBER, STRING, ANY])
TYPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.map(ArrayOf),
        inner.map(SetOf),
        st.tuples(inner, inner).map(lambda pair: ArrayOf(pair[0], (pair[1],))),
        st.lists(inner, min_size=1, max_size=3).map(lambda members: OneOf(tuple(members))),
        inner.map(lambda value: ObjectOf(STRING, ANY, {"name": value})),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (STRING, STRING, True),
        (STRING, NUMBER, False),
        (ANY, NUMBER, True),
        (OneOf((STRING, NULL)), NULL, True),
        (OneOf((STRING, NULL)), NUMBER, False),
        (ArrayOf(STRING), ArrayOf(None, (STRING, STRING)), True),
        (ArrayOf(STRING), ArrayOf(None, (STRING, NUMBER)), False),
        (ArrayOf(None, (STRING,)), ArrayOf(None, (STRING, STRING)), False),
        (ArrayOf(STRING), SetOf(STRING), False),
        (SetOf(ANY), SetOf(NUMBER), True),
        (OBJECT, ObjectOf(properties={"a": NUMBER}), True),
        (ObjectOf(STRING, ANY, {"a": STRING}), ObjectOf(properties={"a": NUMBER}), False),
        (ObjectOf(properties={"a": STRING}), ObjectOf(properties={"b": STRING}), False),
    ],
)
def test_types_fit_where_a_value_could_have_both(one: Type, other: Type, expected: bool) -> None:
    assert unifies(one, other) is expected
    assert unifies(other, one) is expected


@given(TYPES)
def test_every_type_fits_itself_and_any(type_: Type) -> None:
    assert unifies(type_, type_)
    assert unifies(ANY, type_)


@given(TYPES, TYPES)
def test_fitting_has_no_direction(one: Type, other: Type) -> None:
    assert unifies(one, other) == unifies(other, one)


def test_a_missing_position_fits_nothing() -> None:
    assert not unifies(None, ANY)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (ANY, "any"),
        (OneOf((NUMBER, SET)), "any<number, set[any]>"),
        (ARRAY, "array[any]"),
        (ArrayOf(None, (NUMBER, STRING)), "array<number, string>"),
        (ArrayOf(ANY, (NUMBER,)), "array<number>[any]"),
        (OBJECT, "object[any: any]"),
        (ObjectOf(STRING, ANY, {"b": STRING, "a": NUMBER}), "object<a: number, b: string>[string: any]"),
    ],
)
def test_types_read_as_in_opas_messages(type_: Type, text: str) -> None:
    assert str(type_) == text


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("startswith", "(search: string, base: string, result: boolean)"),
        ("plus", "(x: number, y: number, z: number)"),
        ("time.now_ns", "(now: number)"),
        ("print", "(any...)"),
        ("equal", "(x: any, y: any, result: boolean)"),
    ],
)
def test_signatures_read_as_in_opas_messages(name: str, signature: str) -> None:
    assert BUILTINS[name].signature == signature


def test_no_builtin_is_both_available_and_refused() -> None:
    assert not BUILTINS.keys() & UNAVAILABLE.keys()
    assert all(reason and not reason.endswith(".") for reason in UNAVAILABLE.values())


def test_operators_have_the_names_of_opas_plans() -> None:
    operators = {builtin.infix: name for name, builtin in BUILTINS.items() if builtin.infix != "in"}
    assert operators["+"] == "plus"
    assert operators["=="] == "equal"
    assert operators["&"] == "and"
    assert operators["%"] == "rem"


@pytest.mark.parametrize(
    "name", ["time.now_ns", "rand.intn", "uuid.rfc4122", "print", "io.jwt.decode_verify"]
)
def test_what_depends_on_more_than_its_arguments_is_not_folded(name: str) -> None:
    assert not BUILTINS[name].deterministic


@pytest.mark.parametrize("name", ["any", "all", "re_match", "set_diff", "cast_array", "net.cidr_overlap"])
def test_old_names_are_marked_as_deprecated(name: str) -> None:
    assert BUILTINS[name].deprecated
