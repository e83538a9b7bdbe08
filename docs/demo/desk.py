"""How people work with a running Gradate: the commands they type, and a look at how a rollout stands."""

import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.local_server import HOST, gradate_command

_TIMEOUT_SECONDS = 20
_LOOK_SECONDS = 0.1
Json = dict[str, Any]


class Surprise(Exception):  # noqa: N818 - reads as what happened
    """Something did not go as told; the message says what."""


class Desk:
    """A place to work at: the folder that holds `gradate.yaml`, beside a server that runs."""

    def __init__(self, folder: Path, operations_port: int, columns: int) -> None:
        """Take the folder, the port of the operations API, and how wide the commands may print."""
        self._folder = folder
        self._port = operations_port
        self._columns = columns

    def run(self, *words: str) -> str:
        """Run a command as a user would, and give what it prints.

        Raises:
            Surprise: it fails.

        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADATE_")}
        done = subprocess.run(
            gradate_command(*words),
            cwd=self._folder,
            env={**environment, "COLUMNS": str(self._columns)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise Surprise(f"gradate {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def status(self, policy: str) -> Json | None:
        """Look at the newest rollout of a policy; None before its first."""
        return self._look(f"/rollouts/{policy}/status")

    def findings(self, **selected: str) -> list[Json]:
        """Look at findings."""
        found = self._look(f"/findings?{urlencode(selected)}")
        return [] if found is None else list(found["items"])

    def judged_at(self, identity: str) -> str:
        """Tell when a finding got its last verdict."""
        found = self._look(f"/findings/{identity}")
        return "" if found is None else str(found["judgements"][-1]["at"])

    def metrics(self) -> list[str]:
        """Read the series that the server exposes."""
        _, text = self._get("/metrics", {})
        return [line for line in text.splitlines() if not line.startswith("#")]

    def wait(self, what: str, holds: Callable[[], object], seconds: float = _TIMEOUT_SECONDS) -> float:
        """Wait until something holds; give how many seconds that took.

        Raises:
            Surprise: it does not come to hold.

        """
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > seconds:
                raise Surprise(f"{what}: it did not happen within {seconds:g} s")
            time.sleep(_LOOK_SECONDS)
        return time.monotonic() - begun

    def _look(self, path: str) -> Json | None:
        token = (self._folder / "data" / "token").read_text(encoding="ascii").strip()
        status, text = self._get(f"/api/v1{path}", {"Authorization": f"Bearer {token}"})
        if status == http.HTTPStatus.NOT_FOUND:
            return None
        if status != http.HTTPStatus.OK:
            raise Surprise(f"{path}: HTTP {status}: {text}")
        document: Json = json.loads(text)
        return document

    def _get(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
