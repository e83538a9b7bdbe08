"""References below `data`: rules, packages, base documents, and segments known only at run time."""

from typing import Any

import pytest

from tests.support.compiled_rego import answer, json_of
from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.compiler import compile_query, load_modules, plan_entry_points
from webhook.rego.program import Program
from webhook.rego.values import UNDEFINED

LIBRARY = [
    'package lib.a\nname := "a"\nlevel := input.level',
    'package lib.b\nname := "b"\nf(x) := x',
    'package lib.c.deep\nname := "c"',
]


def ask(rule: str, document: Any = UNDEFINED, data: Any = None) -> Any:
    return json_of(answer([f"package test\n{rule}", *LIBRARY], document=document, data=data))


def test_a_package_is_the_object_of_its_defined_rules_without_its_functions() -> None:
    assert ask("p := data.lib") == {"a": {"name": "a"}, "b": {"name": "b"}, "c": {"deep": {"name": "c"}}}


def test_a_package_without_rules_is_an_empty_object() -> None:
    assert json_of(answer(["package test\np := data.empty", "package empty.inner"])) == {"inner": {}}


def test_base_documents_stand_beside_rules_and_win_over_them() -> None:
    data = {"lib": {"a": {"extra": 1, "name": "base"}, "z": 2}}

    assert ask("p := data.lib.a", {"level": 5}, data) == {"name": "base", "level": 5, "extra": 1}
    assert ask("p := data.lib.a.name", {}, data) == "a"
    assert ask("p := data.lib.z", {}, data) == 2


def test_a_base_document_that_is_no_object_leaves_the_rules_alone() -> None:
    assert ask("p := data.lib.c", data={"lib": {"c": [1]}}) == {"deep": {"name": "c"}}


def test_unbound_segments_enumerate_rules_and_base_documents() -> None:
    names = ask("p := {[x, y] | y := data.lib[x].name}", data={"lib": {"z": {"name": "z"}}})

    assert names == [["a", "a"], ["b", "b"], ["z", "z"]]


def test_a_pattern_in_a_reference_evaluates_nothing_it_cannot_reach() -> None:
    # `lib.bad` would fail, were it evaluated.
    modules = [
        "package test\np := {x | data.lib[x].wanted}",
        "package lib.one\nwanted := true\nbad := x if some x in [1, 2]",
    ]

    assert json_of(answer(modules)) == ["one"]


def test_a_rule_may_enumerate_packages_beside_its_own() -> None:
    modules = [
        "package lib.one\ncount_all := count([1 | data.lib[_].item])\nitem := true",
        "package lib.two\nitem := true",
    ]

    assert answer(modules, "data.lib.one.count_all") == 2


@pytest.mark.parametrize(
    ("key", "expected"),
    [("name", "a"), ("level", 7), ("extra", 1), ("nothing", UNDEFINED), (1, UNDEFINED)],
)
def test_a_segment_known_at_run_time_finds_rules_then_base_documents(key: Any, expected: Any) -> None:
    data = {"lib": {"a": {"extra": 1}}}

    assert ask("p := data.lib.a[input.key]", {"key": key, "level": 7}, data) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a", "a"), ("b", "b"), ("c", UNDEFINED), ("z", "base"), ("other", UNDEFINED)],
)
def test_a_package_known_at_run_time_is_chosen_among_all(key: str, expected: Any) -> None:
    data = {"lib": {"z": {"name": "base"}, "b": {"name": "never"}}}

    assert ask("p := data.lib[input.key].name", {"key": key}, data) == expected


def test_an_undefined_rule_hides_the_base_document_of_its_name() -> None:
    data = {"lib": {"a": {"level": "base"}}}

    assert ask("p := data.lib.a[input.key]", {"key": "level"}, data) is UNDEFINED
    assert ask("p := data.lib[input.key].level", {"key": "a"}, data) is UNDEFINED


def test_only_the_chosen_rule_is_evaluated() -> None:
    modules = [
        "package test\np := data.lib.a[input.key]",
        "package lib.a\ngood := 1\nbad := x if some x in [1, 2]",
    ]

    assert answer(modules, document={"key": "good"}) == 1
    assert answer(modules, document={"key": "bad"}) == "failed with eval_conflict_error"


def test_numbers_are_elements_of_base_arrays_and_keys_of_base_objects() -> None:
    data = {"list": [10, 20], "object": {"1": "one"}}

    assert ask("p := [data.list[1], data.object[1]]", data=data) == [20, "one"]


def test_the_whole_of_data_has_rules_and_base_documents() -> None:
    resolution = load_modules([Source("a.rego", "package a\np := 1")])
    policy = compile_query(resolution, "x = data").policy

    assert any(
        isinstance(found, ir.ObjectMerge)
        for function in policy.functions
        for found in ir.walk(function.blocks)
    )
    assert json_of(answer("package a\np := 1", "data", data={"b": 2})) == {"a": {"p": 1}, "b": 2}


def test_a_segment_known_at_run_time_that_names_nothing_is_undefined() -> None:
    module = 'package test\np := a.b[c] if c := "c"\na.x[c] := "C" if c := "c"\na.b.d := "D"'

    assert answer(module) is UNDEFINED


def test_a_function_is_no_document() -> None:
    assert answer("package test\nf(x) := x\np := 1", "data.test") == {"p": 1}

    policy = plan_entry_points(load_modules([Source("a.rego", "package a\nf(x) := x")]), ["data.a.f"])
    assert Program(policy).evaluate({}) == [UNDEFINED]
