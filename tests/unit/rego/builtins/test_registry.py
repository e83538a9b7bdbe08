import subprocess
import sys

import pytest

from webhook.rego.builtins.registry import BUILTINS

_LIST_IMPORTS = """
import sys
from webhook.rego.ast import Source
from webhook.rego.compiler import compile_modules
compile_modules([Source("p.rego", sys.argv[1])], entrypoints=["data.p.q"])
print(*sys.modules)
"""
_HEAVY = {"cryptography", "graphql", "jsonschema", "zoneinfo"}


def imported_to_compile(body: str) -> set[str]:
    """Compile a rule in an interpreter of its own, and give what that imported."""
    module = f"package p\n\nq := y if {{ {body} }}"
    command = [sys.executable, "-c", _LIST_IMPORTS, module]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", BUILTINS)
def test_every_builtin_has_a_function(name: str) -> None:
    assert callable(BUILTINS[name].function)


def test_a_policy_does_not_pay_for_builtins_that_it_does_not_call() -> None:
    assert imported_to_compile("y := count(input.x)").isdisjoint(_HEAVY)


@pytest.mark.parametrize(
    ("call", "needed"),
    [
        ("crypto.x509.parse_certificates(input.x)", "cryptography"),
        ("io.jwt.verify_es256(input.x, input.y)", "cryptography"),
        ("graphql.schema_is_valid(input.x)", "graphql"),
        ("json.match_schema(input.x, input.y)", "jsonschema"),
        ("time.clock([input.x, input.y])", "zoneinfo"),
    ],
)
def test_what_a_policy_calls_is_imported_when_it_is_compiled_and_not_by_its_first_request(
    call: str, needed: str
) -> None:
    assert needed in imported_to_compile(f"y := {call}")
