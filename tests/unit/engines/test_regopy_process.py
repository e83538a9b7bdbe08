"""The second engine runs in a process of its own: whatever happens there is an answer here."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from webhook.compose.clock import SystemClock
from webhook.engines.errors import EngineCrashedError, EngineRefusedError, EngineTimeoutError
from webhook.engines.regopy_process import RegopyProcess, RegopyProgram

_POLICY = 'package p\nimport rego.v1\ndeny contains m if { input.bad; m := sprintf("%v", [input.name]) }\n'
_SECOND_NS = 1_000_000_000
# rego-cpp's regular expressions backtrack without end on this one.
_HANGS = 'package h\nimport rego.v1\na if regex.match(`^(a*)*b$`, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac")\n'


def _soon(seconds: float = 10.0) -> int:
    return time.monotonic_ns() + int(seconds * _SECOND_NS)


@asynccontextmanager
async def _engine(*modules: str) -> AsyncIterator[RegopyProcess]:
    program = RegopyProgram(tuple((f"m{i}.rego", text) for i, text in enumerate(modules)))
    process = RegopyProcess(program, SystemClock())
    try:
        yield process
    finally:
        await process.aclose()


def _children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as children:  # noqa: PTH123 (procfs)
        return {int(pid) for pid in children.read().split()}


async def test_a_query_is_answered_with_json_values() -> None:
    async with _engine(_POLICY) as engine:
        values = await engine.query(["data.p.deny"], {"bad": True, "name": "web"}, _soon())
    assert values == {"data.p.deny": ["web"]}


async def test_an_undefined_query_is_absent_from_the_answer() -> None:
    async with _engine(_POLICY) as engine:
        assert await engine.query(["data.p.nothing"], {}, _soon()) == {}


async def test_a_module_with_a_syntax_error_is_refused_at_start() -> None:
    async with _engine("package p\ndeny contains {") as engine:
        with pytest.raises(EngineRefusedError):
            await engine.start()


async def test_a_killed_engine_is_an_error_now_and_restarted_after_its_back_off() -> None:
    async with _engine(_POLICY) as engine:
        before = _children()
        await engine.start()
        (pid,) = _children() - before
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineCrashedError):
            await engine.query(["data.p.deny"], {}, _soon())
        with pytest.raises(EngineCrashedError, match="restarted in"):
            await engine.query(["data.p.deny"], {}, _soon())
        await asyncio.sleep(0.2)
        assert await engine.query(["data.p.deny"], {"bad": 1, "name": "a"}, _soon()) == {"data.p.deny": ["a"]}


async def test_an_engine_that_hangs_is_killed_at_the_deadline_and_the_next_query_is_answered() -> None:
    async with _engine(_HANGS, _POLICY) as engine:
        await engine.start()
        with pytest.raises(EngineTimeoutError):
            await engine.query(["data.h.a"], {}, _soon(0.3))
        assert await engine.query(["data.p.deny"], {"bad": 1, "name": "a"}, _soon()) == {"data.p.deny": ["a"]}


async def test_a_second_query_waits_for_its_turn_but_not_past_its_deadline() -> None:
    async with _engine(_HANGS, _POLICY) as engine:
        await engine.start()
        hanging = asyncio.ensure_future(engine.query(["data.h.a"], {}, _soon(1.0)))
        await asyncio.sleep(0.05)
        with pytest.raises(EngineTimeoutError, match="busy"):
            await engine.query(["data.p.deny"], {}, _soon(0.1))
        with pytest.raises(EngineTimeoutError):
            await hanging


async def test_a_cancelled_query_leaves_no_stale_answer_behind() -> None:
    async with _engine(_HANGS, _POLICY) as engine:
        await engine.start()
        query = asyncio.ensure_future(engine.query(["data.h.a"], {}, _soon()))
        await asyncio.sleep(0.05)
        query.cancel()
        with pytest.raises(asyncio.CancelledError):
            await query
        assert await engine.query(["data.p.deny"], {"bad": 1, "name": "b"}, _soon()) == {"data.p.deny": ["b"]}


async def test_the_engine_does_not_see_the_environment() -> None:
    os.environ["SECRET_OF_THE_SERVER"] = "do-not-tell"
    try:
        async with _engine("package e\nimport rego.v1\nenv := opa.runtime().env\n") as engine:
            values = await engine.query(["data.e.env"], {}, _soon())
    finally:
        del os.environ["SECRET_OF_THE_SERVER"]
    assert "SECRET_OF_THE_SERVER" not in str(values)
    assert "PATH" in str(values)
