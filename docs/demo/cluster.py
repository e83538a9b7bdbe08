"""A make-believe cluster: 40 namespaces of fifteen workloads each, and the requests that their Pods lead to.

Owns names, images and owner chains; every workload is another one, and each start of one is a Deployment, its
ReplicaSet and its Pods, as an API server shows them to a webhook.
"""

import hashlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from docs.demo.reviews import Manifest, build_review

NAMESPACES = tuple(
    f"{team}-{stage}"
    for team in (
        "accounts", "billing", "cart", "catalog", "checkout", "delivery", "fraud", "identity", "inventory", "loyalty",
        "mailing", "media", "orders", "payments", "pricing", "reports", "returns", "search", "support", "wishlist",
    )
    for stage in ("live", "test")
)  # fmt: skip
_SERVICES = (
    "api", "web", "worker", "scheduler", "exporter", "importer", "gateway", "indexer", "notifier", "auditor",
    "mailer", "feed", "sync",
)  # fmt: skip
CACHE, PREVIEW = "cache", "preview"
"""One workload of each namespace runs a release for a base image, one runs whatever its main branch holds."""
PODS_PER_WORKLOAD = 3
_DEVELOPER = "jane@example.com"
_CONTROLLERS = "system:serviceaccount:kube-system"
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of generated names in Kubernetes


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment."""

    namespace: str
    name: str
    image: str

    def deployment(self, annotations: Manifest | None = None) -> Manifest:
        """Build the review of its creation by a developer."""
        metadata = {"name": self.name, "namespace": self.namespace, "annotations": annotations or {}}
        return build_review(self._scene("Deployment", metadata, _DEVELOPER))

    def replica_set(self) -> Manifest:
        """Build the review of its ReplicaSet's creation."""
        metadata = {
            "name": f"{self.name}-{self._template_hash}",
            "namespace": self.namespace,
            "labels": self._labels,
            "ownerReferences": [_owner("apps/v1", "Deployment", self.name)],
        }
        return build_review(self._scene("ReplicaSet", metadata, f"{_CONTROLLERS}:deployment-controller"))

    def pod(self, generator: random.Random) -> Manifest:
        """Build the review of one of its Pods, under a name that was not there before."""
        replica_set = f"{self.name}-{self._template_hash}"
        suffix = "".join(generator.choices(_SUFFIX_ALPHABET, k=5))
        metadata = {
            "name": f"{replica_set}-{suffix}",
            "generateName": f"{replica_set}-",
            "namespace": self.namespace,
            "labels": self._labels,
            "ownerReferences": [_owner("apps/v1", "ReplicaSet", replica_set)],
        }
        user = f"{_CONTROLLERS}:replicaset-controller"
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": self._pod_spec}
        return build_review({"title": self.name, "object": manifest, "user": user})

    @property
    def _template_hash(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()[:10]

    @property
    def _labels(self) -> Manifest:
        return {"app": self.name, "pod-template-hash": self._template_hash}

    @property
    def _pod_spec(self) -> Manifest:
        return {
            "serviceAccountName": self.name,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": self.name,
                    "image": self.image,
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "env": [
                        {"name": "LOG_LEVEL", "value": "info"},
                        {"name": "TEAM", "value": self.namespace},
                    ],
                    "resources": {"limits": {"memory": "256Mi"}},
                }
            ],
        }

    def _scene(self, kind: str, metadata: Manifest, user: str) -> dict[str, Any]:
        spec = {
            "replicas": PODS_PER_WORKLOAD,
            "selector": {"matchLabels": {"app": self.name}},
            "template": {"metadata": {"labels": {"app": self.name}}, "spec": self._pod_spec},
        }
        manifest = {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
        return {"title": self.name, "object": manifest, "user": user}


class Cluster:
    """The workloads as they stand; developers change them."""

    def __init__(self, seed: int = 7) -> None:
        self._generator = random.Random(seed)  # noqa: S311 - nothing secret
        self._workloads = {
            (namespace, name): Workload(namespace, name, self._image(namespace, name))
            for namespace in NAMESPACES
            for name in (*_SERVICES, CACHE, PREVIEW)
        }

    def __len__(self) -> int:
        return len(self._workloads)

    def get(self, namespace: str, name: str) -> Workload:
        """Give one workload as it stands."""
        return self._workloads[namespace, name]

    def change(self, workload: Workload, image: str) -> Workload:
        """Give a workload another image, from now on."""
        changed = replace(workload, image=image)
        self._workloads[workload.namespace, workload.name] = changed
        return changed

    def starts(self) -> Iterator[Workload]:
        """Give workloads that are started, without end: one of each namespace, then all, again and again."""
        yield from [self._workloads[namespace, _SERVICES[0]] for namespace in NAMESPACES]
        while True:
            keys = list(self._workloads)
            self._generator.shuffle(keys)
            for key in keys:
                yield self._workloads[key]

    def _image(self, namespace: str, name: str) -> str:
        if name == CACHE:
            return "redis:7.4.2-alpine"
        if name == PREVIEW:
            return f"example.com/{namespace}/preview:main"
        release = (
            self._generator.randrange(1, 9),
            self._generator.randrange(30),
            self._generator.randrange(9),
        )
        return f"example.com/{namespace}/{name}:{'.'.join(map(str, release))}"


def requests_of(workload: Workload, generator: random.Random) -> Iterator[Manifest]:
    """Give the reviews that one start leads to; whoever sends them stops at the first denial."""
    yield workload.deployment()
    yield workload.replica_set()
    yield from itertools.islice((workload.pod(generator) for _ in itertools.count()), PODS_PER_WORKLOAD)


def _owner(api_version: str, kind: str, name: str) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "name": name, "controller": True}
