"""`make bench-rego`: the compiler beside regopy, on eight policies of growing size and inputs of 1 to 100 KB.

Both start from the JSON text of the input, so decoding counts for both; the best of many rounds is kept. regopy runs in
a process of its own, one per policy. The figures compare the two in one run; they are no promise for another machine.
Then what compiling costs, stage by stage, of five policies of about 200 lines.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.rego_compile import (
    GOAL_MS,
    RULE_COUNTS,
    STAGES,
    Compilation,
    cost_per_rule,
    measure_policies,
)
from bench.rego_inputs import build_input, count_entries
from webhook.rego.ast import Source
from webhook.rego.compiler import compile_modules
from webhook.rego.program import Program, compile_source
from webhook.rego.texts import to_json
from webhook.rego.values import Value

ROOT = Path(__file__).resolve().parent.parent
POLICIES = ROOT / "bench" / "rego_policies"
RESULTS = ROOT / "bench" / "results"
ENTRY_POINT = "data.bench.deny"
SIZES_KB = (1, 5, 20, 100)
SCANNING_POLICY = "07_credentials"
"""The policy that looks at every environment variable, from which the cost of one is taken."""
OPA_US = 355
"""What OPA's own engine took for three rules on 1.8 KB, measured on another day: an order of magnitude only."""
_PLAIN_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """One policy on one input; times in microseconds, the best of many rounds."""

    policy: str
    kilobytes: int
    decode_us: float
    """Decoding the JSON, part of the following."""
    compiled_us: float
    regopy_us: float | None
    """None when regopy failed."""
    agree: bool | None
    """Whether both gave the same violations."""

    @property
    def ratio(self) -> float | None:
        return None if self.regopy_us is None else self.regopy_us / self.compiled_us


@dataclass(frozen=True, slots=True)
class Build:
    """One policy made ready; times in milliseconds."""

    policy: str
    lines: int
    compiled_ms: float
    regopy_ms: float | None


