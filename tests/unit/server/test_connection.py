import asyncio
import contextlib
import gc
import ssl
from datetime import UTC, datetime

import pytest
from aiohttp.streams import StreamReader

from tests.support.https import FakeDecider, denial, post, review_body, serving, until
from webhook.server.connection import HttpConnection
from webhook.server.traffic import SECOND_NS, Limits
from webhook.tls.context import ServingContext, TlsFiles
from webhook.tls.folder import CertificateFolder

TENTH_NS = SECOND_NS // 10


async def test_one_connection_serves_many_requests(context: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    async with serving(context, trust) as running, running.client() as client:
        uids = [(await client.ask(post(review_body(f"u{n}")))).json["response"]["uid"] for n in range(50)]
    assert uids == [f"u{n}" for n in range(50)]


async def test_requests_sent_ahead_are_answered_in_order(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust) as running, running.client() as client:
        wrong = post(b"{", "/nowhere")
        client.writer.write(b"".join(post(review_body(f"u{n}")) + wrong for n in range(40)))
        for n in range(40):
            assert (await client.answer()).json["response"]["uid"] == f"u{n}"
            assert (await client.answer()).status == 404


async def test_a_client_that_sends_far_ahead_of_its_answers_is_held_back_and_then_served(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    gate = asyncio.Event()
    decider = FakeDecider(wait=gate.wait)
    padding = {"options": "x" * 20_000}
    async with serving(context, trust, validate=decider) as running, running.client() as client:
        client.writer.write(b"".join(post(review_body(f"u{n}", **padding)) for n in range(100)))
        await asyncio.sleep(0.1)
        assert len(decider.seen) == 1
        gate.set()
        uids = [(await client.answer()).json["response"]["uid"] for _ in range(100)]
    assert uids == [f"u{n}" for n in range(100)]


@pytest.mark.parametrize("cut", [1, 30, -1])
async def test_a_request_may_arrive_in_pieces(
    context: ssl.SSLContext, trust: ssl.SSLContext, cut: int
) -> None:
    request = post(review_body())
    async with serving(context, trust) as running, running.client() as client:
        client.writer.write(request[:cut])
        await asyncio.sleep(0.02)
        assert (await client.ask(request[cut:])).status == 200


async def test_a_chunked_body_is_read(context: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    body = review_body("chunky")
    head = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    async with serving(context, trust) as running, running.client() as client:
        assert (await client.ask(head + chunks)).json["response"]["uid"] == "chunky"
        assert (await client.ask(post(review_body()))).status == 200


async def test_a_client_that_asks_before_sending_its_body_is_told_to_go_on(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    request = post(review_body(), headers={"Expect": "100-continue"})
    head, _, body = request.partition(b"\r\n\r\n")
    async with serving(context, trust) as running, running.client() as client:
        assert (await client.ask(head + b"\r\n\r\n")).status == 100
        assert (await client.ask(body)).status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(review_body(), headers={"Connection": "close"}),
        post(review_body()).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    ],
)
async def test_a_client_that_wants_to_leave_is_answered_and_let_go(
    context: ssl.SSLContext, trust: ssl.SSLContext, request_bytes: bytes
) -> None:
    async with serving(context, trust) as running, running.client() as client:
        answer = await client.ask(request_bytes)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await client.closed()


LIMITS = Limits(body_bytes=2000, head_ns=TENTH_NS, body_ns=TENTH_NS, linger_ns=TENTH_NS)


async def test_a_body_announced_too_large_is_refused_before_it_is_sent(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust, limits=LIMITS) as running, running.client() as client:
        answer = await client.ask(post(b"", headers={"Expect": "100-continue"}, length=2001))
        assert (answer.status, answer.error["code"]) == (413, "body_too_large")
        assert "2000 bytes" in answer.error["message"]
        assert await client.closed()


async def test_a_body_larger_than_the_limit_is_refused_and_the_answer_survives_what_is_still_sent(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust, limits=LIMITS) as running, running.client() as client:
        client.writer.write(post(b"x" * 400_000))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert await client.closed()


async def test_an_endless_chunked_body_is_refused_at_the_limit(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    head = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(context, trust, limits=LIMITS) as running, running.client() as client:
        client.writer.write(head)
        for _ in range(30):
            client.writer.write(b"64\r\n" + b"x" * 100 + b"\r\n")
        assert (await client.answer()).status == 413


async def test_what_was_read_is_freed_without_the_garbage_collector(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    refused = post(b"x" * 5000)
    async with serving(context, trust, limits=LIMITS) as running:
        gc.collect()
        gc.disable()
        try:
            for request in (
                refused,
                refused[:-4900],
                refused[:40],
                post(b"{", "/nowhere"),
                post(review_body()),
            ):
                async with running.client() as client:
                    client.writer.write(request)
                    await asyncio.sleep(0.02)
            await until(lambda: not running.listener.traffic.connections)
            await asyncio.sleep(0.02)
            left = [one for one in gc.get_objects() if type(one) in (HttpConnection, StreamReader)]
            assert not left
        finally:
            gc.enable()


async def test_a_body_of_exactly_the_limit_is_read(context: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    body = review_body()
    limits = Limits(body_bytes=len(body))
    async with serving(context, trust, limits=limits) as running, running.client() as client:
        assert (await client.ask(post(body))).status == 200
        assert (await client.ask(post(body + b" "))).status == 413


@pytest.mark.parametrize("sent", [b"POST /val", b"POST /validate HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_trickles_in_is_refused_in_time(
    context: ssl.SSLContext, trust: ssl.SSLContext, sent: bytes
) -> None:
    async with serving(context, trust, limits=LIMITS) as running, running.client() as client:
        client.writer.write(sent)
        for _ in range(4):  # more bytes win no more time
            await asyncio.sleep(0.02)
            client.writer.write(b"a")
        answer = await client.answer()
        assert (answer.status, answer.error["code"]) == (408, "request_timeout")
        assert await client.closed()
    assert running.outcomes[0].status == 408


async def test_a_body_that_trickles_in_is_refused_in_time(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust, limits=LIMITS) as running, running.client() as client:
        client.writer.write(post(b"{", length=1000))
        for _ in range(4):
            await asyncio.sleep(0.02)
            client.writer.write(b" ")
        answer = await client.answer()
        assert (answer.status, answer.error["message"]) == (408, "the request's body did not arrive in time")


async def test_a_client_that_is_refused_and_goes_on_sending_is_cut_off(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust, limits=LIMITS) as running, running.client() as client:
        client.writer.write(post(b"x", length=9_000_000))
        assert (await client.answer()).status == 413
        async with asyncio.timeout(5):
            while running.listener.traffic.connections:
                client.writer.write(b"x" * 1000)
                await asyncio.sleep(0.01)
    assert [outcome.status for outcome in running.outcomes] == [413]


async def test_a_connection_that_stays_silent_is_closed_without_a_word(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    limits = Limits(keepalive_ns=TENTH_NS)
    async with serving(context, trust, limits=limits) as running, running.client() as client:
        assert (await client.ask(post(review_body()))).status == 200
        assert await client.closed()


async def test_a_client_that_never_takes_its_answers_is_cut_off(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust, limits=LIMITS) as running, running.client() as client:
        assert (await client.ask(post(review_body()))).status == 200
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport, too
        request = post(b"{", "/nowhere")
        async with asyncio.timeout(30):
            while running.listener.traffic.connections:
                client.writer.write(request * 200)
                await asyncio.sleep(0.01)
    assert {outcome.status for outcome in running.outcomes} == {200, 404}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\x01\x02 garbage\r\n\r\n", 400),
        (b"POST /validate HTTP/1.1\r\n\r\n", 400),
        (b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"POST /validate HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 9000 + b"\r\n\r\n", 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ],
)
async def test_what_is_no_http_request_gets_a_json_error_and_other_connections_live_on(
    context: ssl.SSLContext, trust: ssl.SSLContext, sent: bytes, status: int
) -> None:
    limits = Limits(linger_ns=TENTH_NS)
    async with (
        serving(context, trust, limits=limits) as running,
        running.client() as client,
        running.client() as other,
    ):
        answer = await client.ask(sent)
        assert answer.status == status
        assert answer.error["message"]
        assert await client.closed()
        assert (await other.ask(post(review_body()))).status == 200


@pytest.mark.parametrize("method", [b"CONNECT localhost:443", b"OPTIONS *", b"GET http://elsewhere/validate"])
async def test_odd_targets_are_not_found(
    context: ssl.SSLContext, trust: ssl.SSLContext, method: bytes
) -> None:
    async with serving(context, trust) as running, running.client() as client:
        answer = await client.ask(method + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (answer.status, answer.error["code"]) == (404, "not_found")


async def test_plain_http_on_the_tls_port_harms_nobody(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust) as running:
        reader, writer = await asyncio.open_connection("localhost", running.port)
        writer.write(post(review_body()))
        async with asyncio.timeout(5):
            assert b"HTTP/1.1 200" not in await reader.read()
        writer.transport.abort()
        async with running.client() as client:
            assert (await client.ask(post(review_body()))).status == 200


async def test_requests_beyond_the_limit_are_turned_away_at_once_and_those_within_it_are_served(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    gate = asyncio.Event()
    decider = FakeDecider(denial(), wait=gate.wait)
    async with (
        serving(context, trust, validate=decider, limits=Limits(in_flight=2)) as running,
        running.client() as first,
        running.client() as second,
        running.client() as third,
    ):
        for client in (first, second):
            client.writer.write(post(review_body()))
        await until(lambda: running.listener.traffic.in_flight == 2)
        answer = await third.ask(post(review_body()))
        assert (answer.status, answer.headers["retry-after"], answer.error["code"]) == (
            429,
            "1",
            "overloaded",
        )
        assert running.listener.traffic.shed == 1
        gate.set()
        assert [(await client.answer()).status for client in (first, second)] == [200, 200]
        assert (await third.ask(post(review_body()))).status == 200
    assert running.listener.traffic.in_flight == 0


async def test_a_decider_that_ignores_its_deadline_is_stopped_and_the_caller_told(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    decider = FakeDecider(wait=asyncio.Event().wait)
    async with serving(context, trust, validate=decider) as running, running.client() as client:
        answer = await client.ask(post(review_body(), "/validate?timeout=100ms"))
        assert (answer.status, answer.error["code"]) == (504, "deadline_exceeded")
        decider.wait = None
        assert (await client.ask(post(review_body()))).status == 200
    assert running.listener.traffic.in_flight == 0


async def test_a_request_whose_client_went_away_is_still_decided_and_counted(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    gate = asyncio.Event()
    decider = FakeDecider(wait=gate.wait)
    async with serving(context, trust, validate=decider) as running:
        async with running.client() as client:
            client.writer.write(post(review_body()))
            await until(lambda: decider.seen)
        gate.set()
        await until(lambda: running.outcomes)
    assert running.outcomes[0].status == 200
    assert running.listener.traffic.in_flight == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_an_old_tls_version_is_refused_and_the_next_client_served(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1_1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(context, trust) as running:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with running.client(old):
                pass
        async with running.client() as client:
            assert (await client.ask(post(review_body()))).status == 200


async def test_a_tls_handshake_that_never_ends_is_cut_off(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(context, trust, limits=LIMITS) as running:
        reader, writer = await asyncio.open_connection("localhost", running.port)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.transport.abort()


async def test_with_a_client_authority_only_callers_that_it_signed_are_heard(
    certificates: CertificateFolder, trust: ssl.SSLContext
) -> None:
    files = TlsFiles(
        certificates.serving_certificate, certificates.serving_key, certificates.authority_certificate
    )
    known = ssl.create_default_context(cafile=certificates.authority_certificate)
    known.load_cert_chain(*certificates.issue_client("kube-apiserver", datetime.now(UTC)))
    demanding = ServingContext(files, datetime.now(UTC)).context
    async with serving(demanding, trust) as running:
        async with running.client(known) as client:
            assert (await client.ask(post(review_body()))).status == 200
        async with running.client() as stranger:
            stranger.writer.write(post(review_body()))
            assert await stranger.closed()
    assert len(running.outcomes) == 1


async def test_a_request_refused_by_its_head_ends_the_connection_unless_its_body_is_there(
    context: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    lost = post(review_body(), "/nowhere")
    async with serving(context, trust) as running, running.client() as client:
        assert (await client.ask(lost)).status == 404
        client.writer.write(lost[:-10])
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (404, "close")
