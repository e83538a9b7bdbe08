import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.https import until
from webhook.server.channel import Channel, Message, Report, StartFailure
from webhook.server.checks import Health, NamedHealth
from webhook.telemetry.metrics import MetricsReport
from webhook.telemetry.tally import TallyReport

REPORT = Report(
    metrics=MetricsReport(tally=TallyReport(counters=(("gradate_requests", ("validate", "200"), 3),))),
    checks=(NamedHealth("snapshot", Health(ok=False, note="why")),),
)


class End:
    """One end of a channel, with what it heard."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.is_lost = False
        self.channel = Channel(self.heard.append, self.lose)

    def lose(self) -> None:
        self.is_lost = True


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[End, End]]:
    loop, ends = asyncio.get_running_loop(), (End(), End())
    for end, side in zip(ends, socket.socketpair(), strict=True):
        side.setblocking(False)
        await loop.create_connection(lambda end=end: end.channel, sock=side)  # type: ignore[misc]  # mypy and defaults
    yield ends
    for end in ends:
        end.channel.close()
    await until(lambda: all(end.is_lost for end in ends))


async def test_messages_arrive_whole_and_in_order() -> None:
    async with connected() as (worker, supervisor):
        big = StartFailure(message="x" * 300_000)
        for message in (REPORT, big, REPORT):
            worker.channel.send(message)
        await until(lambda: len(supervisor.heard) == 3)
        assert supervisor.heard == [REPORT, big, REPORT]


async def test_the_death_of_one_end_is_told_to_the_other_and_sending_to_it_is_no_error() -> None:
    async with connected() as (worker, supervisor):
        worker.channel.close()
        await until(lambda: supervisor.is_lost)
        supervisor.channel.send(REPORT)


async def test_what_was_sent_before_the_end_still_arrives() -> None:
    async with connected() as (worker, supervisor):
        worker.channel.send(REPORT)
        worker.channel.close()
        await until(lambda: supervisor.is_lost)
        assert supervisor.heard == [REPORT]


async def test_a_message_that_is_not_understood_costs_only_itself() -> None:
    async with connected() as (worker, supervisor):
        strange = MetricsReport(gauges=(("gradate_leader", (), "much"),))  # type: ignore[arg-type]  # on purpose
        for message in (REPORT, Report(metrics=strange, checks=()), REPORT):
            worker.channel.send(message)
        await until(lambda: len(supervisor.heard) == 2)
        assert not supervisor.is_lost


async def test_an_end_that_does_not_read_is_noticed() -> None:
    async with connected() as (worker, supervisor):
        clear = [worker.channel.is_clear]
        for _ in range(100):
            worker.channel.send(StartFailure(message="x" * 100_000))
        clear.append(worker.channel.is_clear)
        await until(lambda: len(supervisor.heard) == 100)
        assert [*clear, worker.channel.is_clear] == [True, False, True]
