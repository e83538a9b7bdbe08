import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from webhook.server.address import ListenAddress, bind
from webhook.server.checks import Health, NamedHealth
from webhook.server.operations import OperationsListener, Routes, probe_routes

LOCAL = ListenAddress("127.0.0.1", 0)


@asynccontextmanager
async def operating(routes: Routes) -> AsyncIterator[aiohttp.ClientSession]:
    listener = OperationsListener(bind(LOCAL, setting="--operations-listen"), LOCAL, routes)
    await listener.start()
    async with aiohttp.ClientSession(f"http://{listener.address}") as session:
        yield session
    await listener.stop()
    # Closed client transports are told so by the loop, one round later.
    await asyncio.sleep(0)


async def test_readiness_follows_the_checks_and_liveness_does_not() -> None:
    health = Health(ok=True)
    routes = probe_routes(lambda: [NamedHealth("snapshot", health)], lambda _accept: ("text/plain", b""))
    async with operating(routes) as session:
        async with session.get("/readyz") as response:
            assert (response.status, await response.text()) == (200, "ok")
        health = Health(ok=False, note="none yet")
        async with session.get("/readyz") as response:
            assert response.status == 503
            assert "[-]snapshot failed: none yet" in await response.text()
        async with session.get("/healthz") as response:
            assert response.status == 200


async def test_metrics_are_rendered_for_whoever_asks() -> None:
    routes = probe_routes(list, lambda accept: (f"text/x; accept={accept}", b"gradate_x 1\n"))
    async with operating(routes) as session, session.get("/metrics", headers={"Accept": "y"}) as response:
        assert response.headers["Content-Type"] == "text/x; accept=y"
        assert await response.read() == b"gradate_x 1\n"


async def test_other_routes_can_be_added_and_errors_are_json() -> None:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with operating([web.get("/api/hello", hello)]) as session:
        async with session.get("/api/hello") as response:
            assert await response.text() == "hello"
        async with session.get("/api/nothing") as response:
            assert response.status == 404
            assert (await response.json())["error"]["code"] == "not_found"
        async with session.delete("/api/hello") as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
            assert (await response.json())["error"]["message"] == "DELETE is not served here; use GET, HEAD"


async def test_what_is_no_http_is_not_logged_but_a_fault_of_ours_is(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_request: web.Request) -> web.Response:
        raise LookupError("a fault of ours")

    async with operating([web.get("/fail", fail)]) as session:
        for sent in (
            b"GET /%b HTTP/1.1\r\n\r\n" % (b"a" * 10_000),
            b"GET / HTTP/1.1\r\nToken: \0secret\r\n\r\n",
        ):
            url = session._base_url
            assert url is not None
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(sent)
            assert (await reader.readline()).startswith(b"HTTP/1.0 400 ")
            writer.transport.abort()
        assert not caplog.records
        async with session.get("/fail") as response:
            assert response.status == 500
            assert "fault" not in await response.text()
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)
