import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
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
