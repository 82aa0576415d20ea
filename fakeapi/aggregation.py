"""Requests for group versions that an APIService hands to another server.

Stands for kube-aggregator's handler_proxy.go. The requester is told to that server in X-Remote headers. Leaves out what
discovery and OpenAPI would merge in from there (a client has to know the group), upgrades, and the proxy's client
certificate.
"""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fakeapi.request import Answer, Request, User
from fakeapi.webhookclient import Target, WebhookError, go_text, target_of

if TYPE_CHECKING:
    import aiohttp

    from fakeapi.app import ApiServer

GROUP, PLURAL = "apiregistration.k8s.io", "apiservices"
TEXT = "text/plain; charset=utf-8"
# What belongs to one connection, or is said anew on the other.
_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "authorization",
    ]
)


async def proxy(server: ApiServer, request: Request, group: str, version: str) -> Answer | None:
    """The other server's answer; None where no APIService names one. 503 while it is not available."""
    service = await server.reader.get(GROUP, PLURAL, "", f"{version}.{group}") if group else None
    if service is None or not service["spec"].get("service"):
        return None
    conditions = (service.get("status") or {}).get("conditions") or ()
    if not any(c["type"] == "Available" and c["status"] == "True" for c in conditions):
        return unavailable("service unavailable")
    try:
        target = await target_of({"service": {**service["spec"]["service"], "path": request.path}}, server.reader)
    except WebhookError as error:
        return unavailable(str(error))
    return await _forward(request, target, _tls(service["spec"]))


def unavailable(text: str) -> Answer:
    """503 as http.Error writes it."""
    return Answer(503, f"{text}\n".encode(), TEXT, {"X-Content-Type-Options": "nosniff"})


def _tls(spec: dict[str, Any]) -> ssl.SSLContext:
    if spec.get("insecureSkipTLSVerify"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    bundle = spec.get("caBundle")
    return ssl.create_default_context(cadata=b64decode(bundle).decode("ascii") if bundle else None)


def remote_headers(user: User) -> list[tuple[str, str]]:
    """Who asks, as an authenticating proxy tells it."""
    found = [("X-Remote-User", user.name), *(("X-Remote-Group", group) for group in user.groups)]
    if user.uid:
        found.append(("X-Remote-Uid", user.uid))
    return found + [(f"X-Remote-Extra-{key}", value) for key, values in user.extra.items() for value in values]


async def _forward(request: Request, target: Target, context: ssl.SSLContext) -> Answer:
    import aiohttp

    url = target.url
    host = url.split("://", 1)[1].split("/", 1)[0]
    if target.dial is not None:
        address, port = target.dial
        url = url.replace(host, f"[{address}]:{port}" if ":" in address else f"{address}:{port}", 1)
    if request.query:
        url += "?" + urlencode([(key, value) for key, values in request.query.items() for value in values])
    headers = [(k, v) for k, v in request.headers.items() if k not in _HOP and not k.startswith("x-remote-")]
    headers += [("Host", host), *remote_headers(request.user)]
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, force_close=True), timeout=aiohttp.ClientTimeout(total=None)
    )
    try:
        answer = await session.request(
            request.method, url, headers=headers, data=await request.read(), server_hostname=target.host
        )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        await session.close()
        return unavailable(f"error trying to reach service: {go_text(error)}")
    kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP | {"content-type", "content-encoding"}}
    return Answer(answer.status, _body(session, answer), answer.headers.get("Content-Type", ""), kept)


async def _body(session: aiohttp.ClientSession, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    finally:
        answer.close()
        await session.close()
