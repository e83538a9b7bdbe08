"""The second opinion: what the unit tests ask of policies, asked of another engine, and where the two differ.

A test that says `deny with input as …` becomes a question: the value of `deny` on that input. Owns the questions and
the comparison. Must not know which engine answers, nor how it is kept alive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhook.flows.policy_files import PolicyFiles, parse_sources
from webhook.ports.clock import Clock
from webhook.rego.ast import Module, Source
from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.compiler import plan_entry_points, resolve_modules
from webhook.rego.errors import CompileError, EvaluationError
from webhook.rego.parser import VersionChoice
from webhook.rego.program import Program
from webhook.rego.rule_tests import RuleTest, prepare
from webhook.rego.texts import dump_json, to_json
from webhook.rego.values import UNDEFINED, RegoSet, Value
from webhook.rego.witnesses import Documents, InputQuestion, input_questions, with_witnesses

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Opinion:
    """What another engine says."""

    value: object = None
    """The JSON value; sets are arrays."""
    defined: bool = False
    failure: str | None = None
    """Why there is no answer."""


class SecondEngine(Protocol):
    """Another engine, loaded with the policies and data."""

    async def ask(self, document: str, input_document: object) -> Opinion:
        """Evaluate a document on an input; an engine that fails is an opinion with a failure."""


@dataclass(frozen=True, slots=True)
class Question:
    """A document on an input, as a test asks for it, and our own engine's answer."""

    test: str
    document: str
    input_document: Value
    answer: Value
    """`UNDEFINED` where there is none."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that the other engine answers otherwise, or not at all."""

    question: Question
    opinion: Opinion


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """How far another engine agrees."""

    agreed: int
    disagreements: tuple[Difference, ...]
    unanswered: tuple[Difference, ...]


def policy_sources(files: PolicyFiles, version: VersionChoice) -> list[Source]:
    """Give the files without tests: what another engine needs to load.

    Raises:
        CompileError: a module does not parse.

    """
    modules, tests = prepare(parse_sources(files.sources, version))
    with_tests = {test.module for test in tests}
    return [module.source for index, module in enumerate(modules) if index not in with_tests]


def questions(files: PolicyFiles, version: VersionChoice, clock: Clock) -> list[Question]:
    """Collect what the tests ask of policies, each question once, with our own answers.

    Raises:
        CompileError: the modules do not compile.

    """
    return _Questions(files, version, clock).collect()


async def cross_check(asked: Sequence[Question], engine: SecondEngine) -> CrossCheck:
    """Ask another engine the same questions."""
    agreed = 0
    disagreements: list[Difference] = []
    unanswered: list[Difference] = []
    for question in asked:
        opinion = await engine.ask(question.document, to_json(question.input_document))
        if opinion.failure is not None:
            unanswered.append(Difference(question, opinion))
        elif _agrees(question.answer, opinion):
            agreed += 1
        else:
            disagreements.append(Difference(question, opinion))
    return CrossCheck(agreed, tuple(disagreements), tuple(unanswered))


def _agrees(answer: Value, opinion: Opinion) -> bool:
    if answer is UNDEFINED or not opinion.defined:
        return answer is UNDEFINED and not opinion.defined
    return _same(answer, opinion.value)


def _same(ours: Value, theirs: object) -> bool:
    """Compare a value with JSON, in which sets are arrays in any order."""
    if isinstance(ours, RegoSet):
        return isinstance(theirs, list) and sorted(map(dump_json, ours)) == sorted(map(dump_json, theirs))
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if isinstance(ours, dict):
        plain = to_json(ours)
        if not isinstance(theirs, dict) or plain.keys() != theirs.keys():
            return False
        return all(_same(value, theirs[key]) for key, value in ours.items() if isinstance(key, str))
    return bool(dump_json(ours) == dump_json(theirs))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a statement of a test asks, before its inputs are known."""

    test: RuleTest
    question: InputQuestion

    @property
    def path(self) -> str:
        """Reference of the rule that gives the inputs."""
        return f"{self.test.package}.{self.question.input.name}"


class _Questions:
    """Turns tests into questions."""

    def __init__(self, files: PolicyFiles, version: VersionChoice, clock: Clock) -> None:
        self._data = files.data
        self._now_ns = int(clock.now().timestamp() * _SECOND_NS)
        self._modules, self._tests = prepare(parse_sources(files.sources, version))

    def collect(self) -> list[Question]:
        """Give every question once."""
        asked = self._asked()
        paths = sorted({document for one in asked for document in one.question.documents})
        program = self._compile(self._modules, paths)
        found: dict[tuple[str, str], Question] = {}
        for one, inputs in self._inputs(asked):
            for document in one.question.documents:
                for given in inputs:
                    key = (document, dump_json(given))
                    if key not in found:
                        answer = self._value(program, document, given)
                        found[key] = Question(one.test.path, document, given, answer)
        return list(found.values())

    def _asked(self) -> list[_Asked]:
        tested = {test.module for test in self._tests}
        policies = [module for index, module in enumerate(self._modules) if index not in tested]
        documents = Documents(policies)
        asked: list[_Asked] = []
        for test in self._tests:
            module = self._modules[test.module]
            found = input_questions(module, module.rules[test.rule], documents, len(asked))
            asked += [_Asked(test, question) for question in found]
        return asked

    def _inputs(self, asked: list[_Asked]) -> Iterator[tuple[_Asked, list[Value]]]:
        """Give the inputs of each, all at once or, when not all compile, of each that does."""
        groups = [asked]
        try:
            self._probing(asked)
        except CompileError:
            groups = [[one] for one in asked]
        for group in groups:
            try:
                program = self._probing(group)
            except CompileError:
                continue
            for one in group:
                value = self._value(program, one.path, UNDEFINED)
                yield one, value.ordered() if isinstance(value, RegoSet) else []

    def _probing(self, asked: list[_Asked]) -> Program:
        modules = self._modules.copy()
        for one in asked:
            module = modules[one.test.module]
            modules[one.test.module] = with_witnesses(module, [one.question.input])
        return self._compile(modules, [one.path for one in asked])

    def _compile(self, modules: list[Module], paths: list[str]) -> Program:
        policy = plan_entry_points(resolve_modules(modules, data=self._data), paths)
        return Program(policy, paths, data=self._data)

    def _value(self, program: Program, path: str, given: Value) -> Value:
        """Evaluate a document; one that fails counts as undefined, as an error gives no verdict either."""
        try:
            results = program.query(path, given, context=EvaluationContext(self._now_ns))
        except EvaluationError:
            return UNDEFINED
        return results[0]["result"] if results else UNDEFINED
