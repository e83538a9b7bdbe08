"""What tests ask of policies, and the comparison of two engines."""

from collections.abc import Mapping

from webhook.compose.clock import SystemClock
from webhook.flows.policy_files import PolicyFiles
from webhook.flows.second_opinion import CrossCheck, Opinion, cross_check, policy_sources, questions
from webhook.rego.ast import Source
from webhook.rego.texts import to_json
from webhook.rego.values import UNDEFINED, RegoSet

POLICY = Source(
    "a.rego",
    "package a\nimport rego.v1\ndeny contains m if some m in input.ms\nallow if input.ok\nbroken := {1: x | some x in input.ms}",
)


def asked(tests: str) -> PolicyFiles:
    text = f"package a_test\nimport rego.v1\nimport data.a\n{tests}"
    return PolicyFiles((POLICY, Source("a_test.rego", text)), {})


def found(tests: str) -> list[tuple[str, object, object]]:
    return [
        (
            one.document,
            to_json(one.input_document),
            one.answer if one.answer is UNDEFINED else to_json(one.answer),
        )
        for one in questions(asked(tests), "auto", SystemClock())
    ]


class FixedEngine:
    """Answers from a table of documents."""

    def __init__(self, answers: Mapping[str, Opinion]) -> None:
        self._answers = answers

    async def ask(self, document: str, input_document: object) -> Opinion:
        return self._answers[document]


async def check(tests: str, **answers: Opinion) -> CrossCheck:
    table = {f"data.a.{name}": opinion for name, opinion in answers.items()}
    return await cross_check(questions(asked(tests), "auto", SystemClock()), FixedEngine(table))


def test_a_statement_on_an_input_of_its_own_is_a_question() -> None:
    assert found('test_x if count(a.deny) == 1 with input as {"ms": ["m"]}') == [
        ("data.a.deny", {"ms": ["m"]}, ["m"])
    ]


def test_an_input_that_is_computed_or_patched_is_asked_as_it_then_is() -> None:
    tests = 'review(m) := {"ms": [m]}\ntest_x if a.deny with input as review("a") with input.more as 1'

    assert found(tests) == [("data.a.deny", {"ms": ["a"], "more": 1}, ["a"])]


def test_each_element_of_an_every_asks_for_itself() -> None:
    assert found('test_x if every m in ["a", "b"] { a.deny[m] with input as {"ms": [m]} }') == [
        ("data.a.deny", {"ms": ["a"]}, ["a"]),
        ("data.a.deny", {"ms": ["b"]}, ["b"]),
    ]


def test_the_same_question_is_asked_once() -> None:
    assert len(found("test_x if not a.allow with input as {}\ntest_y if not a.allow with input as {}")) == 1


def test_a_document_that_fails_has_no_answer() -> None:
    assert found('test_x if not a.broken with input as {"ms": [1, 2]}') == [
        ("data.a.broken", {"ms": [1, 2]}, UNDEFINED)
    ]


def test_the_other_engine_gets_the_policies_without_tests() -> None:
    assert policy_sources(asked("test_x if true"), "auto") == [POLICY]


async def test_sets_agree_in_any_order() -> None:
    tests = 'test_x if count(a.deny) == 2 with input as {"ms": ["a", "b"]}'

    assert (await check(tests, deny=Opinion(["b", "a"], defined=True))).agreed == 1


async def test_another_value_is_a_disagreement() -> None:
    tests = 'test_x if count(a.deny) == 1 with input as {"ms": ["a"]}'

    for opinion in (
        Opinion(["b"], defined=True),
        Opinion([], defined=True),
        Opinion("a", defined=True),
        Opinion(),
    ):
        (difference,) = (await check(tests, deny=opinion)).disagreements
        assert difference.question.answer == RegoSet(["a"])


async def test_undefined_agrees_with_undefined_only() -> None:
    tests = "test_x if not a.allow with input as {}"

    assert (await check(tests, allow=Opinion())).agreed == 1
    assert len((await check(tests, allow=Opinion(value=False, defined=True))).disagreements) == 1


async def test_an_engine_that_fails_gives_no_answer() -> None:
    found_ = await check("test_x if not a.allow with input as {}", allow=Opinion(failure="it died"))

    assert found_.agreed == 0
    assert [difference.opinion.failure for difference in found_.unanswered] == ["it died"]
