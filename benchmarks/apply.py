"""What server-side apply costs beside a plain update: Pods and Deployments of 3 KB, in process, the whole chain.

python benchmarks/apply.py [ROUNDS]    exit status 1 when an apply takes more than three times an update's time
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from typing import Any

import orjson

from fakeapi import poststart
from fakeapi.app import ApiServer
from fakeapi.config import Config
from fakeapi.request import User
from fakeapi.storage.memory import MemoryStorage

LIMIT = 3.0
ADMIN = User("admin", ("system:masters", "system:authenticated"))
FACTS = poststart.Facts(now="2026-11-21T00:00:00Z", service_cidr="10.0.0.0/16", hostname="h", uid="u")


def containers() -> list[dict[str, Any]]:
    """Containers as people write them."""
    probe = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5}
    return [
        {
            "name": name,
            "image": f"registry.example/{name}:1.2.3",
            "ports": [{"name": "http", "containerPort": 8080 + index}],
            "env": [{"name": f"VARIABLE_{n}", "value": f"value {n}"} for n in range(20)],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "200m", "memory": "256Mi"}},
            "readinessProbe": probe,
            "livenessProbe": probe,
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/tmp"}],
        }
        for index, name in enumerate(("main", "proxy"))
    ]


POD = {
    "containers": containers(),
    "volumes": [{"name": "config", "configMap": {"name": "app"}}, {"name": "tmp", "emptyDir": {}}],
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "web", "effect": "NoSchedule"}],
}
LABELS = {"app": "web", "tier": "front", "release": "stable"}
DEPLOYMENT = {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": LABELS}, "spec": POD}}
OBJECTS = {
    "Deployment": ("apps/v1", "/apis/apps/v1/namespaces/default/deployments", {"replicas": 3, **DEPLOYMENT}),
    "Pod": ("v1", "/api/v1/namespaces/default/pods", POD),
}


async def measure(server: ApiServer, kind: str, rounds: int) -> tuple[float, float, int]:
    """Median milliseconds of an update and of an apply that change an annotation; the size of the body."""
    api_version, collection, spec = OBJECTS[kind]
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "labels": LABELS}, "spec": spec}

    async def send(method: str, path: str, body: Any, media: str = "application/json") -> Any:
        answer = await server.call(method, path, {"content-type": media}, orjson.dumps(body), ADMIN)
        assert answer.status < 300, answer
        return answer.body

    query = "?fieldManager=bench&force=true"
    raw = await send("PATCH", f"{collection}/web{query}", obj, "application/apply-patch+yaml")
    updates, applies = [], []
    for number in range(rounds):
        live = orjson.loads(raw)
        live["metadata"]["annotations"] = {"round": f"update {number}"}
        start = time.perf_counter()
        await send("PUT", f"{collection}/web", live)
        middle = time.perf_counter()
        changed = {**obj, "metadata": {**obj["metadata"], "annotations": {"round": f"apply {number}"}}}
        body = orjson.dumps(changed)
        middle_end = time.perf_counter()
        answer = await server.call(
            "PATCH", f"{collection}/web{query}", {"content-type": "application/apply-patch+yaml"}, body, ADMIN
        )
        end = time.perf_counter()
        raw = answer.body
        updates.append(middle - start)
        applies.append(end - middle_end)
    return statistics.median(updates) * 1000, statistics.median(applies) * 1000, len(orjson.dumps(obj))


async def compare(rounds: int) -> bool:
    """Print a line a kind; whether all are within the limit."""
    fine = True
    for kind in OBJECTS:
        config = Config(authorization=("RBAC",), disable_admission=frozenset(("ServiceAccount",)))
        server = ApiServer(config, MemoryStorage())
        await server.start(FACTS)
        update, apply, size = await measure(server, kind, rounds)
        await server.stop()
        print(
            f"{kind:10} of {size} bytes   update {update:6.3f} ms   apply {apply:6.3f} ms   {apply / update:4.2f} times"
        )
        fine = fine and apply / update <= LIMIT
    return fine


def main(arguments: list[str]) -> int:
    """Print the medians of so many rounds."""
    return 0 if asyncio.run(compare(int(arguments[0]) if arguments else 300)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
