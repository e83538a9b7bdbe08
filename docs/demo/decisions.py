"""Act one: a dozen AdmissionReviews, what is decided of each, and why.

Fails unless every decision is the expected one and no answer repeats a credential.
"""

import base64
import http.client
import json
import shutil
import ssl
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bench.local_server import ROOT, LocalServer, serve_gradate
from docs.demo.reviews import Scene, load_scenes
from webhook.tls.folder import CertificateFolder

OWN_POLICY = Path(__file__).parent / "own_policy.rego"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to one review."""

    allowed: bool
    message: str
    warnings: tuple[str, ...]
    patch: tuple[dict[str, Any], ...]
    milliseconds: float
    text: str
    """The whole body."""


def play_decisions(console: Console, folder: Path, certificates: CertificateFolder) -> bool:
    """Play the act with a server of its own, and tell whether all went as told.

    Raises:
        ServerError: the server does not come up.

    """
    policies = folder / "policies"
    folder.mkdir()
    shutil.copytree(ROOT / "policies", policies)
    shutil.copy(OWN_POLICY, policies)
    with serve_gradate(folder, certificates, policies) as server:
        console.print(
            f"[bold]gradate serve[/bold] answers at https://localhost:{server.port} after "
            f"{server.ready_seconds:.1f} s, with {len(list(policies.glob('*.rego')))} policies\n"
        )
        return _play(console, server, load_scenes())


def _play(console: Console, server: LocalServer, scenes: list[Scene]) -> bool:
    context = ssl.create_default_context(cafile=server.authority)
    connection = http.client.HTTPSConnection("localhost", server.port, timeout=10, context=context)
    surprises = 0
    times = []
    for number, scene in enumerate(scenes, start=1):
        answer = _ask(connection, scene)
        times.append(answer.milliseconds)
        wrong = judge(scene, answer)
        surprises += bool(wrong)
        _show(console, number, scene, answer, wrong)
    connection.close()
    colour = "red" if surprises else "green"
    console.print(
        f"[bold {colour}]{len(scenes) - surprises} of {len(scenes)} decisions as expected[/bold {colour}], "
        f"{statistics.median(times):.2f} ms each (median, with the client's own part)"
    )
    return not surprises


def _ask(connection: http.client.HTTPSConnection, scene: Scene) -> Answer:
    body = json.dumps(scene.review)
    begun = time.perf_counter()
    connection.request("POST", f"/{scene.endpoint}?timeout=5s", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    text = reply.read().decode()
    milliseconds = (time.perf_counter() - begun) * 1000
    if reply.status != http.HTTPStatus.OK:
        return Answer(False, f"HTTP {reply.status}: {text}", (), (), milliseconds, text)
    response = json.loads(text)["response"]
    if response["uid"] != scene.review["request"]["uid"]:
        return Answer(False, "the answer carries another request's uid", (), (), milliseconds, text)
    patch = json.loads(base64.b64decode(response["patch"])) if response.get("patch") else ()
    return Answer(
        allowed=response["allowed"],
        message=response.get("status", {}).get("message", ""),
        warnings=tuple(response.get("warnings") or ()),
        patch=tuple(patch),
        milliseconds=milliseconds,
        text=text,
    )


def judge(scene: Scene, answer: Answer) -> list[str]:
    """List how an answer differs from what the scene expects."""
    expect = scene.expect
    wrong = []
    if answer.allowed != expect.allowed:
        wrong.append(f"expected to be {'allowed' if expect.allowed else 'denied'}")
    wrong += [
        f"the message does not hold {part!r}"
        for part in (*expect.policies, *expect.says)
        if part not in answer.message
    ]
    warnings = "\n".join(answer.warnings)
    wrong += [f"no warning of {policy}" for policy in expect.warns if policy not in warnings]
    added = {operation["path"]: operation.get("value") for operation in answer.patch}
    if added != expect.patch:
        wrong.append(f"expected the patch {expect.patch or 'to be empty'}, got {added}")
    if any(secret in answer.text for secret in scene.secrets):
        wrong.append("the answer repeats a credential")
    return wrong


def _show(console: Console, number: int, scene: Scene, answer: Answer, wrong: list[str]) -> None:
    request = scene.review["request"]
    resource = request["kind"]["kind"] + (f"/{request['subResource']}" if "subResource" in request else "")
    verdict, colour = _verdict(answer)
    console.print(
        Text.assemble(
            (f"{number:2} ", "dim"),
            (f"{verdict:<8}", f"bold {colour}"),
            (f" {scene.title}", "bold"),
            (f"  {answer.milliseconds:.1f} ms", "dim"),
        )
    )
    details = Text(style="default")
    details.append(f"{request['operation']} {resource} in {request['namespace']}: {scene.why}\n", "dim")
    if answer.message:
        details.append(answer.message + "\n", colour)
    for warning in answer.warnings:
        details.append(f"warning: {warning}\n", "yellow")
    for operation in answer.patch:
        details.append(
            f"{operation['op']} {operation['path']} = {json.dumps(operation.get('value'))}\n", "cyan"
        )
    for text in wrong:
        details.append(f"NOT AS EXPECTED: {text}\n", "bold white on red")
    details.rstrip()
    console.print(Padding(details, (0, 0, 1, 12), expand=False))


def _verdict(answer: Answer) -> tuple[str, str]:
    if not answer.allowed:
        return "DENIED", "red"
    if answer.patch:
        return "PATCHED", "cyan"
    if answer.warnings:
        return "WARNED", "yellow"
    return "ALLOWED", "green"
