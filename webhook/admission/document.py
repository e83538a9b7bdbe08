"""The input document that a policy evaluates.

    {"request": …, "review": the same, "parameters": …, "workload": {"kind", "object", "oldObject", "pointer"}}

`workload` is there for a synthetic Pod only. Must not know policies.
"""

from collections.abc import Mapping
from typing import Any

from webhook.admission.review import Review
from webhook.admission.workload import PodView

Document = dict[str, Any]


def build_document(review: Review, view: PodView | None) -> Document:
    """Build the document of one request, without `parameters`; `view` None gives the object as it was sent.

    For a workload, `request.object`, `oldObject`, `kind`, `resource` and `name` are those of the synthetic Pod.
    """
    raise NotImplementedError


def build_old_document(document: Document) -> Document | None:
    """Build the document in which the old object is judged as if it were sent again; None without one."""
    raise NotImplementedError


def with_parameters(document: Document, parameters: Mapping[str, Any]) -> Document:
    """Add a policy's parameters; every other part is shared."""
    return {**document, "parameters": parameters}
