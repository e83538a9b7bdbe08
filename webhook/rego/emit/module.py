"""The whole of a policy as one Python module: source, globals and the places its lines come from.

Owns which functions are memoised or charged, and the code that opens a frame. Knows nothing of compiling or
running the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.rego import ir
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.emit.function import emit_function
from webhook.rego.emit.runtime import NOT_COMPUTED, STEPS_SLOT
from webhook.rego.emit.unit import Options, Unit
from webhook.rego.emit.writer import Writer
from webhook.rego.errors import Location


@dataclass(frozen=True, slots=True)
class Module:
    """Generated code."""

    source: str
    globals: Mapping[str, Any]
    """Values of the generated names that the source uses."""
    locations: tuple[Location | None, ...]
    """For each line of the source, the place in the policy that it comes from."""
    plans: Mapping[str, str]
    """Python function of each plan; it takes a frame and a list of results."""
    dynamic: Mapping[tuple[str, ...], tuple[str, int]]
    """Python function and memo slot of each rule that dynamic calls can reach, by its path."""
    statements: tuple[Location, ...]
    """In instrumented code, the place of each counted statement."""


def emit_module(policy: ir.Policy, builtins: Mapping[str, Builtin], options: Options) -> Module:
    """Write the Python of a policy whose calls are all known."""
    unit = Unit(policy, builtins, options)
    for function in policy.functions:
        if len(function.params) == 2:
            unit.slots[function.name] = unit.new_slot()
    charged = _charged(policy.functions)
    writer = Writer()
    for function in policy.functions:
        writer.line(f"# {function.name!r}")
        _append(
            writer, emit_function(unit, unit.names[function.name], function, charged=function.name in charged)
        )
    plans = {plan.name: f"p{index}" for index, plan in enumerate(policy.plans)}
    for plan in policy.plans:
        _append(writer, emit_function(unit, plans[plan.name], plan))
    _write_frame(writer, unit)
    return Module(
        "\n".join(writer.lines) + "\n",
        unit.globals,
        tuple(writer.locations),
        plans,
        {
            function.path: (unit.names[function.name], unit.slots[function.name])
            for function in policy.functions
            if function.path and function.name in unit.slots
        },
        tuple(unit.statements),
    )


def _append(writer: Writer, functions: Iterable[Writer]) -> None:
    for function in functions:
        writer.extend(function)
        writer.line("")


def _charged(functions: Iterable[ir.Function]) -> set[str]:
    """Give the functions whose calls cost a step: those that take arguments and call others that do.

    A chain of such calls could double the work at each link without a single loop; one that calls none is
    paid for by its caller.
    """
    with_arguments = {function.name for function in functions if len(function.params) > 2}
    return {
        function.name
        for function in functions
        if function.name in with_arguments
        and any(
            isinstance(statement, ir.Call) and statement.function in with_arguments
            for statement in ir.walk(function.blocks)
        )
    }


def _write_frame(writer: Writer, unit: Unit) -> None:
    """Write the functions that open a frame for an evaluation and for a `with`."""
    unit.globals["SLOTS"] = (NOT_COMPUTED,) * unit.slot_count
    with writer.block("def open_frame(i, d, steps, budget, context, hits):"):
        writer.line("return [i, d, steps, budget, context, hits, *SLOTS]")
    with writer.block("def branch(m, i, d):"):
        writer.line(f"frame = open_frame(i, d, m[{STEPS_SLOT}] - 1, *m[3:6])")
        writer.line(f"if frame[{STEPS_SLOT}] < 0: refill(frame)")
        writer.line("return frame")
