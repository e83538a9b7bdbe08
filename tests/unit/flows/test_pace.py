import asyncio
import time

import pytest

from tests.support.clocks import FakeClock, SystemClock
from webhook.flows.pace import Pace, PaceLimits

MICROSECOND_NS, MILLISECOND_NS = 1_000, 1_000_000
PACE = Pace(SystemClock(), PaceLimits())


def test_on_an_idle_loop_work_goes_on_at_once() -> None:
    assert PACE.rest_seconds(60 * MICROSECOND_NS, 20 * MICROSECOND_NS) == 0


def test_on_a_busy_loop_work_gets_a_twentieth_of_the_time() -> None:
    rest = PACE.rest_seconds(60 * MICROSECOND_NS, 2 * MILLISECOND_NS)
    assert rest == pytest.approx(19 * 60e-6)


def test_a_slice_that_is_itself_a_burden_is_followed_by_a_rest_also_on_an_idle_loop() -> None:
    assert PACE.rest_seconds(50 * MILLISECOND_NS, 0) == pytest.approx(0.95)


def test_a_rest_ends_however_long_the_slice_was() -> None:
    assert PACE.rest_seconds(3_600 * 10**9, 0) == 2.0


def test_on_an_overloaded_loop_work_stops_for_a_while() -> None:
    assert PACE.rest_seconds(60 * MICROSECOND_NS, 60 * MILLISECOND_NS) == 0.1


async def test_a_loop_that_others_keep_busy_is_felt() -> None:
    def burden() -> None:
        time.sleep(0.06)  # longer than `late_ns`

    asyncio.get_running_loop().call_soon(burden)
    began = time.monotonic()
    await PACE.step_aside()
    assert time.monotonic() - began >= 0.15


async def test_a_slice_is_as_long_as_it_computed_not_as_it_waited() -> None:
    computed = iter([0, 50 * MICROSECOND_NS, 50 * MICROSECOND_NS, 10 * MILLISECOND_NS, 10 * MILLISECOND_NS])
    pace = Pace(FakeClock(), PaceLimits(), lambda: next(computed))
    began = time.monotonic()
    await asyncio.sleep(0.01)
    await pace.step_aside()
    between = time.monotonic()
    await pace.step_aside()
    assert between - began < 0.15
    assert time.monotonic() - between >= 0.15
