"""`gradate test --cross-check`: regopy as the second engine, and how its opinions are printed."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from webhook.engines.errors import EngineError
from webhook.engines.regopy_process import RegopyProcess, RegopyProgram
from webhook.flows.policy_files import PolicyFiles
from webhook.flows.second_opinion import (
    CrossCheck,
    Difference,
    Opinion,
    cross_check,
    policy_sources,
    questions,
)
from webhook.ports.clock import Clock
from webhook.rego.ast import Source
from webhook.rego.parser import VersionChoice
from webhook.rego.texts import dump_json, to_json
from webhook.rego.values import UNDEFINED

_TIMEOUT_NS = 5_000_000_000
_SHOWN_CHARACTERS = 200


class RegopyEngine:
    """regopy in a process of its own; a new one after each crash."""

    def __init__(self, sources: Sequence[Source], data: dict[str, Any], clock: Clock) -> None:
        modules = tuple((source.path, source.text) for source in sources)
        self._program = RegopyProgram(modules, to_json(data))
        self._clock = clock
        self._process: RegopyProcess | None = None

    async def ask(self, document: str, input_document: object) -> Opinion:
        """Evaluate a document on an input."""
        if self._process is None:
            self._process = RegopyProcess(self._program, self._clock)
        deadline_ns = self._clock.monotonic_ns() + _TIMEOUT_NS
        try:
            values = await self._process.query([document], input_document, deadline_ns)
        except EngineError as error:
            if error.code != "engine_refused":
                await self.aclose()
            return Opinion(failure=str(error))
        return Opinion(values.get(document), document in values)

    async def aclose(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            await process.aclose()


def ask_regopy(files: PolicyFiles, version: VersionChoice, clock: Clock) -> CrossCheck:
    """Ask regopy what the tests ask of the policies.

    Raises:
        CompileError: the modules do not compile.

    """

    async def run() -> CrossCheck:
        engine = RegopyEngine(policy_sources(files, version), files.data, clock)
        try:
            return await cross_check(questions(files, version, clock), engine)
        finally:
            await engine.aclose()

    return asyncio.run(run())


def cross_check_text(check: CrossCheck) -> str:
    """Write what regopy says otherwise, and how often it agrees."""
    lines = [line for found in (*check.disagreements, *check.unanswered) for line in _lines(found)]
    counts = f"{len(check.disagreements)} disagree, {len(check.unanswered)} without an answer"
    return "\n".join([*lines, f"cross-check with regopy: {check.agreed} agree, {counts}"])


def _lines(found: Difference) -> Iterator[str]:
    yield f"  {found.question.document}, as asked in {found.question.test}:"
    yield f"    gradate: {_ours(found)}"
    yield f"    regopy:  {_theirs(found)}"


def _ours(found: Difference) -> str:
    answer = found.question.answer
    return "undefined" if answer is UNDEFINED else dump_json(answer)[:_SHOWN_CHARACTERS]


def _theirs(found: Difference) -> str:
    opinion = found.opinion
    if opinion.failure is not None:
        return f"no answer: {''.join(opinion.failure.strip().splitlines()[:1])}"
    return dump_json(opinion.value)[:_SHOWN_CHARACTERS] if opinion.defined else "undefined"


def cross_check_document(check: CrossCheck) -> dict[str, Any]:
    """Give the comparison as plain data."""
    return {
        "engine": "regopy",
        "agreed": check.agreed,
        "disagreements": [_document(found) for found in check.disagreements],
        "unanswered": [_document(found) for found in check.unanswered],
    }


def _document(found: Difference) -> dict[str, Any]:
    question = found.question
    return {
        "test": question.test,
        "document": question.document,
        "input": to_json(question.input_document),
        "gradate": _ours(found),
        "regopy": _theirs(found),
    }
