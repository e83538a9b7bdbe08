import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from webhook.cli.errors import CommandError, NoAnswer
from webhook.cli.exchange import exchange


class Peer:
    """A server that answers every request with the same bytes, and keeps what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.received = b""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received = await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def peer(answer: bytes) -> AsyncIterator[Peer]:
    answering = Peer(answer)
    async with await asyncio.start_server(answering.serve, "127.0.0.1", 0) as server:
        answering.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield answering


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
        b"HTTP/1.0 201 Created\r\n\r\nbody",
    ],
)
async def test_an_answer_is_read_however_its_length_is_told(answer: bytes) -> None:
    async with peer(answer) as server:
        assert await exchange(server.url, "GET", "/x") == (201, b"body")


async def test_path_query_and_headers_arrive_as_they_were_given() -> None:
    async with peer(b"HTTP/1.1 200 OK\r\n\r\n") as server:
        await exchange(
            f"{server.url}/below", "POST", "/a%2Fb", query={"q": "a b&c"}, headers={"X-User": "zoë"}
        )
        first, *headers = server.received.decode().split("\r\n")
    assert first == "POST /below/a%2Fb?q=a+b%26c HTTP/1.1"
    assert {"X-User: zoë", "Connection: close", "Content-Length: 0"} <= set(headers)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "what answers is no HTTP"),
        (b"220 mail.example.org ESMTP\r\n", "what answers is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "what answers is no HTTP: IncompleteRead"),
    ],
)
async def test_a_server_that_speaks_something_else_gives_no_answer(answer: bytes, reason: str) -> None:
    async with peer(answer) as server:
        with pytest.raises(NoAnswer, match=f"no server answers at {server.url}: {reason}"):
            await exchange(server.url, "GET", "/")


@pytest.mark.parametrize("header", ["one\r\nX-Other: two", "one\ntwo"])
async def test_nothing_is_smuggled_into_a_request(header: str) -> None:
    async with peer(b"HTTP/1.1 200 OK\r\n\r\n") as server:
        with pytest.raises(CommandError, match="it is not asked: Invalid header value"):
            await exchange(server.url, "GET", "/", headers={"X-User": header})
        assert server.received == b""


@pytest.mark.parametrize(
    "url", ["http://maria:secret@127.0.0.1:1", "http://127.0.0.1:0", "http://:80", "//x"]
)
async def test_what_leads_nowhere_is_no_url(url: str) -> None:
    with pytest.raises(CommandError, match="is no URL"):
        await exchange(url, "GET", "/")
