"""Fills in the generated parts of docs/rego.md: one rule in each form it takes; `make docs` runs it.

A part is the fenced block that follows a line `<!-- follow_rule: NAME -->`.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.compiler import load_modules, plan_entry_points
from webhook.rego.optimise.pipeline import optimise
from webhook.rego.program import Program
from webhook.rego.texts import format_value
from webhook.rego.values import Value

PAGE = Path(__file__).with_name("rego.md")

ENTRY_POINT = "data.example.deny"
POLICY = """package example

deny contains message if {
	some container in input.request.object.spec.containers
	not trusted(container.image)
	message := sprintf("%v: image %v comes from elsewhere", [container.name, container.image])
}

trusted(image) if startswith(image, "registry.example.com/")

trusted(image) if startswith(image, "mirror.example.com/")
"""
INPUT: Value = {
    "request": {
        "object": {
            "spec": {
                "containers": [
                    {"name": "app", "image": "registry.example.com/app:1.4"},
                    {"name": "debug", "image": "docker.io/busybox"},
                ]
            }
        }
    }
}

_PART = re.compile(r"(<!-- follow_rule: (?P<name>\w+) -->\n```\w*\n).*?(```)", re.DOTALL)


def fill_in(page: str) -> str:
    """Give the page with every generated part made anew."""
    return _PART.sub(lambda found: found[1] + PARTS[found["name"]]().strip("\n") + "\n" + found[3], page)


def _plan() -> ir.Policy:
    return plan_entry_points(load_modules([Source("example.rego", POLICY)]), [ENTRY_POINT])


def _show_plan() -> str:
    return "\n".join(_bodies(_plan().functions))


def _show_optimised() -> str:
    optimised = optimise(_plan(), BUILTINS)
    return "\n".join(_bodies([*optimised.policy.functions, *optimised.entries.values()]))


def _show_python() -> str:
    return Program(_plan()).source


def _show_result() -> str:
    (value,) = Program(_plan(), [ENTRY_POINT]).evaluate(INPUT)
    return format_value(value)


def _show_input() -> str:
    return msgspec.json.format(msgspec.json.encode(INPUT), indent=2).decode()


PARTS: dict[str, Callable[[], str]] = {
    "source": lambda: POLICY,
    "plan": _show_plan,
    "optimised": _show_optimised,
    "python": _show_python,
    "input": _show_input,
    "result": _show_result,
}


def _bodies(functions: Any) -> Iterator[str]:
    for function in functions:
        arguments = ", ".join(map(_operand, function.params))
        yield f"function {function.name}({arguments})"
        yield from _blocks(function.blocks, 1)


def _blocks(blocks: tuple[ir.Block, ...], depth: int) -> Iterator[str]:
    for block in blocks:
        yield "  " * depth + "block"
        for statement in block:
            yield "  " * (depth + 1) + _statement(statement)
            yield from _blocks(ir.blocks_of(statement), depth + 2)


def _statement(statement: ir.Statement) -> str:
    fields = [
        name
        for name in statement.__struct_fields__
        if name not in {"location", "block", "blocks", "capacity"}
    ]
    shown = [f"{name}={_field(name, getattr(statement, name))}" for name in fields]
    return " ".join([type(statement).__name__, *shown])


def _field(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_field(name, item) for item in value)}]"
    if isinstance(value, str):
        return value if name == "function" else format_value(value)
    return str(value) if name == "index" else _operand(value)


def _operand(operand: ir.Operand) -> str:
    if isinstance(operand, ir.Constant):
        return format_value(operand.value)
    return {ir.INPUT: "input", ir.DATA: "data"}.get(operand, f"v{operand}")


if __name__ == "__main__":
    PAGE.write_text(fill_in(PAGE.read_text()))
    print(f"wrote {PAGE.name}")
