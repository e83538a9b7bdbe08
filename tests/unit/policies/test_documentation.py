import re
from typing import Any

import pytest
import yaml

from tests.support.core_policies import ROOT, compile_texts, core_policy
from webhook.policy.catalog import read_catalog
from webhook.rego.ast import Source

PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n# (denied|allowed)[^\n]*\n(.*?)```", PAGE, re.DOTALL)
REGO = re.findall(r"```rego\n(.*?)```", PAGE, re.DOTALL)


def section(title: str) -> str:
    return re.split(r"^## ", PAGE.partition(f"\n## {title}\n")[2], flags=re.MULTILINE)[0]


def deny(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    return core_policy("credential-env").deny({"containers": [{"name": "app", "env": list(entries)}]})


@pytest.mark.parametrize(("verdict", "text"), EXAMPLES)
def test_each_example_is_decided_as_the_page_says(verdict: str, text: str) -> None:
    entries = yaml.safe_load(text)
    denied = {violation["path"][4] for violation in deny(*entries)}
    assert denied == (set(range(len(entries))) if verdict == "denied" else set())


def test_every_name_in_the_table_says_credential() -> None:
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| (.+) \|$", section("credential-env"), re.MULTILINE)
    names = [name for row in rows for cell in row for name in re.findall(r"`([^`]+)`", cell)]
    assert len(names) >= 30
    for name in names:
        assert deny({"name": f"APP_{name.removeprefix('_')}", "value": "literal"}), name


def test_every_sysctl_in_the_table_is_safe_and_no_other() -> None:
    documented = set(
        re.findall(r"^\| `([a-z0-9_.]+)` \| (?:–|1\.\d+) \|$", section("unsafe-sysctls"), re.MULTILINE)
    )
    policy = core_policy("unsafe-sysctls").version.sources[0].text
    listed = set(re.findall(r'^\t"([a-z0-9_.]+)",$', policy, re.MULTILINE))
    assert documented == listed


@pytest.mark.parametrize("name", ["credential-env", "unsafe-sysctls"])
def test_every_parameter_is_documented_with_its_default(name: str) -> None:
    documented = dict(re.findall(r"^\| `([a-z_]+)` \| `([^`]+)` \|", section(name), re.MULTILINE))
    parameters = core_policy(name).version.metadata.parameters
    assert {key: yaml.safe_load(value) for key, value in documented.items()} == dict(parameters)


def test_the_policy_to_copy_loads_and_passes_its_own_tests() -> None:
    policy, test = REGO
    (version,) = read_catalog([Source("known_registry.rego", policy)]).policies
    assert version.name == "known-registry"
    names = re.findall(r"^(test_\w+) if", test, re.MULTILINE)
    program = compile_texts([policy, test], [f"data.example.known_registry_test.{name}" for name in names])
    assert program.evaluate({}) == [True, True]
