"""Rules that cannot stand together, and rules that use themselves."""

from typing import Any

import pytest

from tests.support.compiled_rego import errors_in, errors_of


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("p contains 1\np := 2", "conflicting rules data.test.p found"),
        ("p := 1\np(x) := x", "conflicting rules data.test.p found"),
        ("p(x) := x\np(x, y) := x", "conflicting rules data.test.p found"),
        ("p := 1\np[x] := 2 if x := 1", "conflicting rules data.test.p[x] found"),
        ("p contains 1\np[x] contains 2 if x := 1", "conflicting rules data.test.p[x] found"),
        ("p.q := 1\np.q.r := 2", "rule data.test.p.q conflicts with [data.test.p.q.r]"),
        ("p contains 1\np.q.r := 2", "rule data.test.p conflicts with [data.test.p.q.r]"),
        ("p[1] := 1\np[1].q := 2", "rule data.test.p[1] conflicts with [data.test.p[1].q]"),
        ("p := 1\np[1] := 2", "rule data.test.p conflicts with [data.test.p[1]]"),
        ("p[1] := 1\np[1] contains 2", "conflicting rules data.test.p[1] found"),
        ("p(x) := x\np.q := 2", "rule data.test.p conflicts with [data.test.p.q]"),
        (
            "default p := 1\ndefault p := 2",
            "multiple default rules data.test.p found at module0.rego:2, module0.rego:3",
        ),
    ],
)
def test_rules_that_exclude_one_another_are_refused(rules: str, message: str) -> None:
    assert errors_in(rules) == [f"rego_type_error: {message}"]


@pytest.mark.parametrize(
    "rules",
    [
        'p[x] := 1 if x := "a"\np.b := 2',
        'p[x][y] := 1 if { x := "a"; y := "b" }\np.a.c.d := 2',
        'p[x] contains 1 if x := "a"\np.q.r := 1',
        "p contains 1\np contains 2",
        "p.q := 1\np.r := 2",
        "f(1) := 1\nf(2) := 2",
    ],
)
def test_rules_that_add_to_one_document_stand_together(rules: str) -> None:
    assert errors_in(rules) == []


def test_a_package_may_not_stand_in_a_rule() -> None:
    errors = errors_of("package test\np := 1", "package test.p\nq := 1")

    assert errors == [
        "2 rego_type_error: rule data.test.p conflicts with [data.test.p.q]",
        "2 rego_type_error: package test.p conflicts with rule p defined at module0.rego:2",
    ]


def test_a_rule_may_not_stand_where_a_base_document_does() -> None:
    errors = errors_of("package test\np := 1", data={"test": {"p": 2}})

    assert errors == ["2 rego_compile_error: conflicting rule for data path test/p found"]


@pytest.mark.parametrize(("document", "refused"), [(2, True), ([], True), (None, True), ({"q": 1}, False)])
def test_a_rule_may_stand_only_below_base_documents_that_are_objects(document: Any, refused: bool) -> None:
    errors = errors_of("package test.p\nr := 1", data={"test": {"p": document}})

    assert errors == ["2 rego_compile_error: conflicting rule for data path test/p/r found"] * refused


def test_the_same_package_may_be_in_several_files() -> None:
    assert errors_of("package test\np := q", "package test\nq := 1") == []


@pytest.mark.parametrize(
    ("rules", "paths"),
    [
        ("p if p", ["p -> p"]),
        ("p if q\nq if p\nr if p", ["p -> q -> p", "q -> p -> q"]),
        ("p if data.test", ["p -> p"]),
        ("p if data", ["p -> p"]),
        ("p if data.test[input.x]", ["p -> p"]),
        ("p if { false } else if p", ["p -> p"]),
        ("f(x) := f(x)", ["f -> f"]),
        ("p contains x if { xs := [y | y := p[_]]; x := xs[0] }", ["p -> p"]),
        ("p if { every x in [1] { x > 0; p } }", ["p -> p"]),
        ("p if true with data.test.p as 1", ["p -> p"]),
    ],
)
def test_rules_that_use_themselves_are_refused_with_the_way_back(rules: str, paths: list[str]) -> None:
    expected = [
        f"rego_recursion_error: rule data.test.{path.split(' ')[0]} is recursive: "
        + " -> ".join(f"data.test.{step}" for step in path.split(" -> "))
        for path in paths
    ]

    assert errors_in(rules) == expected


def test_a_long_chain_of_rules_is_no_recursion() -> None:
    rules = "\n".join(f"r{index} if r{index + 1}" for index in range(3000))

    assert errors_in(f"{rules}\nr3000 := true") == []
