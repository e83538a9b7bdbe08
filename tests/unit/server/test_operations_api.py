import io
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest

from tests.support.memory_store import MemoryStore
from tests.support.operating import POLICY, Scene, finding
from tests.support.operations_server import OperationsServer, operations_server
from tests.support.rollouts import ENOUGH
from webhook.ports.store import StoreUnavailable
from webhook.server.errors import TokenFileError
from webhook.server.openapi import openapi_document
from webhook.server.operation_table import API_PREFIX, OPERATIONS
from webhook.server.token import TokenFile, prove_token

Json = dict[str, Any]
Query = Json | list[tuple[str, str]] | None


class Client:
    """Asks as whoever holds the token."""

    def __init__(self, session: aiohttp.ClientSession, server: OperationsServer, scene: Scene) -> None:
        self.session = session
        self.server = server
        self.scene = scene
        self.headers = {"Authorization": f"Bearer {server.token.read()}", "X-Gradate-User": "maria"}

    async def ask(
        self, method: str, path: str, body: Any = None, query: Query = None, **headers: str
    ) -> tuple[int, Any]:
        encoded = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method,
            self.server.url + API_PREFIX + path,
            data=io.BytesIO(encoded) if encoded else None,
            params=query,
            headers={**self.headers, **shown},
        ) as response:
            if response.content_type == "application/zip":
                return response.status, await response.read()
            return response.status, await response.json()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    scene = await Scene(MemoryStore()).open()
    async with operations_server(scene, tmp_path) as server, aiohttp.ClientSession() as session:
        yield Client(session, server, scene)


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


# Who may ask


@pytest.mark.parametrize(
    "authorization", ["", "Basic abc", "Bearer", "Bearer ", "Bearer wrong", "bearer wrong"]
)
async def test_without_the_token_nothing_is_answered(client: Client, authorization: str) -> None:
    answer = await client.ask("GET", "/rollouts", Authorization=authorization)
    assert code(answer) == (401, "unauthenticated")


async def test_a_new_token_counts_at_once(client: Client) -> None:
    client.server.token.path.write_text("another-long-enough-token\n")
    assert (await client.ask("GET", "/rollouts"))[0] == 401
    again = await client.ask("GET", "/rollouts", Authorization="Bearer another-long-enough-token")
    assert again[0] == 200


async def test_a_token_file_that_is_gone_lets_nobody_in(client: Client) -> None:
    client.server.token.path.unlink()
    assert code(await client.ask("GET", "/rollouts")) == (503, "unavailable")


@pytest.mark.parametrize("user", ["gradate", "signal:fixed", " ", "x" * 129])
async def test_nobody_acts_in_the_name_of_the_engine_or_of_a_signal(client: Client, user: str) -> None:
    await client.scene.begun()
    answer = await client.ask("POST", f"/rollouts/{POLICY}/abort", {}, X_Gradate_User=user)
    assert code(answer) == (403, "forbidden")


async def test_who_does_not_say_their_name_is_recorded_under_that_of_the_settings(client: Client) -> None:
    await client.scene.begun()
    del client.headers["X-Gradate-User"]
    _, rollout = await client.ask("POST", f"/rollouts/{POLICY}/pause")
    assert rollout["message"] == "paused by nobody"


async def test_a_server_shows_that_it_knows_the_token_without_telling_it(client: Client) -> None:
    status, identity = await client.ask("GET", "/identity", query={"challenge": "abc"}, Authorization="")
    assert (status, identity["product"], identity["version"]) == (200, "gradate", "1.2.3")
    token = client.server.token.read()
    assert identity["proof"] == prove_token(token, "abc") != prove_token(token, "abd")
    for challenge in ("", "x" * 129):
        answer = await client.ask("GET", "/identity", query={"challenge": challenge})
        assert code(answer) == (422, "invalid_field")


# What is asked


async def test_a_rollout_is_driven_from_start_to_undo(client: Client) -> None:
    await client.scene.begun()
    await client.scene.see(ENOUGH)
    path = f"/rollouts/{POLICY}"
    for verb, phase in (("pause", "Paused"), ("resume", "Progressing"), ("promote", "Progressing")):
        status, rollout = await client.ask("POST", f"{path}/{verb}", {"reason": "r"})
        assert (status, rollout["phase"]) == (200, phase)
    status, rollout = await client.ask("POST", f"{path}/promote", {"full": True})
    assert (status, rollout["phase"], rollout["step"]) == (200, "Healthy", 2)
    _, status_view = await client.ask("GET", f"{path}/status")
    assert status_view["cohort"]["everywhere"] is True
    assert (await client.ask("POST", f"{path}/undo"))[1]["phase"] == "Degraded"
    _, told = await client.ask("GET", f"{path}/history")
    assert [one["event"] for one in told["items"][0]["transitions"]][-3:] == ["promote", "promote", "undo"]


