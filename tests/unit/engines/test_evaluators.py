"""Both engines implement one port; the same cases run through each."""

import time
from collections.abc import AsyncIterator

import pytest

from tests.support.policies import read_policy
from webhook.compose.clock import SystemClock
from webhook.engines.compiled import compile_policy
from webhook.engines.factory import EngineFactory
from webhook.policy.errors import PolicySyntaxError
from webhook.policy.metadata import Engine
from webhook.policy.version import PolicyVersion
from webhook.ports.evaluator import Evaluator, Purpose

RULES = """import rego.v1
deny contains {"msg": sprintf("%s is bad", [input.request.object.name]), "path": ["name"]} if input.request.object.bad
warn contains "careful" if input.request.object.odd
patch contains {"op": "add", "path": "/x", "value": input.parameters.value} if input.request.object.bare
"""


def policy(engine: str, rules: str = RULES) -> PolicyVersion:
    return read_policy(
        f"custom:\n  name: example\n  engine: {engine}\n  parameters: {{value: 7}}", rules=rules
    )


def document(**fields: object) -> dict[str, object]:
    return {"request": {"object": fields}, "parameters": {"value": 7}}


def soon() -> int:
    return time.monotonic_ns() + 10 * 10**9


@pytest.fixture(params=[Engine.GRADATE, Engine.REGOPY])
async def evaluator(request: pytest.FixtureRequest) -> AsyncIterator[Evaluator]:
    built = await EngineFactory(SystemClock(), 100_000).build(policy(request.param.value))
    assert built.engine == request.param.value
    yield built
    await built.aclose()


async def test_a_violation_comes_out_as_json_under_the_name_of_its_rule(evaluator: Evaluator) -> None:
    evaluation = await evaluator.evaluate(document(name="web", bad=True), Purpose.VALIDATE, soon())
    assert evaluation.failure is None
    assert evaluation.outputs == {"deny": [{"msg": "web is bad", "path": ["name"]}]}


async def test_an_object_without_fault_gives_no_output_at_all(evaluator: Evaluator) -> None:
    evaluation = await evaluator.evaluate(document(name="web"), Purpose.VALIDATE, soon())
    assert evaluation.failure is None
    assert evaluation.outputs == {}


async def test_only_the_rules_of_the_purpose_run(evaluator: Evaluator) -> None:
    everything = document(name="web", bad=True, odd=True, bare=True)
    validated = await evaluator.evaluate(everything, Purpose.VALIDATE, soon())
    mutated = await evaluator.evaluate(everything, Purpose.MUTATE, soon())
    assert validated.outputs.keys() == {"deny", "warn"}
    assert mutated.outputs == {"patch": [{"op": "add", "path": "/x", "value": 7}]}


async def test_a_policy_without_patch_does_not_mutate() -> None:
    for engine in Engine:
        version = policy(engine.value, 'import rego.v1\ndeny contains "x" if input.bad\n')
        built = await EngineFactory(SystemClock(), 100_000).build(version)
        try:
            assert not built.mutates
            assert (await built.evaluate(document(), Purpose.MUTATE, soon())).outputs == {}
        finally:
            await built.aclose()


@pytest.mark.parametrize("engine", [Engine.GRADATE, Engine.REGOPY])
async def test_a_call_of_nothing_is_refused_at_load_by_either_engine(engine: Engine) -> None:
    version = policy(engine.value, "import rego.v1\ndeny contains no_such_function(1) if true\n")
    with pytest.raises(
        PolicySyntaxError, match=r"example\.rego:\d+:\d+: .*undefined function no_such_function"
    ):
        await EngineFactory(SystemClock(), 100_000).build(version)


async def test_an_unsafe_variable_is_refused_with_file_line_and_code() -> None:
    with pytest.raises(
        PolicySyntaxError, match=r"policies/example\.rego:\d+:\d+: rego_unsafe_var_error: var x"
    ):
        compile_policy(policy("gradate", "import rego.v1\ndeny contains x if input.request\n"), 1000)


