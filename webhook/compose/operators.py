"""Operators on the store of the settings, for a server's operations API and for commands that go straight to it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from webhook.compose.clock import SystemClock
from webhook.compose.store import open_store
from webhook.compose.strategies import Strategies
from webhook.flows.operator import Announce, Operator
from webhook.policy.catalog import override_parameters, read_catalog
from webhook.policy.version import PolicyVersion
from webhook.settings.groups import Settings
from webhook.sources.folder import FolderSource
from webhook.stores.sqlite.store import SqliteStore


class StoreOperators:
    """Gives operators on the store of the settings, which is opened for the first of them."""

    def __init__(self, settings: Settings, announce: Announce | None = None) -> None:
        """Take the settings; `announce` hears of each transition after it is stored.

        Raises:
            webhook.rollout.errors.InvalidStrategy: a strategy contradicts itself.

        """
        self._settings = settings
        self._announce = announce
        self._strategies = Strategies(settings.rollout)
        self._opening = asyncio.Lock()
        self._store: SqliteStore | None = None

    async def open(self, name: str) -> Operator:
        """Give an operator of this name.

        Raises:
            webhook.ports.store.StoreError: the store cannot be opened; the next time it is tried again.

        """
        async with self._opening:
            if self._store is None:
                # Opening checks the whole file: not on a loop that may serve admission.
                self._store = await asyncio.to_thread(open_store, self._settings)
        operator = Operator(name, self._store, SystemClock(), self._strategies.of, self._load)
        return operator if self._announce is None else replace(operator, announce=self._announce)

    async def aclose(self) -> None:
        """Close the store, if it was opened."""
        if self._store is not None:
            await self._store.aclose()

    async def _load(self) -> Sequence[PolicyVersion]:
        policies = self._settings.policies
        sources = await FolderSource(Path(policies.folder)).read()
        catalog = await asyncio.to_thread(read_catalog, sources)
        return override_parameters(catalog, policies.parameters).policies