async def test_errors_have_the_status_that_fits_and_the_document_names_it(client: Client) -> None:
    await client.scene.begun()
    _, document = await client.ask("GET", "/openapi.json")
    cases: list[tuple[str, str, Any, tuple[int, str]]] = [
        ("GET", "/rollouts/credental-env", None, (404, "not_found")),
        ("POST", f"/rollouts/{POLICY}/resume", {}, (409, "conflict")),
        ("POST", f"/rollouts/{POLICY}/promote", {"reason": "r"}, (409, "conflict")),
        ("POST", f"/rollouts/{POLICY}/promote", {"force": "yes"}, (422, "invalid_field")),
        ("POST", "/rollouts", {"policy": POLICY, "strategy": {"steps": []}}, (422, "invalid_field")),
        ("POST", f"/rollouts/{POLICY}/promote", b"{", (400, "bad_request")),
        ("POST", f"/rollouts/{POLICY}/promote", [1], (400, "bad_request")),
        ("POST", f"/rollouts/{POLICY}/promote", b"\xff", (400, "bad_request")),
        ("POST", f"/rollouts/{POLICY}/promote", b"[" * 100_000, (400, "bad_request")),
        ("POST", f"/rollouts/{POLICY}/promote", b'"' + b"x" * 2_000_000, (413, "body_too_large")),
    ]
    for method, path, body, expected in cases:
        assert code(await client.ask(method, path, body)) == expected, path
        described = operation_of(
            document, method, path.replace(POLICY, "{name}").replace("credental-env", "{name}")
        )
        assert str(expected[0]) in described["responses"]
    assert code(await client.ask("GET", "/nothing")) == (404, "not_found")
    assert code(await client.ask("DELETE", "/rollouts")) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "field", "message"),
    [
        ("GET", "/findings", None, {"limit": "none"}, "limit", "expected `int`"),
        ("GET", "/findings", None, {"limit": "0"}, "limit", "expected `int` >= 1"),
        ("GET", "/findings", None, {"sort": "x"}, "sort", "there is no such field"),
        ("GET", "/findings", None, {"verdict": "maybe"}, "verdict", "invalid enum value 'maybe'"),
        ("GET", "/findings", None, {"kind": "null"}, "kind", "`null` is no value; leave it out"),
        ("GET", "/findings", None, [("kind", "agreed"), ("kind", "agreed")], "kind", "is given more than once"),
        ("GET", f"/policies/{POLICY}/diff", None, {"before": "1.0.0"}, "after", "is missing"),
        ("POST", "/verdicts", {"ids": ["a"], "reason": "r"}, None, "verdict", "is missing"),
        ("POST", "/verdicts", {"where": {"x": 1}, "verdict": "true-positive", "reason": "r"}, None, "where.x", "no such"),
        ("POST", "/verdicts", {"ids": ["a"], "verdict": "true-positive", "reason": ""}, None, "reason", "is empty"),
        ("POST", f"/rollouts/{POLICY}/pause", {"name": "other"}, None, "name", "in the path already"),
        ("POST", "/exceptions", {"reason": "r", "owner": "o", "expires": "soon"}, None, "policy", "is empty"),
    ],
)  # fmt: skip
async def test_a_field_that_is_wrong_is_named(
    client: Client, method: str, path: str, body: Any, query: Query, field: str, message: str
) -> None:
    status, answer = await client.ask(method, path, body, query)
    assert (status, answer["error"]["field"]) == (422, field)
    assert message in answer["error"]["message"]


async def test_a_store_that_fails_is_said_to(client: Client) -> None:
    client.server.failure = StoreUnavailable("data/gradate.db: another process is writing for too long")
    status, answer = await client.ask("GET", "/rollouts")
    assert (status, answer["error"]["message"]) == (503, str(client.server.failure))


