"""The Pod in every workload: which objects carry a Pod, where, and when it may be patched.

Must not know policies. Nothing is copied deeply: a synthetic Pod shares its parts with the object sent.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from webhook.admission.path import FieldPath, render_path, render_pointer
from webhook.admission.review import AdmissionRequest, Operation


class PodView(msgspec.Struct, frozen=True):
    """The Pod that a request would create, directly or by way of a controller."""

    kind: str
    """Kind of the object sent: `Pod`, `Deployment`, …."""
    template: dict[str, Any]
    """The part of the object sent that describes the Pod; for a Pod the object itself."""
    pod: dict[str, Any]
    """The Pod as policies see it; for a Pod the object itself, with `generateName` for a missing name."""
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
        return f"{render_path(self.path)} {self.reason}"


@dataclass(frozen=True, slots=True)
class _Workload:
    """How objects of one type carry a Pod."""

    resource: str
    prefix: FieldPath
    pointer: str
    template_mutable: bool
    """Whether an UPDATE may change the Pod template; a Job's and a Pod's own fields are immutable."""
    copied_from_owner: bool = False
    """Whether a controller above compares the template with its own and would fight a patch.

    The Deployment controller looks for the ReplicaSet with its own template; where a patch made them differ,
    it would create one ReplicaSet after the other.
    """


def _workload(resource: str, *prefix: str, mutable: bool = True, copied: bool = False) -> _Workload:
    return _Workload(resource, prefix, render_pointer(prefix), mutable, copied)


# By group and kind. The version takes no part: the API server converts the object to one that the webhook
# is registered for (matchPolicy Equivalent), and the template has not moved between versions.
_WORKLOADS: dict[tuple[str, str], _Workload] = {
    ("", "Pod"): _workload("pods", mutable=False),
    ("", "PodTemplate"): _workload("podtemplates", "template"),
    ("", "ReplicationController"): _workload("replicationcontrollers", "spec", "template", copied=True),
    ("apps", "DaemonSet"): _workload("daemonsets", "spec", "template"),
    ("apps", "Deployment"): _workload("deployments", "spec", "template"),
    ("apps", "ReplicaSet"): _workload("replicasets", "spec", "template", copied=True),
    ("apps", "StatefulSet"): _workload("statefulsets", "spec", "template"),
    ("batch", "CronJob"): _workload("cronjobs", "spec", "jobTemplate", "spec", "template"),
    ("batch", "Job"): _workload("jobs", "spec", "template", mutable=False),
}

_WORKLOAD_GROUPS: dict[str, str] = {kind: group for group, kind in _WORKLOADS}
_POD = ("", "Pod")
_POD_SUBRESOURCES = frozenset({"ephemeralcontainers", "resize"})
_ONLY_OBJECTS = frozenset({dict})
_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")


def is_judged(request: AdmissionRequest) -> bool:
    """Tell whether policies judge this request at all.

    DELETE and CONNECT pass, and so does every subresource but `pods/ephemeralcontainers` and `pods/resize`. An
    object that is being deleted, and stays otherwise as it was, passes too: its finalizers must be removable.
    """
    if request.operation is not Operation.CREATE and request.operation is not Operation.UPDATE:
        return False
    if request.operation is Operation.UPDATE and _is_only_deleted(request):
        return False
    return not request.sub_resource or (
        request.sub_resource in _POD_SUBRESOURCES and _find_workload(request) is _WORKLOADS[_POD]
    )


def _is_only_deleted(request: AdmissionRequest) -> bool:
    new, old = request.object, request.old_object
    if type(new) is not dict or type(old) is not dict:
        return False
    metadata = new.get("metadata")
    if type(metadata) is not dict or not metadata.get("deletionTimestamp"):
        return False
    return {**new, "metadata": None, "status": None} == {**old, "metadata": None, "status": None}


def well_known_group(kind: str) -> str | None:
    """Give the API group of a workload kind; None for other kinds."""
    return _WORKLOAD_GROUPS.get(kind)


def is_workload(group: str, kind: str) -> bool:
    """Tell whether objects of this type hold a Pod template, or are Pods."""
    return (group, kind) in _WORKLOADS


def holds_pod(request: AdmissionRequest) -> bool:
    """Tell whether the object of this request is of a type that holds a Pod template, or a Pod."""
    return _find_workload(request) is not None


def find_pod(request: AdmissionRequest) -> PodView | ShapeProblem | None:
    """Find the Pod in a Pod or workload; None where the object is no workload or holds no Pod template."""
    workload = _find_workload(request)
    if workload is None:
        return None
    template = _find_template(request.object, workload)
    if template is None or isinstance(template, ShapeProblem):
        return template
    old_template = _find_template(request.old_object, workload)
    if isinstance(old_template, ShapeProblem):
        old_template = None
    return PodView(
        kind=request.kind.kind,
        template=template,
        pod=_show(template, workload, request, request.object),
        old_pod=_show(old_template, workload, request, request.old_object) if old_template else None,
        prefix=workload.prefix,
        pointer=workload.pointer,
        patchable=_is_patchable(request, workload, template, old_template),
    )


def _find_workload(request: AdmissionRequest) -> _Workload | None:
    workload = _WORKLOADS.get((request.kind.group, request.kind.kind))
    if workload is None or request.resource.resource not in (workload.resource, ""):
        return None
    return workload


def _find_template(root: dict[str, Any] | None, workload: _Workload) -> dict[str, Any] | ShapeProblem | None:
    """Find the Pod or Pod template in an object; None where a step to it is missing or null."""
    current: Any = root
    for depth, segment in enumerate(workload.prefix):
        if current is None:
            return None
        if type(current) is not dict:
            return ShapeProblem(workload.prefix[:depth], "is not an object")
        current = current.get(segment)
    if current is None:
        return None
    if type(current) is not dict:
        return ShapeProblem(workload.prefix, "is not an object")
    return _check_pod(current, workload.prefix) or current


def _check_pod(pod: dict[str, Any], prefix: FieldPath) -> ShapeProblem | None:
    """Find the first field on whose type nearly every Pod policy relies, and which has another one.

    A rule over such a Pod would be undefined in Rego, which reads as "no violation": it must fail loudly.
    """
    spec = pod.get("spec")
    for field, value in (("metadata", pod.get("metadata")), ("spec", spec)):
        if value is not None and type(value) is not dict:
            return ShapeProblem((*prefix, field), "is not an object")
    if not spec:
        return None
    for field in _CONTAINER_LISTS:
        containers = spec.get(field)
        if containers:
            problem = _check_objects(containers, (*prefix, "spec", field)) or _check_env(
                containers, (*prefix, "spec", field)
            )
            if problem is not None:
                return problem
        elif containers is not None and type(containers) is not list:
            return ShapeProblem((*prefix, "spec", field), "is not a list")
    return None


def _check_env(containers: list[dict[str, Any]], path: FieldPath) -> ShapeProblem | None:
    for index, container in enumerate(containers):
        env = container.get("env")
        if env is not None:
            problem = _check_objects(env, (*path, index, "env"))
            if problem is not None:
                return problem
    return None


def _check_objects(items: object, path: FieldPath) -> ShapeProblem | None:
    if type(items) is not list:
        return ShapeProblem(path, "is not a list")
    if set(map(type, items)) <= _ONLY_OBJECTS:
        return None
    index = next(index for index, item in enumerate(items) if type(item) is not dict)
    return ShapeProblem((*path, index), "is not an object")


def _show(
    template: dict[str, Any], workload: _Workload, request: AdmissionRequest, owner: dict[str, Any]
) -> dict[str, Any]:
    """Give the Pod as policies see it."""
    return _synthesise(template, request, owner) if workload.prefix else _name_pod(template)


def _name_pod(pod: dict[str, Any]) -> dict[str, Any]:
    """Give a Pod that the API server has not named yet its `generateName` for a name.

    A rule that prints `metadata.name` would be undefined without it, and the Pod would pass.
    """
    metadata = pod.get("metadata")
    if not metadata or metadata.get("name") or not metadata.get("generateName"):
        return pod
    return {**pod, "metadata": {**metadata, "name": metadata["generateName"]}}


def _synthesise(template: dict[str, Any], request: AdmissionRequest, owner: dict[str, Any]) -> dict[str, Any]:
    metadata = dict(template.get("metadata") or {})
    if request.namespace:
        metadata["namespace"] = request.namespace
    if not metadata.get("name"):
        metadata["name"] = _owner_name(owner) or request.name
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec")}


def _owner_name(owner: dict[str, Any]) -> str:
    metadata = owner.get("metadata")
    if type(metadata) is not dict:
        return ""
    name = metadata.get("name") or metadata.get("generateName")
    return name if type(name) is str else ""


def _is_patchable(
    request: AdmissionRequest,
    workload: _Workload,
    template: dict[str, Any],
    old_template: dict[str, Any] | None,
) -> bool:
    if request.sub_resource:
        # The API server takes nothing but new ephemeral containers here, and they may still be completed.
        return request.sub_resource == "ephemeralcontainers"
    if workload.copied_from_owner and _has_controller(request.object):
        return False
    if request.operation is Operation.CREATE:
        return True
    # An UPDATE that leaves the template alone must not restart every Pod of a running workload.
    return request.operation is Operation.UPDATE and workload.template_mutable and template != old_template


def _has_controller(owned: dict[str, Any]) -> bool:
    metadata = owned.get("metadata")
    references = metadata.get("ownerReferences") if type(metadata) is dict else None
    return type(references) is list and any(
        type(reference) is dict and reference.get("controller") is True for reference in references
    )
