"""The Pod in every workload: which objects carry a Pod, where, and when it may be patched.

Must not know policies. Nothing is copied deeply: a synthetic Pod shares its parts with the object sent.
"""

from dataclasses import dataclass
from typing import Any

from webhook.admission.path import FieldPath
from webhook.admission.review import AdmissionRequest


@dataclass(frozen=True, slots=True)
class PodView:
    """The Pod that a request would create, directly or by way of a controller."""

    kind: str
    """Kind of the object sent: `Pod`, `Deployment`, …."""
    pod: dict[str, Any]
    """The Pod as policies see it; for a Pod the object itself."""
    old_pod: dict[str, Any] | None
    """The Pod before an UPDATE; None on CREATE, or where the old object holds none."""
    prefix: FieldPath
    """Where the Pod's fields stand in the object: `()` for a Pod, `("spec", "template")` for a Deployment."""
    pointer: str
    """`prefix` as a JSON pointer."""
    patchable: bool
    """Whether mutation may answer this request with a patch."""

    def translate_path(self, path: FieldPath) -> FieldPath:
        """Turn a path inside the Pod into one inside the object sent."""
        return (*self.prefix, *path)


@dataclass(frozen=True, slots=True)
class ShapeProblem:
    """An object in which no Pod could be read, because a field has a type that Kubernetes never sends."""

    path: FieldPath
    """Inside the object sent."""
    reason: str

    def __str__(self) -> str:
        raise NotImplementedError


def is_judged(request: AdmissionRequest) -> bool:
    """Tell whether policies judge this request at all.

    DELETE and CONNECT pass, and so does every subresource but `pods/ephemeralcontainers` and `pods/resize`.
    """
    raise NotImplementedError


def find_pod(request: AdmissionRequest) -> PodView | ShapeProblem | None:
    """Find the Pod in a Pod or workload; None where the object is no workload or holds no Pod template."""
    raise NotImplementedError


def is_workload(group: str, kind: str) -> bool:
    """Tell whether objects of this type hold a Pod template, or are Pods."""
    raise NotImplementedError