async def test_what_nobody_foresaw_is_logged_and_not_told(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.server.failure = ZeroDivisionError("a secret")  # type: ignore[assignment]
    assert code(await client.ask("GET", "/rollouts")) == (500, "internal")
    assert "a secret" in caplog.text
    document = openapi_document("1.0.0")
    assert all("500" in one["responses"] for path in document["paths"].values() for one in path.values())


async def test_names_may_hold_anything(client: Client) -> None:
    status, answer = await client.ask("GET", "/rollouts/a%2Fb%20%C3%BC")
    assert (status, answer["error"]["message"]) == (404, "there is no policy or rollout 'a/b ü'")


# The description


def operation_of(document: Json, method: str, path: str) -> Json:
    found: Json = document["paths"][API_PREFIX + path][method.lower()]
    return found


def validator(document: Json, schema: Json) -> jsonschema.Draft202012Validator:
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(
        whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


async def test_real_answers_are_as_the_document_describes_them(client: Client) -> None:
    scene = client.scene
    await scene.begun()
    await scene.see(50, finding(1), finding(2))
    _, document = await client.ask("GET", "/openapi.json", Authorization="")
    grant = {"finding": finding(2).id, "reason": "r", "owner": "o", "expires": "30d"}
    exception = (await client.ask("POST", "/exceptions", grant))[1]["exception"]["id"]
    verdict = {"ids": [finding(1).id], "verdict": "true-positive", "reason": "r"}
    named = {"name": POLICY, "id": finding(1).id, "policy": POLICY}
    asked: dict[str, tuple[Any, Json | None]] = {
        "startRollout": ({"policy": POLICY, "version": "1.2.0"}, None),
        "promoteRollout": ({"force": True, "reason": "r"}, None),
        "judgeFindings": (verdict, None),
        "disputeFinding": ({"reason": "r"}, None),
        "grantException": (grant, None),
        "diffVersions": (None, {"before": "1.0.0", "after": "1.1.0"}),
        "listFindings": (None, {"unreviewed": "true", "limit": "5"}),
    }
    refused = set()
    # The rollout's verbs come last, so that there is something to look at before; start replaces it.
    for operation in sorted(OPERATIONS, key=lambda one: one.name == "startRollout"):
        fields = {**named, "id": exception} if operation.name == "revokeException" else named
        path = operation.path.format_map(fields)
        body, query = asked.get(operation.name, ({} if operation.method == "POST" else None, None))
        described = operation_of(document, operation.method, operation.path)
        if operation.method == "POST":
            content = described["requestBody"]["content"]["application/json"]
            validator(document, content["schema"]).validate(body)
        status, answer = await client.ask(operation.method, path, body, query)
        if status != 200:
            refused.add((operation.name, status))
        (content,) = described["responses"][str(status)]["content"].values()
        if isinstance(answer, bytes):
            assert answer[:2] == b"PK"
        else:
            validator(document, content["schema"]).validate(answer)
    # Nothing was refused but what does not apply to the phase that the verbs before it led to.
    assert refused == {("undoRollout", 409)}


def test_the_document_describes_every_operation_once_and_refers_to_nothing_that_is_not_there() -> None:
    document = openapi_document("1.0.0")
    assert document["openapi"] == "3.1.0"
    described = [one for path in document["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in described]
    assert sorted(names) == sorted(["getIdentity", *(operation.name for operation in OPERATIONS)])
    assert all(one["summary"].endswith(".") for one in described)
    for operation in OPERATIONS:
        parameters = operation_of(document, operation.method, operation.path)["parameters"]
        in_path = {one["name"] for one in parameters if one["in"] == "path"}
        assert in_path == set(operation.path_fields)
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    for name in schemas:
        assert f'"#/components/schemas/{name}"' in text, name
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in schemas


def test_fields_are_described_by_what_stands_beneath_them_in_the_code() -> None:
    schemas = openapi_document("1.0.0")["components"]["schemas"]
    assert (
        schemas["EvidenceView"]["properties"]["trials"]["description"]
        == "Those that are benign as far as is known."
    )
    parameters = operation_of(openapi_document("1.0.0"), "GET", "/findings")["parameters"]
    owner = next(one for one in parameters if one["name"] == "owner")
    assert owner == {
        "name": "owner",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": "`Deployment/web`.",
    }


# The token


def test_a_token_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    token = TokenFile(tmp_path / "data" / "token")
    token.ensure()
    assert stat.S_IMODE(token.path.stat().st_mode) == 0o600
    first = token.read()
    token.ensure()
    assert token.read() == first
    assert len(first) > 40


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [("x" * 40, 0o644, "chmod 600"), ("short", 0o600, "at least 16"), ("", 0o600, "at least 16")],
)
def test_a_token_that_is_weak_or_open_to_others_is_refused(
    tmp_path: Path, content: str, mode: int, reason: str
) -> None:
    token = TokenFile(tmp_path / "token")
    token.path.write_text(content)
    token.path.chmod(mode)
    with pytest.raises(TokenFileError, match=reason):
        token.ensure()


def test_a_token_that_cannot_be_made_or_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenFileError, match=r"cannot be made: .*; name another file with --token-file"):
        TokenFile(tmp_path / "file" / "token").ensure()
    with pytest.raises(TokenFileError, match="cannot be read"):
        TokenFile(tmp_path).read()
    (tmp_path / "binary").write_bytes(b"\xff" * 40)
    with pytest.raises(TokenFileError, match="it is not text"):
        TokenFile(tmp_path / "binary").read()
    with pytest.raises(TokenFileError, match="there is no token; the server makes it"):
        TokenFile(tmp_path / "missing").read()
