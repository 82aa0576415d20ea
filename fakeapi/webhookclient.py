"""Calling a webhook: a JSON body POSTed over TLS to a URL or a Service, the JSON answer, and Go's words for what
failed.

Stands for apiserver's pkg/util/webhook and client-go's REST client as far as webhooks use them. A Service is dialled at
its endpoints (an ExternalName at that name), under the name `<service>.<namespace>.svc`; Pods are reached through their
kubelets, since nothing here leads to a Pod's address. Leaves out proxies and pooled
connections: each call is a connection of its own.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import orjson
from msgspec import Struct

from fakeapi import errors
from fakeapi.gofmt import go_quote
from fakeapi.kubelets import Kubelet, Unreachable, kubelet_of
from fakeapi.relay import relayed

if TYPE_CHECKING:
    from fakeapi.admission.base import Reader

Obj = dict[str, Any]
PORT = 443
_MAX_ANSWER = 10 * 1024 * 1024


class WebhookError(Exception):
    """The call did not work; str() is what Go's client says."""


class Target(Struct, frozen=True):
    """Where a webhook is: the URL that is told, the name its certificate is for, and the address to dial if another."""

    url: str
    host: str
    dial: tuple[str, int] | None = None
    pod: tuple[Kubelet, str, str] | None = None  # whose address it is: kubelet, namespace, name


async def target_of(client_config: Obj, reader: Reader) -> Target:
    """The target of a WebhookClientConfig. WebhookError: the Service leads nowhere."""
    service = client_config.get("service")
    if service is None:
        url = client_config.get("url") or ""
        host = url.partition("://")[2].partition("/")[0]
        return Target(url, host.rpartition(":")[0] or host)
    name, namespace, port = service.get("name", ""), service.get("namespace", ""), service.get("port") or PORT
    host = f"{name}.{namespace}.svc"
    path = service.get("path") or "/"
    url = f"https://{host}:{port}{path if path.startswith('/') else '/' + path}"
    found = await reader.get("", "services", namespace, name)
    if found is None:
        raise WebhookError(f"service {go_quote(name)} not found")
    dial, pod = await _address(found, port, reader)
    return Target(url, host, dial, await _pod(pod, reader))


async def _pod(ref: Obj, reader: Reader) -> tuple[Kubelet, str, str] | None:
    """The kubelet of an endpoint's Pod, and the Pod; None for other endpoints."""
    if ref.get("kind") != "Pod":
        return None
    namespace, name = ref.get("namespace", ""), ref.get("name", "")
    pod = await reader.get("", "pods", namespace, name)
    node = await reader.get("", "nodes", "", ((pod or {}).get("spec") or {}).get("nodeName", "")) if pod else None
    return (kubelet_of(node), namespace, name) if node is not None else None


async def _address(service: Obj, port: int, reader: Reader) -> tuple[tuple[str, int], Obj]:
    """Address and port, and what is there."""
    spec, name = service.get("spec") or {}, service["metadata"]["name"]
    if spec.get("type") == "ExternalName":
        return (spec.get("externalName", ""), port), {}
    wanted = next((p for p in spec.get("ports") or () if p.get("port") == port), None)
    if wanted is None:
        raise WebhookError(f"no service port {port} found for service {go_quote(name)}")
    endpoints = await reader.get("", "endpoints", service["metadata"]["namespace"], name)
    for subset in (endpoints or {}).get("subsets") or ():
        ports = [p["port"] for p in subset.get("ports") or () if p.get("name", "") == wanted.get("name", "")]
        for address in subset.get("addresses") or ():
            if ports:
                return (address["ip"], ports[0]), address.get("targetRef") or {}
    raise WebhookError(f"no endpoints available for service {go_quote(name)}")


