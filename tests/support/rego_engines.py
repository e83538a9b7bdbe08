"""Rego source or plans through every way of evaluating them."""

from collections.abc import Sequence

from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.compiler import load_modules, plan_entry_points
from webhook.rego.interpret import Interpreter
from webhook.rego.program import Program
from webhook.rego.values import UNDEFINED, Value


def plan(text: str, *entrypoints: str) -> ir.Policy:
    """Plan entry points of one module."""
    return plan_entry_points(load_modules([Source("test.rego", text)]), entrypoints)


def program(text: str, *entrypoints: str, strict: bool = False) -> Program:
    """Compile entry points of one module."""
    return Program(plan(text, *entrypoints), entrypoints, strict_builtin_errors=strict)


def engines(policy: ir.Policy) -> list[Interpreter | Program]:
    """Give the interpreter and each kind of compiled code for a policy."""
    return [
        Interpreter(policy),
        Program(policy, optimise=False),
        Program(policy),
        Program(policy, instrument=True),
    ]


def results(blocks: Sequence[ir.Block], document: Value = UNDEFINED, *functions: ir.Function) -> list[Value]:
    """Give the results of a plan, which every engine must agree on."""
    policy = ir.Policy((ir.Plan("plan", tuple(blocks)),), functions, ("count", "plus"))
    found = [engine.query("plan", document) for engine in engines(policy)]
    assert all(other == found[0] for other in found)
    return found[0]
