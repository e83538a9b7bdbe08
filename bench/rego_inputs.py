"""The AdmissionReviews that the Rego benchmark evaluates: Pods of about 1, 5, 20 and 100 KB that break few rules."""

from typing import Any

import msgspec

_CONTAINERS = {1: 1, 5: 3, 20: 6, 100: 12}
"""Containers by size of the review in KB; environment variables fill the rest."""


def build_input(kilobytes: int) -> bytes:
    """Build the JSON of an input document of about `kilobytes` × 1,000 bytes."""
    entries = 0
    while True:
        document = msgspec.json.encode(_review(_CONTAINERS[kilobytes], entries + 1))
        if entries and len(document) > kilobytes * 1000:
            return msgspec.json.encode(_review(_CONTAINERS[kilobytes], entries))
        entries += 1


def count_entries(document: bytes) -> int:
    """Count the environment variables of an input."""
    containers = msgspec.json.decode(document)["request"]["object"]["spec"]["containers"]
    return sum(len(container["env"]) for container in containers)


def _review(containers: int, entries: int) -> dict[str, Any]:
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    return {
        "request": {
            "uid": "8f6f1c2e-5b0a-4f5e-9d0c-3a7b1c9e2d41",
            "kind": kind,
            "namespace": "payments",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": "orders",
                    "namespace": "payments",
                    "labels": {"app": "orders", "team": "p"},
                },
                "spec": {"containers": [_container(number, entries) for number in range(containers)]},
            },
        }
    }


def _container(number: int, entries: int) -> dict[str, Any]:
    return {
        "name": f"c{number}",
        "image": f"registry.example.com/orders:{number}.4",
        "ports": [{"containerPort": 8080}],
        "env": [{"name": f"SETTING_{entry}", "value": f"value {number} {entry}"} for entry in range(entries)],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": number == 1,
            "capabilities": {"drop": ["ALL"]},
        },
    }
