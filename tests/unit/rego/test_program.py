from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.rego_engines import plan, program
from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.budget import SLICE_STEPS, Budget
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.compiler import load_modules, plan_entry_points
from webhook.rego.errors import CompileError, EvaluationError, Location
from webhook.rego.program import Program
from webhook.rego.resolve.resolution import Options
from webhook.rego.values import UNDEFINED, RegoSet, Value

POLICY = """package t
import rego.v1

deny contains "too many" if count(input.items) > 2

allow if input.user == "admin"

limits := data.limits

now := time.now_ns()
"""


def test_an_evaluation_gives_one_value_per_entry_point() -> None:
    compiled = program(POLICY, "data.t.deny", "data.t.allow")

    assert compiled.entrypoints == ("data.t.deny", "data.t.allow")
    assert compiled.evaluate({"items": [1, 2, 3], "user": "admin"}) == [RegoSet(["too many"]), True]
    assert compiled.evaluate({}) == [RegoSet(), UNDEFINED]
    assert compiled.evaluate() == [RegoSet(), UNDEFINED]


def test_a_query_gives_the_bindings_of_its_results() -> None:
    compiled = program(POLICY, "data.t.allow")

    assert compiled.query("data.t.allow", {"user": "admin"}) == [{"result": True}]
    assert compiled.query("data.t.allow", {"user": "other"}) == []


def test_entry_points_may_be_fewer_than_the_plans_and_in_another_order() -> None:
    policy = plan(POLICY, "data.t.deny", "data.t.allow", "data.t.now")

    assert Program(policy, ["data.t.allow", "data.t.deny"]).evaluate({"user": "admin"}) == [True, RegoSet()]


def test_base_documents_come_from_the_program_or_the_evaluation() -> None:
    policy = plan(POLICY, "data.t.limits")
    compiled = Program(policy, data={"limits": {"cpu": 1}})

    assert compiled.evaluate({}) == [{"cpu": 1}]
    assert compiled.evaluate({}, data={"limits": 7}) == [7]
    assert Program(policy).evaluate({}) == [UNDEFINED]


def test_the_time_is_that_of_the_context_or_of_the_clock() -> None:
    compiled = program(POLICY, "data.t.now")

    assert compiled.evaluate({}, context=EvaluationContext(now_ns=42)) == [42]
    (now,) = compiled.evaluate({})
    assert now > 1_600_000_000 * 10**9


def test_an_evaluation_leaves_nothing_behind_for_the_next() -> None:
    compiled = program(
        "package t\np contains x if some x in input.xs\nq := count(p)\nr := count(p)", "data.t.q", "data.t.r"
    )

    assert compiled.evaluate({"xs": [1, 2]}) == [2, 2]
    assert compiled.evaluate({"xs": []}) == [0, 0]


def test_an_empty_set_given_out_stays_empty() -> None:
    compiled = program("package t\np contains x if some x in input.xs", "data.t.p")
    (empty,) = compiled.evaluate({"xs": []})

    compiled.evaluate({"xs": [1]})

    assert len(empty) == 0


FAILING = """package t
import rego.v1

p := input.a if true

p := input.b if true

q := to_number(input.a)
"""


def test_an_error_has_its_code_and_its_place() -> None:
    with pytest.raises(EvaluationError) as caught:
        program(FAILING, "data.t.p").evaluate({"a": 1, "b": 2})

    assert caught.value.code == "eval_conflict_error"
    assert (caught.value.location.file, caught.value.location.row) == ("test.rego", 6)


