import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from webhook.compose.application import operations_routes
from webhook.compose.operators import StoreOperators
from webhook.compose.store import inspect_store
from webhook.flows.rollout_status import ListRollouts, list_rollouts
from webhook.ports.store import StoreUnavailable
from webhook.server.errors import TokenFileError
from webhook.settings.groups import (
    PolicySettings,
    RolloutSettings,
    ServerSettings,
    Settings,
    StoreSettings,
    TelemetrySettings,
)
from webhook.telemetry.process import ProcessTelemetry


def settings(folder: Path, *, enabled: bool = True) -> Settings:
    return Settings(
        server=ServerSettings(token_file=str(folder / "data" / "token")),
        store=StoreSettings(path=str(folder / "data" / "gradate.db")),
        policies=PolicySettings(folder=str(folder / "policies")),
        rollout=RolloutSettings(enabled=enabled),
    )


@pytest.fixture
def telemetry() -> Iterator[ProcessTelemetry]:
    made = ProcessTelemetry(TelemetrySettings())
    yield made
    made.close()


def test_without_rollouts_there_is_no_api_and_no_token(tmp_path: Path, telemetry: ProcessTelemetry) -> None:
    with operations_routes(settings(tmp_path, enabled=False)) as routes:
        assert routes(telemetry) == ()
    assert not (tmp_path / "data").exists()


def test_the_token_is_there_before_anybody_asks_and_the_store_only_after(
    tmp_path: Path, telemetry: ProcessTelemetry
) -> None:
    with operations_routes(settings(tmp_path)) as routes:
        assert (tmp_path / "data" / "token").exists()
        assert len(routes(telemetry)) > 20
        assert not (tmp_path / "data" / "gradate.db").exists()


def test_a_token_that_cannot_be_made_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(TokenFileError, match="--token-file"), operations_routes(settings(tmp_path)):
        pass


async def test_a_store_that_cannot_be_opened_is_tried_again_and_opened_once(tmp_path: Path) -> None:
    operators = StoreOperators(settings(tmp_path))
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(StoreUnavailable):
        await operators.open("maria")
    (tmp_path / "data").unlink()
    one, two = await asyncio.gather(operators.open("maria"), operators.open("ali"))
    assert one.store is two.store
    assert (await list_rollouts(one, ListRollouts())).items == ()
    await operators.aclose()


async def test_operators_know_what_the_policy_files_hold(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.rego").write_text("package gradate.p\n\ndeny contains 1 if true\n")
    operators = StoreOperators(settings(tmp_path))
    operator = await operators.open("maria")
    assert [version.name for version in await operator.loaded()] == ["p"]
    await operators.aclose()


async def test_a_store_that_is_inspected_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        async with inspect_store(settings(tmp_path)):
            pass
    assert not (tmp_path / "data").exists()
