"""A real `gradate serve` with policies, a store and people who work with it, for tests over HTTPS."""

import asyncio
import http.client
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from tests.support.reviews import pod_spec, request_document, review_body, workload
from webhook.flows.operator import Ask
from webhook.flows.rollout_views import EvidenceView, RolloutStatus
from webhook.server.openapi import USER_HEADER
from webhook.server.operation_table import API_PREFIX, ROLLOUT_STATUS, Operation
from webhook.stores.sqlite.connection import SqliteOptions
from webhook.stores.sqlite.store import SqliteStore
from webhook.tls.folder import CertificateFolder
from webhook.tls.names import parse_names

Question = TypeVar("Question", bound=Ask)
Answer = TypeVar("Answer")
ROOT = Path(__file__).parents[2]
FAST_TICK_SECONDS = 0.05
PATIENCE_SECONDS = 30.0
GOOD_IMAGE = "registry.example.com/web:1.4.2"
STILL: Mapping[str, Any] = {
    "steps": [{"mode": "enforce", "percent": 20, "duration": "1h"}, {"mode": "enforce", "percent": 100}]
}
"""A strategy that stays in its first step for longer than any test."""


class Refused(Exception):  # noqa: N818 - reads as what happened
    """The operations API refused; the text is `status code: message`."""


@dataclass(frozen=True)
class Reply:
    """What an API server is told."""

    allowed: bool
    message: str
    warnings: tuple[str, ...] = ()


