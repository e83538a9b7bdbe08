"""HTTP answers as values, and their bytes on the wire.

Owns status lines, headers and the JSON form of errors. Must not know connections or admission.
"""

import enum
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

import msgspec

JSON = "application/json"


class ErrorCode(enum.StrEnum):
    """Machine-readable codes of the JSON error, one for each way in which a request can be wrong."""

    BAD_REQUEST = "bad_request"
    MALFORMED_REVIEW = "malformed_review"
    UNSUPPORTED_VERSION = "unsupported_version"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    HEADERS_TOO_LARGE = "headers_too_large"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"
    DEADLINE_EXCEEDED = "deadline_exceeded"

    # Of the operations API only.
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    INVALID_FIELD = "invalid_field"
    UNAVAILABLE = "unavailable"


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a request, for its sender."""

    code: ErrorCode
    message: str
    """One sentence; holds no piece of any object."""
    field: str = ""
    """Dotted path of the wrong field, or the header's name; empty for the request as a whole."""


class ErrorEnvelope(msgspec.Struct, frozen=True):
    """The body of every answer that is no AdmissionReview."""

    error: ErrorBody


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: HTTPStatus
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Beside Content-Type, Content-Length, Date and Connection, which the writer adds."""
    error: ErrorCode | None = None
    """Set when the body is an error."""


def refuse(
    status: HTTPStatus,
    code: ErrorCode,
    message: str,
    *,
    field: str = "",
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """Make an answer that carries an error."""
    body = msgspec.json.encode(ErrorEnvelope(ErrorBody(code=code, message=message, field=field)))
    return Answer(status, body, headers, code)


class AnswerWriter:
    """Turns answers into bytes; what most answers share is made once a second, not once an answer."""

    __slots__ = ("_date", "_heads")

    def __init__(self) -> None:
        self._heads: dict[HTTPStatus, bytes] = {}
        self._date = b""
        self.tick()

    def tick(self) -> None:
        """Take the current time for the Date header; to be called about once a second."""
        date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        if date != self._date:
            self._date = date
            self._heads.clear()

    def write(self, answer: Answer, *, close: bool, bodiless: bool = False) -> bytes:
        """Give the whole answer; `bodiless` leaves the body out, for HEAD."""
        head = self._heads.get(answer.status)
        if head is None:
            head = self._heads[answer.status] = self._head(answer.status)
        extra = (
            "".join(f"{name}: {value}\r\n" for name, value in answer.headers).encode()
            if answer.headers
            else b""
        )
        connection = b"Connection: close\r\n" if close else b""
        body = b"" if bodiless else answer.body
        return b"%b%d\r\n%b%b\r\n%b" % (head, len(answer.body), extra, connection, body)

    def _head(self, status: HTTPStatus) -> bytes:
        line = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
        return line + self._date + f"Content-Type: {JSON}\r\nContent-Length: ".encode()
