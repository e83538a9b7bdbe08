"""Desks: where a command hands its question in, a running server or the store itself, with the same answers.

Owns the choice between the two, what is said to the operations API, and how its errors become ours.
"""

import asyncio
import getpass
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from webhook.cli.errors import CommandError
from webhook.cli.exchange import exchange
from webhook.flows.operation_errors import InvalidField, OperationRefused, UnknownName
from webhook.flows.operator import Operator, require_person
from webhook.ports.store import StoreUnavailable
from webhook.server.address import parse_address
from webhook.server.answers import ErrorCode, ErrorEnvelope
from webhook.server.errors import ListenAddressError
from webhook.server.openapi import IDENTITY_PATH, USER_HEADER, Identity
from webhook.server.operation_table import API_PREFIX, Answer, Operation, Question
from webhook.server.token import TokenFile, prove_token
from webhook.settings.groups import Settings

_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - told apart, not bound


OpenOperator = Callable[[str], Awaitable[Operator]]


class Desk(Protocol):
    """Whoever answers operations."""

    @property
    def place(self) -> str:
        """Say where the answers come from, for people."""

    async def ask(self, operation: Operation[Question, Answer], question: Question) -> Answer:
        """Ask.

        Raises:
            OperationError: it is refused, unknown or unusable.
            StoreError: the store cannot be used now.
            CommandError: nobody answers.

        """


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """What a command was told about where to ask."""

    settings: Settings
    server: str | None = None
    """URL of the operations listener; None looks for the server of the settings, then for the store."""
    straight: bool = False
    """Go straight to the store."""
    user: str | None = None
    """Who asks; None is the user of the operating system."""


@asynccontextmanager
async def open_desk(options: DeskOptions) -> AsyncIterator[Desk]:
    """Open the desk that the options lead to.

    Raises:
        OperationRefused: nobody may act under the name.
        CommandError, TokenFileError: there is neither a server nor a store, or the server is not ours.

    """
    user = require_person(options.user or _system_user())
    url = None if options.straight else (options.server or _url_of(options.settings))
    if url is not None:
        url = url.rstrip("/")
        token = TokenFile(Path(options.settings.server.token_file))
        if await _knows_token(url, token, must=options.server is not None):
            yield ServerDesk(url, token.read(), user)
            return
    async with _open_store(options.settings, user, url) as desk:
        yield desk


class StoreDesk:
    """Asks the store, in this process."""

    def __init__(self, open_operator: OpenOperator, user: str, place: str) -> None:
        self._open_operator = open_operator
        self._user = user
        self._place = place

    @property
    def place(self) -> str:
        """Say where the answers come from."""
        return self._place

    async def ask(self, operation: Operation[Question, Answer], question: Question) -> Answer:
        """Perform it here."""
        return await operation.perform(await self._open_operator(self._user), question)


class ServerDesk:
    """Asks a running server."""

    def __init__(self, url: str, token: str, user: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", USER_HEADER: user}

    @property
    def place(self) -> str:
        """Say where the answers come from."""
        return self._url

    async def ask(self, operation: Operation[Question, Answer], question: Question) -> Answer:
        """Send it, and read the answer."""
        # Checked here as there, so that a mistake is found without a server, too.
        fields: dict[str, Any] = msgspec.to_builtins(question)
        path = operation.path
        for name in operation.path_fields:
            path = path.replace(f"{{{name}}}", quote(str(fields.pop(name)), safe=""))
        options: dict[str, Any] = (
            {"query": _query(fields)} if operation.method == "GET" else {"body": msgspec.json.encode(fields)}
        )
        status, body = await exchange(
            self._url, operation.method, API_PREFIX + path, headers=self._headers, **options
        )
        if status != 200:
            raise _error_of(status, body, self._url)
        if operation.answer is bytes:
            return body  # type: ignore[return-value]  # the table says that this answer is bytes
        return _decode(body, operation.answer, self._url)


def _query(fields: Mapping[str, Any]) -> dict[str, str]:
    spelled = {name: value for name, value in fields.items() if value is not None}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in spelled.items()
    }


def _decode(body: bytes, kind: type[Answer], url: str) -> Answer:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{url}: its answer is of another release: {error}") from error


def _error_of(status: int, body: bytes, url: str) -> Exception:
    """Make of an answer the error that the store would have raised here."""
    try:
        error = msgspec.json.decode(body, type=ErrorEnvelope).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return CommandError(f"{url}: it answered {status}, in a form that is not Gradate's")
    match error.code:
        case ErrorCode.NOT_FOUND:
            return UnknownName(error.message)
        case ErrorCode.CONFLICT:
            return OperationRefused(error.message)
        case ErrorCode.INVALID_FIELD:
            return InvalidField(error.field, error.message)
        case ErrorCode.UNAVAILABLE:
            return StoreUnavailable(error.message)
        case _:
            return CommandError(f"{url}: {error.message}")


async def _knows_token(url: str, token: TokenFile, *, must: bool) -> bool:
    """Tell whether a server of ours listens there: only to such a one the token is sent.

    Raises:
        CommandError: it is Gradate with another token or none, or, if it must be one, nobody or somebody else.
        TokenFileError: it is Gradate, and there is no token to talk to it with.

    """
    challenge = secrets.token_hex(16)
    try:
        status, body = await exchange(url, "GET", IDENTITY_PATH, query={"challenge": challenge})
    except CommandError:
        if must:
            raise
        return False
    if status == HTTPStatus.SERVICE_UNAVAILABLE and (refusal := _unavailable(body)):
        # It is there and cannot read its own token: going round it would hide that.
        raise CommandError(f"{url}: {refusal}")
    identity = _identity(body) if status == HTTPStatus.OK else None
    if identity is None or identity.product != "gradate":
        if must:
            raise CommandError(
                f"{url}: what answers there is no operations API of Gradate, or rollouts are off"
            )
        return False
    if not secrets.compare_digest(prove_token(token.read(), challenge), identity.proof):
        raise CommandError(
            f"{url}: the server has another token than {token.path}; name its file with --token-file"
        )
    return True


def _identity(body: bytes) -> Identity | None:
    try:
        return msgspec.json.decode(body, type=Identity)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _unavailable(body: bytes) -> str:
    """Give why a server of ours cannot answer; empty when the answer is not of one."""
    try:
        error = msgspec.json.decode(body, type=ErrorEnvelope).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return error.message if error.code is ErrorCode.UNAVAILABLE else ""


@asynccontextmanager
async def _open_store(settings: Settings, user: str, asked: str | None) -> AsyncIterator[Desk]:
    path = Path(settings.store.path)
    if not await asyncio.to_thread(path.exists):
        nobody = "" if asked is None else f"no server answers at {asked}, and "
        raise CommandError(f"{nobody}there is no store {path}; name one with --server or --store")
    # Whoever asks a server is not kept waiting for what the server is made of.
    from webhook.compose.operators import StoreOperators  # noqa: PLC0415

    operators = StoreOperators(settings)
    try:
        yield StoreDesk(operators.open, user, str(path))
    finally:
        await operators.aclose()


def _url_of(settings: Settings) -> str | None:
    try:
        address = parse_address(settings.server.operations_listen)
    except ListenAddressError:
        return None
    host = _EVERYWHERE.get(address.host, address.host)
    return f"http://[{host}]:{address.port}" if ":" in host else f"http://{host}:{address.port}"


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
