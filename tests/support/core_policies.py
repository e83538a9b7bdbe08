"""The policies of this repository, compiled as the server compiles them, for the tests of several folders."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from webhook.policy.catalog import Catalog, read_catalog
from webhook.rego.ast import Source
from webhook.rego.compiler import compile_modules
from webhook.rego.program import Program
from webhook.rego.values import UNDEFINED

ROOT = Path(__file__).parents[2]
CORE = ("credential-env", "missing-seccomp", "unsafe-sysctls")
Json = dict[str, Any]


@cache
def core_catalog() -> Catalog:
    """Read the policies and their unit tests."""
    paths = [*ROOT.glob("policies/*.rego"), *ROOT.glob("policy-tests/*.rego")]
    return read_catalog(
        [Source(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in paths]
    )


class CorePolicy:
    """One of the three policies."""

    def __init__(self, name: str) -> None:
        version = core_catalog().get(name)
        assert version is not None, name
        self.version = version
        self._programs = {
            rule: compile_modules(version.sources, entrypoints=[version.entrypoint(rule)])
            for rule in version.rules
        }

    def deny(self, spec: object, **parameters: Any) -> list[Json]:
        """Give the violations of a new Pod."""
        return self._evaluate("deny", {"operation": "CREATE", "object": {"spec": spec}}, parameters)

    def patch(self, request: Json) -> list[Json]:
        """Give the patch operations of a request."""
        return self._evaluate("patch", request, {})

    def _evaluate(self, rule: str, request: Json, parameters: Json) -> list[Json]:
        merged = {**self.version.parameters, **parameters}
        (value,) = self._programs[rule].evaluate(
            {"request": request, "review": request, "parameters": merged}
        )
        return [] if value is UNDEFINED else list(value)


@cache
def core_policy(name: str) -> CorePolicy:
    """Compile a policy once for all tests."""
    return CorePolicy(name)


def compile_texts(texts: Sequence[str], entrypoints: Sequence[str]) -> Program:
    """Compile modules that are not files."""
    return compile_modules(
        [Source(f"{i}.rego", text) for i, text in enumerate(texts)], entrypoints=entrypoints
    )
