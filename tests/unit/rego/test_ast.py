"""Equality, numbers and names of syntax tree nodes."""

import pytest

from tests.support.rego_syntax import call, ref
from webhook.rego.ast import (
    Array,
    Boolean,
    Head,
    Import,
    Number,
    Package,
    RuleKind,
    Source,
    String,
    Term,
    Var,
    children,
)
from webhook.rego.errors import CompileError, Location


def test_nodes_that_say_the_same_in_two_places_are_equal_and_hash_alike() -> None:
    here = Var("x", location=Location("a", 1, 1))
    there = Var("x", location=Location("b", 9, 9))

    assert here == there
    assert len({here, there}) == 1


def test_nodes_of_different_classes_with_equal_content_differ() -> None:
    assert Var("x") != String("x")
    assert Boolean(value=True) != Number("1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_a_number_has_the_value_of_its_text(text: str, value: float) -> None:
    assert Number(text).value == value


def test_a_number_too_big_for_a_float_becomes_an_exact_int() -> None:
    assert Number("1e400").value == 10**400


def test_a_call_is_named_by_its_dotted_operator() -> None:
    assert call("io.jwt.decode", "x").name == "io.jwt.decode"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (Head(ref("p"), value=Boolean(value=True)), RuleKind.COMPLETE),
        (Head(ref("p", '"q"'), value=Boolean(value=True)), RuleKind.COMPLETE),
        (Head(ref("p", "x"), value=Boolean(value=True)), RuleKind.PARTIAL_OBJECT),
        (Head(ref("p", "x", '"q"'), value=Boolean(value=True)), RuleKind.PARTIAL_OBJECT),
        (Head(ref("p", "x"), key=Var("y")), RuleKind.PARTIAL_SET),
        (Head(ref("p"), args=(Var("x"),), value=Boolean(value=True)), RuleKind.FUNCTION),
    ],
)
def test_a_head_knows_what_it_defines(head: Head, kind: RuleKind) -> None:
    assert head.kind is kind
    assert head.name == "p"


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (Import(ref("data", '"a"', '"b"')), "b"),
        (Import(ref("data", '"a"'), alias="c"), "c"),
        (Import(ref("input")), "input"),
    ],
)
def test_an_import_is_used_by_its_alias_or_last_segment(found: Import, name: str) -> None:
    assert found.name == name


def test_a_package_gives_its_path_without_data() -> None:
    assert Package(ref("data", '"a"', '"b"')).segments == ("a", "b")


def test_children_are_the_nodes_directly_below() -> None:
    items: tuple[Term, ...] = (Var("x"), Array((Var("y"),)))

    assert tuple(children(Array(items))) == items


def test_content_that_is_no_utf_8_is_refused_with_its_place() -> None:
    with pytest.raises(CompileError) as caught:
        Source.decode("p.rego", 'package a\nx := "é'.encode() + b'\xff"')

    assert caught.value.diagnostics[0].location == Location("p.rego", 2, 8, 17, 17)
