"""Whoever asks for little is not kept waiting for what others need."""

import subprocess
import sys

import pytest

_LIST_IMPORTS = """
import sys
from webhook.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def imported_by(*words: str) -> set[str]:
    """Run a command in an interpreter of its own, and give what it imported."""
    command = [sys.executable, "-c", _LIST_IMPORTS, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


def test_the_version_is_told_without_importing_anything_of_the_house() -> None:
    imported = imported_by("--version")
    assert {name for name in imported if name.startswith("webhook")} == {
        "webhook",
        "webhook.cli",
        "webhook.cli.main",
    }
    assert imported.isdisjoint({"aiohttp", "cryptography", "msgspec", "opentelemetry", "rich", "yaml"})


@pytest.mark.parametrize("command", ["dispute", "exception", "review", "rollout"])
def test_who_only_asks_a_server_imports_neither_a_compiler_nor_a_server(command: str) -> None:
    imported = imported_by(command, "--help")
    assert imported.isdisjoint(
        {"webhook.compose", "webhook.rego.parser", "webhook.rego.values", "webhook.policy.catalog"}
    )
    assert imported.isdisjoint({"aiohttp", "cryptography", "opentelemetry", "prometheus_client", "re2"})


@pytest.mark.parametrize("command", ["config", "eval", "simulate", "store", "test"])
def test_what_works_alone_imports_no_server(command: str) -> None:
    imported = imported_by(command, "--help")
    assert imported.isdisjoint({"webhook.compose.application", "webhook.server.serve"})
    assert imported.isdisjoint({"aiohttp", "cryptography", "opentelemetry", "prometheus_client", "uvloop"})


def test_a_server_without_spans_does_not_import_their_sdk() -> None:
    assert imported_by("serve", "--help").isdisjoint({"opentelemetry", "regopy", "rich"})
