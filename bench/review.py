"""The review that the benchmark sends: a Pod of 5.4 KB, as an API server sends it after its own defaults."""

from typing import Any

import msgspec

UID = "8f6f1c2e-5b0a-4f5e-9d0c-3a7b1c9e2d41"
SIZE_BYTES = 5_400
_CREATED = "2026-01-15T09:30:00Z"

_SETTINGS = {
    "APP_ENV": "production",
    "LOG_LEVEL": "info",
    "HTTP_PORT": "8080",
    "AWS_REGION": "eu-west-1",
    "KEYCLOAK_URL": "https://sso.example.com/auth",
    "TOKEN_TTL": "3600",
    "PASSWORD_FILE": "/run/secrets/db/password",
    "DATABASE_HOST": "orders-db.payments.svc.cluster.local",
    "DATABASE_PORT": "5432",
    "DATABASE_NAME": "orders",
    "REDIS_URL": "redis://orders-cache.payments.svc.cluster.local:6379/0",
    "KAFKA_BROKERS": "kafka-0.kafka:9092,kafka-1.kafka:9092,kafka-2.kafka:9092",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector.observability:4318",
    "FEATURE_FLAGS": "express-checkout=true,gift-cards=false",
    "GIT_COMMIT": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=75 -XX:+ExitOnOutOfMemoryError",
}

_PROBE = {
    "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}


def build_review() -> bytes:
    """Build the body of one request, exactly `SIZE_BYTES` long."""
    short = msgspec.json.encode(_review(padding=""))
    return msgspec.json.encode(_review(padding="x" * (SIZE_BYTES - len(short))))


def _review(*, padding: str) -> dict[str, Any]:
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": UID,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "payments",
            "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:kube-system:replicaset-controller",
                "uid": "0d8e6d5c-5a2f-4a6e-8a44-2b9a3c4d5e6f",
                "groups": [
                    "system:serviceaccounts",
                    "system:serviceaccounts:kube-system",
                    "system:authenticated",
                ],
            },
            "object": _pod(padding),
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }


def _pod(padding: str) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": "orders-7d4b9c6f5d-",
            "namespace": "payments",
            "creationTimestamp": None,
            "labels": {"app": "orders", "tier": "backend", "pod-template-hash": "7d4b9c6f5d"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090", "note": padding},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": "orders-7d4b9c6f5d",
                    "uid": "b7f1a8de-6f0c-4f27-93c5-3d5f1f0f5a11",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
            "managedFields": [
                {
                    "manager": "kube-controller-manager",
                    "operation": "Update",
                    "apiVersion": "v1",
                    "time": _CREATED,
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {
                        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                        "f:spec": {"f:containers": {}},
                    },
                }
            ],
        },
        "spec": {
            "volumes": [
                {"name": "config", "configMap": {"name": "orders-config", "defaultMode": 420}},
                {"name": "db", "secret": {"secretName": "orders-db", "defaultMode": 420}},
                {"name": "tmp", "emptyDir": {}},
                {"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420}},
            ],
            "initContainers": [_container("migrate", ["migrate", "--wait"], {"APP_ENV": "production"})],
            "containers": [
                {**_container("orders", [], _SETTINGS), "livenessProbe": _PROBE},
                _container("proxy", ["proxy"], {"MODE": "sidecar"}),
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "orders",
            "serviceAccount": "orders",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {
                    "key": f"node.kubernetes.io/{taint}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
                for taint in ("not-ready", "unreachable")
            ],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }


def _container(name: str, args: list[str], settings: dict[str, str]) -> dict[str, Any]:
    secret = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "orders-db", "key": "password"}}}
    return {
        "name": name,
        "image": f"example.com/shop/{name}:1.14.2",
        "args": args,
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [*({"name": key, "value": value} for key, value in settings.items()), secret],
        "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/cache"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
