"""One set of expectations for both desks: a server that is asked over HTTP, and the store in this process."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from tests.support.operating import CANDIDATE, POLICY, Scene, finding
from tests.support.operations_server import operations_server
from tests.support.rollouts import ENOUGH
from webhook.cli.desks import Desk, DeskOptions, open_desk
from webhook.cli.errors import CommandError
from webhook.flows.bundle_check import verify_bundle
from webhook.flows.exceptions import ExceptionName, GrantException, ListExceptions
from webhook.flows.operate import PromoteRollout, RolloutVerb, StartRollout
from webhook.flows.operation_errors import InvalidField, OperationError, OperationRefused, UnknownName
from webhook.flows.review import (
    DisputeFinding,
    FindingName,
    FindingSelector,
    JudgeFindings,
    ListFindings,
)
from webhook.flows.rollout_status import ListRollouts, RolloutName
from webhook.flows.version_history import DiffVersions, PolicyName
from webhook.ports.store import StoreError, StoreUnavailable
from webhook.rollout.finding import FindingKind, Verdict
from webhook.rollout.life import Event, Phase
from webhook.server import operation_table as table
from webhook.server.address import ListenAddress, bind
from webhook.server.errors import TokenFileError
from webhook.server.operations import OperationsListener, Routes
from webhook.settings.groups import PolicySettings, ServerSettings, Settings, StoreSettings
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore
from webhook.tls.folder import CertificateFolder
from webhook.tls.names import parse_names

LOCAL = ListenAddress("127.0.0.1", 0)
NAMED = RolloutName(name=POLICY)
VERB = RolloutVerb(name=POLICY, reason="because")


def settings(folder: Path, operations_listen: str = "127.0.0.1:8080") -> Settings:
    return Settings(
        server=ServerSettings(token_file=str(folder / "token"), operations_listen=operations_listen),
        store=StoreSettings(path=str(folder / "store.db")),
        policies=PolicySettings(folder=str(folder / "policies")),
    )


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = SqliteStore(SqliteOptions(tmp_path / "store.db"))
    yield await Scene(store).open()
    await store.aclose()


@pytest.fixture(params=["server", "store"])
async def desk(request: pytest.FixtureRequest, scene: Scene, tmp_path: Path) -> AsyncIterator[Desk]:
    if request.param == "store":
        async with open_desk(DeskOptions(settings(tmp_path), straight=True, user="maria")) as opened:
            yield opened
        return
    async with operations_server(scene, tmp_path) as server:
        async with open_desk(DeskOptions(settings(tmp_path), server=server.url, user="maria")) as opened:
            yield opened
        await asyncio.sleep(0)


async def test_a_rollout_is_seen_and_steered(desk: Desk, scene: Scene) -> None:
    rollout = await scene.begun()
    (listed,) = (await desk.ask(table.LIST_ROLLOUTS, ListRollouts(policy=POLICY, active=True))).items
    assert (listed.id, listed.phase) == (rollout.id, Phase.PROGRESSING)
    for operation, phase in (
        (table.PAUSE_ROLLOUT, Phase.PAUSED),
        (table.RESUME_ROLLOUT, Phase.PROGRESSING),
        (table.ABORT_ROLLOUT, Phase.DEGRADED),
        (table.RETRY_ROLLOUT, Phase.PENDING),
    ):
        assert (await desk.ask(operation, VERB)).phase is phase
    (told,) = (await desk.ask(table.ROLLOUT_HISTORY, NAMED)).items
    assert [one.event for one in told.transitions][-2:] == [Event.ABORT, Event.RETRY]
    assert {one.actor for one in told.transitions} == {"gradate", "maria"}


async def test_status_explanation_and_strategy_are_told(desk: Desk, scene: Scene) -> None:
    await scene.begun()
    await scene.see(20, finding(1))
    status = await desk.ask(table.ROLLOUT_STATUS, NAMED)
    assert status.evidence is not None
    assert (status.evidence.workloads, status.cohort.size) == (21, 2)
    assert "step 1 of 2" in (await desk.ask(table.EXPLAIN_ROLLOUT, NAMED)).where
    detail = await desk.ask(table.GET_ROLLOUT, NAMED)
    assert detail.strategy["steps"][0]["duration"] == "72h"


async def test_promotion_undo_and_start(desk: Desk, scene: Scene) -> None:
    await scene.begun()
    await scene.see(ENOUGH)
    forced = PromoteRollout(name=POLICY, full=True, force=True, reason="incident")
    assert (await desk.ask(table.PROMOTE_ROLLOUT, forced)).phase is Phase.HEALTHY
    assert (await desk.ask(table.UNDO_ROLLOUT, VERB)).phase is Phase.DEGRADED
    again = StartRollout(policy=POLICY, version=CANDIDATE.digest, reason="again")
    assert (await desk.ask(table.START_ROLLOUT, again)).attempt == 2


async def test_findings_are_listed_judged_and_disputed(desk: Desk, scene: Scene) -> None:
    await scene.begun()
    one, two = finding(1), finding(2, rule="violation")
    await scene.see(5, one, two)
    queue = ListFindings(policy=POLICY, unreviewed=True, kind=FindingKind.NEWLY_DENIED, limit=10)
    assert (await desk.ask(table.LIST_FINDINGS, queue)).total == 2
    judged = JudgeFindings(ids=(one.id,), verdict=Verdict.TRUE_POSITIVE, reason="a key")
    assert (await desk.ask(table.JUDGE_FINDINGS, judged)).items[0].judged_by == "maria"
    bulk = JudgeFindings(
        where=FindingSelector(rule="violation"), verdict=Verdict.FALSE_POSITIVE, reason="r", dry_run=True
    )
    assert (await desk.ask(table.JUDGE_FINDINGS, bulk)).count == 1
    disputed = await desk.ask(table.DISPUTE_FINDING, DisputeFinding(id=one.id, reason="no"))
    assert disputed.finding.disputed
    shown = await desk.ask(table.GET_FINDING, FindingName(id=one.id))
    assert (shown.disputes[0].actor, shown.sample["candidate"]["outcome"]) == ("maria", "deny")


async def test_exceptions_are_granted_and_revoked(desk: Desk) -> None:
    grant = GrantException(
        policy=POLICY, namespace="a-*", workload="*", reason="r", owner="o", expires="never"
    )
    granted = await desk.ask(table.GRANT_EXCEPTION, grant)
    assert (granted.exception.granted_by, granted.exception.expires_at) == ("maria", None)
    await desk.ask(table.REVOKE_EXCEPTION, ExceptionName(id=granted.exception.id))
    (listed,) = (await desk.ask(table.LIST_EXCEPTIONS, ListExceptions())).items
    assert listed.revoked_by == "maria"


async def test_versions_are_listed_and_compared(desk: Desk, scene: Scene) -> None:
    history = (await desk.ask(table.LIST_VERSIONS, PolicyName(policy=POLICY))).items
    assert [one.version for one in history][-2:] == ["1.1.0", "1.0.0"]
    diff = await desk.ask(table.DIFF_VERSIONS, DiffVersions(policy=POLICY, before="stable", after="1.1.0"))
    assert "+deny contains 2 if true" in diff.text


async def test_an_evidence_bundle_arrives_whole(desk: Desk, scene: Scene) -> None:
    await scene.begun()
    await scene.see(20, finding(1))
    assert verify_bundle(await desk.ask(table.ROLLOUT_EVIDENCE, NAMED)).passed


Wrong = Callable[[Desk], Awaitable[object]]
WRONG: dict[str, tuple[type[OperationError], str, Wrong]] = {
    "an unknown name": (
        UnknownName,
        "there is no policy or rollout 'credental-env'; did you mean credential-env?",
        lambda desk: desk.ask(table.GET_ROLLOUT, RolloutName(name="credental-env")),
    ),
    "a strange name": (
        UnknownName,
        "there is no policy or rollout '../a?b=c#d%41 ü'",
        lambda desk: desk.ask(table.GET_ROLLOUT, RolloutName(name="../a?b=c#d%41 ü")),
    ),
    "a verb that does not apply": (
        OperationRefused,
        f"cannot resume: the rollout of {POLICY} is Progressing; possible: abort, pause, promote",
        lambda desk: desk.ask(table.RESUME_ROLLOUT, VERB),
    ),
    "an expiry that is none": (
        InvalidField,
        "expires: 'soon' is neither a duration (30d, 72h) nor a date (2027-03-31), nor 'never'",
        lambda desk: desk.ask(
            table.GRANT_EXCEPTION,
            GrantException(policy=POLICY, namespace="a", workload="*", reason="r", owner="o", expires="soon"),
        ),
    ),
    "an unknown finding": (
        UnknownName,
        "there is no finding 'f-x'; `gradate review list --all-versions` lists those there are; no verdict was given",
        lambda desk: desk.ask(
            table.JUDGE_FINDINGS,
            JudgeFindings(ids=("f-x",), verdict=Verdict.TRUE_POSITIVE, reason="r"),
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong_is_said_in_the_same_words(desk: Desk, scene: Scene, name: str) -> None:
    kind, message, ask = WRONG[name]
    await scene.begun()
    with pytest.raises(kind) as refused:
        await ask(desk)
    assert str(refused.value) == message
    assert type(refused.value) is kind


# Which desk


async def place_of(options: DeskOptions) -> str:
    async with open_desk(options) as desk:
        await desk.ask(table.LIST_ROLLOUTS, ListRollouts())
        return desk.place


async def test_a_running_server_is_found_by_the_settings_and_else_the_store_is_opened(
    scene: Scene, tmp_path: Path
) -> None:
    async with operations_server(scene, tmp_path) as server:
        found = settings(tmp_path, operations_listen=server.url.removeprefix("http://"))
        assert await place_of(DeskOptions(found)) == server.url
        assert await place_of(DeskOptions(found, straight=True)) == found.store.path
        await asyncio.sleep(0)
    assert await place_of(DeskOptions(found)) == found.store.path


async def test_with_neither_server_nor_store_both_are_named(tmp_path: Path) -> None:
    with bind(LOCAL, setting="") as free:
        port = free.getsockname()[1]
    found = settings(tmp_path, operations_listen=f"0.0.0.0:{port}")
    expected = (
        rf"no server answers at http://127\.0\.0\.1:{port}, and there is no store .*/store\.db; name one"
    )
    with pytest.raises(CommandError, match=expected):
        await place_of(DeskOptions(found))
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1", "no server answers at http://127.0.0.1:1: connect"),
        ("http://nowhere.invalid:80", "no server answers at http://nowhere.invalid:80"),
        ("nonsense", "is no URL"),
        ("ftp://127.0.0.1:1", "is no URL"),
        ("http://[", "is no URL"),
    ],
)
async def test_a_server_that_was_named_must_answer(
    scene: Scene, tmp_path: Path, url: str, reason: str
) -> None:
    with pytest.raises(CommandError) as failed:
        await place_of(DeskOptions(settings(tmp_path), server=url))
    assert reason in str(failed.value)


async def test_a_server_with_another_token_is_said_to_be_one(scene: Scene, tmp_path: Path) -> None:
    async with operations_server(scene, tmp_path) as server:
        server.token.path.rename(tmp_path / "server-token")
        server.token.path = tmp_path / "server-token"
        with pytest.raises(TokenFileError, match="there is no token"):
            await place_of(DeskOptions(settings(tmp_path), server=server.url))
        (tmp_path / "token").touch(mode=0o600)
        (tmp_path / "token").write_text("a-token-of-another-server")
        with pytest.raises(CommandError, match=r"the server has another token than .*; name its file with"):
            await place_of(DeskOptions(settings(tmp_path), server=server.url))
        await asyncio.sleep(0)


async def test_a_server_that_cannot_read_its_own_token_is_not_gone_round(
    scene: Scene, tmp_path: Path
) -> None:
    async with operations_server(scene, tmp_path) as server:
        found = settings(tmp_path, operations_listen=server.url.removeprefix("http://"))
        (tmp_path / "token").chmod(0o644)
        with pytest.raises(
            CommandError, match=r"http://127.*token: others may read the token; run: chmod 600"
        ):
            await place_of(DeskOptions(found))
        assert await place_of(DeskOptions(found, straight=True)) == found.store.path
        await asyncio.sleep(0)


async def test_a_server_whose_certificate_nobody_vouches_for_is_said_to_be_one(
    scene: Scene, tmp_path: Path
) -> None:
    certificates = CertificateFolder(tmp_path / "certs")
    certificates.init(parse_names(["127.0.0.1"]), datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.serving_certificate, certificates.serving_key)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(
            CommandError, match=r"no server answers at https://.*: its certificate is not trusted"
        ):
            await place_of(DeskOptions(settings(tmp_path), server=url))


@asynccontextmanager
async def stranger(routes: Routes) -> AsyncIterator[str]:
    """A server of somebody else where ours was expected."""
    listener = OperationsListener(bind(LOCAL, setting=""), LOCAL, routes)
    await listener.start()
    yield str(listener.address)
    await listener.stop()
    await asyncio.sleep(0)


async def test_the_token_is_never_sent_to_whoever_does_not_know_it(scene: Scene, tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({"product": "gradate", "version": "9", "proof": "0" * 64})

    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text("the-token-of-our-server")
    async with stranger([web.get("/api/v1/{anything:.*}", answer)]) as address:
        with pytest.raises(CommandError, match="has another token"):
            await place_of(DeskOptions(settings(tmp_path, operations_listen=address)))
    assert seen == [None]


@pytest.mark.parametrize("body", ["<html>", "{}", '{"product": "other", "version": "1", "proof": ""}'])
async def test_another_program_on_the_port_is_passed_over_unless_it_was_named(
    scene: Scene, tmp_path: Path, body: str
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=body)

    async with stranger([web.get("/api/v1/identity", answer)]) as address:
        found = settings(tmp_path, operations_listen=address)
        assert await place_of(DeskOptions(found)) == found.store.path
        with pytest.raises(CommandError, match="no operations API of Gradate"):
            await place_of(DeskOptions(found, server=f"http://{address}/"))


async def test_an_answer_that_is_not_gradates_is_no_answer(scene: Scene, tmp_path: Path) -> None:
    async with operations_server(scene, tmp_path) as server:
        options = DeskOptions(settings(tmp_path), server=server.url)
        async with open_desk(options) as desk:
            server.failure = StoreUnavailable("store.db: another process is writing for too long")
            with pytest.raises(StoreUnavailable, match="too long"):
                await desk.ask(table.LIST_ROLLOUTS, ListRollouts())
            server.token.path.write_text("changed-in-the-meantime")
            with pytest.raises(CommandError, match="the token is wrong"):
                await desk.ask(table.LIST_ROLLOUTS, ListRollouts())
        await asyncio.sleep(0)


async def test_a_damaged_store_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("no database, but long enough to be looked at")
    with pytest.raises(StoreError, match=r"store\.db: "):
        await place_of(DeskOptions(settings(tmp_path), straight=True))


@pytest.mark.parametrize("user", ["gradate", "signal:exception", "a\nb"])
async def test_nobody_acts_as_the_engine_or_a_signal(scene: Scene, tmp_path: Path, user: str) -> None:
    with pytest.raises(OperationRefused):
        await place_of(DeskOptions(settings(tmp_path), straight=True, user=user))
