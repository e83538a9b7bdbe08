"""What the optimiser makes of Rego, seen in the statements that are left."""

import time
from typing import TypeVar

import pytest

from tests.support.rego_engines import engines, plan
from webhook.rego import ir
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.dataflow import Usage
from webhook.rego.optimise.conditions import recognise
from webhook.rego.optimise.literals import make_literals
from webhook.rego.optimise.liveness import remove_unused
from webhook.rego.optimise.loops import leave_loops
from webhook.rego.optimise.pipeline import Optimised, optimise
from webhook.rego.optimise.propagation import propagate
from webhook.rego.optimise.returns import remove_unset, return_early
from webhook.rego.program import Program
from webhook.rego.texts import format_value
from webhook.rego.values import UNDEFINED, Value

Kind = TypeVar("Kind", bound=ir.Statement)


def optimised(rules: str) -> Optimised:
    return optimise(plan(f"package t\nimport rego.v1\n{rules}", "data.t.p"), BUILTINS)


def statements(rules: str) -> list[ir.Statement]:
    """Give what is left of `p` and of all that it still calls."""
    result = optimised(rules)
    bodies = [*result.entries.values(), *result.policy.functions]
    return [statement for body in bodies for statement in ir.walk(body.blocks)]


def only(kind: type[Kind], rules: str) -> list[Kind]:
    return [statement for statement in statements(rules) if isinstance(statement, kind)]


def agreed(rules: str, document: Value = UNDEFINED) -> str:
    """Give the value of `p`, on which every engine must agree."""
    values = {
        format_value(engine.query("data.t.p", document))
        for engine in engines(plan(f"package t\nimport rego.v1\n{rules}", "data.t.p"))
    }
    (value,) = values
    return value


@pytest.mark.parametrize(
    "rules",
    [
        'p := {"a": [1, 2], "b": {3}}',
        'p := upper(concat(",", ["a", "b"]))',
        "p := q\nq := [r, r]\nr := 1 + 2",
        "p := x if { x := 7; x > 3; is_number(x) }",
        "p contains 1\np contains 2",
        "default p := 3\np := 3 if false",
    ],
)
def test_a_constant_rule_is_one_return(rules: str) -> None:
    (statement,) = statements(rules)

    assert isinstance(statement, ir.ReturnLocal)
    assert isinstance(statement.source, ir.Constant)
    assert agreed(rules).startswith("[{")


@pytest.mark.parametrize("rules", ["p := to_number(`x`)", "p := 1 / 0", "p := count(7 | 8)"][:2])
def test_a_constant_call_that_fails_is_left_to_the_evaluation(rules: str) -> None:
    assert agreed(rules) == "[]"


def test_what_depends_on_the_evaluation_is_not_folded() -> None:
    assert only(ir.Call, "p := time.now_ns()")


def test_a_lookup_repeated_in_a_body_is_done_once() -> None:
    lookups = only(ir.Dot, "p if { input.a.b == 1; input.a.b != 2; input.a.b }")

    assert len(lookups) == 2


def test_a_lookup_is_done_again_under_with() -> None:
    rules = "p := [x, y] if { x := input.a; y := input.a with input as {`a`: 9} }"

    assert agreed(rules, {"a": 1}) == '[{"result": [1, 9]}]'


def test_a_rule_asked_twice_in_a_body_is_called_once() -> None:
    calls = only(ir.Call, "p := q + q\nq := count([x | some x in input.a; x > 1])")

    assert [call.function for call in calls].count("g0.data.t.q") <= 1


def test_small_functions_are_inlined() -> None:
    rules = "p if { some c in input.cs; root(c) }\nroot(c) if c.user == 0"

    assert not optimised(rules).policy.functions
    assert agreed(rules, {"cs": [{"user": 1}, {"user": 0}]}) == '[{"result": true}]'
    assert agreed(rules, {"cs": [{"user": 1}, {}]}) == "[]"


def test_an_inlined_function_keeps_its_variables_apart() -> None:
    rules = "p := [f(1), f(input.a), x] if { x := 5 }\nf(y) := x if { x := y + 1 }"

    assert agreed(rules, {"a": 7}) == '[{"result": [2, 8, 5]}]'


def test_a_rule_that_only_calls_a_function_gives_it_its_arguments() -> None:
    rules = "p := f(1)\nf(x) := `one` if x == input.a\nf(x) := `two` if x == input.b"

    assert agreed(rules, {"a": 1}) == '[{"result": "one"}]'
    assert agreed(rules, {"b": 1}) == '[{"result": "two"}]'


def test_a_rule_in_a_loop_is_remembered_and_not_inlined() -> None:
    rules = "p contains x if { some x in input.a; q > 2 }\nq := count([y | some y in input.a; y > 0])"

    assert [function.name for function in optimised(rules).policy.functions] == ["g0.data.t.q"]


