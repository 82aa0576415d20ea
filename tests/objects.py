"""A small valid object of every built-in kind: what a test creates when any object will do."""

from __future__ import annotations

import base64
import copy
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

Obj = dict[str, Any]

_POD: Obj = {"containers": [{"name": "c", "image": "nginx:1.27"}]}
_TEMPLATE: Obj = {"metadata": {"labels": {"app": "a"}}, "spec": _POD}
_WORKLOAD: Obj = {"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": _TEMPLATE}}
_JOB: Obj = {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}
_CLAIM: Obj = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_HOOKS: Obj = {"webhooks": []}
_MATCH: Obj = {
    "resourceRules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]
}
_DEVICES: Obj = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu.example.com"}}]}}


def _signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "someone")])
    )
    return base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)).decode()


# (group, kind) -> the object without kind, apiVersion, metadata.namespace; the name is "a" unless said.
BODIES: dict[tuple[str, str], Obj] = {
    ("", "ConfigMap"): {"data": {"a": "b"}},
    ("", "Endpoints"): {},
    ("", "Event"): {"involvedObject": {"kind": "Pod", "namespace": "default", "name": "a"}, "reason": "Because"},
    ("", "LimitRange"): {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    ("", "Namespace"): {},
    ("", "Node"): {},
    ("", "PersistentVolume"): {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/x"}}
    },
    ("", "PersistentVolumeClaim"): {"spec": _CLAIM},
    ("", "Pod"): {"spec": _POD},
    ("", "PodTemplate"): {"template": _TEMPLATE},
    ("", "ReplicationController"): {"spec": {"selector": {"app": "a"}, "template": _TEMPLATE}},
    ("", "ResourceQuota"): {"spec": {"hard": {"pods": "100"}}},
    ("", "Secret"): {"stringData": {"a": "b"}},
    ("", "Service"): {"spec": {"ports": [{"port": 80}], "selector": {"app": "a"}}},
    ("", "ServiceAccount"): {},
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): {
        "spec": {
            "reinvocationPolicy": "Never",
            "matchConstraints": _MATCH,
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
        }
    },
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): {"spec": {"policyName": "a"}},
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _HOOKS,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): {
        "spec": {"matchConstraints": _MATCH, "validations": [{"expression": "true"}]}
    },
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): {
        "spec": {"policyName": "a", "validationActions": ["Audit"]}
    },
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _HOOKS,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): {
        "metadata": {"name": "toys.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "toys", "kind": "Toy"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    },
    ("apiregistration.k8s.io", "APIService"): {
        "metadata": {"name": "v1.toys.example.com"},
        "spec": {
            "group": "toys.example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": "default", "name": "toys"},
        },
    },
    ("apps", "ControllerRevision"): {"revision": 1, "data": {"a": 1}},
    ("apps", "DaemonSet"): _WORKLOAD,
    ("apps", "Deployment"): _WORKLOAD,
    ("apps", "ReplicaSet"): _WORKLOAD,
    ("apps", "StatefulSet"): {"spec": {**_WORKLOAD["spec"], "serviceName": "a"}},
    ("autoscaling", "HorizontalPodAutoscaler"): {
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}, "maxReplicas": 3}
    },
    ("batch", "CronJob"): {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": _JOB}}},
    ("batch", "Job"): {"spec": _JOB},
    ("certificates.k8s.io", "CertificateSigningRequest"): {
        "spec": {"request": _signing_request(), "signerName": "example.com/a", "usages": ["client auth"]}
    },
    ("certificates.k8s.io", "ClusterTrustBundle"): {"spec": {"trustBundle": ""}},
    ("certificates.k8s.io", "PodCertificateRequest"): {
        "spec": {
            "signerName": "example.com/a",
            **dict.fromkeys(
                ("podName", "podUID", "serviceAccountName", "serviceAccountUID", "nodeName", "nodeUID"), "a"
            ),
            "stubPKCS10Request": "",
        }
    },
    ("coordination.k8s.io", "Lease"): {"spec": {"holderIdentity": "me"}},
    ("discovery.k8s.io", "EndpointSlice"): {"addressType": "IPv4", "endpoints": []},
    ("events.k8s.io", "Event"): {
        "metadata": {"name": "b"},
        "eventTime": "2024-03-01T10:00:00.000000Z",
        "reportingController": "example.com/c",
        "reportingInstance": "c-1",
        "action": "Act",
        "reason": "Because",
        "type": "Normal",
        "regarding": {"kind": "Pod", "namespace": "default", "name": "a"},
    },
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): {"spec": {"priorityLevelConfiguration": {"name": "workload-low"}}},
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    },
    ("networking.k8s.io", "IPAddress"): {
        "metadata": {"name": "10.250.0.7"},
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "x"}},
    },
    ("networking.k8s.io", "Ingress"): {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    ("networking.k8s.io", "IngressClass"): {"spec": {"controller": "example.com/c"}},
    ("networking.k8s.io", "NetworkPolicy"): {"spec": {"podSelector": {}}},
    ("networking.k8s.io", "ServiceCIDR"): {"spec": {"cidrs": ["10.251.0.0/16"]}},
    ("node.k8s.io", "RuntimeClass"): {"handler": "runc"},
    ("policy", "PodDisruptionBudget"): {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "none"}}}},
    ("rbac.authorization.k8s.io", "ClusterRole"): {"rules": []},
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    },
    ("rbac.authorization.k8s.io", "Role"): {"rules": []},
    ("rbac.authorization.k8s.io", "RoleBinding"): {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    },
    ("resource.k8s.io", "DeviceClass"): {"spec": {}},
    ("resource.k8s.io", "DeviceTaintRule"): {
        "spec": {
            "taint": {"key": "example.com/a", "effect": "NoSchedule"},
            "deviceSelector": {"driver": "d.example.com"},
        }
    },
    ("resource.k8s.io", "ResourceClaim"): {"spec": _DEVICES},
    ("resource.k8s.io", "ResourceClaimTemplate"): {"spec": {"spec": _DEVICES}},
    ("resource.k8s.io", "ResourceSlice"): {
        "spec": {
            "driver": "d.example.com",
            "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            "nodeName": "n",
            "devices": [],
        }
    },
    ("scheduling.k8s.io", "PriorityClass"): {"value": 10},
    ("storage.k8s.io", "CSIDriver"): {"metadata": {"name": "csi.example.com"}, "spec": {}},
    ("storage.k8s.io", "CSINode"): {"spec": {"drivers": []}},
    ("storage.k8s.io", "CSIStorageCapacity"): {"storageClassName": "a"},
    ("storage.k8s.io", "StorageClass"): {"provisioner": "example.com/p"},
    ("storage.k8s.io", "VolumeAttachment"): {
        "spec": {"attacher": "example.com", "nodeName": "n", "source": {"persistentVolumeName": "pv"}}
    },
    ("storage.k8s.io", "VolumeAttributesClass"): {"driverName": "d.example.com", "parameters": {"a": "b"}},
    ("storagemigration.k8s.io", "StorageVersionMigration"): {
        "spec": {"resource": {"group": "", "resource": "secrets"}}
    },
}


def make(group: str, version: str, kind: str, namespace: str = "") -> Obj:
    """The object in that version, the caller's to change. KeyError: a kind that this table lacks."""
    body = copy.deepcopy(BODIES[group, kind])
    metadata: Obj = {"name": "a", **body.get("metadata", {})}
    if namespace:
        metadata["namespace"] = namespace
    return {"kind": kind, "apiVersion": f"{group}/{version}" if group else version, **body, "metadata": metadata}
