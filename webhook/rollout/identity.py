"""The identity of a workload: what makes five hundred retried Pods one trial.

Owns the normal form of a Pod spec and of its outermost owner. Reads plain JSON as it came, of any shape, and never
changes it; a shape that Kubernetes would refuse simply stays as it is.

The normal form leaves out what the API server, its controllers and its admission plug-ins add to a Pod template on
the way to a Pod: defaulted fields, the injected service account volume and its mounts, the node, default
tolerations, generated names and hashes. So the Deployment, its ReplicaSet and each of its Pods are one workload.

Sources: https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go and the admission
plug-ins ServiceAccount, DefaultTolerationSeconds, Priority beside it.
"""

import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from webhook.rollout.finding import WorkloadDigest

_TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
_TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}|.+-token-[a-z0-9]{5}")
_CRON_STAMP = re.compile(r"-\d{8,10}$")  # the CronJob controller appends the scheduled time in minutes
_GENERATED = re.compile(
    r"-[bcdfghjklmnpqrstvwxz2456789]{5}$"
)  # what the API server appends to a generateName
_LASTING = frozenset(
    {
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "ReplicationController",
        "CronJob",
        "PodTemplate",
        "Pod",
    }
)
"""Kinds of what people name and keep; others (Job, Workflow, TaskRun, …) are runs, often made anew by the hundred."""
_NODE_TAINTS = "node.kubernetes.io/"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_DROPPED = object()
_ANY_TOKEN_NAME = re.compile(rb'"kube-api-access-[a-z0-9]{5}"')
_TOKEN_NAME = b'"kube-api-access-00000"'
_LARGEST_REMEMBERED_BYTES = 16 * 1024
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_POD_DEFAULTS: Mapping[str, Any] = {
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "serviceAccountName": "default",
    "terminationGracePeriodSeconds": 30,
}
_CONTAINER_DEFAULTS: Mapping[str, Any] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE_DEFAULTS: Mapping[str, Any] = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
# Set from elsewhere after the template: the deprecated alias and the pull secrets of the service account, the
# scheduler, the priority class, runtime classes, and what a StatefulSet gives each of its Pods.
_POD_DROPPED = frozenset(
    {"serviceAccount", "imagePullSecrets", "nodeName", "priority", "overhead", "hostname", "subdomain"}
)
_SPEC_LISTS = ("containers", "initContainers", "ephemeralContainers")