@dataclass
class Deployment:
    """A folder as `gradate serve` finds it, and the process that serves from it."""

    folder: Path
    settings: Mapping[str, Any]
    workers: int = 1
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What it logged so far, over all its lives."""
    port: int = 0
    operations_port: int = 0
    process: subprocess.Popen[bytes] | None = None
    certificates: CertificateFolder = field(init=False)

    def __post_init__(self) -> None:
        self.certificates = CertificateFolder(self.folder / "certs")
        self.certificates.init(parse_names(["localhost", "127.0.0.1"]), datetime.now(UTC))
        (self.folder / "policies").mkdir()
        (self.folder / "policy-tests").mkdir()
        # YAML reads JSON; `gradate serve` finds this name by itself.
        (self.folder / "gradate.yaml").write_bytes(msgspec.json.encode(self.settings))

    # The process

    def start(self) -> None:
        """Start it and wait until it is ready."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADATE_")}
        command = [str(Path(sys.executable).with_name("gradate")), "serve", "--workers", str(self.workers)]
        command += ["--listen", "127.0.0.1:0", "--operations-listen", "127.0.0.1:0"]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**environment, "GRADATE_SERVER_DRAIN_DELAY_SECONDS": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        announced = process.stderr.readline().decode()
        assert announced.startswith("admission on https://"), announced + process.stderr.read().decode()
        words = announced.replace(",", " ").split()
        self.port, self.operations_port = (int(words[place].rpartition(":")[2]) for place in (2, 5))
        for stream, keep in ((process.stdout, self._keep_line), (process.stderr, _ignore)):
            threading.Thread(target=_read_lines, args=(stream, keep), daemon=True).start()
        self.until(lambda: "readyz check passed" in self.get("/readyz?verbose"))
        if self.workers > 1:
            self.until(lambda: f"{self.workers} of {self.workers} ready" in self.get("/readyz?verbose"))

    def kill(self) -> None:
        """End it as a power cut does, its workers too."""
        assert self.process is not None
        for pid in (*self.worker_pids(), self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it in order, and give its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def worker_pids(self) -> list[int]:
        """Give the worker processes; none when it serves alone."""
        assert self.process is not None
        return [
            worker
            for child in _children(self.process.pid)
            if b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes()
            for worker in _children(child)
        ]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give the lines of one kind that it logged."""
        return [line for line in list(self.lines) if line.get("event") == name]

    # Policies

    def save(self, text: str, name: str) -> None:
        """Save a policy as an editor does."""
        self._write(self.folder / "policies" / f"{name}.rego", text)

    def save_tests(self, text: str, name: str) -> None:
        """Save the unit tests of a policy."""
        self._write(self.folder / "policy-tests" / f"{name}_test.rego", text)

    def save_probes(self, text: str, name: str) -> None:
        """Save what every version of a policy must deny."""
        self._write(self.folder / "policy-tests" / f"{name}.must-deny.yaml", text)

    def delete(self, name: str) -> None:
        """Delete a policy."""
        (self.folder / "policies" / f"{name}.rego").unlink()

    # The API server

    def submit(
        self, image: str = GOOD_IMAGE, *, namespace: str, kind: str = "Deployment", **fields: Any
    ) -> Reply:
        """Send one review over a new connection; `fields` are metadata of the object."""
        with self.line() as line:
            return line.submit(image, namespace=namespace, kind=kind, **fields)

    @contextmanager
    def line(self) -> Iterator["Line"]:
        """Open a verified connection that stays open."""
        context = ssl.create_default_context(cafile=self.certificates.authority_certificate)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=10, context=context)
        try:
            yield Line(connection)
        finally:
            connection.close()

    def teach(self, namespaces: Sequence[str]) -> None:
        """Let every namespace be heard of, and wait until the store knows them."""
        with self.line() as line:
            for namespace in namespaces:
                line.submit(namespace=namespace)
        self.until(lambda: set(namespaces) <= set(self.known_namespaces()))

    def known_namespaces(self) -> Sequence[str]:
        """Read the namespaces that the store knows."""

        async def read() -> Sequence[str]:
            store = SqliteStore(SqliteOptions(self.folder / "data" / "gradate.db"))
            try:
                return await store.namespaces()
            finally:
                await store.aclose()

        return asyncio.run(read())

    # People

    def operate(
        self, operation: Operation[Question, Answer], question: Question, user: str = "maria"
    ) -> Answer:
        """Perform an operation through the API.

        Raises:
            Refused: it says no.

        """
        fields: dict[str, Any] = msgspec.to_builtins(question)
        path = API_PREFIX + operation.path.format(
            **{name: quote(fields.pop(name)) for name in operation.path_fields}
        )
        fields = {name: value for name, value in fields.items() if value is not None}
        body = None
        if operation.method == "GET":
            path += "?" + urlencode({name: _as_text(value) for name, value in fields.items()})
        else:
            body = msgspec.json.encode(fields)
        token = (self.folder / "data" / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", USER_HEADER: user}
        status, answer = self._operations(operation.method, path, body, headers)
        if status != http.HTTPStatus.OK:
            error = msgspec.json.decode(answer)["error"]
            raise Refused(f"{status} {error['code']}: {error['message']}")
        if operation.answer is bytes:
            return answer  # type: ignore[return-value]  # the type says so
        return msgspec.json.decode(answer, type=operation.answer)

    def status(self, policy: str) -> RolloutStatus:
        """Give how a policy's rollout stands."""
        return self.operate(ROLLOUT_STATUS, ROLLOUT_STATUS.ask(name=policy))

    def evidence(self, policy: str) -> EvidenceView:
        """Give what is known of a policy's candidate."""
        evidence = self.status(policy).evidence
        assert evidence is not None, "the rollout has not begun"
        return evidence

    def until_status(self, policy: str, holds: Callable[[RolloutStatus], object]) -> RolloutStatus:
        """Wait until a policy's rollout stands in some way."""
        last: list[Any] = []

        def look() -> bool:
            last[:] = ["nothing yet"]
            try:
                last[:] = [self.status(policy)]
            except Refused as error:
                last[:] = [error]
                return False
            return bool(holds(last[0]))

        try:
            self.until(look)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; last seen: {last[0]}") from None
        found = last[0]
        assert isinstance(found, RolloutStatus)
        return found

    def until_phase(self, policy: str, phase: str, version: str = "") -> RolloutStatus:
        """Wait until the rollout of a policy, or of one of its versions, is in a phase."""
        return self.until_status(
            policy,
            lambda status: status.rollout.phase == phase and version in ("", status.rollout.version),
        )

    def get(self, path: str) -> str:
        """Ask the operations listener."""
        return self._operations("GET", path, None, {})[1].decode()

    def until(self, holds: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> float:
        """Wait until something holds; give how many seconds that took."""
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"nothing changed in {seconds:g} s; the log ends: {self.lines[-3:]}")
            time.sleep(0.02)
        return time.monotonic() - begun

    def _operations(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.operations_port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _keep_line(self, line: bytes) -> None:
        self.lines.append(msgspec.json.decode(line))

    @staticmethod
    def _write(path: Path, text: str) -> None:
        # Editors write beside and rename, so that nobody reads half a file.
        beside = path.with_suffix(".swp")
        beside.write_text(text, encoding="utf-8")
        beside.rename(path)


class Line:
    """One connection of an API server."""

    def __init__(self, connection: http.client.HTTPSConnection) -> None:
        self._connection = connection

    def submit(
        self,
        image: str = GOOD_IMAGE,
        *,
        namespace: str,
        kind: str = "Deployment",
        old_image: str = "",
        dry_run: bool = False,
        **metadata: Any,
    ) -> Reply:
        """Send the creation of an object, or with `old_image` its change, and give the answer."""
        sent = workload(kind, pod_spec(image=image), **{"namespace": namespace, **metadata})
        old = workload(kind, pod_spec(image=old_image), **{"namespace": namespace, **metadata})
        document = request_document(sent, old=old if old_image else None, namespace=namespace, dryRun=dry_run)
        self._connection.request(
            "POST", "/validate?timeout=5s", review_body(document), {"Content-Type": "application/json"}
        )
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == http.HTTPStatus.OK, (answer.status, body)
        response = msgspec.json.decode(body)["response"]
        message = response.get("status", {}).get("message", "")
        return Reply(response["allowed"], message, tuple(response.get("warnings") or ()))


def policy_text(name: str, version: str, *, denies: Iterable[str] = (), rule: str = "deny") -> str:
    """Write a policy that denies some images."""
    images = ", ".join(f'"{image}"' for image in denies) or '"none"'
    return f"""# METADATA
# title: Images of {name}
# custom:
#   name: {name}
#   version: {version}
#   action: deny
#   match: {{kinds: [Pod], operations: [CREATE, UPDATE]}}
package gradate.{name.replace("-", "_")}

import rego.v1

denied := {{{images}}}

{rule} contains violation if {{
	some i, container in input.request.object.spec.containers
	container.image in denied
	violation := {{
		"msg": sprintf("image %v is not welcome", [container.image]),
		"path": ["spec", "containers", i, "image"],
	}}
}}
"""


def unit_test_text(name: str, *, denied: str) -> str:
    """Write a unit test that asks a policy to deny an image."""
    package = name.replace("-", "_")
    return f"""package gradate.{package}_test

import data.gradate.{package}
import rego.v1

test_it_is_denied if {{
	count({package}.deny) == 1 with input as {{"request": {{"object": {{"spec": {{"containers": [{{
		"name": "web", "image": "{denied}",
	}}]}}}}}}}}
}}
"""


@contextmanager
def deployed(
    folder: Path,
    policies: Mapping[str, str],
    *,
    strategies: Mapping[str, Any] | None = None,
    workers: int = 1,
    **rollout: Any,
) -> Iterator[Deployment]:
    """Serve policies (text by name) from a fresh folder; `rollout` are settings of that group."""
    settings = {
        "rollout": {
            "tickSeconds": FAST_TICK_SECONDS,
            "strategy": STILL,
            "strategies": strategies or {},
            **rollout,
        },
        "telemetry": {"logRequests": False},
    }
    deployment = Deployment(folder, settings, workers)
    for name, text in policies.items():
        deployment.save(text, name)
    try:
        deployment.start()
        yield deployment
    finally:
        if deployment.process is not None and deployment.process.poll() is None:
            deployment.kill()
        shutil.rmtree(folder / "data", ignore_errors=True)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ignore(_line: bytes) -> None:
    """Keep the pipe empty."""


def _read_lines(stream: Any, keep: Callable[[bytes], None]) -> None:
    with stream:
        for line in stream:
            keep(line)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
