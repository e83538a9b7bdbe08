"""The implementations that the contract suite runs against."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.memory_store import MemoryStore
from webhook.ports.store import Store
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    else:
        made = SqliteStore(SqliteOptions(tmp_path / "store.sqlite3"))
    yield made
    await made.aclose()
