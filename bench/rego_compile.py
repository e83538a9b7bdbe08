"""How long policies of about 200 lines take to compile, stage by stage, and what one more rule costs.

The policies differ in what they make the compiler do: one large rule set, many small rules, comprehensions, functions
with `else`, long bodies. Times are of the processor, of this process alone, so that a busy machine disturbs them less.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from webhook.rego.ast import Source
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.compiler import plan_entry_points, resolve_modules
from webhook.rego.emit.module import emit_module
from webhook.rego.emit.unit import Options
from webhook.rego.optimise.pipeline import optimise
from webhook.rego.parser import parse_module
from webhook.rego.program import compile_source

ENTRY_POINT: Final = "data.compiled.deny"
GOAL_MS: Final = 50
"""What a policy of 200 lines may take."""
STAGES: Final = ("parse", "resolve", "plan", "optimise", "emit", "Python")
RULE_COUNTS: Final = (200, 2_000)
"""Sizes of the policies from which the cost of one more rule is taken."""
_ROUNDS: Final = 15


@dataclass(frozen=True, slots=True)
class Compilation:
    """One policy compiled; times in milliseconds of processor time, the best of some rounds for each stage."""

    policy: str
    lines: int
    stages_ms: Mapping[str, float]

    @property
    def total_ms(self) -> float:
        return sum(self.stages_ms.values())


def measure_policies() -> list[Compilation]:
    """Compile each of the policies of about 200 lines."""
    return [_measure(name, make(), _ROUNDS) for name, make in POLICIES.items()]


def cost_per_rule() -> dict[int, float]:
    """Give the microseconds for one rule in policies of growing size: they stay the same where nothing is quadratic."""
    return {
        count: _measure("rules", _header() + "".join(map(_small_rule, range(count))), 1).total_ms
        * 1000
        / count
        for count in RULE_COUNTS
    }


def _measure(name: str, text: str, rounds: int) -> Compilation:
    source = Source(f"{name}.rego", text)
    best = dict.fromkeys(STAGES, float("inf"))
    for _ in range(rounds):
        for stage, elapsed in _compile(source).items():
            best[stage] = min(best[stage], elapsed)
    return Compilation(name, len(text.splitlines()), best)


def _compile(source: Source) -> dict[str, float]:
    """Compile a policy as `compile_modules` does and give the milliseconds of each stage."""
    compile_source.cache_clear()
    times = [time.process_time_ns()]
    module = parse_module(source, version="auto")
    times.append(time.process_time_ns())
    resolution = resolve_modules([module])
    times.append(time.process_time_ns())
    plan = plan_entry_points(resolution, [ENTRY_POINT])
    times.append(time.process_time_ns())
    optimised = optimise(plan, BUILTINS)
    times.append(time.process_time_ns())
    generated = emit_module(optimised.policy, optimised.entries, BUILTINS, Options())
    times.append(time.process_time_ns())
    compile_source(generated.source)
    times.append(time.process_time_ns())
    spans = itertools.pairwise(times)
    return {stage: (end - begun) / 1e6 for stage, (begun, end) in zip(STAGES, spans, strict=True)}


def _header() -> str:
    return "package compiled\n\npod := input.request.object\n"


def _rule_set() -> str:
    rule = """
deny contains msg if {
	some container in input.request.object.spec.containers
	not container.securityContext.runAsNonRoot
	count([name | name := container.env[_].name; contains(lower(name), "secret")]) > %d
	msg := sprintf("%%v uses %%v", [container.name, limits[container.name]])
}
"""
    limits = "limits[c.name] := c.limits if some c in input.request.object.spec.containers\n"
    return "package compiled\n" + limits + "".join(rule % index for index in range(28))


def _small_rule(index: int) -> str:
    return f"""
fails_{index} if pod.spec.field_{index} == {index}
deny contains "field {index} is set" if fails_{index}
"""


def _small_rules() -> str:
    return _header() + "".join(map(_small_rule, range(66)))


def _comprehensions() -> str:
    rule = """
deny contains msg if {
	names := {c.name | some c in pod.spec.containers; c.index > %d}
	images := {c.name: image | some c in pod.spec.containers; image := c.image}
	foreign := [name | some name in names; not startswith(images[name], "registry%d.example.com/")]
	pairs := [[a, b] | some a in foreign; some b in names; a != b; images[a] == images[b]]
	every pair in pairs {
		count(pair) == 2
		pair[0] != "debug"
	}
	msg := sprintf("%%v come from elsewhere: %%v", [concat(", ", foreign), count(pairs)])
}
"""
    return _header() + "".join(rule % (index, index) for index in range(16))


def _functions() -> str:
    rule = """
default level_%(n)d(_) := "none"

level_%(n)d(container) := "high" if {
	container.securityContext.privileged == true
	container.index > %(n)d
} else := "medium" if {
	container.securityContext.runAsUser == 0
	not container.securityContext.readOnlyRootFilesystem
} else := "low" if container.name == "debug-%(n)d"

deny contains msg if {
	some container in pod.spec.containers
	level_%(n)d(container) == "high"
	msg := sprintf("%%v: %%v", [container.name, level_%(n)d(container)])
}
"""
    return _header() + "".join(rule % {"n": index} for index in range(12))


def _long_bodies() -> str:
    lines = [_header()]
    for index in range(6):
        lines.append("deny contains msg if {\n\tsome container in pod.spec.containers")
        for part in range(0, 30, 3):
            lines.append(f'\tx_{part} := container.f_{part}.g[{part}]; x_{part} != "v{index}"')
            lines.append(f"\tnot container.h_{part} == x_{part}")
            lines.append(f'\tcontains(x_{part}, "a{part}")')
        lines.append('\tmsg := sprintf("%v", [container.name])\n}\n')
    return "\n".join(lines)


POLICIES: Final[Mapping[str, Callable[[], str]]] = {
    "one rule set": _rule_set,
    "small rules": _small_rules,
    "comprehensions": _comprehensions,
    "functions with else": _functions,
    "long bodies": _long_bodies,
}
