"""Requests that the server makes of itself, as system:apiserver: the loopback client of kube-apiserver.

They go down the whole chain after authentication, so that admission, managedFields and the request log see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from fakeapi.clock import rfc3339, rfc3339_micro
from fakeapi.request import Answer, User
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

USER = User("system:apiserver", ("system:authenticated", "system:masters"))
MANAGER = "kube-apiserver"


async def ask(
    server: ApiServer,
    method: str,
    resource: tuple[str, str, str],
    namespace: str,
    name: str = "",
    body: Obj | None = None,
    manager: str = MANAGER,
) -> Answer:
    """One request. resource: group, version, plural; namespace: "" for what lies in none."""
    group, version, plural = resource
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    target = root + (f"/namespaces/{namespace}" if namespace else "") + f"/{plural}" + (f"/{name}" if name else "")
    if method != "DELETE":
        target += f"?fieldManager={manager}"
    headers = {"content-type": "application/json", "user-agent": f"{MANAGER}/v1.{server.config.minor}.2 (linux/amd64)"}
    data = b"" if body is None else orjson.dumps(body)
    return await server.call(method, target, headers, data, USER)


async def warn(server: ApiServer, about: Obj, reason: str, action: str, note: str, controller: str) -> None:
    """An event of type Warning about an object, as client-go's recorder of events.k8s.io writes it."""
    now, metadata = server.clock.now(), about["metadata"]
    namespace = metadata.get("namespace") or "default"
    reference = {"namespace": metadata["namespace"]} if "namespace" in metadata else {}
    await ask(
        server,
        "POST",
        ("events.k8s.io", "v1", "events"),
        namespace,
        body={
            "metadata": {"name": f"{metadata['name']}.{server.rng.getrandbits(64):016x}", "namespace": namespace},
            "eventTime": rfc3339_micro(now),
            "reportingController": controller,
            "reportingInstance": f"{controller}-{rfc3339(server.started)}",
            "action": action,
            "reason": reason,
            "regarding": {
                "kind": about["kind"],
                "apiVersion": about["apiVersion"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion", ""),
                **reference,
            },
            "note": note,
            "type": "Warning",
        },
    )
