"""Small policies as authors write them, with what OPA answered."""

import json
import re
from typing import Any

import pytest

from tests.support.conformance import SKIP_REASON, conformance_folder
from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.compiler import load_modules, plan_entry_points
from webhook.rego.errors import CompileError, EvaluationError
from webhook.rego.interpret import Interpreter
from webhook.rego.program import Program
from webhook.rego.texts import to_json
from webhook.rego.values import equal

ERROR = re.compile(r"m0\.rego:(\d+): (\w+): ([^\n]*)")


def load_sources() -> list[dict[str, Any]]:
    folder = conformance_folder()
    if folder is None:
        return []
    loaded: list[dict[str, Any]] = json.loads((folder / "rego-sources.json").read_text())
    return loaded


SOURCES = load_sources()

pytestmark = pytest.mark.skipif(not SOURCES, reason=SKIP_REASON)


def answers(source: dict[str, Any]) -> list[Any]:
    """Give the answers of all evaluators: values, `undefined`, or errors as OPA's first line has them."""
    try:
        resolution = load_modules([Source("m0.rego", source["module"])])
        policy = plan_entry_points(resolution, [source["query"]])
    except CompileError as error:
        first = error.diagnostics[0]
        return [f"m0.rego:{first.location.row}: {first.code}: {first.message}"]
    engines: list[Interpreter | Program] = [
        Interpreter(policy),
        Program(policy),
        Program(policy, optimise=False),
    ]
    return [answer(engine, policy, source) for engine in engines]


def answer(engine: Interpreter | Program, policy: ir.Policy, source: dict[str, Any]) -> Any:
    try:
        results = engine.query(policy.plans[0].name, source["input"])
    except EvaluationError as error:
        return f"m0.rego:{error.location.row}: {error.code}: {error.message}"
    return to_json(results[0]["result"]) if results else "undefined"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source["module"].split("\n", 2)[-1][:60])
def test_a_policy_gives_what_opa_gives(source: dict[str, Any]) -> None:
    got = answers(source)

    want = source["want"]
    if isinstance(want, str) and want.startswith("ERR"):
        error = ERROR.search(want)
        assert error
        place = f"m0.rego:{error[1]}: {error[2]}: "
        assert all(text.startswith(place + error[3][:40]) for text in got), got
    else:
        assert all(equal(value, want) for value in got), got
