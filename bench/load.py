"""The load generator: one process that keeps N TLS connections busy, each with one request at a time.

As lean as it can be, because it shares the machine with the server it measures: prebuilt request bytes, a
parser that looks for the end of the body and no more. It only ever connects to loopback.
"""

import argparse
import asyncio
import json
import ssl
import sys
import time
from array import array
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.review import UID, build_review

HOST = "127.0.0.1"
SERVER_NAME = "localhost"
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_GOOD_STATUS = b"HTTP/1.1 200"
_GOOD_BODY = b'"allowed":true'


class Tally:
    """What all connections of one run have seen."""

    def __init__(self) -> None:
        self.latencies_ns = array("q")
        self.errors = 0
        self.recording = False
        self.stopping = False
        self.first_body = b""


class Connection(asyncio.Protocol):
    """Sends the request again as soon as its answer is complete."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally
        self._pending = b""
        self._sent_ns = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport does not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        if self._pending:
            data = self._pending + data
        head_length = data.find(_HEAD_END)
        if head_length < 0 or len(data) < head_length + 4 + _content_length(data[:head_length]):
            self._pending = data
            return
        self._pending = b""
        tally = self._tally
        if tally.recording:
            tally.latencies_ns.append(time.perf_counter_ns() - self._sent_ns)
        if not data.startswith(_GOOD_STATUS) or _GOOD_BODY not in data:
            tally.errors += 1
        if not tally.first_body:
            tally.first_body = data[head_length + 4 :]
        if not tally.stopping:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        if not self._tally.stopping:
            self._tally.errors += 1

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        assert self._transport is not None
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(self._request)


def _content_length(head: bytes) -> int:
    start = head.lower().find(_LENGTH) + len(_LENGTH)
    return int(head[start : head.find(b"\r\n", start) if b"\r\n" in head[start:] else None])


async def measure(
    port: int, authority: Path, connections: int, warm_up: float, duration: float
) -> dict[str, float]:
    """Load a server and give the figures; times in microseconds."""
    context = ssl.create_default_context(cafile=authority)
    body = build_review()
    head = (
        f"POST /validate?timeout=5s HTTP/1.1\r\nHost: {SERVER_NAME}:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, */*\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    tally = Tally()
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: Connection(head.encode() + body, tally),
            HOST,
            port,
            ssl=context,
            server_hostname=SERVER_NAME,
        )
        clients.append(client)
    await asyncio.sleep(warm_up)
    tally.recording = True
    begun = time.perf_counter()
    await asyncio.sleep(duration)
    elapsed = time.perf_counter() - begun
    tally.recording, tally.stopping = False, True
    for client in clients:
        client.close()
    _check(tally)
    return _figures(tally, elapsed)


def _check(tally: Tally) -> None:
    response = msgspec.json.decode(tally.first_body)["response"]
    if response["uid"] != UID or response["allowed"] is not True:
        raise SystemExit(f"the server did not allow the benchmark's Pod: {response}")


def _figures(tally: Tally, elapsed: float) -> dict[str, float]:
    latencies = sorted(tally.latencies_ns)
    if not latencies:
        raise SystemExit("the server answered nothing")

    def percentile(percent: float) -> float:
        return round(latencies[min(len(latencies) - 1, int(len(latencies) * percent / 100))] / 1000, 1)

    return {
        "requests": len(latencies),
        "errors": tally.errors,
        "seconds": round(elapsed, 3),
        "per_second": round(len(latencies) / elapsed, 1),
        "p50_us": percentile(50),
        "p90_us": percentile(90),
        "p99_us": percentile(99),
        "p999_us": percentile(99.9),
        "max_us": round(latencies[-1] / 1000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--authority", type=Path, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--warm-up", type=float, default=1)
    parser.add_argument("--duration", type=float, default=5)
    given = parser.parse_args()
    figures = uvloop.run(
        measure(given.port, given.authority, given.connections, given.warm_up, given.duration)
    )
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
