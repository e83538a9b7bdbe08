import asyncio
from collections.abc import Sequence

from webhook.telemetry.outcome import RequestOutcome
from webhook.telemetry.recorder import Recorder


class Kept:
    """A sink that keeps what it takes."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def accept(self, outcomes: Sequence[RequestOutcome]) -> None:
        self.batches.append(len(outcomes))


OUTCOME = RequestOutcome(endpoint="validate", status=200, ended_at_ns=0, duration_ns=0)


def test_outcomes_reach_every_sink_in_small_batches() -> None:
    sinks = [Kept(), Kept()]
    recorder = Recorder(sinks)
    for _ in range(100):
        recorder.record(OUTCOME)
    recorder.flush()
    for sink in sinks:
        assert sum(sink.batches) == 100
        assert max(sink.batches) <= 32


def test_a_full_queue_drops_and_counts_what_it_drops() -> None:
    sink = Kept()
    recorder = Recorder([sink], capacity=10)
    for _ in range(15):
        recorder.record(OUTCOME)
    recorder.flush()
    assert (sum(sink.batches), recorder.dropped) == (10, 5)


async def test_the_background_task_empties_the_queue_letting_others_run_between_batches() -> None:
    sink = Kept()
    recorder = Recorder([sink])
    turns = 0
    finished = asyncio.Event()

    async def others() -> None:
        nonlocal turns
        while not finished.is_set():
            turns += bool(sink.batches)
            await asyncio.sleep(0)

    for _ in range(320):
        recorder.record(OUTCOME)
    tasks = [asyncio.create_task(others()), asyncio.create_task(recorder.run(0.001, finished.set))]
    await asyncio.wait_for(finished.wait(), 5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(sink.batches) == 320
    assert turns >= 9
