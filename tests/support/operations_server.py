"""The operations API of a scene, on a socket, for tests that ask it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.operating import Scene
from webhook.flows.operator import Operator
from webhook.ports.store import StoreError
from webhook.server.address import ListenAddress, bind
from webhook.server.operations import OperationsListener
from webhook.server.operations_api import OperationsApi
from webhook.server.token import TokenFile

LOCAL = ListenAddress("127.0.0.1", 0)


@dataclass
class OperationsServer:
    """What a client has to know."""

    url: str
    token: TokenFile
    failure: StoreError | None = None
    """Raised instead of opening the store, while it is set."""


@asynccontextmanager
async def operations_server(scene: Scene, folder: Path) -> AsyncIterator[OperationsServer]:
    token = TokenFile(folder / "token")
    token.ensure()
    running = OperationsServer("", token)

    async def open_operator(name: str) -> Operator:
        if running.failure is not None:
            raise running.failure
        return scene.operator(name)

    api = OperationsApi(open_operator, token, "nobody", "1.2.3")
    listener = OperationsListener(bind(LOCAL, setting="--operations-listen"), LOCAL, api.routes)
    await listener.start()
    running.url = f"http://{listener.address}"
    yield running
    await listener.stop()
    # Closed client transports are told so by the loop, one round later.
    await asyncio.sleep(0)