async def test_an_evaluation_over_its_step_budget_is_a_failure_not_an_exception() -> None:
    endless = """import rego.v1
deny contains "x" if {
    some a in numbers.range(1, 1000)
    some b in numbers.range(1, 1000)
    a * b == -1
}
"""
    evaluation = await compile_policy(policy("gradate", endless), 50_000).evaluate(
        document(), Purpose.VALIDATE, soon()
    )
    assert evaluation.failure is not None
    assert evaluation.failure.code == "deadline_exceeded"


async def test_an_evaluation_past_its_deadline_is_stopped_close_to_it() -> None:
    endless = """import rego.v1
deny contains "x" if {
    some a in numbers.range(1, 5000)
    some b in numbers.range(1, 5000)
    a * b == -1
}
"""
    start_ns = time.monotonic_ns()
    evaluation = await compile_policy(policy("gradate", endless), 10**12).evaluate(
        document(), Purpose.VALIDATE, start_ns + 50_000_000
    )
    assert evaluation.failure is not None
    assert time.monotonic_ns() - start_ns < 2_000_000_000


async def test_two_values_of_a_complete_rule_are_a_failure_with_its_code() -> None:
    conflict = """import rego.v1
value := 1 if input.request.object.bad
value := 2 if input.request.object.bad
deny contains "x" if value
"""
    evaluation = await compile_policy(policy("gradate", conflict), 1000).evaluate(
        document(bad=True), Purpose.VALIDATE, soon()
    )
    assert evaluation.failure is not None
    assert evaluation.failure.code == "eval_conflict_error"


async def test_a_rule_that_is_plainly_true_is_one_violation_and_false_is_none() -> None:
    evaluator = compile_policy(
        policy("gradate", "import rego.v1\ndeny := true if input.request.object.bad\nwarn := false\n"), 1000
    )
    assert (await evaluator.evaluate(document(bad=True), Purpose.VALIDATE, soon())).outputs == {
        "deny": [True]
    }
    assert (await evaluator.evaluate(document(), Purpose.VALIDATE, soon())).outputs == {}


DOUBLING = "import rego.v1\np0 := [input.request]\n" + "".join(
    f"p{index} := [p{index - 1}, p{index - 1}]\n" for index in range(1, 41)
)


@pytest.mark.parametrize(
    "rule",
    [
        'deny contains {"msg": "large", "details": p40}',
        "deny := p40",
        'deny contains {"msg": sprintf("%v", [i]), "details": p40} if some i in numbers.range(1, 3000)',
    ],
    ids=["member", "value", "members"],
)
async def test_an_answer_too_large_to_be_written_is_a_failure_at_once(rule: str) -> None:
    built = compile_policy(policy("gradate", DOUBLING + rule), 100_000)
    evaluation = await built.evaluate(document(), Purpose.VALIDATE, soon())
    assert evaluation.failure is not None
    assert evaluation.failure.code == "deadline_exceeded"
    assert "over the limit" in evaluation.failure.message


async def test_an_answer_nested_too_deeply_to_be_written_is_a_failure() -> None:
    built = compile_policy(policy("gradate", "import rego.v1\ndeny contains input.request.object"), 100_000)
    deep: object = []
    for _ in range(5000):
        deep = [deep]
    evaluation = await built.evaluate(
        {"request": {"object": deep}, "parameters": {}}, Purpose.VALIDATE, soon()
    )
    assert evaluation.failure is not None
    assert evaluation.failure.code == "eval_internal_error"


def test_a_policy_is_loaded_though_its_first_evaluation_would_go_on_and_on() -> None:
    started = time.process_time()
    compile_policy(
        policy("gradate", DOUBLING + "deny contains x if { x := count([1 | walk(p40, _)]) }"), 1000
    )
    assert time.process_time() - started < 3