def test_a_failing_builtin_is_undefined_unless_errors_are_strict() -> None:
    assert program(FAILING, "data.t.q").evaluate({"a": "x"}) == [UNDEFINED]

    with pytest.raises(EvaluationError) as caught:
        program(FAILING, "data.t.q", strict=True).evaluate({"a": "x"})

    assert caught.value.code == "eval_builtin_error"
    assert caught.value.message.startswith("to_number: ")
    assert caught.value.location.row == 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('units.parse("Mi")', "units.parse: units.parse: no amount provided"),
        (
            "numbers.range_step(0, 1, input.n)",
            "numbers.range_step: numbers.range_step: step must be a positive",
        ),
        ('glob.match("[", [], "a")', "glob.match: unexpected end of input"),
    ],
)
def test_a_failure_is_told_in_opas_words(call: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        program(f"package t\np := {call}", "data.t.p", strict=True).evaluate({"n": 0})

    assert caught.value.message.startswith(message)


def deep(depth: int) -> Value:
    value: Value = 1
    for _ in range(depth):
        value = [value]
    return value


def test_a_value_nested_too_deeply_ends_the_evaluation_cleanly() -> None:
    compiled = program("package t\nimport rego.v1\n\np if { [input.a] == [input.b] }", "data.t.p")

    with pytest.raises(EvaluationError) as caught:
        compiled.evaluate({"a": deep(20_000), "b": deep(20_000)})

    assert caught.value.code == "eval_internal_error"
    assert caught.value.location.row == 4


class Broken(dict[str, Value]):
    """An object that fails when it is looked at, which no JSON value does."""

    def __ne__(self, other: object) -> bool:
        raise RuntimeError("broken")


def test_an_unforeseen_exception_becomes_an_evaluation_error() -> None:
    with pytest.raises(EvaluationError) as caught:
        program("package t\np if input.a == `x`", "data.t.p").evaluate({"a": Broken()})

    assert caught.value.code == "eval_internal_error"
    assert "broken" in caught.value.message


PRODUCT = """package t
import rego.v1
p contains [a, b, c] if { some a in input.xs; some b in input.xs; some c in input.xs }
"""

DOUBLING = "package t\nimport rego.v1\nf0(x) := [x]\n" + "".join(
    f"f{n}(x) := y if {{ a := f{n - 1}(x); y := f{n - 1}(input.z[a[0]]) }}\n" for n in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "entry_point"),
    [(PRODUCT, "data.t.p"), (DOUBLING + "p := f39(input.a)", "data.t.p")],
    ids=["nested loops", "calls that double"],
)
def test_a_runaway_policy_is_stopped_by_its_steps(text: str, entry_point: str) -> None:
    compiled = program(text, entry_point)

    with pytest.raises(EvaluationError) as caught:
        compiled.evaluate({"xs": list(range(1000)), "a": "a", "z": {"a": "a"}}, budget=Budget(50_000))

    assert caught.value.code == "eval_cancel_error"


def test_a_runaway_policy_is_stopped_at_its_deadline() -> None:
    def ticks() -> Iterator[int]:
        yield from range(10**6)

    clock = ticks()
    budget = Budget(steps=10**9, deadline_ns=3, clock=lambda: next(clock))

    with pytest.raises(EvaluationError, match="deadline"):
        program(PRODUCT, "data.t.p").evaluate({"xs": list(range(1000))}, budget=budget)

    assert next(clock) == 4


@pytest.mark.parametrize(
    "body",
    [
        "p := [[x] | some x in input.xs]",
        "p contains k if input.xs[k] > 1",
        "p := [x | some x in numbers.range(1, 5000)]",
        "p if { every x in input.xs { x >= 0 } }",
    ],
)
def test_a_long_loop_is_stopped_at_its_deadline(body: str) -> None:
    clock = iter(range(10**6))
    budget = Budget(steps=10**9, deadline_ns=10, clock=lambda: next(clock))

    with pytest.raises(EvaluationError, match="deadline"):
        program(f"package t\nimport rego.v1\n{body}", "data.t.p").evaluate(
            {"xs": list(range(5000))}, budget=budget
        )

    assert next(clock) == 11


def test_the_clock_is_looked_at_before_what_may_take_long() -> None:
    clock = iter(range(10**6))
    budget = Budget(steps=10**9, deadline_ns=10, clock=lambda: next(clock))
    text = "package t\nimport rego.v1\np := [x | some y in input.xs; x := json.is_valid(y)]"

    with pytest.raises(EvaluationError, match="deadline"):
        program(text, "data.t.p").evaluate({"xs": ["1"] * 20}, budget=budget)


