"""Traffic: what happens in the cluster reaches the webhook over verified TLS, at a steady pace, until it is stopped."""

import http.client
import json
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.local_server import LocalServer
from docs.demo.cluster import Cluster, Workload, requests_of
from docs.demo.reviews import Manifest

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook said."""

    allowed: bool
    message: str
    milliseconds: float


class Line:
    """One kept-alive connection to the webhook."""

    def __init__(self, server: LocalServer) -> None:
        context = ssl.create_default_context(cafile=server.authority)
        self._connection = http.client.HTTPSConnection(
            "localhost", server.port, timeout=_TIMEOUT_SECONDS, context=context
        )

    def ask(self, review: Manifest) -> Answer:
        """Send one review.

        Raises:
            OSError: there is no connection.
            ValueError: the answer is none.

        """
        begun = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/validate?timeout=5s", json.dumps(review), headers)
        reply = self._connection.getresponse()
        body = reply.read()
        milliseconds = (time.perf_counter() - begun) * 1000
        if reply.status != http.HTTPStatus.OK:
            raise ValueError(f"HTTP {reply.status}: {body.decode(errors='replace')}")
        response = json.loads(body)["response"]
        if response["uid"] != review["request"]["uid"]:
            raise ValueError("the answer carries another request's uid")
        message = response.get("status", {}).get("message", "")
        return Answer(response["allowed"], message, milliseconds)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class Traffic:
    """Several lines that start one workload after the other; a context manager."""

    def __init__(
        self, server: LocalServer, cluster: Cluster, *, lines: int = 3, per_second: int = 200
    ) -> None:
        self._server = server
        self._starts = cluster.starts()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._pause_seconds = lines / per_second
        self._threads = [
            threading.Thread(target=self._keep_sending, args=(number,), name=f"line-{number}", daemon=True)
            for number in range(lines)
        ]
        self._failures: list[str] = []
        self.answers: Counter[bool] = Counter()
        """How many requests were allowed, and how many denied."""

    @property
    def failure(self) -> str | None:
        """Why a line fell silent; None when none did."""
        return self._failures[0] if self._failures else None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _keep_sending(self, number: int) -> None:
        generator = random.Random(number)  # noqa: S311 - nothing secret
        line = Line(self._server)
        due = time.monotonic()
        try:
            for workload in self._next_workloads():
                for review in requests_of(workload, generator):
                    due = max(due + self._pause_seconds, time.monotonic() - self._pause_seconds)
                    if self._stopped.wait(max(due - time.monotonic(), 0)):
                        return
                    answer = line.ask(review)
                    with self._lock:
                        self.answers[answer.allowed] += 1
                    if not answer.allowed:
                        break
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._failures.append(f"{type(error).__name__}: {error}")
        finally:
            line.close()

    def _next_workloads(self) -> Iterator[Workload]:
        while True:
            with self._lock:
                workload = next(self._starts)
            yield workload
