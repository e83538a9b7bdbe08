"""Watching a rollout while servers come and go."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.rollouts import NAMESPACES, NOW, begun, evidence
from webhook.cli.errors import CommandError, NoAnswer
from webhook.cli.watch import watch_rollout
from webhook.flows.rollout_views import RolloutStatus, view_status
from webhook.ports.store import StoreUnavailable
from webhook.rollout.life import Phase
from webhook.server.operation_table import Answer, Operation, Question

GOING = view_status(begun(), evidence(), NAMESPACES, NOW)
OVER = view_status(replace(begun(), phase=Phase.HEALTHY), evidence(), NAMESPACES, NOW)


class ScriptedDesk:
    """Answers what it was told to, one thing after the other."""

    place = "http://127.0.0.1:8080"

    def __init__(self, answers: Sequence[RolloutStatus | Exception]) -> None:
        self.answers = list(answers)

    async def ask(self, operation: Operation[Question, Answer], question: Question) -> Answer:
        answer: Any = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        found: Answer = answer
        return found


async def watched(*answers: RolloutStatus | Exception, patience_seconds: float = 30) -> list[RolloutStatus]:
    shown: list[RolloutStatus] = []
    desk = ScriptedDesk(answers)
    last = await watch_rollout(
        desk, "x", shown.append, interval_seconds=0.001, patience_seconds=patience_seconds
    )
    assert last is shown[-1]
    return shown


async def test_a_server_that_is_started_anew_is_waited_for() -> None:
    away = NoAnswer("no server answers"), StoreUnavailable("another process is writing for too long")
    assert await watched(GOING, *away, GOING, *away, OVER) == [GOING, GOING, OVER]


async def test_one_that_stays_away_ends_the_watch_with_its_reason() -> None:
    with pytest.raises(NoAnswer, match="no server answers"):
        await watched(GOING, NoAnswer("no server answers"), patience_seconds=0.05)


@pytest.mark.parametrize("answers", [[NoAnswer("nobody")], [GOING, CommandError("the token is wrong")]])
async def test_nobody_waits_for_what_will_not_change(answers: list[RolloutStatus | Exception]) -> None:
    with pytest.raises(CommandError, match=r"nobody|the token is wrong"):
        await watched(*answers)
