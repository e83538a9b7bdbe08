"""The verb `eval`: one query over policy files, a plan bundle and an input.

Owns what an answer consists of. Must not know how it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.flows.policy_files import PolicyFiles
from webhook.ports.clock import Clock
from webhook.rego.ast import Body, Call, Comprehension, Node, Ref, String, Var, children
from webhook.rego.budget import DEFAULT_STEPS, Budget
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.bundle import PlanBundle
from webhook.rego.compiler import QUERY_PLAN, compile_query, load_modules
from webhook.rego.errors import PARSE_ERROR, CompileError, Diagnostic, Location
from webhook.rego.parser import VersionChoice, parse_query, parse_ref
from webhook.rego.program import Program
from webhook.rego.resolve.resolution import Options
from webhook.rego.values import Value

RESULT: Final = "result"
"""Key of the document in the results of a plan."""
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How a query is evaluated."""

    version: VersionChoice = "auto"
    strict: bool = False
    """Unused variables and imports are errors."""
    strict_builtin_errors: bool = False
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ExpressionValue:
    """What one statement of a query evaluated to."""

    text: str
    location: Location
    value: Value


@dataclass(frozen=True, slots=True)
class Solution:
    """One way in which a query holds."""

    expressions: tuple[ExpressionValue, ...]
    bindings: Mapping[str, Value]


def answer_query(
    query: str,
    files: PolicyFiles,
    input_document: Value,
    options: QueryOptions,
    clock: Clock,
    print_sink: Callable[[str], None],
) -> list[Solution]:
    """Evaluate a query; `input_document` is `UNDEFINED` where there is none.

    Raises:
        CompileError: the modules or the query are wrong.
        EvaluationError: the evaluation failed.

    """
    body = parse_query(query, path="")
    if not body:
        raise CompileError((Diagnostic(PARSE_ERROR, "empty query", Location("", 1, 1)),))
    resolution = load_modules(
        files.sources,
        version=options.version,
        options=Options(strict=options.strict, print_enabled=True),
        data=files.data,
    )
    compiled = compile_query(resolution, query, path="")
    program = Program(
        compiled.policy, (), data=files.data, strict_builtin_errors=options.strict_builtin_errors
    )
    results = _run(program, QUERY_PLAN, input_document, options, clock, print_sink)
    solutions = [
        Solution(
            tuple(map(ExpressionValue, compiled.expressions, compiled.locations, result["expressions"])),
            result["bindings"],
        )
        for result in results
    ]
    if len(body) == 1 and not iterates(body):
        return solutions
    return [found for found in solutions if all(part.value is not False for part in found.expressions)]


def answer_entry_point(
    query: str,
    bundle: PlanBundle,
    input_document: Value,
    options: QueryOptions,
    clock: Clock,
    print_sink: Callable[[str], None],
) -> list[Solution]:
    """Give the document of an entry point, such as `data.authz.allow`, of a plan bundle.

    The plan of a query gives its variables instead.

    Raises:
        CompileError: the bundle has no such entry point.
        EvaluationError: the evaluation failed.

    """
    ref = parse_ref(query, path="")
    plan = "/".join(segment.value for segment in ref.path if isinstance(segment, String))
    plans = [known.name for known in bundle.policy.plans]
    place = Location("", 1, 1, 0, len(query))
    if plan not in plans:
        known = ", ".join(f"data.{name.replace('/', '.')}" for name in plans)
        message = f"the bundle has no entry point {query}; it has {known}"
        raise CompileError((Diagnostic(PARSE_ERROR, message, place),))
    program = Program(
        bundle.policy, (), data=bundle.data, strict_builtin_errors=options.strict_builtin_errors
    )
    results = _run(program, plan, input_document, options, clock, print_sink)
    return [
        Solution((ExpressionValue(query, place, result[RESULT]),), {})
        if RESULT in result
        # The plan of a query, not of a document: its results are the variables.
        else Solution((ExpressionValue(query, place, True),), result)
        for result in results
    ]


def _run(
    program: Program,
    plan: str,
    input_document: Value,
    options: QueryOptions,
    clock: Clock,
    print_sink: Callable[[str], None],
) -> list[Any]:
    now_ns = int(clock.now().timestamp() * _SECOND_NS)
    deadline_ns = None
    if options.timeout_seconds is not None:
        deadline_ns = clock.monotonic_ns() + int(options.timeout_seconds * _SECOND_NS)
    budget = Budget(DEFAULT_STEPS, deadline_ns, clock.monotonic_ns)
    return program.query(
        plan, input_document, budget=budget, context=EvaluationContext(now_ns, print_sink=print_sink)
    )


def iterates(body: Body) -> bool:
    """Whether a query can hold in several ways; then, as in OPA, a statement that is false gives no solution."""
    pending: list[Node] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, Ref) and any(isinstance(segment, Var) for segment in node.path):
            return True
        if isinstance(node, Call) and node.name in BUILTINS and BUILTINS[node.name].relation:
            return True
        pending.extend(child for child in children(node) if not isinstance(child, Comprehension))
    return False
