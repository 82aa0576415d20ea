"""Every request of the controllers is one that the published OpenAPI knows and upstream's roles allow: so they can run
on a real server, each as its own user.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections import defaultdict
from collections.abc import Mapping

import pytest

from fakeapi.app import ApiServer
from fakeapi.config import Config
from fakeapi.request import Answer, User
from fakenodes.client.base import GVR, ClientError, Obj
from fakenodes.client.gvrs import CLAIMS
from fakenodes.controllers import CONTROLLERS
from fakenodes.controllers.base import Options
from fakenodes.discovery import discover
from tests.fakenodes.test_certificates import csr
from tests.fakenodes.world import World, world

POD: Obj = {"containers": [{"name": "c", "image": "nginx:1"}]}
TEMPLATE: Obj = {"metadata": {"labels": {"app": "a"}}, "spec": POD}
SELECTED: Obj = {"selector": {"matchLabels": {"app": "a"}}, "template": TEMPLATE}
ENDING: Obj = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": ["true"]}]}
JOB: Obj = {"ttlSecondsAfterFinished": 1, "template": {"spec": ENDING}}
CLAIM: Obj = {
    "storageClassName": "hollow",
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
}
# (apiVersion, kind, the rest)
OBJECTS: tuple[tuple[str, str, Obj], ...] = (
    (
        "storage.k8s.io/v1",
        "StorageClass",
        {"metadata": {"name": "hollow"}, "provisioner": "fakekube.io/hollow", "allowVolumeExpansion": True},
    ),
    ("apps/v1", "Deployment", {"spec": {**SELECTED, "replicas": 1}}),
    (
        "apps/v1",
        "StatefulSet",
        {
            "spec": {
                **SELECTED,
                "serviceName": "a",
                "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": CLAIM}],
            }
        },
    ),
    ("apps/v1", "DaemonSet", {"spec": SELECTED}),
    ("batch/v1", "Job", {"spec": JOB}),
    ("batch/v1", "CronJob", {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": JOB}}}),
    ("v1", "ReplicationController", {"spec": {"template": TEMPLATE, "replicas": 1}}),
    ("v1", "Service", {"spec": {"selector": {"app": "a"}, "ports": [{"port": 80}], "type": "LoadBalancer"}}),
    ("v1", "Service", {"metadata": {"name": "own"}, "spec": {"ports": [{"port": 80}]}}),
    ("v1", "Endpoints", {"metadata": {"name": "own"}, "subsets": [{"addresses": [{"ip": "192.0.2.7"}]}]}),
    ("v1", "Pod", {"spec": {**POD, "volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": CLAIM}}}]}}),
    ("v1", "Pod", {"metadata": {"name": "lost"}, "spec": {**POD, "nodeName": "nowhere"}}),
    ("v1", "ResourceQuota", {"spec": {"hard": {"pods": "99", "count/deployments.apps": "9"}}}),
    (
        "v1",
        "Secret",
        {
            "metadata": {"name": "a", "annotations": {"kubernetes.io/service-account.name": "default"}},
            "type": "kubernetes.io/service-account-token",
        },
    ),
    ("policy/v1", "PodDisruptionBudget", {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "a"}}}}),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        {
            "spec": {
                "minReplicas": 2,
                "maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
            }
        },
    ),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        {
            "metadata": {"name": "a"},
            "aggregationRule": {
                "clusterRoleSelectors": [{"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}]
            },
        },
    ),
    ("networking.k8s.io/v1", "ServiceCIDR", {"metadata": {"name": "a"}, "spec": {"cidrs": ["10.77.0.0/24"]}}),
    ("v1", "Namespace", {"metadata": {"name": "extra"}}),
    ("storage.k8s.io/v1", "VolumeAttributesClass", {"driverName": "far.example.com", "parameters": {"iops": "1"}}),
    (
        "v1",
        "PersistentVolume",
        {
            "metadata": {"name": "far"},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "hollow",
                "csi": {"driver": "far.example.com", "volumeHandle": "far"},
                "claimRef": {"namespace": "default", "name": "far"},
            },
        },
    ),
    ("v1", "PersistentVolumeClaim", {"metadata": {"name": "far"}, "spec": {**CLAIM, "volumeName": "far"}}),
    (
        "v1",
        "Pod",
        {
            "metadata": {"name": "far"},
            "spec": {**POD, "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "far"}}]},
        },
    ),
    (
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        {
            "spec": {
                "request": base64.b64encode(csr("system:node:a", "system:nodes")).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                "usages": ["digital signature", "client auth"],
            }
        },
    ),
)
# A write of each controller that shows that it was at work.
WRITES = {
    "serviceaccount-controller": "POST serviceaccounts",
    "root-ca-certificate-publisher-controller": "POST configmaps",
    "namespace-controller": "PUT namespaces/finalize",
    "deployment-controller": "POST replicasets",
    "replicaset-controller": "POST pods",
    "replicationcontroller-controller": "POST pods",
    "endpoints-controller": "POST endpoints",
    "endpointslice-controller": "POST endpointslices",
    "garbage-collector-controller": "DELETE replicasets",
    "statefulset-controller": "POST pods",
    "daemonset-controller": "POST pods",
    "job-controller": "POST pods",
    "persistentvolumeclaim-protection-controller": "PUT persistentvolumeclaims",
    "persistentvolume-protection-controller": "PUT persistentvolumes",
    "volumeattributesclass-protection-controller": "PUT volumeattributesclasses",
    "ttl-after-finished-controller": "DELETE jobs",
    "node-lifecycle-controller": "PATCH nodes",
    "taint-eviction-controller": "DELETE pods",
    "pod-garbage-collector-controller": "DELETE pods",
    "cronjob-controller": "POST jobs",
    "disruption-controller": "PUT poddisruptionbudgets/status",
    "resourcequota-controller": "PUT resourcequotas/status",
    "clusterrole-aggregation-controller": "PATCH clusterroles",
    "serviceaccount-token-controller": "PUT secrets",
    "certificatesigningrequest-signing-controller": "PUT certificatesigningrequests/status",
    "certificatesigningrequest-approving-controller": "PUT certificatesigningrequests/approval",
    "certificatesigningrequest-cleaner-controller": "DELETE certificatesigningrequests",
    "endpointslice-mirroring-controller": "POST endpointslices",
    "persistentvolume-binder-controller": "PUT persistentvolumeclaims",
    "hollow-provisioner": "POST persistentvolumes",
    "ephemeral-volume-controller": "POST persistentvolumeclaims",
    "persistentvolume-expander-controller": "PUT persistentvolumeclaims/status",
    "horizontal-pod-autoscaler-controller": "PUT deployments/scale",
    "service-cidr-controller": "PUT servicecidrs/status",
    "ttl-controller": "PATCH nodes",
    "service-lb-controller": "PATCH services/status",
    "persistentvolume-attach-detach-controller": "POST volumeattachments",
}


class Requests:
    """What the components asked for: writes by user as `METHOD resource/subresource`, and answers none should get."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, str, str]] = set()
        self.bad: set[str] = set()
        self.writes: defaultdict[str, set[str]] = defaultdict(set)

    async def call(
        self, server: ApiServer, method: str, target: str, headers: Mapping[str, str], body: bytes, user: User
    ) -> Answer:
        """ApiServer.call with everything noted and writes checked strictly."""
        path, _, query = target.partition("?")
        if user.name == "system:admin":
            return await CALL(server, method, target, headers, body, user)
        self.asked.add((method, path, headers.get("content-type", "application/json")))
        if method in ("POST", "PUT", "PATCH"):
            target = f"{path}?{'&'.join(x for x in (query, 'fieldValidation=Strict') if x)}"
        if method != "GET":
            self.writes[user.name].add(f"{method} {resource_of(path)}")
        answer = await CALL(server, method, target, headers, body, user)
        said = answer.body if isinstance(answer.body, bytes) else b""
        if answer.status in (400, 401, 405, 415, 422) or b"forbidden: User" in said:
            self.bad.add(f"{user.name} {method} {path}: {answer.status} {said.decode()[:300]}")
        return answer

    def unknown(self, document: Obj) -> set[str]:
        """What was asked for that the OpenAPI document does not have."""
        known = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path.rstrip("/")) + "/?$"), item)
            for path, item in sorted(document["paths"].items(), key=lambda x: x[0].count("{"))
        ]
        found = set()
        for method, path, content in self.asked:
            item = next((i for pattern, i in known if pattern.match(path) and method.lower() in i), None)
            if item is None and not (method == "GET" and path.endswith("/scale")):
                # Whether an owner of pods can be scaled, upstream's disruption controller too finds out by asking.
                found.add(f"{method} {path}")
            elif item is not None and method == "PATCH" and content not in item["patch"].get("consumes", [content]):
                found.add(f"{method} {path} as {content}")
        return found


