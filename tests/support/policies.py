"""Policy files and versions for tests."""

from typing import Any

from webhook.policy.catalog import read_catalog
from webhook.policy.metadata import PolicyMetadata
from webhook.policy.version import Digest, PolicyVersion
from webhook.rego.ast import Source


def policy_text(
    header: str = "", *, package: str = "gradate.example", rules: str = "deny contains 1 if true"
) -> str:
    """Write a policy; `header` is the YAML below `# METADATA`, without `#`."""
    lines = ["# METADATA", *(f"# {line}" for line in header.splitlines())] if header else []
    return "\n".join([*lines, f"package {package}", "", rules, ""])


def read_policy(header: str = "", *, path: str = "policies/example.rego", **text: Any) -> PolicyVersion:
    """Read one policy file."""
    (policy,) = read_catalog([Source(path, policy_text(header, **text))]).policies
    return policy


def version_of(name: str = "example", **metadata: Any) -> PolicyVersion:
    """Make a policy version of which only the metadata matters."""
    return PolicyVersion(
        metadata=PolicyMetadata(name, **metadata),
        package=f"gradate.{name.replace('-', '_')}",
        rules=frozenset({"deny"}),
        sources=(Source(f"policies/{name}.rego", policy_text()),),
        digest=Digest(f"sha256:{name}"),
    )
