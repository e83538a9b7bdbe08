"""A policy compiled to Python, and its evaluation.

Owns the way from the intermediate representation to a code object and what leaves an evaluation: values, or an
`EvaluationError`, never another exception. Must not know how a policy was parsed and planned.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any, Final

from webhook.rego import dataflow, documents, failures, ir, values
from webhook.rego.budget import SLICE_STEPS, Budget
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.builtins.failures import BuiltinError, limit_size
from webhook.rego.builtins.registry import BUILTINS, UNAVAILABLE
from webhook.rego.emit import runtime
from webhook.rego.emit.module import Module, emit_module
from webhook.rego.emit.unit import Options
from webhook.rego.errors import (
    COMPILE_ERROR,
    NOWHERE,
    TYPE_ERROR,
    CompileError,
    Diagnostic,
    EvaluationError,
    Location,
)
from webhook.rego.optimise import pipeline
from webhook.rego.values import UNDEFINED, Value

_FILE_NAME: Final = "<rego>"

_RUNTIME: Final[Mapping[str, Any]] = {
    "__builtins__": {},
    "BuiltinError": BuiltinError,
    "COLLECTIONS": runtime.COLLECTIONS,
    "E": runtime.EMPTY_SET,
    "N": runtime.NOT_COMPUTED,
    "PLAIN": runtime.PLAIN,
    "RegoSet": values.RegoSet,
    "SIZED": runtime.SIZED,
    "U": UNDEFINED,
    "bool": bool,
    "dict": dict,
    "enumerate": enumerate,
    "float": float,
    "len": len,
    "list": list,
    "str": str,
    "type": type,
    "builtin_failure": failures.builtin_failure,
    "charge_size": runtime.charge_size,
    "tick": runtime.tick,
    "watched": runtime.watched,
    "elements": runtime.elements,
    "equal": values.equal,
    "inner_rounds": runtime.inner_rounds,
    "insert_once": runtime.insert_once,
    "int": int,
    "key_of": values.key_of,
    "length": runtime.length,
    "lookup": values.lookup,
    "merge": documents.merge,
    "ordered_elements": runtime.ordered_elements,
    "ordered_pairs": runtime.ordered_pairs,
    "pairs": runtime.pairs,
    "refill": runtime.refill,
    "replace_at": documents.replace_at,
    "rounds": runtime.rounds,
    "size": runtime.size,
    "value_conflict": failures.value_conflict,
}
"""What generated code may refer to, and nothing else: it has no other builtins of Python."""


@functools.lru_cache(maxsize=512)
def compile_source(source: str) -> CodeType:
    """Compile generated source; the same source is compiled once."""
    return compile(source, _FILE_NAME, "exec", dont_inherit=True, optimize=0)


class Program:
    """A compiled policy; immutable, and safe to evaluate from several threads at once."""

    def __init__(
        self,
        policy: ir.Policy,
        entrypoints: Sequence[str] | None = None,
        *,
        data: Value = None,
        builtins: Mapping[str, Builtin] = BUILTINS,
        strict_builtin_errors: bool = False,
        optimise: bool = True,
        instrument: bool = False,
    ) -> None:
        """Compile the plans of a policy.

        `entrypoints` names the plans whose values `evaluate` gives, all by default; `data` holds the base
        documents of evaluations that bring none. Instrumented code is not optimised: every statement counts.

        Raises:
            CompileError: the plans call builtins that do not exist or are refused, or they are nested too deeply.

        """
        options = Options(
            inline=optimise and not instrument,
            strict_builtin_errors=strict_builtin_errors,
            instrument=instrument,
        )
        called = _called_builtins(policy)
        _check_builtins(called, builtins)
        self.module, code = _translate(policy, builtins, options)
        self.entrypoints = (
            tuple(plan.name for plan in policy.plans) if entrypoints is None else tuple(entrypoints)
        )
        self._data = {} if data is None else data
        self._needs_context = any(builtins[name].needs_context for name in called)
        self.namespace: dict[str, Any] = {
            **_RUNTIME,
            **self.module.globals,
            "call_dynamic": self._call_dynamic,
        }
        exec(code, self.namespace)  # noqa: S102 - our own source, see `emit.unit`
        self._open_frame: Callable[..., runtime.Frame] = self.namespace["open_frame"]
        self._plans = {name: self.namespace[function] for name, function in self.module.plans.items()}
        self._entries = {name: self.namespace[function] for name, function in self.module.entries.items()}
        self._values = [
            self._entries.get(name) or functools.partial(self._value_of_plan, self._plans[name])
            for name in self.entrypoints
        ]
        self._dynamic = {
            path: (self.namespace[function], slot) for path, (function, slot) in self.module.dynamic.items()
        }

    @property
    def source(self) -> str:
        """The generated Python."""
        return self.module.source

    @property
    def statements(self) -> tuple[Location, ...]:
        """In an instrumented program, the places whose statements are counted."""
        return self.module.statements

    def evaluate(
        self,
        input: Value = UNDEFINED,  # noqa: A002 - Rego's own name
        *,
        data: Value = None,
        budget: Budget | None = None,
        context: EvaluationContext | None = None,
        hits: bytearray | None = None,
    ) -> list[Value]:
        """Give the value of each entry point, `UNDEFINED` where there is none.

        Without a `budget` the evaluation has the default one, without a `context` it reads the clock. Instrumented
        code sets the byte in `hits` of each of `statements` that runs.

        Raises:
            EvaluationError: the evaluation failed; there is no partial result.

        """
        frame = self._frame(input, data, budget, context, hits)
        try:
            return [value(frame) for value in self._values]
        except EvaluationError:
            raise
        except Exception as error:
            raise self._failure(error) from error

    def query(
        self,
        plan: str,
        input: Value = UNDEFINED,  # noqa: A002 - Rego's own name
        *,
        data: Value = None,
        budget: Budget | None = None,
        context: EvaluationContext | None = None,
        hits: bytearray | None = None,
    ) -> list[Value]:
        """Run one plan and give its result set, the bindings of the query, in order.

        Raises:
            EvaluationError: the evaluation failed, or a result is too large to be written out.

        """
        frame = self._frame(input, data, budget, context, hits)
        results: list[Value] = []
        try:
            if plan in self._entries:
                value = self._entries[plan](frame)
                results = [] if value is UNDEFINED else [{pipeline.RESULT: value}]
            else:
                self._plans[plan](frame, results)
            for result in results:
                limit_size(result)
        except EvaluationError:
            raise
        except Exception as error:
            raise self._failure(error) from error
        return results

    def _frame(
        self,
        input_: Value,
        data: Value,
        budget: Budget | None,
        context: EvaluationContext | None,
        hits: bytearray | None,
    ) -> runtime.Frame:
        steps = SLICE_STEPS if budget is None else budget.start()
        if context is None and self._needs_context:
            context = EvaluationContext(time.time_ns())
        if context is not None and budget is not None:
            context.check = budget.check
        if hits is None and self.statements:
            hits = bytearray(len(self.statements))
        documents = self._data if data is None else data
        return self._open_frame(input_, documents, steps, budget or Budget(), context, hits)

    @staticmethod
    def _value_of_plan(plan: Callable[[runtime.Frame, list[Value]], Value], frame: runtime.Frame) -> Value:
        """Give the document that the plan of an entry point adds to its results."""
        results: list[Value] = []
        plan(frame, results)
        return results[0][pipeline.RESULT] if results else UNDEFINED

    def _failure(self, error: Exception) -> EvaluationError:
        """Make the error for what went wrong in generated code, with the place of its innermost generated line."""
        place: Location | None = None
        traceback = error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == _FILE_NAME:
                place = self.module.locations[traceback.tb_lineno - 1] or place
            traceback = traceback.tb_next
        return failures.internal_failure(error, place)

    def _call_dynamic(self, frame: runtime.Frame, path: tuple[Value, ...]) -> Value:
        """Call the rule at a path; `NOT_COMPUTED` says that there is none."""
        rule = self._dynamic.get(path) if all(type(part) is str for part in path) else None
        if rule is None:
            return runtime.NOT_COMPUTED
        function, slot = rule
        if frame[slot] is runtime.NOT_COMPUTED:
            frame[slot] = function(frame)
        return frame[slot]


def _called_builtins(policy: ir.Policy) -> dict[str, Location | None]:
    """Give the builtins that a policy calls, each with the place of one call."""
    bodies: list[ir.Plan | ir.Function] = [*policy.plans, *policy.functions]
    own = {function.name for function in policy.functions}
    usage = dataflow.Usage([block for body in bodies for block in body.blocks])
    calls: list[ir.Call | ir.Holds] = [*usage.of_kind(ir.Call), *usage.of_kind(ir.Holds)]
    return {call.function: call.location for call in calls if call.function not in own}


def _check_builtins(called: Mapping[str, Location | None], builtins: Mapping[str, Builtin]) -> None:
    """Refuse calls of what does not exist; sources are checked before, but a plan may come from elsewhere."""
    found = [
        Diagnostic(
            TYPE_ERROR,
            f"built-in function {name} is not available: {UNAVAILABLE[name]}"
            if name in UNAVAILABLE
            else f"undefined function {name}",
            location or NOWHERE,
        )
        for name, location in called.items()
        if name not in builtins
    ]
    if found:
        raise CompileError(tuple(found))


def _translate(
    policy: ir.Policy, builtins: Mapping[str, Builtin], options: Options
) -> tuple[Module, CodeType]:
    """Optimise a policy, generate its code and compile that."""
    try:
        optimised = pipeline.Optimised(policy, {})
        if options.inline:
            optimised = pipeline.optimise(
                policy, builtins, strict_builtin_errors=options.strict_builtin_errors
            )
        module = emit_module(optimised.policy, optimised.entries, builtins, options)
        return module, compile_source(module.source)
    except (RecursionError, SyntaxError, MemoryError) as error:
        # Python's own limits: its stack, its indentation, its nested blocks and its parser's memory.
        message = f"the policy is nested too deeply or too large: {error}"
        raise CompileError((Diagnostic(COMPILE_ERROR, message, _deepest_place(policy)),)) from error


def _deepest_place(policy: ir.Policy) -> Location:
    """Give the place of the statement that has the most others around it."""
    deepest, place = 0, NOWHERE
    bodies: list[ir.Plan | ir.Function] = [*policy.plans, *policy.functions]
    pending = [(1, body.blocks) for body in bodies]
    while pending:
        depth, blocks = pending.pop()
        for statement in itertools.chain.from_iterable(blocks):
            if depth > deepest and statement.location is not None and statement.location.row:
                deepest, place = depth, statement.location
            if type(statement) in ir.NESTING:
                pending.append((depth + 1, tuple(ir.blocks_of(statement))))
    return place
