"""Digests: what makes two policy versions the same."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from webhook.policy.metadata import PolicyMetadata
from webhook.policy.version import Digest
from webhook.rego.ast import Source

_ENCODER = msgspec.json.Encoder(order="sorted")


def compute_digest(
    sources: Sequence[Source], metadata: PolicyMetadata, parameters: Mapping[str, Any]
) -> Digest:
    """Compute the digest of a policy's content; file names and the order of library modules take no part."""
    own, *libraries = (source.text for source in sources)
    content = {
        "module": own,
        "libraries": sorted(libraries),
        "metadata": dataclasses.asdict(metadata),
        "parameters": parameters,
    }
    return Digest("sha256:" + hashlib.sha256(_ENCODER.encode(content)).hexdigest())