def test_a_name_for_a_part_of_the_input_is_never_called_however_large_its_callers_are() -> None:
    bodies = "".join(f"p contains {n} if some x in pod.spec.xs[{n}]\n" for n in range(100))
    rules = f"pod := input.request.object\n{bodies}"

    assert not optimised(rules).policy.functions
    assert agreed(rules, {"request": {"object": {"spec": {"xs": [[], [1], [2]]}}}}) == '[{"result": {1, 2}}]'


def test_a_rule_asked_twice_in_one_body_and_nowhere_else_is_called_once_and_inlined() -> None:
    rules = """
        p if { q.a; some x in input.xs; x == q.b }
        q := {"a": a, "b": b} if { a := input.c.d + 1; b := input.c.e + a; a != 7; b != 7; b > a }
    """

    assert not optimised(rules).policy.functions
    assert agreed(rules, {"xs": [0, 3], "c": {"d": 1, "e": 1}}) == '[{"result": true}]'


def test_a_chain_of_else_returns_at_the_first_success() -> None:
    rules = "p := f(input.a)\nf(x) := `one` if x == 1 else := `two` if x == 2 else := `many`"

    assert not only(ir.AssignVarOnce, rules)
    assert [agreed(rules, {"a": a}) for a in (1, 2, 3)] == [
        f'[{{"result": "{t}"}}]' for t in ("one", "two", "many")
    ]


def test_a_default_is_returned_only_when_nothing_else_is() -> None:
    rules = "default p := false\np if input.a == 1\np if input.a == 2"

    assert [agreed(rules, {"a": a}) for a in (1, 2, 3)] == [
        f'[{{"result": {t}}}]' for t in ("true", "true", "false")
    ]


@pytest.mark.parametrize("document", [{}, {"xs": [1]}], ids=str)
def test_what_asks_a_rule_that_can_never_have_a_value_has_none(document: Value) -> None:
    rules = "p := [x | x := q]\nq := x if { x := count(input.xs); not 0 } else := 0 if { 0 != 0 }"

    assert agreed(rules, document) == '[{"result": []}]'


def test_different_values_are_still_compared() -> None:
    rules = "p := 1 if input.a\np := 2 if input.b"

    assert only(ir.AssignVarOnce, rules)
    assert agreed(rules, {"a": True}) == '[{"result": 1}]'
    assert agreed(rules, {"b": True}) == '[{"result": 2}]'


def test_a_call_made_for_its_truth_becomes_a_test() -> None:
    rules = "p if { startswith(input.a, `x`); count(input.b) > 1 }"

    assert {test.function for test in only(ir.Holds, rules)} == {"startswith", "gt"}
    assert not only(ir.NotEqual, rules)


def test_a_text_is_formatted_without_an_array() -> None:
    rules = 'p := sprintf("%v: %d and %s", [input.a, input.b, input.a])'

    (call,) = only(ir.CallFormat, rules)
    assert call.template == "%v: %d and %s"
    assert agreed(rules, {"a": "x", "b": 3}) == '[{"result": "x: 3 and x"}]'
    assert agreed(rules, {"a": [1, {"k": "v"}], "b": "y"}) == agreed(rules, {"a": [1, {"k": "v"}], "b": "y"})


@pytest.mark.parametrize(
    "template", ["{}", "{0}", "%%", "{{%v}}", "'\"\\n{x!r}%v'\"", "%5d|%v", "%v %v", "%[1]v %[1]v"]
)
def test_templates_mean_what_they_mean_to_the_builtin(template: str) -> None:
    for value in (7, "x'{y}", True, None, 1.5, [1]):
        rules = f"p := sprintf({_quoted(template)}, [input.a])"
        assert agreed(rules, {"a": value})


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_a_loop_for_one_flag_is_left_when_the_flag_is_set() -> None:
    rules = "p if { not q }\nq if { every x in input.xs { x > 1 } }"

    assert only(ir.ExitLoop, rules)
    assert agreed(rules, {"xs": [2, 1, 3]}) == '[{"result": true}]'
    assert agreed(rules, {"xs": [2, 2]}) == "[]"
    assert agreed(rules, {"xs": []}) == "[]"


def test_an_every_has_a_negation_and_one_test_in_the_place_of_flags() -> None:
    rules = "p if every x in input.xs { x.a; not x.b }"

    assert len(only(ir.IsCollection, rules)) == 1
    assert not only(ir.IsArray, rules)
    assert len(only(ir.ResetLocal, rules)) == 1  # whether an element failed
    domains = [[], [{"a": 1}], [{"a": 1}, {"a": 1, "b": 2}], [{}], {}, {"k": {"a": 0}}, 1, "text", None]
    assert [agreed(rules, {"xs": domain}) != "[]" for domain in domains] == [
        True,
        True,
        False,
        False,
        True,
        True,
        False,
        False,
        False,
    ]
    assert agreed(rules, {}) == "[]"


def test_an_every_within_an_every_keeps_its_flags_apart() -> None:
    rules = "p if every x in input.xs { every y in x.ys { y > x.z } }"

    assert agreed(rules, {"xs": [{"ys": [2, 3], "z": 1}, {"ys": [], "z": 1}]}) == '[{"result": true}]'
    assert agreed(rules, {"xs": [{"ys": [2, 3], "z": 1}, {"ys": [1], "z": 1}]}) == "[]"
    assert agreed(rules, {"xs": [{"ys": [2, 3]}]}) == "[]"


