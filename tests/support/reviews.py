"""AdmissionReviews for tests: realistic objects, with every field that does not matter filled in."""

from typing import Any

import msgspec

from webhook.admission.review import AdmissionRequest, Review, decode_review

TYPES: dict[str, tuple[str, str, str]] = {
    "Pod": ("", "v1", "pods"),
    "PodTemplate": ("", "v1", "podtemplates"),
    "ReplicationController": ("", "v1", "replicationcontrollers"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "Deployment": ("apps", "v1", "deployments"),
    "ReplicaSet": ("apps", "v1", "replicasets"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "CronJob": ("batch", "v1", "cronjobs"),
    "Job": ("batch", "v1", "jobs"),
    "ConfigMap": ("", "v1", "configmaps"),
    "Secret": ("", "v1", "secrets"),
}
"""Group, version and resource by kind."""

POINTERS = {
    "Pod": "",
    "PodTemplate": "/template",
    "CronJob": "/spec/jobTemplate/spec/template",
    **dict.fromkeys(
        ("ReplicationController", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "Job"),
        "/spec/template",
    ),
}
"""Where the Pod template stands, by kind."""


def pod_spec(**container: Any) -> dict[str, Any]:
    """Make the spec of a Pod with one container."""
    return {"containers": [{"name": "web", "image": "registry.example.com/web:1.4.2", **container}]}


def pod(spec: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", **metadata},
        "spec": pod_spec() if spec is None else spec,
    }


def workload(kind: str, spec: Any = None, **metadata: Any) -> dict[str, Any]:
    """Make an object of any kind of `POINTERS` around a Pod spec."""
    if kind == "Pod":
        return pod(spec, **metadata)
    group, version, _ = TYPES[kind]
    body: dict[str, Any] = {
        "metadata": {"labels": {"app": "web"}},
        "spec": pod_spec() if spec is None else spec,
    }
    for segment in reversed(POINTERS[kind].split("/")[1:]):
        body = {segment: body}
    return {
        "apiVersion": f"{group}/{version}" if group else version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", **metadata},
        **body,
    }


def request_document(
    sent: Any, *, old: Any = None, operation: str | None = None, kind: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Make the `request` of a review; the operation is CREATE without an old object, else UPDATE."""
    kind = kind or str(sent["kind"])
    group, version, resource = TYPES.get(kind, ("example.com", "v1", f"{kind.lower()}s"))
    metadata = sent.get("metadata") if isinstance(sent, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": resource},
        "requestKind": {"group": group, "version": version, "kind": kind},
        "requestResource": {"group": group, "version": version, "resource": resource},
        "name": name if isinstance(name, str) else "",
        "namespace": "shop",
        "operation": operation or ("UPDATE" if old is not None else "CREATE"),
        "userInfo": {"username": "maria", "groups": ["developers", "system:authenticated"]},
        "object": sent,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        **fields,
    }


def review_body(request: Any, /, **envelope: Any) -> bytes:
    """Encode a review around `request`."""
    document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return msgspec.json.encode({**document, **envelope})


def review_of(sent: Any, **fields: Any) -> Review:
    """Decode the review of an object; `fields` as in `request_document`."""
    return decode_review(review_body(request_document(sent, **fields)))


def request_of(sent: Any, **fields: Any) -> AdmissionRequest:
    return review_of(sent, **fields).request
