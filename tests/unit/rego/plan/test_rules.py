"""What rules of every shape evaluate to."""

from typing import Any

import pytest

from tests.support.compiled_rego import answer, json_of, plan_of
from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.compiler import load_modules, plan_entry_points
from webhook.rego.errors import EvaluationError
from webhook.rego.program import Program
from webhook.rego.values import UNDEFINED

CONFLICT = "failed with eval_conflict_error"


def ask(rules: str, document: Any = UNDEFINED) -> Any:
    return json_of(answer(f"package test\n{rules}", document=document))


def conflict(rules: str) -> EvaluationError:
    """Give the error that evaluating `p` ends with."""
    resolution = load_modules([Source("test.rego", f"package test\n{rules}")])
    program = Program(plan_entry_points(resolution, ["data.test.p"]))

    with pytest.raises(EvaluationError) as caught:
        program.query("data.test.p", {})
    return caught.value


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("p := 1", 1),
        ("p if false", UNDEFINED),
        ("p := 1 if false\np := 2", 2),
        ("p := 1\np := 1", 1),
        ("p := 1\np := 2", CONFLICT),
        ("p := x if some x in [1, 2]", CONFLICT),
        ("default p := 3\np := 4 if false", 3),
        ("default p := 3\np := 4", 4),
        ("p := 1 if { false } else := 2 if { true } else := 3", 2),
        ("p := 1 if { false } else := 2 if { false }", UNDEFINED),
        ("p := 1 if { true } else := 2\np := 1", 1),
        ("p := 1 if { true } else := 2\np := 3", CONFLICT),
    ],
)
def test_a_complete_rule_has_one_value(rules: str, expected: Any) -> None:
    assert ask(rules) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("p := f(1)\nf(x) := x + 1", 2),
        ('p := f(1)\nf(1) := "one"\nf(2) := "two"', "one"),
        ('p := f(3)\nf(1) := "one"', UNDEFINED),
        ("p := f(3)\ndefault f(_) := 0\nf(1) := 1", 0),
        ('p := f([1, {"a": 2}])\nf([x, {"a": y}]) := x + y', 3),
        ("p := f(1)\nf(x) := 1 if { x > 5 } else := 2", 2),
        ("p := f(1)\nf(x) := y if some y in [x, 2]", CONFLICT),
        ("p if f(1)\nf(x) if x == 1", True),
        ("p if f(2)\nf(x) if x == 1", UNDEFINED),
        ("p := {x | f(1, x)}\nf(x) := x", [1]),
        ("p := f(input)\nf(_) := 1", UNDEFINED),
        ('p := f(1, 1)\nf(x, x) := "same"', "same"),
    ],
)
def test_a_function_matches_its_arguments(rules: str, expected: Any) -> None:
    assert ask(rules) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("p contains x if some x in [2, 1, 2]", [1, 2]),
        ("p contains 1 if false", []),
        ("p contains 1\np contains 2", [1, 2]),
        ('p[x] := y if some x, y in {"a": 1}', {"a": 1}),
        ("p[x] := 1 if { false; x := 2 }", {}),
        ("p.a := 1\np.b := 2", {"a": 1, "b": 2}),
        ("p[x] := x if some x in [1, 2]\np.c := 3", {"1": 1, "2": 2, "c": 3}),
        ('p["k"] := y if some y in [1, 2]', CONFLICT),
        (
            'p[x].y[z] := 1 if { some x in ["a", "b"]; some z in ["c", "d"] }',
            {"a": {"y": {"c": 1, "d": 1}}, "b": {"y": {"c": 1, "d": 1}}},
        ),
        ('p[x] contains y if { some x in ["a", "b"]; some y in [1, 2] }', {"a": [1, 2], "b": [1, 2]}),
        ("p.a contains 1\np.b := 2", {"a": [1], "b": 2}),
        ('p[x].q := 1 if x := "a"\np.a.r := 2\np.b := 3', {"a": {"q": 1, "r": 2}, "b": 3}),
        ('p[x].q := 1 if x := "a"\np.a := 2', CONFLICT),
        ('p[x].q := v if { x := "a"; v := {"r": {"s": 1}} }\np.a.q.r.t := 2', CONFLICT),
        ('p[x] contains 1 if x := "a"\np.a.b := 2', CONFLICT),
        ('default p.a := 1\np[x] := 2 if { x := "b" }', {"a": 1, "b": 2}),
        ('default p.a := 1\np[x] := 2 if { x := "a" }', {"a": 2}),
        ("p[input.k].b contains 3", {"x": {"b": [3]}}),
        ("p[1] contains 2 if false", {"1": []}),
        ("p[1] contains 2 if false\np[1] contains 3", {"1": [3]}),
        ("p.q[null].a contains 1 if false\np.q[1.5].b := 2", {"q": {"1.5": {"b": 2}, "null": {"a": []}}}),
        ("p[true].a.b := 1 if false", {"true": {"a": {}}}),
        ("p[1][x] contains 2 if { false; x := 1 }", {"1": {}}),
        ("p[1] contains 2 if false\np[x] contains 3 if { false; x := 1 }", {}),
        ("p[[1]] contains 2 if false", {}),
        ("p[1].a contains 1\np[x].b := 2 if x := 7", {"1": {"a": [1]}, "7": {"b": 2}}),
        ("p[1].a contains 1\np[1].b := 2\np[2].a := 3", {"1": {"a": [1], "b": 2}, "2": {"a": 3}}),
        ("p[1] := 5 if { true } else := 6", {"1": 5}),
        ("p[1] := 5 if { false } else := 6", {"1": 6}),
        ("p[[1]] := 5 if { true } else := 6", {"[1]": 5}),
        ("p[1] := 5\np[1] := 6", CONFLICT),
        ("default p[1] := 5\np[1] := 6", {"1": 6}),
    ],
)
def test_partial_rules_add_to_sets_and_nested_objects(rules: str, expected: Any) -> None:
    assert ask(rules, {"k": "x"}) == expected


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("p[1] := 5\np[1] := 6", "complete rules must not produce multiple outputs"),
        ("p[true].a := 5\np[true].a := 6", "complete rules must not produce multiple outputs"),
        ("p[x] := y if { x := 1; some y in [5, 6] }", "object keys must be unique"),
        ('p[x].q := 1 if x := "a"\np.a.q := 2', "object keys must be unique"),
    ],
)
def test_two_values_at_constant_keys_are_a_conflict_of_complete_rules(rules: str, message: str) -> None:
    assert message in conflict(rules).message


