"""Complete AdmissionReviews, as an API server sends them, made from short scenes.

Owns what the API server adds to a manifest: defaults, bookkeeping fields and the envelope. Credentials are
put together here, so that no file holds one that a secret scanner would take for real.
"""

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SCENES = Path(__file__).parent / "scenes"
Manifest = dict[str, Any]

_CREDENTIALS = {
    "{aws_access_key_id}": "AKIA" + "IOSFODNN7EXAMPLE",
    "{aws_secret_access_key}": "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY",
    "{github_token}": "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a",
    "{password}": "hunter" + "2",
}
_RESOURCES = {
    "Pod": "pods",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "ReplicaSet": "replicasets",
    "DaemonSet": "daemonsets",
    "CronJob": "cronjobs",
}
_POD_DEFAULTS: Manifest = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER_DEFAULTS: Manifest = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What Gradate should decide."""

    allowed: bool
    policies: tuple[str, ...] = ()
    """Names that the message of a denial must hold."""
    says: tuple[str, ...] = ()
    """Texts that the message must hold."""
    warns: tuple[str, ...] = ()
    """Names that the warnings must hold."""
    patch: Manifest = field(default_factory=dict)
    """Value by JSON pointer that the patch must add; empty when nothing may be patched."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One request of the demonstration."""

    title: str
    why: str
    """Why the decision is the right one."""
    endpoint: str
    """`validate` or `mutate`."""
    review: Manifest
    secrets: tuple[str, ...]
    """Values in it that no answer may repeat."""
    expect: Expectation


def load_scenes(folder: Path = SCENES) -> list[Scene]:
    """Read all scenes, in the order of their file names."""
    return [_load_scene(path) for path in sorted(folder.glob("*.yaml"))]


def _load_scene(path: Path) -> Scene:
    text = path.read_text(encoding="utf-8")
    secrets = tuple(value for name, value in _CREDENTIALS.items() if name in text)
    for name, value in _CREDENTIALS.items():
        text = text.replace(name, value)
    raw = yaml.safe_load(text)
    expected = raw["expect"]
    return Scene(
        title=raw["title"],
        why=raw["why"],
        endpoint=raw.get("endpoint", "validate"),
        review=build_review(raw),
        secrets=secrets,
        expect=Expectation(
            allowed=expected["allowed"],
            policies=tuple(expected.get("policies", ())),
            says=tuple(expected.get("says", ())),
            warns=tuple(expected.get("warns", ())),
            patch=expected.get("patch", {}),
        ),
    )


def build_review(scene: Manifest) -> Manifest:
    """Build the review of one scene from its `object`, `old`, `operation`, `subresource` and `user`."""
    operation = scene.get("operation", "CREATE")
    sent = _complete(scene.get("object"), stored=operation != "CREATE")
    old = _complete(scene.get("old"), stored=True)
    either = sent or old
    if either is None:
        raise ValueError(f"{scene['title']}: a scene needs an object or an old one")
    group, _, version = str(either["apiVersion"]).rpartition("/")
    kind = {"group": group, "version": version, "kind": either["kind"]}
    resource = {"group": group, "version": version, "resource": _RESOURCES[either["kind"]]}
    request = {
        "uid": str(uuid.uuid4()),
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": either["metadata"].get("name", ""),
        "namespace": either["metadata"]["namespace"],
        "operation": operation,
        "userInfo": _user(scene.get("user", "system:serviceaccount:argocd:argocd-application-controller")),
        "object": sent,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": f"{operation.title()}Options", "apiVersion": "meta.k8s.io/v1"},
    }
    if "subresource" in scene:
        request["subResource"] = request["requestSubResource"] = scene["subresource"]
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def _user(name: str) -> Manifest:
    groups = ["system:authenticated"]
    if name.startswith("system:serviceaccount:"):
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}", *groups]
    return {"username": name, "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), "groups": groups}


def _complete(manifest: Manifest | None, *, stored: bool) -> Manifest | None:
    """Add what the API server would have added before it asks."""
    if manifest is None:
        return None
    name = manifest["metadata"].get("name", "")
    identity = {"uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), "creationTimestamp": "2026-01-15T09:30:00Z"}
    metadata = {
        **manifest["metadata"],
        **(identity if stored else {"creationTimestamp": None}),
        "managedFields": [
            {
                "manager": "argocd-controller",
                "operation": "Apply",
                "apiVersion": manifest["apiVersion"],
                "time": "2026-01-15T09:30:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {}},
            }
        ],
    }
    return {**manifest, "metadata": metadata, "spec": _complete_spec(manifest["spec"]), "status": {}}


def _complete_spec(spec: Manifest) -> Manifest:
    """Walk down to the Pod spec and fill it."""
    if "containers" not in spec:
        below = next(name for name in ("template", "jobTemplate") if name in spec)
        inner = {"metadata": {"creationTimestamp": None}, **spec[below]}
        return {**spec, below: {**inner, "spec": _complete_spec(inner["spec"])}}
    lists: Manifest = {
        name: [{**_CONTAINER_DEFAULTS, **container} for container in spec[name]]
        for name in ("initContainers", "containers", "ephemeralContainers")
        if name in spec
    }
    return {**_POD_DEFAULTS, **spec, **lists}