async def post(client_config: Obj, body: Obj, seconds: int, reader: Reader) -> Obj:
    """The decoded answer of the webhook. WebhookError."""
    target = await target_of(client_config, reader)
    told = f"{target.url}{'&' if '?' in target.url else '?'}timeout={seconds}s"
    status, answer = await _send(target, told, orjson.dumps(body), client_config.get("caBundle"), seconds)
    if status not in (200, 201, 202):
        raise WebhookError(_refused(status, answer))
    try:
        decoded = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise WebhookError(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(decoded, dict):
        raise WebhookError("couldn't get version/kind; json parse error: json: cannot unmarshal into Go value")
    return decoded


async def _send(target: Target, url: str, body: bytes, bundle: str | None, seconds: int) -> tuple[int, bytes]:
    import aiohttp

    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "kube-apiserver-admission",
    }
    host = url.split("://", 1)[1].split("/", 1)[0]
    try:
        timeout = aiohttp.ClientTimeout(total=seconds)
        connector = aiohttp.TCPConnector(ssl=_tls(bundle), force_close=True)
        async with (
            _dialled(target) as place,
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.post(
                url.replace(host, place or host, 1),
                data=body,
                headers={**headers, "Host": host},
                server_hostname=target.host,
            ) as answer,
        ):
            return answer.status, await answer.content.read(_MAX_ANSWER)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, Unreachable) as error:
        raise WebhookError(f"Post {go_quote(url)}: {go_text(error)}") from None


@contextlib.asynccontextmanager
async def _dialled(target: Target) -> AsyncIterator[str]:
    """Host and port to dial, "" for the URL's own. Unreachable."""
    if target.dial is None:
        yield ""
        return
    address, port = target.dial
    if target.pod is None:
        yield f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        return
    from fakeapi.podports import dial_pod  # here: a WebSocket client that most clusters never need

    kubelet, namespace, name = target.pod
    async with relayed(lambda: dial_pod(kubelet, namespace, name, port, address)) as local:
        yield f"127.0.0.1:{local}"


def _tls(bundle: str | None) -> ssl.SSLContext:
    """Trust in the bundle (base64 PEM) alone, or in the system's roots where there is none. ValueError."""
    if not bundle:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=base64.b64decode(bundle).decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ValueError("unable to load root certificates: unable to parse bytes as PEM block") from error


def go_text(error: BaseException) -> str:
    """How Go would tell a failed connection."""
    import aiohttp

    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: x509: {_certificate_text(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"tls: {error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        address = f"[{error.host}]:{error.port}" if ":" in error.host else f"{error.host}:{error.port}"
        number = error.os_error.errno or 0
        what = "i/o timeout" if number == errno.ETIMEDOUT else f"connect: {os.strerror(number).lower()}"
        return f"dial tcp {address}: {what}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error)


def _certificate_text(error: BaseException) -> str:
    text = str(error)
    for part, told in (
        ("Hostname mismatch", "certificate is not valid for the name that was dialled"),
        ("IP address mismatch", "cannot validate certificate because it doesn't contain any IP SANs"),
        ("expired", "certificate has expired or is not yet valid"),
    ):
        if part in text:
            return told
    return "certificate signed by unknown authority"


def _refused(status: int, answer: bytes) -> str:
    """client-go's words for an answer that is no success."""
    try:
        found = orjson.loads(answer)
        if isinstance(found, dict) and found.get("kind") == "Status" and found.get("message"):
            return str(found["message"])
    except orjson.JSONDecodeError:
        pass
    text = answer[:2048].decode("utf-8", "replace").strip()
    if status == 404:
        return str(errors.page_not_found())
    if status >= 500:
        return (
            f"an error on the server ({go_quote(text) if text else 'unknown'}) has prevented the request from"
            " succeeding"
        )
    return _CLIENT_ERRORS.get(
        status, f"the server responded with the status code {status} but did not return more information"
    )


_CLIENT_ERRORS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: 'forbidden: User "" cannot post path ""',
    405: "the server does not allow this method on the requested resource",
    415: "the body of the request was in an unknown format - accepted media types include: ",
    429: "the server has received too many requests and has asked us to try again later",
}
