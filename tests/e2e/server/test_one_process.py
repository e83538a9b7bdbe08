import asyncio
import contextlib
import signal
import socket
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.https import post, review_body
from tests.support.servers import server, start
from webhook.tls.authority import create_authority, issue_serving
from webhook.tls.folder import CertificateFolder
from webhook.tls.names import parse_names


async def test_probes_metrics_and_log_tell_what_was_served(certificates: CertificateFolder) -> None:
    async with server(certificates) as running:
        async with running.client() as client:
            for name in ("web", "deny", "web"):
                assert (await client.ask(post(review_body(name=name)))).status == 200
            await client.ask(post(b"{"))
        assert await running.get("/healthz") == (200, "ok")
        assert await running.get("/readyz") == (200, "ok")
        _, verbose = await running.get("/readyz?verbose")
        assert "[+]snapshot ok: generation 1" in verbose
        assert "[+]certificate ok: expires in 365 days" in verbose
        assert await running.metric('gradate_requests_total{code="200",endpoint="validate"}') == 3
        assert await running.metric('gradate_requests_total{code="400",endpoint="validate"}') == 1
        assert await running.metric('gradate_decisions_total{outcome="deny",policy="obedience"') == 1
        assert await running.metric('gradate_request_seconds_count{endpoint="validate"}') == 4
        assert await running.metric("gradate_certificate_expiry_timestamp_seconds") > 0
        status, _ = await running.get("/nowhere")
        assert status == 404
        assert await running.stop() == 0
    requests = [line for line in running.lines if line["event"] == "request"]
    assert [line["decision"]["allowed"] for line in requests if "decision" in line] == [True, False, True]
    assert requests[-1]["error"] == "malformed_review"
    assert running.lines[-1]["event"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_fails_readiness_first_finishes_what_is_under_way_and_exits_0(
    certificates: CertificateFolder, number: signal.Signals
) -> None:
    async with server(certificates, drainDelaySeconds=1.5) as running, running.client() as slow:
        slow.writer.write(post(review_body("slow", name="sleep-600")))
        await asyncio.sleep(0.1)
        running.process.send_signal(number)
        if number is signal.SIGTERM:
            await running.until("/readyz", "[-]shutdown failed: draining")
            async with running.client() as late:
                answer = await late.ask(post(review_body("late")))
            assert (answer.status, answer.headers["connection"]) == (200, "close")
        answer = await slow.answer()
        assert (answer.json["response"]["uid"], answer.headers["connection"]) == ("slow", "close")
        assert await running.process.wait() == 0


async def test_draining_under_load_loses_no_request(certificates: CertificateFolder) -> None:
    answered = 0

    async def keep_asking() -> None:
        nonlocal answered
        while True:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    client = await stack.enter_async_context(running.client())
                except ConnectionError:  # nobody listens any more
                    return
                closing = False
                while not closing:
                    answer = await client.ask(post(review_body()))
                    assert answer.status == 200
                    answered += 1
                    closing = answer.headers.get("connection") == "close"

    async with server(certificates, drainDelaySeconds=0.3) as running:
        callers = [asyncio.create_task(keep_asking()) for _ in range(8)]
        await asyncio.sleep(0.2)
        assert await running.stop() == 0
        await asyncio.gather(*callers)
    assert answered > 20
    assert sum(line["event"] == "request" for line in running.lines) == answered


async def test_a_second_signal_ends_the_patience(certificates: CertificateFolder) -> None:
    async with server(certificates, drainDelaySeconds=60) as running:
        running.process.send_signal(signal.SIGTERM)
        await running.until("/readyz", "draining")
        assert await running.stop() == 0


async def test_a_new_certificate_is_served_while_connections_live_on(certificates: CertificateFolder) -> None:
    async with server(certificates) as running, running.client() as old:
        before = await running.metric("gradate_certificate_expiry_timestamp_seconds")
        assert (await old.ask(post(review_body()))).status == 200
        certificates.renew(datetime.now(UTC) + timedelta(minutes=3))
        async with asyncio.timeout(5):
            while await running.metric("gradate_certificate_expiry_timestamp_seconds") == before:
                assert (await old.ask(post(review_body()))).status == 200
        async with running.client() as new:
            serials = [
                client.writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
                for client in (old, new)
            ]
        assert serials[0] != serials[1]
        assert (await old.ask(post(review_body()))).status == 200


async def failure_of(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(10):
        _, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, error.decode()


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_port_in_use_is_said_in_one_line(certificates: CertificateFolder, workers: int) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, error = await failure_of(await start(certificates, listen=address, workers=workers))
        assert (code, len(error.splitlines())) == (1, 1)
        assert error.startswith(f"AddressInUseError: cannot listen on {address}: another process does")
        code, error = await failure_of(await start(certificates, operationsListen=address, workers=workers))
        assert "--operations-listen" in error


@pytest.mark.parametrize("workers", [1, 2])
async def test_an_expired_certificate_is_said_in_one_line(
    certificates: CertificateFolder, workers: int
) -> None:
    past = datetime.now(UTC) - timedelta(days=400)
    pair = issue_serving(create_authority(past), parse_names(["localhost"]), past)
    certificates.serving_certificate.write_bytes(pair.certificate_pem)
    certificates.serving_key.write_bytes(pair.key_pem)
    code, error = await failure_of(await start(certificates, workers=workers))
    assert (code, len(error.splitlines())) == (1, 1)
    assert "expired at" in error


@pytest.mark.parametrize("workers", [1, 2])
async def test_an_application_that_cannot_be_built_says_why(
    certificates: CertificateFolder, workers: int
) -> None:
    code, error = await failure_of(await start(certificates, build="build_nothing", workers=workers))
    assert (code, len(error.splitlines())) == (1, 1)
    assert "there is no such folder; pass --policies" in error
