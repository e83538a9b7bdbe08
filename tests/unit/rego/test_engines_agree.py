"""Generated policies through the interpreter and through every kind of compiled code."""

import copy
from collections.abc import Callable

from hypothesis import HealthCheck, assume, given, settings

from tests.support.rego_programs import PACKAGE, inputs, modules
from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.compiler import load_modules, plan_entry_points
from webhook.rego.errors import CompileError, EvaluationError
from webhook.rego.interpret import Interpreter
from webhook.rego.program import Program
from webhook.rego.texts import format_value
from webhook.rego.values import Value, equal

ENTRY_POINT = f"data.{PACKAGE}"


def plan(text: str) -> ir.Policy:
    try:
        return plan_entry_points(load_modules([Source("generated.rego", text)]), [ENTRY_POINT])
    except CompileError:
        assume(False)
        raise


def outcome(evaluate: Callable[[], Value]) -> str:
    """Give the value in OPA's form, or the code of the error."""
    try:
        return format_value(evaluate())
    except EvaluationError as error:
        return error.code


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None
)
@given(modules(), inputs(), inputs())
def test_compiled_code_gives_what_the_interpreter_gives(text: str, first: Value, second: Value) -> None:
    policy = plan(text)
    interpreter = Interpreter(policy)
    programs = [Program(policy), Program(policy, optimise=False), Program(policy, instrument=True)]

    for document in (first, second):
        before = copy.deepcopy(document)
        want = outcome(lambda: interpreter.query(ENTRY_POINT, document))  # noqa: B023 - called at once
        got = [outcome(lambda: program.query(ENTRY_POINT, document)) for program in programs]  # noqa: B023
        assert got == [want] * len(programs)
        assert equal(document, before)
