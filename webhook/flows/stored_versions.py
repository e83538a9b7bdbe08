"""What the store keeps of a policy version, and what can be told from that without reading its modules."""

from dataclasses import asdict

import msgspec

from webhook.policy.selector import NamespaceSelector
from webhook.policy.version import PolicyVersion
from webhook.ports.store import StoredVersion


def stored_version(version: PolicyVersion, now_ns: int) -> StoredVersion:
    """Write a version down for the store."""
    return StoredVersion(
        policy=version.name,
        digest=version.digest,
        version=version.semantic_version,
        first_seen_ns=now_ns,
        sources=tuple((source.path, source.text) for source in version.sources),
        metadata={
            "parameters": msgspec.to_builtins(dict(version.parameters)),
            "metadata": msgspec.to_builtins(asdict(version.metadata)),
        },
    )


def judged_namespaces(version: StoredVersion) -> NamespaceSelector:
    """Tell which namespaces a stored version judges."""
    match = version.metadata.get("metadata", {}).get("match", {})
    return msgspec.convert(match.get("namespaces", {}), NamespaceSelector)
