"""pods/log, pods/exec, pods/attach, pods/portforward: what is checked here before the pod's kubelet answers.

Stands for pkg/registry/core/pod (LogLocation, streamLocation), pod/rest (LogREST, ExecREST, ...), apiserver's
endpoints/handlers/rest.go (ConnectResource) and the proxy of upgrades (apimachinery's UpgradeAwareHandler): connections
go through to the kubelet as they are, which speaks WebSockets and SPDY itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fakeapi import errors
from fakeapi.admission.base import CONNECT
from fakeapi.errors import FieldError
from fakeapi.gofmt import go_quote
from fakeapi.handlers.create import admission_attributes
from fakeapi.handlers.scope import Scope, loads
from fakeapi.kubelets import Kubelet, Unreachable, kubelet_of
from fakeapi.patterns import lazy
from fakeapi.request import Answer, Query, Request
from fakeapi.schema import gotext
from fakeapi.streaming.exchange import Broken, Reply
from fakeapi.streaming.handshake import is_websocket
from fakeapi.streaming.race import until_one_ends
from fakeapi.streaming.upgrade import Streams, pipe

Obj = dict[str, Any]

_INTEGER = lazy(r"[+-]?[0-9]+")
_HOP_BY_HOP = frozenset(("host", "content-length", "transfer-encoding", "authorization", "keep-alive", "te", "trailer"))


# -- options -----------------------------------------------------------------------------------------------------------


def _integer(bits: int) -> Callable[[Sequence[str]], int]:
    def read(values: Sequence[str]) -> int:
        text = values[0]
        if not _INTEGER.fullmatch(text):
            raise ValueError(f"strconv.ParseInt: parsing {go_quote(text)}: invalid syntax")
        if len(text) > 99 or not -(1 << (bits - 1)) <= int(text) < 1 << (bits - 1):
            raise ValueError(f"strconv.ParseInt: parsing {go_quote(text)}: value out of range")
        return int(text)

    return read


def _boolean(values: Sequence[str]) -> bool:
    return values[0].lower() not in ("false", "0")


def _text(values: Sequence[str]) -> str:
    return values[0]


def _moment(values: Sequence[str]) -> str | None:
    return gotext.time(values[0]) if values[0] not in ("", "null") else None


def _ports(values: Sequence[str]) -> list[int]:
    return [_integer(32)([value]) for value in values]


_STREAMS = (("stdin", _boolean), ("stdout", _boolean), ("stderr", _boolean), ("tty", _boolean), ("container", _text))
# subresource -> (kind of its options, (parameter, conversion) in the order in which Go's conversion meets them)
OPTIONS: dict[str, tuple[str, tuple[tuple[str, Callable[[Sequence[str]], Any]], ...]]] = {
    "log": ("PodLogOptions", (
        ("container", _text), ("follow", _boolean), ("previous", _boolean), ("sinceSeconds", _integer(64)),
        ("sinceTime", _moment), ("timestamps", _boolean), ("tailLines", _integer(64)), ("limitBytes", _integer(64)),
        ("insecureSkipTLSVerifyBackend", _boolean), ("stream", _text),
    )),
    "exec": ("PodExecOptions", (*_STREAMS, ("command", list))),
    "attach": ("PodAttachOptions", _STREAMS),
    "portforward": ("PodPortForwardOptions", (("ports", _ports),)),
    "proxy": ("", (("path", _text),)),
}  # fmt: skip


def read_options(subresource: str, query: Query) -> Obj:
    """The options that a query holds, false and empty ones left out. ApiError 400."""
    found: Obj = {}
    for name, convert in OPTIONS[subresource][1]:
        values = query.get(name)
        if values is None:
            continue
        try:
            value = convert(values)
        except ValueError as error:
            raise errors.bad_request(str(error)) from None
        if value is not False and value is not None and value != "":
            found[name] = value
    return found


def check_log_options(options: Obj) -> list[FieldError]:
    """ValidatePodLogOptions. stream belongs to a feature that is off."""
    found = []
    if options.get("tailLines", 0) < 0:
        found.append(errors.invalid("tailLines", options["tailLines"], "must be greater than or equal to 0"))
    if options.get("limitBytes", 1) < 1:
        found.append(errors.invalid("limitBytes", options["limitBytes"], "must be greater than 0"))
    if "sinceSeconds" in options and "sinceTime" in options:
        found.append(errors.forbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif options.get("sinceSeconds", 1) < 1:
        found.append(errors.invalid("sinceSeconds", options["sinceSeconds"], "must be greater than 0"))
    if "stream" in options:
        found.append(errors.forbidden("stream", "may not be specified"))
    return found


def choose_container(pod: Obj, wanted: str) -> str:
    """validateContainer: the one that is asked for, or the only one. ApiError 400."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    names = [c["name"] for key in ("initContainers", "containers", "ephemeralContainers") for c in spec.get(key) or ()]
    if wanted:
        if wanted not in names:
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(spec.get("containers") or ()) == 1:
        only: str = spec["containers"][0]["name"]
        return only
    choice = f", choose one of: [{' '.join(names)}]" if names else ""
    raise errors.bad_request(f"a container name must be specified for pod {name}{choice}")


