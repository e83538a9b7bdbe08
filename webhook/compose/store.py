"""The store of the settings, opened for work or only to be looked at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from webhook.ports.store import StoreUnavailable
from webhook.settings.groups import Settings
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore


def open_store(settings: Settings) -> SqliteStore:
    """Open the store of the settings, creating it where there is none.

    Raises:
        webhook.ports.store.StoreError: it cannot be used; the message says why.

    """
    path = Path(settings.store.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"{path.parent}: cannot be created for the store: {error.strerror}; name a writable file with --store"
        ) from error
    return SqliteStore(SqliteOptions(path))


@asynccontextmanager
async def inspect_store(settings: Settings) -> AsyncIterator[SqliteStore]:
    """Open the store of the settings as it is, for looking at it or copying it; nothing in it changes.

    Raises:
        webhook.ports.store.StoreError: it is missing, damaged or of a newer release.

    """
    store = await asyncio.to_thread(SqliteStore, SqliteOptions(Path(settings.store.path), read_only=True))
    try:
        yield store
    finally:
        await store.aclose()
