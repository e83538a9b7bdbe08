"""The input document that a policy evaluates.

    {"request": …, "review": the same, "parameters": …, "workload": {"kind", "object", "oldObject", "pointer"}}

`workload` is there for a synthetic Pod only. Must not know policies.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from webhook.admission.review import Review
from webhook.admission.workload import PodView

Document: TypeAlias = dict[str, Any]

_POD_KIND = {"group": "", "version": "v1", "kind": "Pod"}
_POD_RESOURCE = {"group": "", "version": "v1", "resource": "pods"}


def build_document(review: Review, view: PodView | None) -> Document:
    """Build the document of one request, without `parameters`; `view` None gives the object as it was sent.

    For a workload, `request.object`, `oldObject`, `kind`, `resource` and `name` are those of the synthetic Pod;
    `requestKind` and `requestResource` stay those of the object that was sent.
    """
    if view is None:
        return {"request": review.document, "review": review.document}
    if not view.prefix:
        request = review.document
        if view.pod is not review.request.object or view.old_pod is not review.request.old_object:
            request = {**request, "object": view.pod, "oldObject": view.old_pod}
        return {"request": request, "review": request}
    request = {
        **review.document,
        "kind": _POD_KIND,
        "resource": _POD_RESOURCE,
        "name": view.pod["metadata"]["name"],
        "object": view.pod,
        "oldObject": view.old_pod,
    }
    workload = {
        "kind": view.kind,
        "object": review.request.object,
        "oldObject": review.request.old_object,
        "pointer": view.pointer,
    }
    return {"request": request, "review": request, "workload": workload}


def build_old_document(document: Document) -> Document | None:
    """Build the document in which the old object is judged as if it were sent again; None without one."""
    request = document["request"]
    if request.get("oldObject") is None:
        return None
    old_request = {**request, "object": request["oldObject"]}
    old = {**document, "request": old_request, "review": old_request}
    if "workload" in document:
        old["workload"] = {**document["workload"], "object": document["workload"]["oldObject"]}
    return old


def with_parameters(document: Document, parameters: Mapping[str, Any]) -> Document:
    """Add a policy's parameters; every other part is shared."""
    return {**document, "parameters": parameters}