@pytest.mark.parametrize("call", ['sprintf("%9000000d", [input.x])', 'regex.match("a{9999}", input.x)'])
def test_a_constant_over_a_limit_fails_when_it_is_reached(call: str) -> None:
    compiled = program(f"package t\nimport rego.v1\np := {call} if input.y\nq := 1", "data.t.p", "data.t.q")

    assert compiled.evaluate({"x": 1}) == [UNDEFINED, 1]


def test_steps_spent_under_with_count() -> None:
    text = """package t
import rego.v1
size := count([1 | some x in input.xs; some y in input.xs])
p contains n if { some z in input.xs; n := size with input.z as z }
"""

    with pytest.raises(EvaluationError, match="steps"):
        program(text, "data.t.p").evaluate({"xs": list(range(100))}, budget=Budget(200_000))


def test_a_budget_covers_all_entry_points_together() -> None:
    compiled = program(PRODUCT + "q contains x if { some x in p }", "data.t.p", "data.t.q")
    budget = Budget(8 * SLICE_STEPS)

    compiled.evaluate({"xs": list(range(15))}, budget=budget)


def test_instruments_tell_which_statements_ran() -> None:
    text = "package t\nimport rego.v1\n\np if {\n\tinput.a\n\tinput.b\n}\n\nq if input.c\n"
    compiled = Program(plan(text, "data.t"), instrument=True)
    hits = bytearray(len(compiled.statements))

    compiled.evaluate({"a": False, "b": True}, hits=hits)

    ran = {place.row for place, hit in zip(compiled.statements, hits, strict=True) if hit}
    assert {5, 9} <= ran
    assert 6 not in ran
    assert all(isinstance(place, Location) for place in compiled.statements)


def test_the_same_policy_compiles_to_the_same_code() -> None:
    assert program(POLICY, "data.t.deny").source == program(POLICY, "data.t.deny").source


def plan_calling(name: str) -> ir.Policy:
    call = ir.Call(name, (ir.INPUT,), ir.Local(2), location=Location("plan.rego", 3, 1))
    return ir.Policy((ir.Plan("p", ((call,),)),), (), (name,))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("http.send", "network"), ("opa.runtime", "not available"), ("no.such", "undefined function")],
)
def test_a_plan_that_calls_what_there_is_not_is_refused_when_it_is_loaded(name: str, reason: str) -> None:
    with pytest.raises(CompileError) as caught:
        Program(plan_calling(name))

    (diagnostic,) = caught.value.diagnostics
    assert name in diagnostic.message
    assert reason in diagnostic.message
    assert diagnostic.location.row == 3


def test_a_plan_nested_beyond_all_limits_is_refused_when_it_is_loaded() -> None:
    block: ir.Block = ()
    for _ in range(5_000):
        block = (ir.Not(block),)

    with pytest.raises(CompileError, match="nested too deeply"):
        Program(ir.Policy((ir.Plan("p", (block,)),)))


def test_everything_is_printed_in_the_order_of_the_elements() -> None:
    text = "package t\nimport rego.v1\np if { every x in input.xs { print(x); x != `b` } }\nq if not p"
    resolution = load_modules([Source("test.rego", text)], options=Options(print_enabled=True))
    compiled = Program(plan_entry_points(resolution, ["data.t.q"]))
    printed: list[str] = []

    compiled.evaluate(
        {"xs": {"z": "a", "a": "b", "m": "c"}}, context=EvaluationContext(0, print_sink=printed.append)
    )

    assert printed[0] == "b"


def test_threads_may_evaluate_one_program_at_once() -> None:
    text = "package t\nimport rego.v1\np contains x if { some x in input.xs; q > 1 }\nq := count([y | some y in input.xs])"
    compiled = program(text, "data.t.p", "data.t.q")
    documents = [{"xs": list(range(size))} for size in range(2, 60)]
    want = [compiled.evaluate(document) for document in documents]

    with ThreadPoolExecutor(4) as pool:
        got = [list(pool.map(compiled.evaluate, documents)) for _ in range(5)]

    assert got == [want] * 5


def test_a_constant_call_without_end_fails_when_it_is_reached_not_when_the_policy_is_loaded() -> None:
    endless = program('package t\np := json.match_schema({"a": 1}, {"$ref": "#"})', "data.t.p")
    with pytest.raises(EvaluationError, match="nested too deeply"):
        endless.evaluate()
