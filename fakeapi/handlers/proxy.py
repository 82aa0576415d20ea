"""The proxy subresources of pods, services and nodes: HTTP that goes on to a pod or kubelet.

Stands for pkg/registry/core/{pod,service,node} (ResourceLocation, ProxyREST) and apimachinery's
proxy.Transport. Links in HTML bodies are not rewritten; Location headers are.
"""

from __future__ import annotations

import ipaddress
import posixpath
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from fakeapi import errors
from fakeapi.handlers import connect
from fakeapi.handlers.scope import Scope
from fakeapi.kubelets import Unreachable, dial, kubelet_of
from fakeapi.podports import dial_pod
from fakeapi.request import Answer, Request
from fakeapi.streaming.exchange import Broken, Reply, exchange
from fakeapi.streaming.upgrade import Streams

Obj = Mapping[str, Any]

_NOT_COPIED = frozenset(("content-length", "transfer-encoding", "connection", "keep-alive", "content-type", "date"))


def split(name: str) -> tuple[str, str, str] | None:
    """net.SplitSchemeNamePort: (scheme, name, port) of `name`, `name:port` or `scheme:name:port`, else None."""
    parts = name.split(":")
    if len(parts) > 3:
        return None
    scheme = parts[0] if len(parts) == 3 else ""
    rest = parts[1:] if len(parts) == 3 else parts
    if not rest[0] or scheme not in ("", "http", "https"):
        return None
    return scheme, rest[0], rest[1] if len(rest) == 2 else ""


def _located(request: Request, what: str) -> tuple[str, str, str]:
    found = split(request.info.name)
    if found is None:
        raise errors.bad_request(f'invalid {what} request "{request.info.name}"')
    return found


def check_address(text: str) -> None:
    """What may be proxied to: no loopback, link-local, multicast or unspecified address. ApiError 400."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise errors.bad_request("address not allowed") from None
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        raise errors.bad_request("address not allowed")


async def pod(scope: Scope, request: Request) -> Answer:
    """To a port of a pod, by default its first. ApiError 4xx, 503."""
    await connect.connecting(scope, request, "proxy", "PodProxyOptions")
    scheme, name, port = _located(request, "pod")
    found = await connect.pod_of(scope, request.info.namespace, name)
    if not port:
        ports = [p for c in found["spec"].get("containers") or () for p in c.get("ports") or ()]
        port = str(ports[0]["containerPort"]) if ports else ""
    ips = (found.get("status") or {}).get("podIPs") or ()
    address = ips[0]["ip"] if ips else ""
    check_address(address)
    return await _forward(scope, request, scheme, address, port)


async def service(scope: Scope, request: Request) -> Answer:
    """To one of a service's endpoints. ApiError 4xx, 503."""
    await connect.connecting(scope, request, "proxy", "ServiceProxyOptions")
    scheme, name, port = _located(request, "service")
    namespace, reader = request.info.namespace, scope.server.reader
    if port.isdigit():
        found = await reader.get("", "services", namespace, name)
        if found is None:
            raise errors.missing("", "services", name)
        port = _port_name(found, int(port))
    endpoints = await reader.get("", "endpoints", namespace, name)
    if endpoints is None:
        raise errors.missing("", "services", name)
    address, number = _choose(endpoints, name, port)
    check_address(address)
    return await _forward(scope, request, scheme, address, str(number))


def _port_name(found: Obj, number: int) -> str:
    for port in found["spec"].get("ports") or ():
        if port["port"] == number:
            name: str = port.get("name", "")
            return name
    raise errors.unavailable(f'no service port {number} found for service "{found["metadata"]["name"]}"')


def _choose(endpoints: Obj, name: str, port: str) -> tuple[str, int]:
    """Any ready address of the port's. ApiError 503."""
    choices = [
        (address["ip"], candidate["port"])
        for subset in endpoints.get("subsets") or ()
        for candidate in subset.get("ports") or ()
        if candidate.get("name", "") == port
        for address in subset.get("addresses") or ()
    ]
    if not choices:
        raise errors.unavailable(f'no endpoints available for service "{name}"')
    return random.choice(choices)