@click.command()
@click.option("--seconds", default=0.3, show_default=True, help="Time for each policy, input and engine.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, help="Folder.")
def main(*, seconds: float, results: Path) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    inputs = {size: build_input(size) for size in SIZES_KB}
    cells: list[Cell] = []
    builds: list[Build] = []
    for path in sorted(POLICIES.glob("*.rego")):
        with console.status(path.stem):
            text = path.read_text()
            other = _ask_regopy(text, list(inputs.values()), seconds)
            program, compiled_ms = _compile(path, text)
            builds.append(
                Build(
                    path.stem,
                    len(text.splitlines()),
                    compiled_ms,
                    None if other is None else other["build_us"] / 1000,
                )
            )
            for place, (size, document) in enumerate(inputs.items()):
                figures = other["figures"][place] if other else None
                cells.append(_measure(path.stem, size, document, program, figures, seconds))
    _print(console, cells, builds, inputs)
    with console.status("compiling policies of 200 lines"):
        compilations, per_rule = measure_policies(), cost_per_rule()
    _print_compilations(console, compilations, per_rule)
    console.print(
        f"written to {_write(results, cells, builds, inputs, compilations, per_rule)}", soft_wrap=True
    )
    if any(cell.agree is False for cell in cells):
        console.print("[red]regopy and the compiler disagree[/red]")
        sys.exit(1)


def _compile(path: Path, text: str) -> tuple[Program, float]:
    """Compile a policy; give the best time of some rounds too."""

    def compile_once() -> Program:
        compile_source.cache_clear()
        return compile_modules([Source(path.name, text)], entrypoints=[ENTRY_POINT])

    return compile_once(), _best_us(compile_once, 0.2) / 1000


def _ask_regopy(text: str, inputs: Sequence[bytes], seconds: float) -> dict[str, Any] | None:
    job = {"policy": text, "inputs": [document.decode() for document in inputs], "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-m", "bench.rego_regopy"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        return None
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _measure(
    policy: str, size: int, document: bytes, program: Program, other: dict[str, Any] | None, seconds: float
) -> Cell:
    decode = msgspec.json.Decoder().decode
    evaluate = program.evaluate
    (violations,) = evaluate(decode(document))
    return Cell(
        policy,
        size,
        decode_us=_best_us(lambda: decode(document), seconds / 2),
        compiled_us=_best_us(lambda: evaluate(decode(document)), seconds),
        regopy_us=None if other is None else other["us"],
        agree=None if other is None else _same(violations, other["output"]),
    )


def _same(violations: Value, output: str) -> bool:
    expressions = json.loads(output)["expressions"]
    return sorted(to_json(violations)) == sorted(expressions[0])


def _best_us(work: Callable[[], object], seconds: float) -> float:
    """Give the microseconds of the best of as many rounds as fit into some seconds, at least three."""
    clock = time.perf_counter_ns
    best, spent, rounds = 1 << 62, 0, 0
    while spent < seconds * 1e9 or rounds < 3:
        begun = clock()
        work()
        elapsed = clock() - begun
        best, spent, rounds = min(best, elapsed), spent + elapsed, rounds + 1
    return best / 1000


def _cost_per_item(cells: Sequence[Cell], inputs: dict[int, bytes]) -> dict[str, float]:
    """Give the microseconds that one more environment variable costs, without and with its decoding."""
    small, large = (
        next(cell for cell in cells if cell.policy == SCANNING_POLICY and cell.kilobytes == size)
        for size in SIZES_KB[-2:]
    )
    items = count_entries(inputs[large.kilobytes]) - count_entries(inputs[small.kilobytes])
    costs = {
        "evaluated": (large.compiled_us - large.decode_us - small.compiled_us + small.decode_us) / items,
        "decoded and evaluated": (large.compiled_us - small.compiled_us) / items,
    }
    if large.regopy_us is not None and small.regopy_us is not None:
        costs["decoded and evaluated by regopy"] = (large.regopy_us - small.regopy_us) / items
    return costs


def _print(
    console: Console, cells: Sequence[Cell], builds: Sequence[Build], inputs: dict[int, bytes]
) -> None:
    table = Table(
        title="Evaluations from JSON text to violations, in µs",
        caption=f"OPA itself: about {OPA_US} µs for rules like 04 on 1.8 KB, on another day",
    )
    for heading in ("policy", "lines", "input KB"):
        table.add_column(heading, justify="left" if heading == "policy" else "right")
    for heading in ("decoding", "compiled", "regopy", "regopy / compiled"):
        table.add_column(heading, justify="right")
    lines = {build.policy: build.lines for build in builds}
    for policy, count in lines.items():
        for cell in [cell for cell in cells if cell.policy == policy]:
            is_first = cell.kilobytes == SIZES_KB[0]
            table.add_row(
                policy if is_first else "",
                str(count) if is_first else "",
                str(cell.kilobytes),
                f"{cell.decode_us:,.1f}",
                f"{cell.compiled_us:,.1f}",
                "failed" if cell.regopy_us is None else f"{cell.regopy_us:,.0f}",
                "" if cell.ratio is None else f"{cell.ratio:,.0f} ×",
            )
        table.add_section()
    console.print(table)
    for what, cost in _cost_per_item(cells, inputs).items():
        console.print(f"one more environment variable, {what}: {cost:.3f} µs")
    for build in builds:
        other = "failed" if build.regopy_ms is None else f"{build.regopy_ms:.1f} ms"
        console.print(f"{build.policy}: compiled in {build.compiled_ms:.1f} ms; regopy's bundle: {other}")


def _print_compilations(
    console: Console, compilations: Sequence[Compilation], per_rule: dict[int, float]
) -> None:
    table = Table(
        title="Compiling policies of about 200 lines, in ms of processor time",
        caption=f"the goal: under {GOAL_MS} ms",
    )
    table.add_column("policy")
    for heading in ("lines", *STAGES, "all"):
        table.add_column(heading, justify="right")
    for compilation in compilations:
        stages = [f"{compilation.stages_ms[stage]:.1f}" for stage in STAGES]
        table.add_row(
            compilation.policy, str(compilation.lines), *stages, f"[bold]{compilation.total_ms:.1f}[/bold]"
        )
    console.print(table)
    few, many = RULE_COUNTS
    console.print(
        f"one rule of {few:,}: {per_rule[few]:.0f} µs to compile; one of {many:,}: {per_rule[many]:.0f} µs"
    )


def _write(
    folder: Path,
    cells: Sequence[Cell],
    builds: Sequence[Build],
    inputs: dict[int, bytes],
    compilations: Sequence[Compilation],
    per_rule: dict[int, float],
) -> Path:
    now = datetime.now(UTC)
    document = {
        "measured_at": now.isoformat(timespec="seconds"),
        "gradate": version("gradate"),
        "regopy": version("regopy"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "cells": [{**asdict(cell), "ratio": cell.ratio} for cell in cells],
        "builds": [asdict(build) for build in builds],
        "compilations": [asdict(compilation) for compilation in compilations],
        "microseconds_per_rule": per_rule,
        "microseconds_per_item": _cost_per_item(cells, inputs),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"rego-{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


if __name__ == "__main__":
    main()
