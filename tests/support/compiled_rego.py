"""Compiles Rego in tests: what is wrong with modules, and what every evaluator makes of a query."""

from typing import Any

from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.compiler import QUERY_PLAN, compile_query, load_modules
from webhook.rego.errors import CompileError, EvaluationError
from webhook.rego.interpret import Interpreter
from webhook.rego.parser import VersionChoice
from webhook.rego.program import Program
from webhook.rego.resolve.resolution import DEFAULT_OPTIONS, Options
from webhook.rego.texts import dump_json, format_value, to_json
from webhook.rego.values import UNDEFINED, equal

FAILED = "failed with "
"""Begins the answer to a query whose evaluation failed; the error's code follows."""


def errors_of(
    *modules: str, version: VersionChoice = "v1", options: Options = DEFAULT_OPTIONS, data: Any = None
) -> list[str]:
    """Give what is wrong with modules, each as `row code: first line of the message`."""
    sources = [Source(f"module{index}.rego", text) for index, text in enumerate(modules)]
    try:
        load_modules(sources, version=version, options=options, data=data)
    except CompileError as error:
        return [
            f"{found.location.row} {found.code}: {found.message.splitlines()[0]}"
            for found in error.diagnostics
        ]
    return []


def errors_in(body: str, **options: Any) -> list[str]:
    """Give what is wrong with one rule, its row left out."""
    return [error.split(" ", 1)[1] for error in errors_of(f"package test\n{body}", **options)]


def answer(
    module: str | list[str],
    query: str = "data.test.p",
    document: Any = UNDEFINED,
    data: Any = None,
    *,
    version: VersionChoice = "v1",
) -> Any:
    """Give a query's value, `UNDEFINED`, or how it failed, after every evaluator has agreed on it."""
    texts = [module] if isinstance(module, str) else module
    sources = [Source(f"module{index}.rego", text) for index, text in enumerate(texts)]
    resolution = load_modules(sources, version=version, options=Options(for_tests=True))
    policy = compile_query(resolution, query).policy
    engines = engines_of(policy)
    answers = [_run(engine, document, data or {}) for engine in engines]
    assert all(same(answers[0], other) for other in answers[1:]), answers
    return answers[0]


def _run(engine: Interpreter | Program, document: Any, data: Any) -> Any:
    try:
        solutions = engine.query(QUERY_PLAN, document, data=data)
    except EvaluationError as error:
        return f"{FAILED}{error.code}"
    values = [solution["expressions"][-1] for solution in solutions]
    if not values:
        return UNDEFINED
    return values[0] if len(values) == 1 else values


def engines_of(policy: ir.Policy, *, strict: bool = False) -> list[Interpreter | Program]:
    """Give the interpreter and compiled code, optimised and not, for a policy."""
    return [
        Interpreter(policy, strict_builtin_errors=strict),
        Program(policy, strict_builtin_errors=strict),
        Program(policy, optimise=False, strict_builtin_errors=strict),
    ]


def outcome(engine: Interpreter | Program, plan: str, document: Any, data: Any = None) -> str:
    """Give what a plan gives as OPA prints it, numbers as they are written, or the code of its error."""
    try:
        context = EvaluationContext(now_ns=1, seed=1)
        return format_value(engine.query(plan, document, data=data, context=context))
    except EvaluationError as error:
        return error.code


def same(one: Any, other: Any) -> bool:
    """Say whether two answers are the same."""
    if one is UNDEFINED or other is UNDEFINED:
        return one is other
    return bool(equal(one, other)) or dump_json(one) == dump_json(other)


def json_of(value: Any) -> Any:
    """Give an answer as JSON; sets become ordered arrays."""
    return to_json(value)


def plan_of(module: str, query: str = "data.test.p") -> ir.Policy:
    """Plan a query over a module."""
    return compile_query(load_modules([Source("module.rego", module)]), query).policy