CALL = ApiServer.call


def resource_of(path: str) -> str:
    """`resource` or `resource/subresource` of a path."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("finalize", "status"):
        parts = parts[2:]
    return "/".join((parts[0], *parts[2:3]))


async def _make(w: World) -> list[tuple[GVR, Obj]]:
    resources, made = await discover(w.client), []
    for version, kind, rest in OBJECTS:
        resource = resources.by_kind(version, kind)
        assert resource is not None
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, **rest}
        made.append(
            (resource.gvr, await w.client.create(resource.gvr, body, "default" if resource.gvr.namespaced else ""))
        )
    return made


async def _live(w: World) -> None:
    """A cluster's life in short: everything comes, a claim grows, a node is lost, everything goes."""
    made = await _make(w)
    await w.advance(90)
    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    await w.client.patch(CLAIMS, "d-a-0", larger, "default")
    nodes = w.running.components.nodes
    assert nodes is not None
    nodes.stop_node("node-0")
    await w.advance(400)
    await nodes.start_node("node-0")
    for gvr, obj in made:
        if obj["kind"] != "CertificateSigningRequest":
            await _delete(w, gvr, obj)
    await w.advance(7300)  # the cleaner comes once an hour, for what is older than one


async def _delete(w: World, gvr: GVR, obj: Obj) -> None:
    try:
        await w.client.delete(gvr, obj["metadata"]["name"], obj["metadata"].get("namespace", ""))
    except ClientError as error:
        if error.code != 404:
            raise


async def _requests(found: Requests) -> Obj:
    config = Config(authorization=("Node", "RBAC"))
    async with world("*", nodes=2, config=config, options=Options(load_balancers="198.51.100.0/24")) as w:
        await _live(w)
        return await w.client.get_path("/openapi/v2")


def test_what_the_controllers_ask_for_is_published_and_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Requests()
    monkeypatch.setattr(ApiServer, "call", lambda *args: found.call(*args))
    document = asyncio.run(_requests(found))
    assert not found.unknown(document)
    assert not found.bad
    assert WRITES.keys() == {x.name for x in CONTROLLERS}
    idle = {x.name: found.writes[x.user] for x in CONTROLLERS if WRITES[x.name] not in found.writes[x.user]}
    assert not idle
