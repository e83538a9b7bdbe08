"""JSONPatch: operations of policies read, moved into the object sent, merged and checked.

Must not know which policy is right when two conflict. Source: RFC 6902.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from webhook.admission.workload import PodView

Operations: TypeAlias = tuple[dict[str, Any], ...]
"""JSONPatch operations in their JSON form, in order."""


@dataclass(frozen=True, slots=True)
class PolicyPatch:
    """What one policy wants changed."""

    policy: str
    operations: Operations


def read_patch(values: Sequence[object]) -> Operations:
    """Read JSONPatch operations from what a policy's `patch` rule gave.

    Raises:
        MalformedPatchError: a value is no operation.

    """
    raise NotImplementedError


def translate_patch(operations: Operations, view: PodView) -> Operations:
    """Turn a patch of the Pod into one of the object sent."""
    raise NotImplementedError


def merge_patches(patches: Sequence[PolicyPatch]) -> Operations:
    """Merge patches in the order given; equal operations are kept once.

    Raises:
        PatchConflictError: two policies patch the same place differently.

    """
    raise NotImplementedError


def apply_patch(document: dict[str, Any], operations: Operations) -> dict[str, Any]:
    """Give the patched document; `document` itself stays as it is.

    Raises:
        InapplicablePatchError: an operation does not apply.

    """
    raise NotImplementedError
