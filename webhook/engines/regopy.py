"""The regopy evaluator: the second opinion, in a process of its own.

rego-cpp knows Rego v1 only, and tests/conformance/regopy_defects.toml lists what is known to be wrong with it; a
policy chooses it with `engine: regopy`.
"""

from collections.abc import Mapping
from typing import Any

from webhook.engines.errors import EngineError
from webhook.engines.regopy_process import RegopyProcess, RegopyProgram
from webhook.policy.errors import PolicySyntaxError
from webhook.policy.version import PolicyVersion
from webhook.ports.clock import Clock
from webhook.ports.evaluator import Evaluation, EvaluationFailure, Purpose

VALIDATION_RULES = ("deny", "warn", "violation")
MUTATION_RULES = ("patch",)


class RegopyEvaluator:
    """One policy version on one supervised process."""

    engine = "regopy"
    in_process = False

    def __init__(self, version: PolicyVersion, process: RegopyProcess) -> None:
        self._process = process
        self._queries = {
            Purpose.VALIDATE: _queries(version, VALIDATION_RULES),
            Purpose.MUTATE: _queries(version, MUTATION_RULES),
        }
        self.mutates = bool(self._queries[Purpose.MUTATE])

    async def evaluate(
        self, document: Mapping[str, object], purpose: Purpose, deadline_ns: int
    ) -> Evaluation:
        """Judge `document`; whatever happens to the engine is a failure in the answer."""
        queries = self._queries[purpose]
        if not queries:
            return Evaluation()
        try:
            values = await self._process.query(tuple(queries), document, deadline_ns)
        except EngineError as error:
            return Evaluation(failure=EvaluationFailure(error.code, _without_values(error)))
        outputs = {queries[query]: _as_list(value) for query, value in values.items()}
        return Evaluation({rule: items for rule, items in outputs.items() if items})

    async def aclose(self) -> None:
        """End the process."""
        await self._process.aclose()


async def build_regopy_evaluator(version: PolicyVersion, clock: Clock) -> RegopyEvaluator:
    """Start a process and load the policy into it.

    Raises:
        PolicySyntaxError: the engine does not accept the policy.

    """
    program = RegopyProgram(tuple((source.path, source.text) for source in version.sources))
    process = RegopyProcess(program, clock)
    try:
        await process.start()
    except EngineError as error:
        await process.aclose()
        raise PolicySyntaxError(f"{version.path}: regopy does not load this policy: {error}") from error
    return RegopyEvaluator(version, process)


def _queries(version: PolicyVersion, rules: tuple[str, ...]) -> dict[str, str]:
    return {version.entrypoint(rule): rule for rule in rules if rule in version.rules}


def _as_list(value: Any) -> list[Any]:
    """Sets arrive as arrays; v0's partial sets of objects arrive as objects, one of the known defects."""
    return value if isinstance(value, list) else [value]


def _without_values(error: EngineError) -> str:
    """Keep an error's first sentence: the engine's own text may quote the object."""
    if error.code == "engine_refused":
        return "the engine answered with an error; `gradate eval` shows it"
    return str(error)
