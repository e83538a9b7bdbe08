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
    """Compute the digest of a policy's content; file names and the order of library modules take no part.

    Metadata that has its default value is left out, so that a field which a later release adds changes no digest.
    """
    own, *libraries = (source.text for source in sources)
    defaults = dataclasses.asdict(PolicyMetadata(metadata.name))
    stated = {key: value for key, value in dataclasses.asdict(metadata).items() if value != defaults[key]}
    content = {
        "module": own,
        "libraries": sorted(libraries),
        "name": metadata.name,
        "metadata": stated,
        "parameters": parameters,
    }
    return Digest("sha256:" + hashlib.sha256(_ENCODER.encode(content)).hexdigest())
