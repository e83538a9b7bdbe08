"""Generated policies through regopy too, within what it is known to do right.

The known defects of regopy (tests/conformance/regopy_defects.toml) leave plain rules: comparisons of what the input
holds, iteration by `some … in`, comprehensions, `every`, `else` and defaults, over texts without escapes. The examples
are the same in each run, so that a defect not known yet fails once, in the change that met it. Inputs are changed
only so that what is there keeps its type: regopy compares values of different types by their text.
"""

import asyncio
import time
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.input_mutations import KEEPING_TYPES, mutated, words_of
from webhook.compose.clock import SystemClock
from webhook.engines.regopy_process import RegopyProcess, RegopyProgram
from webhook.rego.ast import Source
from webhook.rego.compiler import compile_modules
from webhook.rego.texts import dump_json
from webhook.rego.values import UNDEFINED, RegoSet

_PATIENCE_NS = 30_000_000_000
_RULES = 6

texts = st.sampled_from(["a", "b", "ab"])
numbers = st.integers(0, 3)
inputs = st.fixed_dictionaries(
    {"n": numbers, "t": texts},
    optional={
        "ns": st.lists(numbers, max_size=3),
        "ts": st.lists(texts, max_size=3),
        "o": st.dictionaries(texts, numbers, max_size=3),
    },
)

conditions = st.sampled_from(
    [
        "input.n > 1",
        "input.n == 2",
        'input.t == "a"',
        'startswith(input.t, "a")',
        'input.t != "b"',
        "input.ns[0] < 2",
        "input.o.a == 1",
        "not input.o.b",
        "2 in input.ns",
        "some n in input.ns; n > 1",
        "some i, t in input.ts; i > 0; t == input.t",
        "every e in input.ns { e < 3 }",
        "count(input.ts) > 1",
        "m := input.n + 1; m == 3",
        "count([x | some x in input.ns; x > 0]) == 1",
    ]
)
values = st.sampled_from(
    [
        "true",
        "1",
        "input.t",
        "input.n * 2",
        "[input.n, input.t]",
        '{"k": input.n}',
        "[x | some x in input.ns; x > 0]",
        "{x | some x in input.ts}",
        "{k: v | some k, v in input.o}",
        "count(input.ts)",
        "sum(input.ns)",
        'concat("-", input.ts)',
    ]
)


@st.composite
def rules(draw: Any, name: str) -> str:
    value, condition, other = draw(values), draw(conditions), draw(conditions)
    return str(
        draw(
            st.sampled_from(
                [
                    f"{name} := {value} if {{ {condition} }}",
                    f"{name} := {value} if {{ {condition}; not input.o.ab; input.n >= 1 }}",
                    f"default {name} := 7\n{name} := {value} if {{ {condition} }}",
                    f"{name} := {value} if {{ {condition} }} else := 9 if {{ {other} }}",
                    f"{name} contains y if {{ some y in input.ts; {condition} }}",
                    f"{name} if {{ {condition} }}\n{name} if {{ {other} }}",
                ]
            )
        )
    )


modules = st.tuples(*[rules(f"r{index}") for index in range(_RULES)]).map(
    lambda parts: "\n".join(["package t", "import rego.v1", *parts, ""])
)
QUERIES = [f"data.t.r{index}" for index in range(_RULES)]


async def ask_regopy(module: str, document: Any) -> dict[str, Any]:
    process = RegopyProcess(RegopyProgram((("t.rego", module),)), SystemClock())
    try:
        await process.start()
        return await process.query(QUERIES, document, time.monotonic_ns() + _PATIENCE_NS)
    finally:
        await process.aclose()


def in_any_order(value: Any) -> Any:
    """Give a form in which a set equals the array that regopy makes of it."""
    if isinstance(value, RegoSet | list):
        return sorted(map(dump_json, map(in_any_order, value)))
    if isinstance(value, dict):
        return {key: in_any_order(item) for key, item in value.items()}
    return value


def compare(module: str, document: Any) -> None:
    ours = compile_modules([Source("t.rego", module)], entrypoints=QUERIES).evaluate(document)
    theirs = asyncio.run(ask_regopy(module, document))

    for query, value in zip(QUERIES, ours, strict=True):
        want = "undefined" if value is UNDEFINED else in_any_order(value)
        got = in_any_order(theirs[query]) if query in theirs else "undefined"
        assert dump_json(got) == dump_json(want), (query, module, document)


few_and_the_same = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@few_and_the_same
@given(modules, inputs)
def test_regopy_gives_the_same_answers(module: str, document: Any) -> None:
    compare(module, document)


@few_and_the_same
@given(modules, st.lists(inputs, min_size=1, max_size=3), st.data())
def test_regopy_gives_the_same_answers_to_inputs_with_something_missing_renamed_or_twice(
    module: str, documents: list[Any], data: st.DataObject
) -> None:
    compare(module, data.draw(mutated(documents, words_of(module), changes=KEEPING_TYPES)))