@dataclass(frozen=True, slots=True)
class Owner:
    """The outermost owner of a Pod that can be told from what was sent."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def owner_of(kind: str, metadata: Mapping[str, Any]) -> Owner:
    """Find the outermost owner of an object, generated parts of names cut off.

    Args:
        kind: of the object that was sent: `Pod`, `Deployment`, …
        metadata: its own metadata.

    """
    controller = _controller(metadata)
    if controller is None:
        return _own_name(kind, metadata)
    owner_kind, name = controller
    labels = metadata.get("labels")
    labels = labels if isinstance(labels, Mapping) else {}
    template_hash = labels.get("pod-template-hash")
    if owner_kind == "ReplicaSet" and isinstance(template_hash, str) and name.endswith(f"-{template_hash}"):
        return Owner("Deployment", name.removesuffix(f"-{template_hash}"))
    return _run_name(owner_kind, name)


def workload_digest(namespace: str, owner: Owner, spec: Any) -> WorkloadDigest:
    """Digest what identifies a workload: namespace, owner and normalised Pod spec; 32 hexadecimal digits."""
    # The Pods of a workload are alike but for the name of one volume, so most digests are remembered ones.
    document = _ANY_TOKEN_NAME.sub(_TOKEN_NAME, _encode([namespace, owner.kind, owner.name, spec]))
    digest = _digest if len(document) <= _LARGEST_REMEMBERED_BYTES else _digest.__wrapped__
    return digest(document)


@functools.lru_cache(maxsize=1024)
def _digest(document: bytes) -> WorkloadDigest:
    namespace, kind, name, spec = _decode(document)
    owner = Owner(kind, name)
    normal = msgspec.json.encode([namespace, str(owner), normalise_spec(spec, owner)], order="deterministic")
    return WorkloadDigest(hashlib.blake2b(normal, digest_size=16).hexdigest())


def normalise_spec(spec: Any, owner: Owner) -> Any:
    """Give a Pod spec without what others than its author put there; the argument stays as it is."""
    if not isinstance(spec, dict):
        return spec
    tokens = _token_volumes(spec)
    claim = re.compile(rf"-{re.escape(owner.name)}-\d+$") if owner.kind == "StatefulSet" else None
    rules: dict[str, Callable[[Any], Any]] = {
        "volumes": lambda volumes: _each(volumes, lambda volume: _volume(volume, tokens, claim)),
        "tolerations": lambda tolerations: _each(tolerations, _toleration),
        "affinity": _affinity,
        **{name: (lambda items: _each(items, lambda item: _container(item, tokens))) for name in _SPEC_LISTS},
    }
    result: dict[str, Any] = {}
    for key, value in spec.items():
        if key in _POD_DROPPED or _is_default(_POD_DEFAULTS, key, value):
            continue
        normal = rules[key](value) if key in rules else value
        if not _is_empty(normal):
            result[key] = normal
    return result


def _controller(metadata: Mapping[str, Any]) -> tuple[str, str] | None:
    references = metadata.get("ownerReferences")
    for reference in references if isinstance(references, list) else ():
        if not isinstance(reference, dict) or reference.get("controller") is not True:
            continue
        kind, name = reference.get("kind"), reference.get("name")
        if isinstance(kind, str) and isinstance(name, str):
            return kind, name
    return None


def _own_name(kind: str, metadata: Mapping[str, Any]) -> Owner:
    prefix, name = metadata.get("generateName"), metadata.get("name")
    if isinstance(prefix, str) and prefix:
        return Owner(kind, prefix.rstrip("-"))
    if not isinstance(name, str):
        return Owner(kind, "")
    return _run_name(kind, name)


def _run_name(kind: str, name: str) -> Owner:
    """Name a run by what it is a run of: its Pods tell of its generated name only as a whole."""
    if kind == "Job" and _CRON_STAMP.search(name):
        return Owner("CronJob", _CRON_STAMP.sub("", name))
    return Owner(kind, name if kind in _LASTING else _GENERATED.sub("", name) or name)


def _token_volumes(spec: Mapping[str, Any]) -> frozenset[str]:
    volumes = spec.get("volumes")
    names = (
        (volume.get("name") for volume in volumes if isinstance(volume, dict))
        if isinstance(volumes, list)
        else ()
    )
    return frozenset(name for name in names if isinstance(name, str) and _TOKEN_VOLUME.fullmatch(name))


def _container(container: Any, tokens: frozenset[str]) -> Any:
    if not isinstance(container, dict):
        return container
    result: dict[str, Any] = {}
    for key, value in container.items():
        if _is_default(_CONTAINER_DEFAULTS, key, value):
            continue
        if key == "imagePullPolicy" and value == _default_pull_policy(container.get("image")):
            continue
        if key == "volumeMounts":
            normal = _each(value, lambda mount: _mount(mount, tokens))
        else:
            rule = _CONTAINER_RULES.get(key)
            normal = value if rule is None else rule(value)
        if not _is_empty(normal):
            result[key] = normal
    return result


def _default_pull_policy(image: Any) -> str:
    if not isinstance(image, str) or "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _mount(mount: Any, tokens: frozenset[str]) -> Any:
    if isinstance(mount, dict) and mount.get("mountPath") == _TOKEN_MOUNT and _is_named(mount, tokens):
        return _DROPPED
    return mount


def _environment_entry(entry: Any) -> Any:
    if not isinstance(entry, dict) or "valueFrom" not in entry:
        return entry
    source = _mapping(entry, "valueFrom")
    reference = _mapping(source, "fieldRef")
    if reference.get("apiVersion") == "v1":
        return {**entry, "valueFrom": {**source, "fieldRef": _without(reference, {"apiVersion": "v1"})}}
    return entry


def _resources(resources: Any) -> Any:
    """Requests default to limits, one by one."""
    if not isinstance(resources, dict):
        return resources
    requests, limits = resources.get("requests"), resources.get("limits")
    if not isinstance(requests, dict) or not isinstance(limits, dict):
        return resources
    stated = {name: amount for name, amount in requests.items() if limits.get(name) != amount}
    rest = {key: value for key, value in resources.items() if key != "requests"}
    return {**rest, "requests": stated} if stated else rest


def _probe(probe: Any) -> Any:
    normal = _without(probe, _PROBE_DEFAULTS)
    request = normal.get("httpGet") if isinstance(normal, dict) else None
    if isinstance(request, dict):
        normal["httpGet"] = _without(request, {"path": "/", "scheme": "HTTP"})
    return normal


_CONTAINER_RULES: Mapping[str, Callable[[Any], Any]] = {
    "ports": lambda ports: _each(ports, lambda port: _without(port, {"protocol": "TCP"})),
    "env": lambda entries: _each(entries, _environment_entry),
    "resources": _resources,
    "livenessProbe": _probe,
    "readinessProbe": _probe,
    "startupProbe": _probe,
}


def _volume(volume: Any, tokens: frozenset[str], claim: re.Pattern[str] | None) -> Any:
    if not isinstance(volume, dict):
        return volume
    if _is_named(volume, tokens) or _is_claim_of_replica(volume, claim):
        return _DROPPED
    result: dict[str, Any] = {}
    for key, value in volume.items():
        if key in ("configMap", "secret", "projected", "downwardAPI"):
            result[key] = _without(value, {"defaultMode": 420})
        elif key == "hostPath":
            result[key] = _without(value, {"type": ""})
        elif key == "emptyDir" and _is_empty(value):
            continue
        else:
            result[key] = value
    return result


def _is_claim_of_replica(volume: Mapping[str, Any], claim: re.Pattern[str] | None) -> bool:
    """Tell whether a StatefulSet's claim template made the volume: `data-web-0`."""
    source = volume.get("persistentVolumeClaim")
    name = source.get("claimName") if isinstance(source, dict) else None
    return claim is not None and isinstance(name, str) and claim.search(name) is not None