def test_a_conflict_stands_where_the_branch_with_the_second_value_does() -> None:
    found = conflict("p := 1\n\np := 2 if {\n  false\n} else := 3")

    assert (found.location.row, found.location.col) == (6, 3)


def test_a_value_given_to_two_keys_is_not_shared_when_one_grows() -> None:
    rules = 'p[x].s contains y if { some x in ["a", "b"]; y := x }'

    assert ask(rules) == {"a": {"s": ["a"]}, "b": {"s": ["b"]}}


def test_an_object_from_the_input_is_left_as_it_is() -> None:
    document = {"o": {"inner": {"a": 1}}}

    assert ask("p[k] := v if some k, v in input.o\np.inner.b := 2", document) == CONFLICT
    assert document == {"o": {"inner": {"a": 1}}}


def test_rules_of_one_constant_value_stop_at_the_first_that_holds() -> None:
    rules = "package test\np if true\np if input.x"

    (function,) = plan_of(rules).functions
    returns = [found for found in ir.walk(function.blocks) if isinstance(found, ir.ReturnLocal)]
    assert len(returns) == 3


def test_v0_partial_rules_are_sets_and_objects() -> None:
    module = 'package test\np[{"msg": m}] { m := "a" }\nq[k] = v { k := "a"; v := 1 }'

    assert json_of(answer(module, version="v0")) == [{"msg": "a"}]
    assert json_of(answer(module, "data.test.q", version="v0")) == {"a": 1}


def test_metadata_of_a_rule_and_of_all_above_it() -> None:
    module = """# METADATA
# scope: package
# title: The package
package test

# METADATA
# title: The rule
# custom: {level: 3}
p := rego.metadata.rule()

chain := [link.annotations.title | some link in rego.metadata.chain()]

# METADATA
# title: Chained
q := [object.get(link, ["annotations", "title"], "none") | some link in rego.metadata.chain()]
"""

    assert json_of(answer(module)) == {"scope": "rule", "title": "The rule", "custom": {"level": 3}}
    assert json_of(answer(module, "data.test.q")) == ["Chained", "The package"]
