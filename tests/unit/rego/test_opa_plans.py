"""OPA's own plans of its conformance cases, through the interpreter and through compiled code."""

from collections import defaultdict
from collections.abc import Callable

import pytest

from tests.support.conformance import SKIP_REASON, PlanCase, plan_cases, same_results
from webhook.rego import ir
from webhook.rego.builtins.registry import BUILTINS, UNAVAILABLE
from webhook.rego.errors import EvaluationError
from webhook.rego.interpret import Interpreter
from webhook.rego.planfile import load_plan
from webhook.rego.program import Program
from webhook.rego.values import Value

pytestmark = pytest.mark.skipif(not plan_cases(), reason=SKIP_REASON)

Engine = Callable[[ir.Policy, PlanCase], list[Value]]

KNOWN_DIFFERENCES = {
    "dataderef/test-data-derefs/0": "base documents are JSON: a number is no key of theirs",
    "dataderef/test-data-derefs/1": "base documents are JSON: a number is no key of theirs",
    "strings/test-strings-0921/0": "numbers keep their value, not the text they were written with",
}


def interpreted(policy: ir.Policy, case: PlanCase) -> list[Value]:
    interpreter = Interpreter(policy, strict_builtin_errors=case.strict_error)
    return interpreter.query("eval", case.input, data=case.data)


def compiled_as_planned(policy: ir.Policy, case: PlanCase) -> list[Value]:
    program = Program(policy, strict_builtin_errors=case.strict_error, optimise=False)
    return program.query("eval", case.input, data=case.data)


def compiled(policy: ir.Policy, case: PlanCase) -> list[Value]:
    program = Program(policy, strict_builtin_errors=case.strict_error)
    return program.query("eval", case.input, data=case.data)


def compiled_with_instruments(policy: ir.Policy, case: PlanCase) -> list[Value]:
    program = Program(policy, strict_builtin_errors=case.strict_error, instrument=True)
    return program.query("eval", case.input, data=case.data)


def mistake(engine: Engine, case: PlanCase) -> str | None:
    policy = load_plan(case.plan)
    if not set(policy.builtins) <= BUILTINS.keys():
        return None
    try:
        got = engine(policy, case)
    except EvaluationError as error:
        if case.want_result is None and case.want_error_code in {None, error.code}:
            return None
        return f"failed with {error}"
    if case.want_result is None:
        return f"gave {got!r} instead of {case.want_error_code}"
    if same_results(got, case.want_result, sort_bindings=case.sort_bindings):
        return None
    return f"gave {got!r} instead of {case.want_result!r}"


def mistakes(engine: Engine, every: int = 1) -> dict[str, str]:
    found: dict[str, str] = defaultdict(str)
    for case in plan_cases()[::every]:
        problem = mistake(engine, case)
        if problem and case.id not in KNOWN_DIFFERENCES:
            found[case.family] += f"\n{case.id} {problem}"
    return dict(found)


def test_only_builtins_that_are_refused_are_missing() -> None:
    called = {name for case in plan_cases() for name in load_plan(case.plan).builtins}

    assert called - BUILTINS.keys() == UNAVAILABLE.keys() & called | {"test.sleep"}


@pytest.mark.parametrize("engine", [interpreted, compiled_as_planned, compiled])
def test_every_plan_of_opa_gives_what_opa_gives(engine: Engine) -> None:
    found = mistakes(engine)

    assert not found, "".join(f"\n== {family}{texts}" for family, texts in found.items())


def test_instruments_change_no_result() -> None:
    assert mistakes(compiled_with_instruments, every=10) == {}


def test_every_known_difference_is_still_one() -> None:
    cases = [case for case in plan_cases() if case.id in KNOWN_DIFFERENCES]

    assert [case.id for case in cases if mistake(compiled, case) is None] == []