def _toleration(toleration: Any) -> Any:
    """Tolerations of the node's own taints come from an admission plug-in or a DaemonSet's controller."""
    key = toleration.get("key") if isinstance(toleration, dict) else None
    return _DROPPED if isinstance(key, str) and key.startswith(_NODE_TAINTS) else toleration


def _affinity(affinity: Any) -> Any:
    """A DaemonSet's controller pins each Pod to its node by name."""
    node = _mapping(affinity, "nodeAffinity")
    required = _mapping(node, _REQUIRED)
    if "matchFields" not in str(required):
        return affinity
    terms = _each(required.get("nodeSelectorTerms"), lambda term: _without_key(term, "matchFields"))
    node = {key: value for key, value in node.items() if key != _REQUIRED}
    if not _is_empty(terms):
        node = {**node, _REQUIRED: {**required, "nodeSelectorTerms": terms}}
    rest = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
    return {**rest, "nodeAffinity": node} if node else rest


def _is_named(value: Mapping[str, Any], names: frozenset[str]) -> bool:
    # A name of another type need not be hashable.
    name = value.get("name")
    return isinstance(name, str) and name in names


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _each(items: Any, normalise: Callable[[Any], Any]) -> Any:
    if not isinstance(items, list):
        return items
    return [normal for item in items if (normal := normalise(item)) is not _DROPPED]


def _without(value: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if not _is_default(defaults, key, item)}


def _without_key(value: Any, unwanted: str) -> Any:
    if not isinstance(value, dict):
        return value
    rest = {key: item for key, item in value.items() if key != unwanted}
    return rest or _DROPPED


def _is_default(defaults: Mapping[str, Any], key: str, value: Any) -> bool:
    # 1 == True in Python, not in JSON.
    default = defaults.get(key)
    return default is not None and type(value) is type(default) and bool(value == default)


def _is_empty(value: Any) -> bool:
    return value is None or (not value and isinstance(value, (dict, list)))
