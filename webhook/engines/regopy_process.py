"""A supervised regopy subprocess: killed when it hangs, restarted with back-off when it dies.

Owns the process and its frames; must not know what the queries mean.
"""

import asyncio
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from webhook.engines.errors import EngineCrashedError, EngineRefusedError, EngineTimeoutError
from webhook.ports.clock import Clock

_LENGTH = struct.Struct(">I")
_FRAME_LIMIT_BYTES = 64 * 1024 * 1024
_START_TIMEOUT_SECONDS = 20.0
_FIRST_BACK_OFF_SECONDS = 0.1
_LONGEST_BACK_OFF_SECONDS = 30.0
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RegopyProgram:
    """What the subprocess loads when it starts."""

    modules: tuple[tuple[str, str], ...]
    """(path, text) of every module."""
    data: Mapping[str, Any] | None = None
    """Base documents."""


class RegopyProcess:
    """One engine process; queries are answered in turn.

    A query that passes its deadline kills the process: the engine cannot be interrupted otherwise.
    """

    def __init__(self, program: RegopyProgram, clock: Clock) -> None:
        self._program = program
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._back_off_seconds = 0.0
        self._not_before_ns = 0
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode

    async def start(self) -> None:
        """Start the engine and load the program.

        Raises:
            EngineRefusedError: the engine does not accept a module.
            EngineCrashedError: the process died.
            EngineTimeoutError: it did not answer in time.

        """
        async with self._turn:
            await self._ensure_running(self._clock.monotonic_ns() + int(_START_TIMEOUT_SECONDS * _SECOND_NS))

    async def query(self, queries: Sequence[str], document: object, deadline_ns: int) -> dict[str, Any]:
        """Ask `queries` of `document` (the input); give values by query, undefined ones absent.

        Raises:
            EngineRefusedError: the engine answered with an error.
            EngineCrashedError: the process died, or is waiting to be restarted.
            EngineTimeoutError: no answer by `deadline_ns` (monotonic).

        """
        try:
            async with asyncio.timeout(self._seconds_until(deadline_ns)):
                await self._turn.acquire()
        except TimeoutError as error:
            raise EngineTimeoutError("the engine was busy until the deadline passed") from error
        try:
            await self._ensure_running(deadline_ns)
            answer = await self._exchange({"input": document, "queries": list(queries)}, deadline_ns)
        finally:
            self._turn.release()
        if "error" in answer:
            raise EngineRefusedError(answer["error"])
        values: dict[str, Any] = answer["values"]
        return values

    async def aclose(self) -> None:
        """End the process."""
        await self._kill()

    async def _ensure_running(self, deadline_ns: int) -> None:
        if self._process is not None and self._process.returncode is None:
            return
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._not_before_ns:
            seconds = (self._not_before_ns - now_ns) / _SECOND_NS
            raise EngineCrashedError(f"the engine died before; it is restarted in {seconds:.1f} s")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "webhook.engines.regopy_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # A policy must not see the server's environment: regopy exposes it as opa.runtime().env.
            env={"PATH": "/usr/bin:/bin"},
            limit=_FRAME_LIMIT_BYTES,
        )
        # Loading may take longer than one request has; it is not repeated for the next one.
        start_deadline_ns = max(deadline_ns, now_ns + int(_START_TIMEOUT_SECONDS * _SECOND_NS))
        setup = {"modules": [list(module) for module in self._program.modules], "data": self._program.data}
        answer = await self._exchange(setup, start_deadline_ns)
        if "error" in answer:
            await self._kill()
            raise EngineRefusedError(answer["error"])

    async def _exchange(self, document: Mapping[str, Any], deadline_ns: int) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EngineCrashedError("the engine is not running")
        body = self._encode(document)
        try:
            async with asyncio.timeout(self._seconds_until(deadline_ns)):
                process.stdin.write(_LENGTH.pack(len(body)) + body)
                await process.stdin.drain()
                head = await process.stdout.readexactly(_LENGTH.size)
                answer = await process.stdout.readexactly(_LENGTH.unpack(head)[0])
        except TimeoutError as error:
            await self._kill()
            raise EngineTimeoutError("the engine gave no answer before the deadline") from error
        except (asyncio.IncompleteReadError, ConnectionError, OSError) as error:
            await self._died()
            raise EngineCrashedError("the engine died while it evaluated") from error
        except asyncio.CancelledError:
            # The answer is still under way: the next frame would be read as ours.
            await self._kill()
            raise
        self._back_off_seconds = 0.0
        return self._decode(answer)

    async def _died(self) -> None:
        self._back_off_seconds = min(
            max(self._back_off_seconds * 2, _FIRST_BACK_OFF_SECONDS), _LONGEST_BACK_OFF_SECONDS
        )
        self._not_before_ns = self._clock.monotonic_ns() + int(self._back_off_seconds * _SECOND_NS)
        await self._kill()

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()

    def _seconds_until(self, deadline_ns: int) -> float:
        return max(0.0, (deadline_ns - self._clock.monotonic_ns()) / _SECOND_NS)
