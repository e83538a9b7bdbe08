"""The operations API: JSON over HTTP for those who hold the token.

Owns authentication, reading questions, and which status an error has. What is asked for stands in
`webhook.server.operation_table`; must not know stores beyond their errors.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, NoReturn

import msgspec
from aiohttp import web

from webhook.flows.operation_errors import InvalidField, OperationRefused, UnknownName
from webhook.flows.operator import Operator, require_person
from webhook.policy.errors import PolicyError
from webhook.ports.source import SourceError
from webhook.ports.store import NotInStore, RevisionConflict, RolloutExists, StoreError
from webhook.rollout.errors import RolloutError
from webhook.server.answers import JSON, ErrorBody, ErrorCode, ErrorEnvelope
from webhook.server.errors import TokenFileError
from webhook.server.openapi import IDENTITY_PATH, USER_HEADER, Identity, openapi_document
from webhook.server.operation_table import API_PREFIX, ARCHIVE, OPERATIONS, Operation
from webhook.server.operations import Routes
from webhook.server.token import LONGEST_CHALLENGE, TokenFile

OpenOperator = Callable[[str], Awaitable[Operator]]
"""Gives an operator of this name. Raises StoreError when there is no store to work on."""
_Handler = Callable[[web.Request], Awaitable[web.Response]]
_log = logging.getLogger(__name__)
_BEARER = "bearer "


class _Refusal(Exception):  # noqa: N818 - never leaves this module
    """An answer that is an error."""

    def __init__(self, status: HTTPStatus, code: ErrorCode, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = ErrorBody(code=code, message=message, field=field)


class OperationsApi:
    """Answers the operations of the table."""

    def __init__(
        self, open_operator: OpenOperator, token: TokenFile, default_user: str, version: str
    ) -> None:
        """Take the parts; `default_user` is recorded for callers that do not say who they are."""
        self._open_operator = open_operator
        self._token = token
        self._default_user = default_user
        self._version = version
        self._document: bytes | None = None

    @property
    def routes(self) -> Routes:
        """Give the routes of all operations, of the description and of the identity."""
        return (
            web.get(f"{API_PREFIX}/openapi.json", _guarded(self._describe)),
            web.get(IDENTITY_PATH, _guarded(self._identify)),
            *(
                web.route(operation.method, API_PREFIX + operation.path, _guarded(self._handler(operation)))
                for operation in OPERATIONS
            ),
        )

    def _handler(self, operation: Operation[Any, Any]) -> _Handler:
        async def handle(request: web.Request) -> web.Response:
            user = self._authenticate(request)
            ask = await _read(operation, request)
            answer = await operation.perform(await self._open_operator(user), ask)
            if isinstance(answer, bytes):
                return web.Response(body=answer, content_type=ARCHIVE)
            return _json(answer)

        return handle

    async def _describe(self, _request: web.Request) -> web.Response:
        if self._document is None:
            self._document = msgspec.json.encode(openapi_document(self._version))
        return web.Response(body=self._document, content_type=JSON)

    async def _identify(self, request: web.Request) -> web.Response:
        challenge = request.query.get("challenge", "")
        if not 0 < len(challenge) <= LONGEST_CHALLENGE:
            raise InvalidField("challenge", f"is a text of 1 to {LONGEST_CHALLENGE} characters")
        return _json(Identity("gradate", self._version, self._token.prove(challenge)))

    def _authenticate(self, request: web.Request) -> str:
        """Tell who asks."""
        header = request.headers.get("Authorization", "")
        if header[: len(_BEARER)].lower() != _BEARER:
            raise _unauthenticated("this needs the token, as `Authorization: Bearer …`")
        if not self._token.matches(header[len(_BEARER) :].strip()):
            raise _unauthenticated("the token is wrong")
        try:
            return require_person(request.headers.get(USER_HEADER, self._default_user))
        except OperationRefused as error:
            raise _Refusal(HTTPStatus.FORBIDDEN, ErrorCode.FORBIDDEN, str(error)) from error


def _guarded(handle: _Handler) -> _Handler:
    """Turn whatever goes wrong into the JSON form of errors."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            return await handle(request)
        except _Refusal as refusal:
            return _refuse(refusal)
        except web.HTTPRequestEntityTooLarge:
            return _refuse(
                _Refusal(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ErrorCode.BODY_TOO_LARGE, "the body is too large"
                )
            )
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: nobody is sent a traceback
            return _refuse(_translate(error))

    return guarded


def _translate(error: Exception) -> _Refusal:
    match error:
        case UnknownName() | NotInStore():
            return _Refusal(HTTPStatus.NOT_FOUND, ErrorCode.NOT_FOUND, str(error))
        case InvalidField():
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return _Refusal(status, ErrorCode.INVALID_FIELD, error.reason, error.field)
        case OperationRefused() | RevisionConflict() | RolloutExists() | RolloutError():
            return _Refusal(HTTPStatus.CONFLICT, ErrorCode.CONFLICT, str(error))
        case StoreError() | PolicyError() | SourceError() | TokenFileError():
            return _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, str(error))
        case _:
            _log.error("an operation failed", exc_info=error)
            message = "something went wrong here; the log of the server says what"
            return _Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, ErrorCode.INTERNAL, message)


async def _read(operation: Operation[Any, Any], request: web.Request) -> Any:
    """Read the question from path, query and body."""
    given = _read_query(request) if operation.method == "GET" else await _read_body(request)
    for name in given:
        if name in operation.path_fields:
            raise InvalidField(name, "stands in the path already")
    # Everything in a path or a query is text.
    fields = {**given, **request.match_info}
    try:
        ask = msgspec.convert(fields, operation.ask, strict=operation.method != "GET")
    except msgspec.ValidationError as error:
        _refuse_field(error)
    if operation.method == "GET":
        _refuse_null(ask, given)
    return ask


def _read_query(request: web.Request) -> Mapping[str, Any]:
    query = request.query
    if repeated := next((name for name in query if len(query.getall(name)) > 1), None):
        raise InvalidField(repeated, "is given more than once")
    return query


def _refuse_null(ask: Any, given: Mapping[str, Any]) -> None:
    """Refuse the text `null`, which reading takes for a value that is left out."""
    for field in msgspec.structs.fields(ask):
        if field.encode_name in given and getattr(ask, field.name) is None:
            raise InvalidField(field.encode_name, "`null` is no value; leave it out")


async def _read_body(request: web.Request) -> Mapping[str, Any]:
    body = await request.read()
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"the body is no JSON object: {error}"
        raise _Refusal(HTTPStatus.BAD_REQUEST, ErrorCode.BAD_REQUEST, message) from error


def _refuse_field(error: msgspec.ValidationError) -> NoReturn:
    reason, _, place = str(error).partition(" - at `")
    field = place.removesuffix("`").removeprefix("$").removeprefix(".")
    if "`" in reason and ("unknown field" in reason or "missing required field" in reason):
        name = reason.rstrip("`").rpartition("`")[2]
        field = f"{field}.{name}" if field else name
        reason = "there is no such field" if "unknown" in reason else "is missing"
    raise InvalidField(field, reason[:1].lower() + reason[1:]) from error


def _unauthenticated(message: str) -> _Refusal:
    return _Refusal(HTTPStatus.UNAUTHORIZED, ErrorCode.UNAUTHENTICATED, message)


def _json(answer: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type=JSON)


def _refuse(refusal: _Refusal) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status is HTTPStatus.UNAUTHORIZED else {}
    body = msgspec.json.encode(ErrorEnvelope(refusal.body))
    return web.Response(body=body, status=refusal.status, content_type=JSON, headers=headers)
