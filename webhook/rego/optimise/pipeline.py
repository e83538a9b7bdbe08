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
from webhook.rego.optimise.flags import remove_flags
from webhook.rego.optimise.inlining import Candidate, candidate, count_calls, inline_calls
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
    entries = {f"plan {plan.name}": entry for plan in policy.plans if (entry := _entry(plan)) is not None}
    plans = {f"plan {plan.name}": plan for plan in policy.plans if f"plan {plan.name}" not in entries}
    bodies = {function.name: _Body(function) for function in (*policy.functions, *entries.values())}
    plan_usages = [dataflow.Usage(plan.blocks) for plan in plans.values()]
    calls = count_calls(
        [*[body.function.blocks for body in bodies.values()], *[p.blocks for p in plans.values()]]
    )
    constants: dict[str, Value] = {}
    candidates: dict[str, Candidate] = {}
    for name in _callees_first(bodies):
        body = bodies[name]
        body.replace(inline_calls(body.function, body.usage, candidates, calls))
        _simplify(body, builtins, constants)
        _note_constant(body.function, constants)
        for rewrite in last:
            body.apply(rewrite)
        if (found := candidate(body.function, body.usage)) is not None:
            candidates[name] = found
    for name in entries:
        _merge_only_callee(bodies[name], bodies, calls)
    reachable = [bodies[name] for name in _reachable(bodies, [*entries], plan_usages)]
    shared = share_paths((body.function, body.usage) for body in reachable)
    return Optimised(
        ir.Policy(
            tuple(plans.values()),
            tuple([function for function in shared if function.name not in entries]),
            policy.builtins,
        ),
        {function.name.removeprefix("plan "): function for function in shared if function.name in entries},
    )


_Rewrite: TypeAlias = Callable[[ir.Function, dataflow.Usage], ir.Function]


class _Body:
    """A function on its way through the rewrites, and the usage of its variables while it stays the same."""

    __slots__ = ("_usage", "function")

    def __init__(self, function: ir.Function) -> None:
        self.function = function
        self._usage: dataflow.Usage | None = None

    @property
    def usage(self) -> dataflow.Usage:
        """The usage of the function's variables."""
        if self._usage is None:
            self._usage = dataflow.Usage(self.function.blocks, self.function.params)
        return self._usage

    def replace(self, function: ir.Function) -> bool:
        """Put another function in the place of this one; say whether it is another one."""
        if function is self.function:
            return False
        self.function = function
        self._usage = None
        return True

    def apply(self, rewrite: _Rewrite) -> bool:
        """Rewrite the function; say whether anything was found to rewrite."""
        return self.replace(rewrite(self.function, self.usage))


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


def _merge_only_callee(entry: _Body, bodies: Mapping[str, _Body], calls: Mapping[str, int]) -> None:
    """Replace an entry that only calls a rule by the rule's own body, if nothing else calls that."""
    match entry.function.blocks:
        case (
            (
                ir.Call(function=name, arguments=(ir.INPUT, ir.DATA), result=result),
                ir.ReturnLocal(source=source),
            ),
        ) if result == source and name in bodies and calls[name] == 1:
            function, rule = entry.function, bodies[name].function
            entry.replace(ir.Function(function.name, function.params, rule.result, rule.blocks))


def _simplify(body: _Body, builtins: Mapping[str, Builtin], constants: Mapping[str, Value]) -> None:
    """Rewrite a function until no rewrite finds anything, each one having seen what all others left.

    None but `return_early` finds anything in what it has just left itself, so the last one with an effect need not
    run again.
    """
    propagation = functools.partial(propagate, builtins=builtins, constants=constants)
    rewrites: list[_Rewrite] = [return_early, remove_unset, remove_unused, make_literals, propagation]
    body.apply(propagation)
    body.apply(remove_flags)
    last: _Rewrite = propagation
    for rewrite in rewrites * _ROUNDS:
        if rewrite is last:
            break
        while body.apply(rewrite):
            last = rewrite
            if rewrite is not return_early:
                break


def _note_constant(function: ir.Function, constants: dict[str, Value]) -> None:
    """Note the value of a rule that does nothing but return a constant."""
    if len(function.params) != 2 or len(function.blocks) != 1 or len(function.blocks[0]) != 1:
        return
    statement = function.blocks[0][0]
    if isinstance(statement, ir.ReturnLocal) and isinstance(statement.source, ir.Constant):
        constants[function.name] = statement.source.value


def _called(usage: dataflow.Usage) -> list[str]:
    calls: list[ir.Call | ir.Holds] = [*usage.of_kind(ir.Call), *usage.of_kind(ir.Holds)]
    return [call.function for call in calls]


def _callees_first(bodies: Mapping[str, _Body]) -> list[str]:
    graph = {
        name: [callee for callee in _called(body.usage) if callee in bodies] for name, body in bodies.items()
    }
    return list(graphlib.TopologicalSorter(graph).static_order())


def _reachable(
    bodies: Mapping[str, _Body], entries: list[str], plan_usages: Sequence[dataflow.Usage]
) -> list[str]:
    """Give the functions that entry points and plans still call, all that dynamic calls may reach included."""
    usages = [*plan_usages, *[body.usage for body in bodies.values()]]
    pending = list(entries) + [name for usage in plan_usages for name in _called(usage)]
    if any(usage.of_kind(ir.CallDynamic) for usage in usages):
        pending += [name for name, body in bodies.items() if body.function.path]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name in bodies and name not in found:
            found.add(name)
            pending += _called(bodies[name].usage)
    return [name for name in bodies if name in found]