def test_rules_with_variables_in_their_heads_do_not_share_what_they_build() -> None:
    rules = "p := [q, q]\nq[input.k].b contains 1\nq[input.l].b contains 2\nq.c.b contains 3"

    for _ in range(2):
        assert agreed(rules, {"k": "x", "l": "x"}) == (
            '[{"result": [{"c": {"b": {3}}, "x": {"b": {1, 2}}}, {"c": {"b": {3}}, "x": {"b": {1, 2}}}]}]'
        )


def test_a_constant_is_not_changed_by_evaluations() -> None:
    rules = "p[input.k] := v if { v := {`a`: []} }\np.x.y := 1 if input.more"

    assert agreed(rules, {"k": "z", "more": True}) == agreed(rules, {"k": "z", "more": True})


def test_a_set_is_returned_empty_when_its_only_body_fails() -> None:
    rules = "p contains `many` if count(input.items) > 2"

    assert agreed(rules, {}) == '[{"result": set()}]'
    assert agreed(rules, {"items": [1, 2, 3]}) == '[{"result": {"many"}}]'


TWO, THREE = ir.Local(2), ir.Local(3)


def test_a_choice_of_one_loses_its_borders() -> None:
    lookup = (ir.Dot(ir.INPUT, ir.Constant("a"), TWO), ir.Break(1))
    choice = ir.BlockStatement(((ir.BlockStatement((lookup,)), ir.Break(1)),))
    planned = ir.Function("f", (ir.INPUT, ir.DATA), TWO, ((choice, ir.ReturnLocal(TWO)),))

    result = remove_unused(planned, Usage(planned.blocks, planned.params))

    assert result.blocks == ((ir.Dot(ir.INPUT, ir.Constant("a"), TWO), ir.ReturnLocal(TWO)),)


def test_a_reset_before_a_break_is_kept() -> None:
    block = (ir.ResetLocal(TWO), ir.Break(0))
    planned = ir.Function(
        "f", (ir.INPUT, ir.DATA), TWO, ((ir.Dot(ir.INPUT, ir.INPUT, TWO),), block, (ir.ReturnLocal(TWO),))
    )

    assert block in remove_unused(planned, Usage(planned.blocks, planned.params)).blocks


def test_a_literal_keeps_its_place_behind_what_must_come_first() -> None:
    block = (
        ir.MakeArray(TWO),
        ir.ArrayAppend(TWO, ir.Constant(1)),
        ir.SetAdd(THREE, ir.Constant("effect")),
        ir.ArrayAppend(TWO, ir.INPUT),
        ir.ReturnLocal(TWO),
    )
    planned = ir.Function("f", (ir.INPUT, ir.DATA), TWO, (block,))

    assert make_literals(planned, Usage(planned.blocks, planned.params)) is planned


def test_a_rewrite_that_finds_nothing_gives_the_function_itself() -> None:
    planned = ir.Function(
        "f", (ir.INPUT, ir.DATA), TWO, ((ir.Dot(ir.INPUT, ir.Constant("a"), TWO), ir.ReturnLocal(TWO)),)
    )
    usage = Usage(planned.blocks, planned.params)

    for rewrite in (remove_unused, make_literals, return_early, remove_unset, recognise, leave_loops):
        assert rewrite(planned, usage) is planned
    assert propagate(planned, usage, BUILTINS, {}) is planned


def test_a_call_that_is_the_same_in_every_round_moves_out_of_the_loop() -> None:
    rules = "p if { some x in [`a`, `b`]; contains(upper(input.name), x) }"
    (loop,) = only(ir.Scan, rules)

    assert not [statement for statement in ir.walk((loop.block,)) if isinstance(statement, ir.Call)]
    assert only(ir.Call, rules)
    assert agreed(rules, {"name": 7}) == "[]"


def test_a_call_that_could_fail_stays_in_the_loop_under_strict_errors() -> None:
    policy = plan("package t\np if { some x in input.xs; contains(upper(input.name), x) }", "data.t.p")

    assert Program(policy, strict_builtin_errors=True).query("data.t.p", {"xs": [], "name": 7}) == []


@pytest.mark.parametrize(
    "body",
    ["p if input.x == {}", "p := {0} if input.x == {0}", "p contains {0} if input.x == {0}"],
    ids=["one constant", "many values", "a set"],
)
def test_optimising_costs_as_much_for_each_body_of_a_rule_however_many_there_are(body: str) -> None:
    def seconds_for_each(count: int) -> float:
        planned = plan("package t\n" + "\n".join(body.format(index) for index in range(count)), "data.t.p")
        spent = []
        for _ in range(2):
            start = time.process_time()
            optimise(planned, BUILTINS)
            spent.append(time.process_time() - start)
        return min(spent) / count

    assert seconds_for_each(3_000) < 2.5 * seconds_for_each(300)