async def node(scope: Scope, request: Request) -> Answer:
    """To a node's kubelet. ApiError 4xx, 503."""
    await connect.connecting(scope, request, "proxy", "NodeProxyOptions")
    scheme, name, port = _located(request, "node")
    found = await scope.server.reader.get("", "nodes", "", name)
    if found is None:
        raise errors.missing("", "nodes", name)
    kubelet = kubelet_of(found)
    own = not port or port == str(kubelet.port)
    port, scheme = (str(kubelet.port), "https") if own else (port, scheme)
    return await _forward(scope, request, scheme, kubelet.host, port, node=name)


async def _forward(scope: Scope, request: Request, scheme: str, host: str, port: str, *, node: str = "") -> Answer:
    """The request to that address and the answer from there."""
    prefix, rest = _paths(request)
    query = urlencode([(k, v) for k, values in request.query.items() for v in values])
    suffix = f"?{query}" if query else ""
    upgrade = "upgrade" in request.headers.get("connection", "").lower()
    if not rest and not upgrade and request.method in ("GET", "HEAD"):
        return Answer(301, b"", "", {"Location": f"{request.path}/{suffix}"})
    number = int(port) if port.isdigit() else 443 if scheme == "https" else 80
    headers = connect.passed_on(request.headers)
    if not upgrade:
        headers = [(k, v) for k, v in headers if k not in ("connection", "upgrade")]
    netloc = f"{host}:{port}" if port else host
    asked = f"{node}:{port}" if node else request.headers.get("host", netloc)
    headers += [("Host", asked), ("X-Forwarded-Uri", prefix + rest)]
    try:
        streams = await _open(scope, host, number, scheme, bool(node))
        reply = await exchange(streams, request.method, (rest or "/") + suffix, headers, await request.read())
    except (Unreachable, Broken) as error:
        raise errors.unavailable(f"error trying to reach service: {error}") from None
    if reply.streams is not None:
        return connect.taken_over(scope, reply)
    return _answer(scope, reply, prefix, netloc)


def _paths(request: Request) -> tuple[str, str]:
    """The path up to `proxy`, and what comes after it."""
    before = request.path.find(f"/{request.info.name}/proxy")
    end = before + len(request.info.name) + len("//proxy")
    return request.path[:end], request.path[end:]


def _answer(scope: Scope, reply: Reply, prefix: str, netloc: str) -> Answer:
    headers = {k: v for k, v in reply.headers if k.lower() not in _NOT_COPIED}
    for key in [k for k in headers if k.lower() == "location"]:
        headers[key] = _relocated(headers[key], prefix, netloc)
    body = connect.while_open(scope.server.closing, reply.body)
    return Answer(reply.status, body, reply.header("content-type"), headers)


def _relocated(location: str, prefix: str, netloc: str) -> str:
    """Transport.rewriteURL: an absolute path of the same host lies below the proxy's path."""
    parts = urlsplit(location)
    if (parts.netloc and parts.netloc != netloc) or not parts.path.startswith("/") or parts.path.startswith(prefix):
        return location
    path = posixpath.normpath(prefix + parts.path) + ("/" if parts.path.endswith("/") else "")
    return urlunsplit(("", "", path, parts.query, parts.fragment))


async def _open(scope: Scope, host: str, port: int, scheme: str, node: bool) -> Streams:
    """A pod's address is reached through its kubelet, any other directly. Unreachable, ApiError."""
    reader = scope.server.reader
    owner = None if node else next(iter(await reader.select("", "pods", "status.podIP", host)), None)
    if owner is None:
        return await dial(host, port, tls=scheme == "https")
    meta = owner["metadata"]
    found = await reader.get("", "nodes", "", owner["spec"].get("nodeName", ""))
    if found is None:
        raise Unreachable(f"dial tcp {host}:{port}: connect: no route to host")
    return await dial_pod(kubelet_of(found), meta["namespace"], meta["name"], port, host)
