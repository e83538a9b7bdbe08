import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clocks import FakeClock
from webhook.compose.clock import SystemClock
from webhook.flows.pace import Pace, PaceLimits, starved_ns

MICROSECOND_NS, MILLISECOND_NS = 1_000, 1_000_000
SLICE_NS = 60 * MICROSECOND_NS
PACE = Pace(SystemClock(), PaceLimits())


class Thread:
    """A thread that computes when it is told to, on a clock that it moves."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.computed_ns = 0
        self.starved_ns = 0
        self.pace = Pace(self.clock, PaceLimits(), lambda: self.computed_ns, lambda: self.starved_ns)

    def compute(self, duration_ns: int) -> None:
        self.computed_ns += duration_ns
        self.clock.ticks_ns += duration_ns

    def starve(self, duration_ns: int) -> None:
        self.starved_ns += duration_ns
        self.clock.ticks_ns += duration_ns

    async def work(self, slices: int, others_ns: int, idle_ns: int, starved_ns: int = 0) -> None:
        """Work in slices; in between others compute, or other processes, or nobody."""
        for _ in range(slices):
            self.pace.resume()
            self.compute(SLICE_NS)
            await self.pace.step_aside()
            self.compute(others_ns)
            self.starve(starved_ns)
            self.clock.ticks_ns += idle_ns


def test_on_an_idle_thread_work_goes_on_at_once() -> None:
    assert PACE.rest_seconds(SLICE_NS, 20 * MICROSECOND_NS, 0.0) == 0


def test_on_a_busy_thread_one_request_of_a_hundred_meets_the_work_at_most() -> None:
    request_ns, slice_ns = 600 * MICROSECOND_NS, 300 * MICROSECOND_NS
    for utilisation in (0.4, 1.0):
        rest_seconds = PACE.rest_seconds(slice_ns, 0, utilisation)
        assert 100 * request_ns <= rest_seconds * 10**9 <= 200 * request_ns


def test_on_a_slow_loop_work_gets_a_fiftieth_of_the_time() -> None:
    assert PACE.rest_seconds(SLICE_NS, 60 * MILLISECOND_NS, 0.0) == pytest.approx(49 * 60e-6)


def test_what_should_not_be_put_off_gets_a_tenth_of_a_busy_thread() -> None:
    for waited_ns, utilisation in ((0, 1.0), (60 * MILLISECOND_NS, 0.0)):
        assert PACE.rest_seconds(SLICE_NS, waited_ns, utilisation, urgent=True) == pytest.approx(9 * 60e-6)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_busier_the_thread_the_longer_the_rest(one: float, other: float) -> None:
    lower, higher = sorted((one, other))
    assert PACE.rest_seconds(SLICE_NS, 0, lower) <= PACE.rest_seconds(SLICE_NS, 0, higher)


def test_a_slice_that_is_itself_a_burden_is_followed_by_a_rest_also_on_an_idle_thread() -> None:
    assert PACE.rest_seconds(5 * MILLISECOND_NS, 0, 0.0) == pytest.approx(0.245)


def test_a_rest_ends_however_long_the_slice_was() -> None:
    assert PACE.rest_seconds(3_600 * 10**9, 0, 0.0) == 1.0


async def test_what_others_compute_is_told_from_the_own_slices_and_from_idling() -> None:
    thread = Thread()
    await thread.work(20, others_ns=0, idle_ns=0)
    assert thread.pace.utilisation == 0
    await thread.work(50, others_ns=4 * SLICE_NS, idle_ns=5 * SLICE_NS)
    assert thread.pace.utilisation == pytest.approx(0.4, abs=0.1)
    await thread.work(5, others_ns=0, idle_ns=10**9)
    assert thread.pace.utilisation < 0.05


async def test_what_others_compute_while_the_work_breathes_is_not_the_works() -> None:
    thread = Thread()
    thread.pace.resume()
    asyncio.get_running_loop().call_soon(thread.compute, 10**9)
    await thread.pace.breathe()
    thread.compute(SLICE_NS)
    began = asyncio.get_running_loop().time()
    await thread.pace.step_aside(urgent=True)
    assert asyncio.get_running_loop().time() - began < 0.5  # a rest for SLICE_NS, not for a second


async def test_a_thread_that_gets_no_processor_is_busy_when_all_it_gets_goes_to_others() -> None:
    thread = Thread()
    await thread.work(50, others_ns=4 * SLICE_NS, idle_ns=0, starved_ns=15 * SLICE_NS)
    assert thread.pace.utilisation == pytest.approx(0.8, abs=0.05)


async def test_a_thread_of_which_nothing_is_asked_is_not_busy_however_busy_the_machine_is() -> None:
    thread = Thread()
    await thread.work(50, others_ns=0, idle_ns=SLICE_NS, starved_ns=15 * SLICE_NS)
    assert thread.pace.utilisation == 0


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the kernel keeps no such count")
def test_waiting_for_a_processor_is_counted() -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    rival = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        before_ns, until = starved_ns(), time.monotonic() + 1
        while time.monotonic() < until:
            pass
        assert starved_ns() - before_ns > 200 * MILLISECOND_NS
    finally:
        rival.kill()
        rival.wait()
        os.sched_setaffinity(0, cores)


async def test_a_loop_that_others_keep_busy_is_felt() -> None:
    def burden() -> None:
        time.sleep(0.06)  # longer than `late_ns`

    PACE.resume()
    sum(range(20_000))  # a slice that takes some 100 microseconds at least
    asyncio.get_running_loop().call_soon(burden)
    began = time.monotonic()
    await PACE.step_aside()
    assert time.monotonic() - began >= 0.065
