"""The order of the rewrites, over a whole policy.

Owns which rules are constant, and the form of the result: functions that give the value of each entry point
besides the plans. Knows nothing of Python.
"""

from __future__ import annotations

import functools
import graphlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from webhook.rego import controlflow, dataflow, ir
from webhook.rego.builtins.declaration import Builtin
from webhook.rego.optimise.conditions import recognise
from webhook.rego.optimise.inlining import count_calls, inline_calls
from webhook.rego.optimise.inputs import share_paths
from webhook.rego.optimise.invariants import move_out_of_loops
from webhook.rego.optimise.literals import make_literals
from webhook.rego.optimise.liveness import remove_unused
from webhook.rego.optimise.loops import leave_loops
from webhook.rego.optimise.propagation import propagate
from webhook.rego.optimise.returns import remove_unset, return_early
from webhook.rego.values import Value

_ROUNDS: Final = 4
"""Each rewrite makes room for others; more rounds than this find next to nothing."""

RESULT: Final = "result"
"""The key under which the plan of an entry point gives its value."""


@dataclass(frozen=True, slots=True)
class Optimised:
    """A policy after all rewrites."""

    policy: ir.Policy
    """The functions still called, and the plans that are no entry points."""
    entries: Mapping[str, ir.Function]
    """For each plan that gives one document, by its name, a function that returns it."""


def optimise(
    policy: ir.Policy, builtins: Mapping[str, Builtin], *, strict_builtin_errors: bool = False
) -> Optimised:
    """Rewrite a policy so that it is cheaper to evaluate."""
    last: list[_Rewrite] = [recognise]
    if not controlflow.prints(policy):
        last.append(leave_loops)
    if not strict_builtin_errors:
        last.append(functools.partial(move_out_of_loops, builtins=builtins))
    functions = {function.name: function for function in policy.functions}
    entries = {f"plan {plan.name}": entry for plan in policy.plans if (entry := _entry(plan)) is not None}
    plans = {f"plan {plan.name}": plan for plan in policy.plans if f"plan {plan.name}" not in entries}
    functions |= entries
    order = _callees_first(functions)
    constants: dict[str, Value] = {}
    for name in order:
        functions[name] = _simplify(functions[name], builtins, constants)
        _note_constant(functions[name], constants)
    calls = count_calls([*functions.values(), *plans.values()])
    for name in order:
        inlined = inline_calls(functions[name], functions, calls)
        if inlined is not functions[name]:
            inlined = _simplify(inlined, builtins, constants)
        functions[name] = _apply(inlined, last)
    for name in entries:
        functions[name] = _merged(functions[name], functions, calls)
    shared = share_paths([functions[name] for name in _reachable(functions, [*entries], [*plans.values()])])
    return Optimised(
        ir.Policy(
            tuple(plans.values()),
            tuple([function for function in shared if function.name not in entries]),
            policy.builtins,
        ),
        {function.name.removeprefix("plan "): function for function in shared if function.name in entries},
    )


def _entry(plan: ir.Plan) -> ir.Function | None:
    """Give the function that returns the document of an entry point; None for another plan."""
    planned = ir.Function(f"plan {plan.name}", (ir.INPUT, ir.DATA), ir.FIRST_FREE, plan.blocks)
    literal = make_literals(planned, dataflow.Usage(planned.blocks, planned.params))
    additions = sum(isinstance(statement, ir.ResultSetAdd) for statement in ir.walk(literal.blocks))
    if additions != 1 or len(literal.blocks) != 1 or len(literal.blocks[0]) < 2:
        return None
    *body, result, addition = literal.blocks[0]
    if not isinstance(result, ir.MakeObjectOf) or not isinstance(addition, ir.ResultSetAdd):
        return None
    if result.keys != (ir.Constant(RESULT),) or addition.value != result.target:
        return None
    (value,) = result.values
    blocks = ((*body, ir.IsDefined(value), ir.ReturnLocal(value, location=addition.location)),)
    return ir.Function(literal.name, literal.params, literal.result, blocks)


_Rewrite: TypeAlias = Callable[[ir.Function, dataflow.Usage], ir.Function]


def _apply(function: ir.Function, rewrites: Sequence[_Rewrite]) -> ir.Function:
    """Apply rewrites one after the other; each one that finds nothing gives the function itself."""
    usage = dataflow.Usage(function.blocks, function.params)
    for rewrite in rewrites:
        rewritten = rewrite(function, usage)
        if rewritten is not function:
            usage = dataflow.Usage(rewritten.blocks, rewritten.params)
            function = rewritten
    return function


def _merged(
    entry: ir.Function, functions: Mapping[str, ir.Function], calls: Mapping[str, int]
) -> ir.Function:
    """Give an entry that only calls a rule the rule's own body, if nothing else calls that."""
    match entry.blocks:
        case (
            (
                ir.Call(function=name, arguments=(ir.INPUT, ir.DATA), result=result),
                ir.ReturnLocal(source=source),
            ),
        ) if result == source:
            rule = functions.get(name)
            if rule is not None and calls[name] == 1:
                return ir.Function(entry.name, entry.params, rule.result, rule.blocks)
    return entry


def _simplify(
    function: ir.Function, builtins: Mapping[str, Builtin], constants: Mapping[str, Value]
) -> ir.Function:
    propagation = functools.partial(propagate, builtins=builtins, constants=constants)
    rewrites: list[_Rewrite] = [propagation, return_early, remove_unset, remove_unused, make_literals]
    for _ in range(_ROUNDS):
        simplified = _apply(function, rewrites)
        if simplified is function:
            break
        function = simplified
    return function


def _note_constant(function: ir.Function, constants: dict[str, Value]) -> None:
    """Note the value of a rule that does nothing but return a constant."""
    if len(function.params) != 2 or len(function.blocks) != 1 or len(function.blocks[0]) != 1:
        return
    statement = function.blocks[0][0]
    if isinstance(statement, ir.ReturnLocal) and isinstance(statement.source, ir.Constant):
        constants[function.name] = statement.source.value


def _called(blocks: tuple[ir.Block, ...]) -> list[str]:
    return [statement.function for statement in ir.walk(blocks) if isinstance(statement, ir.Call | ir.Holds)]


def _callees_first(functions: Mapping[str, ir.Function]) -> list[str]:
    graph = {
        name: [callee for callee in _called(function.blocks) if callee in functions]
        for name, function in functions.items()
    }
    return list(graphlib.TopologicalSorter(graph).static_order())


def _reachable(functions: Mapping[str, ir.Function], entries: list[str], plans: list[ir.Plan]) -> list[str]:
    """Give the functions that entry points and plans still call, all that dynamic calls may reach included."""
    bodies = [plan.blocks for plan in plans] + [function.blocks for function in functions.values()]
    is_dynamic = any(
        isinstance(statement, ir.CallDynamic) for blocks in bodies for statement in ir.walk(blocks)
    )
    pending = list(entries) + [name for plan in plans for name in _called(plan.blocks)]
    if is_dynamic:
        pending += [name for name, function in functions.items() if function.path]
    found: dict[str, None] = {}
    while pending:
        name = pending.pop()
        if name in functions and name not in found:
            found[name] = None
            pending += _called(functions[name].blocks)
    return [name for name in functions if name in found]
