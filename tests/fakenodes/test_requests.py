"""Every request of the components is one that the published OpenAPI knows: so they can run on a real server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from fakeapi.clock import RealClock
from fakenodes.client.base import Client, Obj
from fakenodes.client.inprocess import InProcessClient
from fakenodes.client.rest import Reply
from fakenodes.components import Components, Plan
from fakenodes.discovery import discover
from tests.fakenodes.servers import in_process, make_server

POD: Obj = {"containers": [{"name": "c", "image": "nginx:1"}]}
TEMPLATE: Obj = {"metadata": {"labels": {"app": "a"}}, "spec": POD}
SELECTED: Obj = {"selector": {"matchLabels": {"app": "a"}}, "template": TEMPLATE}
JOB: Obj = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
CLAIM: Obj = {
    "storageClassName": "hollow",
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
}
# (apiVersion, kind, the rest)
OBJECTS: tuple[tuple[str, str, Obj], ...] = (
    ("storage.k8s.io/v1", "StorageClass", {"metadata": {"name": "hollow"}, "provisioner": "fakekube.io/hollow"}),
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
    ("batch/v1", "CronJob", {"spec": {"schedule": "@every 1s", "jobTemplate": {"spec": JOB}}}),
    ("v1", "ReplicationController", {"spec": {"template": TEMPLATE, "replicas": 1}}),
    ("v1", "Service", {"spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}}),
    ("v1", "Service", {"metadata": {"name": "own"}, "spec": {"ports": [{"port": 80}]}}),
    ("v1", "Endpoints", {"metadata": {"name": "own"}, "subsets": [{"addresses": [{"ip": "192.0.2.7"}]}]}),
    ("v1", "Pod", {"spec": {**POD, "volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": CLAIM}}}]}}),
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
)


class Requests:
    """What was asked for: method and path with its names as in OpenAPI, and answers that nobody should get."""

    def __init__(self, document: Obj) -> None:
        self.known = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path.rstrip("/")) + "/?$"), item)
            for path, item in sorted(document["paths"].items(), key=lambda x: x[0].count("{"))
        ]
        self.bad: set[str] = set()
        self.writes: set[str] = set()

    def client(self, inner: InProcessClient) -> Client:
        """The client, with everything noted and writes checked strictly."""

        async def handle(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
            path, _, query = target.partition("?")
            item = next((i for pattern, i in self.known if pattern.match(path) and method.lower() in i), None)
            content = headers.get("content-type", "application/json")
            if item is None:
                self.bad.add(f"{method} {path}")
            elif method == "PATCH" and content not in item["patch"].get("consumes", [content]):
                self.bad.add(f"{method} {path} as {content}")
            if method in ("POST", "PUT", "PATCH"):
                self.writes.add(f"{method} {path.split('/')[-2] if method != 'POST' else path.split('/')[-1]}")
                target = f"{path}?{'&'.join(x for x in (query, 'fieldValidation=Strict') if x)}"
            reply = await inner._handler(method, target, headers, body)
            if reply.status in (400, 405, 415, 422):
                self.bad.add(f"{method} {path}: {reply.status} {reply.body!r}")
            return reply

        return InProcessClient(handle, "tester/v1")


async def _requests() -> Requests:
    server, clock = await make_server(), RealClock()
    admin = in_process(server)
    found = Requests(await admin.get_path("/openapi/v2"))
    parts = Components(lambda user: found.client(in_process(server, user)), clock, Plan(nodes=1))
    await parts.start()
    try:
        await parts.ready()
        resources = await discover(admin)
        made = []
        for version, kind, rest in OBJECTS:
            resource = resources.by_kind(version, kind)
            assert resource is not None
            body = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, **rest}
            space = "default" if resource.gvr.namespaced else ""
            made.append((resource.gvr, await admin.create(resource.gvr, body, space)))
        await clock.sleep(1.5)
        for gvr, obj in made:
            await admin.delete(gvr, obj["metadata"]["name"], obj["metadata"].get("namespace", ""))
        await clock.sleep(0.7)
    finally:
        await parts.stop()
        await server.stop()
    return found


def test_what_the_components_ask_for_is_published() -> None:
    found = asyncio.run(_requests())
    assert not found.bad
    assert len(found.writes) > 30
