"""A raw HTTPS client and the real admission listener, for tests that speak over a socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from webhook.admission.review import Review
from webhook.decision.decision import PASSED, Decision
from webhook.decision.verdict import Outcome, PolicyVerdict
from webhook.server.address import ListenAddress, bind
from webhook.server.endpoints import AdmissionEndpoints
from webhook.server.listener import AdmissionListener
from webhook.server.traffic import SECOND_NS, Limits, Traffic
from webhook.telemetry.outcome import RequestOutcome

LOCAL = ListenAddress("127.0.0.1", 0)


def review_body(uid: str = "uid-1", *, name: str = "web", **request: Any) -> bytes:
    """A small AdmissionReview of a Pod."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": []}}
    envelope = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": "shop",
            "name": name,
            "userInfo": {"username": "jane"},
            "object": pod,
            **request,
        },
    }
    return msgspec.json.encode(envelope)


def post(
    body: bytes,
    target: str = "/validate",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
) -> bytes:
    """A POST request as the API server sends it; `length` announces another length than the body's."""
    fields = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body) if length is None else length),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + body


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait for what has no event to wait for."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  see above
            await asyncio.sleep(0.002)


@dataclass(frozen=True)
class RawAnswer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> dict[str, str]:
        error: dict[str, str] = self.json["error"]
        return error


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> RawAnswer:
        self.writer.write(request)
        return await self.answer()

    async def answer(self, *, bodiless: bool = False) -> RawAnswer:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status_line, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            length = 0 if bodiless else int(headers.get("content-length", 0))
            return RawAnswer(int(status_line.split()[1]), headers, await self.reader.readexactly(length))

    async def closed(self) -> bool:
        """Tell whether the server closed the connection, without any more bytes."""
        try:
            async with asyncio.timeout(5):
                return await self.reader.read(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class FakeDecider:
    """Decides as it is told, after waiting as it is told."""

    decision: Decision = PASSED
    wait: Callable[[], Any] | None = None
    seen: list[tuple[Review, int]] = field(default_factory=list)

    async def __call__(self, review: Review, deadline_ns: int) -> Decision:
        self.seen.append((review, deadline_ns))
        if self.wait is not None:
            await self.wait()
        return self.decision


def denial(policy: str = "credential-env") -> Decision:
    verdict = PolicyVerdict(policy, "1.0.0", Outcome.DENY, duration_ns=12_000)
    return Decision(
        allowed=False, outcome=Outcome.DENY, code=403, reason="Forbidden", message="no", verdicts=(verdict,)
    )


@dataclass
class Running:
    """The listener under test."""

    listener: AdmissionListener
    trust: ssl.SSLContext
    outcomes: list[RequestOutcome]
    failures: list[BaseException]

    @property
    def port(self) -> int:
        return self.listener.address.port

    @asynccontextmanager
    async def client(self, trust: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
        client = Client(*await asyncio.open_connection("localhost", self.port, ssl=trust or self.trust))
        try:
            yield client
        finally:
            client.close()


@asynccontextmanager
async def serving(
    context: ssl.SSLContext,
    trust: ssl.SSLContext,
    *,
    validate: Callable[[Review, int], Any] | None = None,
    mutate: Callable[[Review, int], Any] | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Running]:
    """Run the listener on a free port."""
    outcomes: list[RequestOutcome] = []
    failures: list[BaseException] = []
    endpoints = AdmissionEndpoints(
        {"validate": validate or FakeDecider(), "mutate": mutate or FakeDecider()},
        default_timeout_ns=10 * SECOND_NS,
        report=outcomes.append,
        report_failure=lambda _endpoint, error: failures.append(error),
    )
    bound = bind(LOCAL, setting="--listen")
    listener = AdmissionListener(bound, LOCAL, context, endpoints, Traffic(limits or Limits()))
    await listener.start()
    try:
        yield Running(listener, trust, outcomes, failures)
    finally:
        await listener.stop()
