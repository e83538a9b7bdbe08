"""What README shows is what happens: its commands are run, its answers compared."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.local_server import ROOT, LocalServer, issue_certificates, serve_gradate
from webhook.cli.main import COMMANDS
from webhook.settings.loader import load_settings

README = (ROOT / "README.md").read_text()
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in _FENCE.findall(README) if found == language]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the commands need, with certificates."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("policies", "policy-tests"):
        shutil.copytree(ROOT / name, folder / name)
    issue_certificates(folder / "certs")
    return folder


@pytest.fixture(scope="module")
def server(checkout: Path) -> Iterator[LocalServer]:
    certificates = checkout / "certs"
    with serve_gradate(
        checkout, issue_certificates(certificates / "again"), checkout / "policies"
    ) as running:
        shutil.copy(running.authority, certificates / "ca.crt")
        yield running


def run(script: str, checkout: Path, server: LocalServer) -> str:
    """Run a block as a user would, on the ports of this test."""
    script = script.replace("localhost:8443", f"localhost:{server.port}")
    script = script.replace("localhost:8080", f"127.0.0.1:{server.operations_port}")
    script = script.replace("/tmp/review.json", str(checkout / "review.json"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=checkout,
        env={"PATH": path, "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_the_review_of_readme_is_answered_as_readme_says(checkout: Path, server: LocalServer) -> None:
    (block,) = (text for text in blocks("sh") if "curl --cacert" in text)
    output = run(block, checkout, server)
    review, end = json.JSONDecoder().raw_decode(output)
    status = review["response"]["status"]
    (shown,) = (text for text in blocks("") if text.startswith("1 violation"))
    assert status["message"] == shown.strip()
    assert "hunter2" not in output
    assert "[+]policies ok" in output[end:]


def test_every_other_command_of_readme_does_its_work(checkout: Path, server: LocalServer) -> None:
    others = [text for text in blocks("sh") if "curl" not in text and not text.startswith("make ")]
    assert len(others) >= 2
    output = "".join(run(text, checkout, server) for text in others)
    assert "credential-env" in output
    assert "PASS: " in output
    assert "env DB_PASSWORD holds a literal password" in output
    assert "ValidatingWebhookConfiguration" in output


def test_every_command_that_readme_names_exists() -> None:
    named = set(re.findall(r"`gradate ([a-z-]+)", README))
    assert named
    assert named <= COMMANDS.keys()


def test_every_make_target_that_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", README)) | {"run", "test"}
    assert named <= targets


def test_the_settings_that_readme_shows_are_valid(tmp_path: Path) -> None:
    (shown,) = blocks("yaml")
    path = tmp_path / "gradate.yaml"
    path.write_text(shown)
    assert load_settings(path, {}, {}).settings.server.workers == 2


def test_every_page_that_readme_links_to_exists() -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    assert linked
    assert [page for page in linked if not (ROOT / page).exists()] == []
