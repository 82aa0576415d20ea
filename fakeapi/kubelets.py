"""How the API server reaches kubelets.

Stands for pkg/kubelet/client (NodeConnectionInfoGetter) and the API server's proxy transport. A kubelet is found by its
Node's addresses and daemonEndpoints; as with kube-apiserver without --kubelet-certificate-authority, its certificate is
not verified. InternalDNS comes first: hollow nodes tell with it where their server really listens. How it reaches pods
is podports.py's.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from fakeapi import errors
from fakeapi.streaming.upgrade import Streams

if TYPE_CHECKING:
    from fakeapi.streaming.exchange import Headers, Reply

Obj = Mapping[str, Any]

PREFERRED = ("InternalDNS", "InternalIP", "Hostname", "ExternalDNS", "ExternalIP")
DEFAULT_PORT = 10250
DIAL_SECONDS = 10.0


class Unreachable(OSError):
    """Nobody answers there; the text is Go's."""


class Kubelet(Struct, frozen=True):
    """Where a node's kubelet listens. One listener may serve many nodes, so requests name theirs as the Host."""

    node: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def request(self, method: str, target: str, headers: Headers = (), body: bytes = b"") -> Reply:
        """One request. Unreachable, Broken."""
        from fakeapi.streaming.exchange import exchange  # here: an HTTP client that most clusters never need

        streams = await dial(self.host, self.port, tls=True)
        return await exchange(streams, method, target, [("Host", f"{self.node}:{self.port}"), *headers], body)


def kubelet_of(node: Obj) -> Kubelet:
    """The kubelet of a Node. ApiError 500 for one without addresses."""
    status = node.get("status") or {}
    addresses = status.get("addresses") or []
    for wanted in PREFERRED:
        for address in addresses:
            if address.get("type") == wanted and address.get("address"):
                port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
                return Kubelet(node["metadata"]["name"], address["address"], port or DEFAULT_PORT)
    known = " ".join(f"{{{a.get('type', '')} {a.get('address', '')}}}" for a in addresses)
    raise errors.plain_500(f"no preferred addresses found; known addresses: [{known}]")


@functools.cache
def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def dial(host: str, port: int, *, tls: bool) -> Streams:
    """Open a connection. Unreachable."""
    where = f"dial tcp {host}:{port}"
    try:
        opening = asyncio.open_connection(host, port, ssl=_tls() if tls else None)
        return await asyncio.wait_for(opening, DIAL_SECONDS)
    except TimeoutError:
        raise Unreachable(f"{where}: i/o timeout") from None
    except ConnectionRefusedError:
        raise Unreachable(f"{where}: connect: connection refused") from None
    except OSError as error:
        raise Unreachable(f"{where}: {error.strerror or error}") from None
