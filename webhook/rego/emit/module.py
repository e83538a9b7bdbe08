"""The whole of a policy as one Python module: source, globals and the places its lines come from.

Owns which functions are memoised or charged, and the code that opens a frame. Knows nothing of compiling or
running the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from webhook.rego import dataflow, ir
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.emit.function import emit_function
from webhook.rego.emit.runtime import BUDGET_SLOT, FIRST_FREE_SLOT, NOT_COMPUTED, STEPS_SLOT
from webhook.rego.emit.unit import Options, Unit
from webhook.rego.emit.writer import Writer
from webhook.rego.errors import Location
from webhook.rego.values import UNDEFINED

_Body: TypeAlias = ir.Function | ir.Plan

_DOCUMENTS: Final = (ir.INPUT, ir.DATA)
"""The parameters of a plan."""


@dataclass(frozen=True, slots=True)
class Module:
    """Generated code."""

    source: str
    globals: Mapping[str, Any]
    """Values of the generated names that the source uses."""
    locations: tuple[Location | None, ...]
    """For each line of the source, the place in the policy that it comes from."""
    plans: Mapping[str, str]
    """Python function of each plan that is no entry; it takes a frame and a list of results."""
    entries: Mapping[str, str]
    """Python function of each entry; it takes a frame and gives a value."""
    dynamic: Mapping[tuple[str, ...], tuple[str, int]]
    """Python function and memo slot of each rule that dynamic calls can reach, by its path."""
    statements: tuple[Location, ...]
    """In instrumented code, the place of each counted statement."""


def emit_module(
    policy: ir.Policy,
    entries: Mapping[str, ir.Function],
    builtins: Mapping[str, Builtin],
    options: Options,
) -> Module:
    """Write the Python of a policy; `entries` are functions that give the value of an entry point, by its name."""
    unit = Unit(policy, builtins, options)
    plans = {plan.name: f"p{index}" for index, plan in enumerate(policy.plans)}
    entry_names = {name: f"e{index}" for index, name in enumerate(entries)}
    bodies: list[tuple[str, _Body, dataflow.Usage]] = [
        *[
            (unit.names[body.name], body, dataflow.Usage(body.blocks, body.params))
            for body in policy.functions
        ],
        *[(plans[plan.name], plan, dataflow.Usage(plan.blocks, _DOCUMENTS)) for plan in policy.plans],
        *[
            (entry_names[name], body, dataflow.Usage(body.blocks, body.params))
            for name, body in entries.items()
        ],
    ]
    unit.truths = {
        body.name for _, body, usage in bodies if isinstance(body, ir.Function) and _is_truth(usage)
    }
    for name in _memoised(policy.functions, bodies):
        unit.slots[name] = unit.new_slot()
    charged = _charged(policy.functions)
    writer = Writer()
    for name, body, usage in bodies:
        _write(writer, unit, name, body, usage, charged=body.name in charged)
    _write_frame(writer, unit)
    dynamic = {
        function.path: (unit.names[function.name], unit.slots[function.name])
        for function in policy.functions
        if function.path and function.name in unit.slots
    }
    return Module(
        "\n".join(writer.lines) + "\n",
        unit.globals,
        tuple(writer.locations),
        plans,
        entry_names,
        dynamic,
        tuple(unit.statements),
    )


def _write(
    writer: Writer, unit: Unit, name: str, body: _Body, usage: dataflow.Usage, *, charged: bool
) -> None:
    writer.location = None
    writer.line(f"# {body.name!r}")
    for function in emit_function(unit, name, body, usage, charged=charged):
        writer.extend(function)
        writer.line("")


def _is_truth(usage: dataflow.Usage) -> bool:
    """Say whether a function gives true or nothing."""
    returned = [statement.source for statement in usage.of_kind(ir.ReturnLocal)]
    return all(
        isinstance(source, ir.Constant) and (source.value is True or source.value is UNDEFINED)
        for source in returned
    )


def _calls(blocks: tuple[ir.Block, ...], *, in_loop: bool) -> list[tuple[str, bool]]:
    """Give the name of each function called within blocks, and whether that may happen several times."""
    found: list[tuple[str, bool]] = []
    for block in blocks:
        for statement in block:
            if isinstance(statement, (ir.Call, ir.Holds)):
                found.append((statement.function, in_loop))
            elif type(statement) in ir.NESTING:
                is_repeated = in_loop or isinstance(statement, (ir.Scan, ir.With))
                found += _calls(ir.blocks_of(statement), in_loop=is_repeated)
    return found


def _memoised(
    functions: Iterable[ir.Function], bodies: Iterable[tuple[str, _Body, dataflow.Usage]]
) -> list[str]:
    """Give the rules whose value is kept in a slot: those that an evaluation may ask for more than once."""
    counts: Counter[str] = Counter()
    is_dynamic = False
    for _, body, usage in bodies:
        repeated = isinstance(body, ir.Function) and len(body.params) > 2
        for name, in_loop in _calls(body.blocks, in_loop=repeated):
            counts[name] += 2 if in_loop else 1
        is_dynamic = is_dynamic or bool(usage.of_kind(ir.CallDynamic))
    return [
        function.name
        for function in functions
        if len(function.params) == 2 and (counts[function.name] > 1 or (is_dynamic and function.path))
    ]


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
        and any(name in with_arguments for name, _ in _calls(function.blocks, in_loop=False))
    }


def _write_frame(writer: Writer, unit: Unit) -> None:
    """Write the functions that open a frame for an evaluation and for a `with`."""
    writer.location = None
    unit.globals["SLOTS"] = (NOT_COMPUTED,) * unit.slot_count
    with writer.block("def open_frame(i, d, steps, budget, context, hits):"):
        writer.line("m = [i, d, steps, budget, context, hits, *SLOTS]")
        for path, slot in unit.paths.items():
            source = f"p{unit.paths[path[:-1]]}" if path[:-1] else "i"
            key = unit.constant(path[-1])
            found = f"{source}.get({key}, U) if {source}.__class__ is dict else lookup({source}, {key})"
            writer.line(f"m[{slot}] = p{slot} = {found}")
        writer.line("return m")
    with writer.block("def branch(m, i, d):"):
        writer.line(f"frame = open_frame(i, d, m[{STEPS_SLOT}] - 1, *m[{BUDGET_SLOT}:{FIRST_FREE_SLOT}])")
        writer.line(f"if frame[{STEPS_SLOT}] < 0: refill(frame)")
        writer.line("return frame")
