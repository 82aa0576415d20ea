"""HTTP that a hollow container answers on its ports: what a Python function says, or a line of its own.

Containers listen on the ports that they declare. Images of well-known web servers also listen on the port that they are
known for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from fakenodes.kubelet.podstate import Container, Pod
from fakenodes.kubelet.runtime.imagenames import full_name
from fakenodes.kubelet.runtime.script import HttpRequest, Serve

KNOWN_PORTS = {"nginx": 80, "httpd": 80, "caddy": 80}


def listener(pod: Pod, port: int) -> Container | None:
    """The running container that answers on the port."""
    running = [c for c in pod.containers if c.running]
    for container in running:
        if port in _ports(container):
            return container
    return next((c for c in running if c.script.serve is not None and not list(_declared(c))), None)


def _declared(container: Container) -> Iterator[int]:
    return (p["containerPort"] for p in container.spec.get("ports") or () if p.get("protocol", "TCP") == "TCP")


def _ports(container: Container) -> list[int]:
    image = full_name(container.spec.get("image", "")).rsplit("/", 1)[-1].partition(":")[0].partition("@")[0]
    known = [KNOWN_PORTS[image]] if image in KNOWN_PORTS else []
    return [*_declared(container), *known]


def default(pod: Pod, container: Container) -> Serve:
    """What a container says whose script has nothing to say."""
    meta = pod.obj["metadata"]

    def serve(request: HttpRequest) -> str:
        return f"{meta['namespace']}/{meta['name']}/{container.name}: {request.method} {request.path}\n"

    return serve


async def ask(serve: Serve, request: HttpRequest) -> None:
    """Let a served port see a request whose answer nobody waits for."""
    await answered(serve, request)


async def answered(serve: Serve, request: HttpRequest) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body: what the function says, or that it has failed."""
    try:
        found = await asyncio.to_thread(serve, request)
        status, headers, body = 200, {}, found
        if isinstance(found, tuple):
            status, body = found[0], found[-1]
            headers = {k.lower(): v for k, v in found[1].items()} if len(found) == 3 else {}
        kind, data = _encoded(body)
    except Exception as error:  # the function is its author's, and what it raises is for the one who asks
        status, headers = 500, {}
        kind, data = "text/plain; charset=utf-8", f"{type(error).__name__}: {error}\n".encode()
    return status, {"content-type": kind, **headers}, data


def _encoded(body: Any) -> tuple[str, bytes]:
    if isinstance(body, bytes):
        return "application/octet-stream", body
    if isinstance(body, str):
        return "text/plain; charset=utf-8", body.encode()
    if body is None:
        return "text/plain; charset=utf-8", b""
    assert isinstance(body, Mapping | list | int | float), f"cannot send {type(body).__name__}"
    return "application/json", orjson.dumps(body)
