"""A store on disk with one policy whose candidate has begun, for commands that go straight to it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.commands import Printed, gradate
from tests.support.operating import Scene
from webhook.compose.clock import SystemClock
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore

T = TypeVar("T")


@dataclass(frozen=True)
class Shop:
    """A folder with a store, and who works on it."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "store.db"

    def run(self, *words: str | Path, typed: str = "") -> Printed:
        """Run a command on the store, as maria."""
        options = ("--config", self.folder / "gradate.yaml", "--store", self.path, "--user", "maria")
        return gradate(*words, *options, typed=typed)

    def change(self, work: Callable[[Scene], Awaitable[T]]) -> T:
        """Change what the store holds, as a server would."""

        async def opened() -> T:
            store = SqliteStore(SqliteOptions(self.path))
            try:
                return await work(Scene(store, SystemClock()))  # type: ignore[arg-type]  # as good a clock
            finally:
                await store.aclose()

        return asyncio.run(opened())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "gradate.yaml").write_text(f"policies: {{folder: {tmp_path / 'policies'}}}")

    async def fill(scene: Scene) -> None:
        await scene.open()
        await scene.begun()

    shop.change(fill)
    return shop