# -- handlers ----------------------------------------------------------------------------------------------------------


async def log(scope: Scope, request: Request) -> Answer:
    """What a container has written, perhaps as it writes it. ApiError 4xx, 500."""
    options = read_options("log", request.query)
    found = check_log_options(options)
    name = request.info.name
    if found:
        raise errors.invalid_object("", "PodLogOptions", name, found)
    pod = await pod_of(scope, request.info.namespace, name)
    container = choose_container(pod, options.pop("container", ""))
    if not pod["spec"].get("nodeName"):
        return Answer(204, b"", "")
    kubelet = await _kubelet(scope, pod)
    options.pop("insecureSkipTLSVerifyBackend", None)
    query = urlencode({k: "true" if v is True else v for k, v in options.items()})
    target = f"/containerLogs/{pod['metadata']['namespace']}/{name}/{container}" + (f"?{query}" if query else "")
    try:
        reply = await kubelet.request("GET", target)
    except (Unreachable, Broken) as error:
        raise errors.plain_500(f'Get "https://{kubelet.netloc}{target}": {error}') from None
    if not 200 <= reply.status <= 206:
        raise _refusal(reply.status, await reply.text(), name)
    return Answer(200, while_open(scope.server.closing, reply.body), "text/plain")


def _refusal(status: int, text: str, name: str) -> errors.ApiError:
    """GenericHttpResponseChecker: a kubelet's error as the client reads it."""
    if status == 500:
        return errors.internal_error(text)
    if status == 400:
        return errors.bad_request(text)
    causes = [{"reason": "UnexpectedServerResponse", "message": text}]
    details = errors.details(name, "", "pods/log", causes=causes)
    what = "could not find the requested resource"
    if status != 404:
        what = f"responded with the status code {status} but did not return more information"
    reason = "NotFound" if status == 404 else ""
    return errors.generic(status, reason, f"the server {what} (get pods/log {name})", details)


async def exec_(scope: Scope, request: Request) -> Answer:
    """A command in a container. ApiError 4xx, 500."""
    return await _in_container(scope, request, "exec")


async def attach(scope: Scope, request: Request) -> Answer:
    """A container's own streams. ApiError 4xx, 500."""
    return await _in_container(scope, request, "attach")


async def port_forward(scope: Scope, request: Request) -> Answer:
    """Connections to a pod's ports. ApiError 4xx, 500."""
    await _may_create(scope, request)
    options = await connecting(scope, request, "portforward")
    pod = await pod_of(scope, request.info.namespace, request.info.name)
    kubelet = await _kubelet(scope, _assigned(pod))
    ports = ",".join(map(str, options.get("ports", ())))
    path = f"/portForward/{request.info.namespace}/{request.info.name}"
    return await tunnel(scope, request, kubelet, path + (f"?{urlencode({'port': ports})}" if ports else ""))


