import asyncio
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.https import FakeDecider, post, review_body
from webhook.server.answers import AnswerWriter
from webhook.server.connection import HttpConnection
from webhook.server.endpoints import AdmissionEndpoints
from webhook.server.traffic import SECOND_NS, Limits, Traffic

GOOD = post(review_body())
MALFORMED = post(b"{")
BAD = post(b"{", "/nowhere")
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [GOOD, BAD, post(b"{"), b"\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", GOOD[:60], GOOD[60:]]
        ),
        st.binary(max_size=60),
    ),
    max_size=6,
)


class MemoryTransport(asyncio.Transport):
    """Keeps what is written, and closes when told."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def converse(chunks: list[bytes]) -> tuple[bytes, list[BaseException], Traffic]:
    """Send chunks on one connection, with time for answers in between; give what came back."""
    failures: list[BaseException] = []
    endpoints = AdmissionEndpoints(
        {"validate": FakeDecider()},
        default_timeout_ns=SECOND_NS,
        report=lambda _outcome: None,
        report_failure=lambda _endpoint, error: failures.append(error),
    )
    traffic, transport = Traffic(Limits(body_bytes=5000)), MemoryTransport()
    connection = HttpConnection(asyncio.get_running_loop(), traffic, endpoints, AnswerWriter())
    connection.connection_made(transport)
    for chunk in chunks:
        if transport.is_closed:
            break
        connection.data_received(chunk)
        for _ in range(3):
            await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    return bytes(transport.written), failures, traffic


def statuses(written: bytes) -> list[int]:
    """Read answers one after the other; what is written must be answers and nothing else."""
    found: list[int] = []
    while written:
        head, _, rest = written.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        length = re.search(rb"Content-Length: (\d+)", head)
        assert match is not None
        assert length is not None
        found.append(int(match[1]))
        written = rest[int(length[1]) :]
    return found


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_whatever_is_sent_gets_whole_answers_and_never_an_error_of_ours(pieces: list[bytes]) -> None:
    written, failures, traffic = asyncio.run(converse(pieces))
    assert failures == []
    assert 500 not in statuses(written)
    assert traffic.in_flight == 0
    assert not traffic.connections


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([GOOD, MALFORMED]), max_size=5), st.lists(st.integers(1, 400), max_size=12))
def test_the_cuts_between_packets_do_not_matter(requests: list[bytes], cuts: list[int]) -> None:
    stream, chunks = b"".join(requests), []
    for cut in cuts:
        chunks.append(stream[:cut])
        stream = stream[cut:]
    written, _, _ = asyncio.run(converse([chunk for chunk in [*chunks, stream] if chunk]))
    assert statuses(written) == [200 if request is GOOD else 400 for request in requests]


async def test_a_client_that_takes_its_answers_late_gets_the_rest_then() -> None:
    endpoints = AdmissionEndpoints(
        {"validate": FakeDecider()},
        default_timeout_ns=SECOND_NS,
        report=lambda _outcome: None,
        report_failure=lambda _endpoint, _error: None,
    )
    transport = MemoryTransport()
    connection = HttpConnection(asyncio.get_running_loop(), Traffic(Limits()), endpoints, AnswerWriter())
    connection.connection_made(transport)
    connection.pause_writing()
    connection.data_received(GOOD + GOOD)
    await asyncio.sleep(0.01)
    assert transport.written == b""
    connection.resume_writing()
    await asyncio.sleep(0.01)
    assert statuses(bytes(transport.written)) == [200, 200]
