import asyncio
import contextlib
import os
import re
import signal

from tests.support.https import post, review_body, until
from tests.support.servers import Server, server, start
from webhook.tls.folder import CertificateFolder

VALIDATED = 'gradate_requests_total{code="200",endpoint="validate"}'


async def ask_often(running: Server, times: int) -> None:
    """Ask over many connections, so that every worker gets some."""
    for _ in range(times):
        async with running.client() as client:
            assert (await client.ask(post(review_body()))).status == 200


async def wait_for_count(running: Server, count: int) -> None:
    async with asyncio.timeout(10):
        while await running.metric(VALIDATED) != count:  # noqa: ASYNC110  the workers report when they do
            await asyncio.sleep(0.05)


async def worker_pids(running: Server) -> dict[str, int]:
    await until(lambda: sum(line["event"] == "worker_started" for line in running.lines) >= 2)
    started = [line for line in running.lines if line["event"] == "worker_started"]
    return {line["name"]: line["pid"] for line in started}


async def all_ready(running: Server) -> None:
    await running.until("/readyz?verbose", "2 of 2 ready", seconds=20)


async def test_workers_share_the_port_and_their_metrics_add_up_over_a_workers_death(
    certificates: CertificateFolder,
) -> None:
    async with server(certificates, workers=2) as running:
        await all_ready(running)
        await ask_often(running, 40)
        await wait_for_count(running, 40)
        assert {line["worker"] for line in running.lines if line["event"] == "request"} == {"0", "1"}

        os.kill((await worker_pids(running))["0"], signal.SIGKILL)
        await running.until("/readyz?verbose", "1 of 2 ready")
        assert await running.get("/readyz") == (200, "ok")
        assert await running.metric(VALIDATED) == 40
        assert await running.metric("gradate_in_flight_requests") == 0
        await all_ready(running)
        assert await running.metric("gradate_worker_restarts_total") == 1

        await ask_often(running, 20)
        await wait_for_count(running, 60)
        assert await running.metric('gradate_workers{ready="true"') == 2
        assert await running.stop() == 0


async def test_a_worker_that_dies_of_a_request_is_replaced_and_the_others_serve_on(
    certificates: CertificateFolder,
) -> None:
    async with server(certificates, workers=2) as running:
        await all_ready(running)
        async with running.client() as client:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await client.ask(post(review_body(name="die")))
        await until(lambda: any(line["event"] == "worker_lost" for line in running.lines))
        await ask_often(running, 5)
        await all_ready(running)
        assert await running.stop() == 0


async def test_sigterm_drains_every_worker(certificates: CertificateFolder) -> None:
    async with server(certificates, workers=2, drainDelaySeconds=0.3) as running:
        await all_ready(running)
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(running.client()) for _ in range(8)]
            for number, client in enumerate(clients):
                client.writer.write(post(review_body(f"u{number}", name="sleep-500")))
            await asyncio.sleep(0.1)
            running.process.send_signal(signal.SIGTERM)
            await running.until("/readyz", "[-]shutdown failed")
            answers = [await client.answer() for client in clients]
        assert [answer.json["response"]["uid"] for answer in answers] == [f"u{n}" for n in range(8)]
        assert await running.process.wait() == 0
    assert sum(line["event"] == "request" for line in running.lines) == 8


async def test_ctrl_c_while_workers_are_starting_ends_all_without_a_traceback(
    certificates: CertificateFolder,
) -> None:
    for pause_seconds in (0.0, 0.3, 0.6):
        process = await start(certificates, workers=2)
        while len(children(process.pid)) < 2:  # noqa: ASYNC110  what workers are copied from is the second
            await asyncio.sleep(0.01)
        await asyncio.sleep(pause_seconds)
        os.killpg(process.pid, signal.SIGINT)
        async with asyncio.timeout(20):
            printed = b"".join(await process.communicate())
        assert b"Traceback" not in printed
        assert process.returncode == 0


async def test_workers_do_not_outlive_their_supervisor(certificates: CertificateFolder) -> None:
    async with server(certificates, workers=2) as running:
        await all_ready(running)
        pids = (await worker_pids(running)).values()
        running.process.kill()
        await running.process.wait()
        await until(lambda: not any(is_alive(pid) for pid in pids))


def children(pid: int) -> list[str]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:  # noqa: PTH123  read at once
        return file.read().split()


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123  read at once
            return re.sub(r"^.*\) ", "", file.read())[0] not in "ZX"
    except OSError:
        return False