async def _in_container(scope: Scope, request: Request, what: str) -> Answer:
    await _may_create(scope, request)
    options = await connecting(scope, request, what)
    pod = await pod_of(scope, request.info.namespace, request.info.name)
    container = choose_container(pod, options.pop("container", ""))
    kubelet = await _kubelet(scope, _assigned(pod))
    meta = pod["metadata"]
    parameters = [(k, "1") for k in ("stdin", "stdout", "stderr", "tty") if options.get(k)]
    parameters += [("command", word) for word in options.get("command", ())]
    path = f"/{what}/{meta['namespace']}/{meta['name']}/{container}"
    return await tunnel(scope, request, kubelet, f"{path}?{urlencode(parameters)}")


async def _may_create(scope: Scope, request: Request) -> None:
    """A WebSocket begins with a GET, but needs the right to create as a POST would.

    That is upstream's AuthorizePodWebsocketUpgradeCreatePermission. ApiError 403."""
    if request.method == "GET" and is_websocket(request.headers):
        await scope.server.authorizer.check_create(request)


async def connecting(scope: Scope, request: Request, what: str, kind: str = "") -> Obj:
    """The options, after admission has seen them. ApiError 4xx."""
    options = read_options(what, request.query)
    obj = {"kind": kind or OPTIONS[what][0], "apiVersion": "v1", **options}
    attributes = admission_attributes(scope, request, scope.context(request), CONNECT, obj, None)
    attributes.kind = obj["kind"]
    attributes.name = request.info.name
    attributes.options = {}
    await scope.server.admission.admit(attributes)
    await scope.server.admission.validate(attributes)
    return options


async def pod_of(scope: Scope, namespace: str, name: str) -> Obj:
    """The Pod. ApiError 404."""
    pods = await scope.server.registry_of("", "pods")
    found: Obj = loads((await pods.current(namespace, name)).value)
    return found


def _assigned(pod: Obj) -> Obj:
    if not pod["spec"].get("nodeName"):
        raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    return pod


async def _kubelet(scope: Scope, pod: Obj) -> Kubelet:
    """The pod's kubelet. A Node that is not there is told of as if it were a pod (upstream too). ApiError."""
    name = pod["spec"]["nodeName"]
    node = await scope.server.reader.get("", "nodes", "", name)
    if node is None:
        raise errors.missing("", "pods", name)
    return kubelet_of(node)


# -- upgrades ----------------------------------------------------------------------------------------------------------


def passed_on(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The request's headers that the backend is shown too; credentials stay here."""
    return [(k, v) for k, v in headers.items() if k not in _HOP_BY_HOP and not k.startswith("impersonate-")]


async def tunnel(scope: Scope, request: Request, kubelet: Kubelet, target: str) -> Answer:
    """Hand the connection on to the kubelet. ApiError 400 for a request that asks for no upgrade, 500."""
    if "upgrade" not in request.headers.get("connection", "").lower():
        raise errors.bad_request("Upgrade request required")
    try:
        reply = await kubelet.request(request.method, target, passed_on(request.headers))
    except (Unreachable, Broken) as error:
        raise errors.plain_500(f"error dialing backend: {error}") from None
    return taken_over(scope, reply)


def taken_over(scope: Scope, reply: Reply) -> Answer:
    """The backend's answer: a connection to carry on, or what it says instead."""
    if reply.streams is None:
        return Answer(reply.status, reply.body, reply.header("content-type"))
    backend = reply.streams

    async def carry(client: Streams) -> None:
        head = ["HTTP/1.1 101 Switching Protocols", *(f"{k}: {v}" for k, v in reply.headers)]
        client[1].write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
        await until_one_ends(scope.server.closing.wait(), pipe(client, backend))

    return Answer(101, take_over=carry)


async def while_open(closing: asyncio.Event, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body as far as it comes while the server lives."""
    over = asyncio.ensure_future(closing.wait())
    piece: asyncio.Future[bytes] | None = None
    try:
        while True:
            piece = asyncio.ensure_future(anext(body, b""))
            await asyncio.wait((piece, over), return_when=asyncio.FIRST_COMPLETED)
            if not piece.done() or not piece.result():
                return
            yield piece.result()
    finally:
        over.cancel()
        if piece is not None and not piece.done():
            piece.cancel()
            await asyncio.gather(piece, return_exceptions=True)
