"""Other ways to a watch than ?watch=1 over a plain connection: the deprecated /watch/ paths and WebSockets."""

from __future__ import annotations

import asyncio
import socket
from base64 import urlsafe_b64encode

import orjson
import pytest

from fakeapi.authentication import Authenticator
from fakeapi.errors import ApiError
from fakeapi.request import Answer, Request, User, parse
from fakeapi.streaming.websocket import WebSocket
from tests.fakeapi.inprocess import ADMIN, in_process


@pytest.fixture(scope="module")
def api():
    with in_process() as server:
        yield server


def ask(api, path, method="GET", **headers):
    """The whole answer, a stream of events as a list of (type, name)."""

    async def go():
        answer = await api.server.call(method, path, {k.replace("_", "-"): v for k, v in headers.items()}, b"", ADMIN)
        if isinstance(answer.body, bytes):
            return answer.status, answer.body
        events = [orjson.loads(line) async for chunk in answer.body for line in chunk.splitlines()]
        return answer.status, [(event["type"], event["object"]["metadata"]["name"]) for event in events]

    return api.run(go)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/api/v1/watch/namespaces/default", [("ADDED", "default")]),
        ("/api/v1/watch/services", [("ADDED", "kubernetes")]),
        ("/api/v1/watch/namespaces/default/services", [("ADDED", "kubernetes")]),
        ("/api/v1/watch/namespaces/default/services/kubernetes", [("ADDED", "kubernetes")]),
        ("/api/v1/watch/namespaces/default/services/other", []),
        ("/apis/scheduling.k8s.io/v1/watch/priorityclasses/system-node-critical", [("ADDED", "system-node-critical")]),
        (
            "/api/v1/watch/namespaces/default/services/kubernetes?fieldSelector=metadata.name=kubernetes",
            [("ADDED", "kubernetes")],
        ),
    ],
)
def test_deprecated_paths_watch(api, path, found):
    path += ("&" if "?" in path else "?") + "timeoutSeconds=60&resourceVersion=0"
    # The initial events are all that is looked at: the stream is closed after them.
    assert initial(api, path, len(found)) == found


def initial(api, path, count):
    async def go():
        answer = await api.server.call("GET", path, {}, b"", ADMIN)
        assert answer.status == 200
        events = []
        while len(events) < count:
            events += [orjson.loads(line) for line in (await anext(answer.body)).splitlines()]
        await answer.body.aclose()
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]

    return api.run(go)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/api/v1/watch/services/kubernetes", 404, "the server could not find the requested resource"),
        ("GET", "/api/v1/watch/bindings", 404, "the server could not find the requested resource"),
        ("GET", "/api/v1/watch/namespaces/default/pods/a/status", 404, "could not find the requested resource"),
        ("GET", "/api/v1/proxy/namespaces/default/pods/a", 404, "the server could not find the requested resource"),
        ("POST", "/api/v1/watch/pods", 405, "the server does not allow this method on the requested resource"),
        (
            "GET",
            "/api/v1/watch/namespaces/default/services/a?fieldSelector=metadata.name=b",
            400,
            "fieldSelector metadata.name doesn't match requested name",
        ),
    ],
)
def test_other_paths_are_not_there(api, method, path, status, text):
    found, body = ask(api, path, method)
    assert (found, text in body.decode()) == (status, True), body


@pytest.mark.parametrize("path", ["/api/v1/watch", "/apis/apps/v1/watch/", "/api/v1/proxy"])
def test_a_path_without_a_resource_means_nothing(path):
    assert parse("GET", path, {}).error == f"unable to determine kind and namespace from url, {path}"


def test_a_path_that_means_nothing_is_refused_before_all_else():
    with in_process() as api:
        answer = api.ask_as_bearer("/api/v1/watch", "wrong")
    assert answer.status == 500
    assert answer.body == (
        'Internal Server Error: "/api/v1/watch": failed to create RequestInfo: unable to determine kind and namespace '
        "from url, /api/v1/watch\n"
    )


HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "origin": "http://localhost",
}


@pytest.mark.parametrize(
    ("change", "status", "body"),
    [
        ({"origin": ""}, 403, b""),
        ({"origin": "null"}, 403, b""),
        ({"sec-websocket-version": "12"}, 400, b"missing or bad WebSocket Version"),
        ({"sec-websocket-key": ""}, 400, b"mismatch challenge/response"),
        ({"sec-websocket-protocol": "a, b"}, 400, b""),
    ],
)
def test_handshakes_that_fail(api, change, status, body):
    assert ask(api, "/api/v1/services?watch=1", **HANDSHAKE | change) == (status, body)


async def _connected(answer: Answer):
    """The client's end of the connection that an answer takes over, the head it was sent, and the work behind it."""
    ours, theirs = socket.socketpair()
    client = await asyncio.open_connection(sock=ours)
    server = await asyncio.open_connection(sock=theirs)
    assert answer.take_over is not None
    work = asyncio.ensure_future(answer.take_over(server))
    head = await client[0].readuntil(b"\r\n\r\n")
    return client, head.decode(), work


def test_events_are_messages(api):
    async def go():
        headers = HANDSHAKE | {"sec-websocket-protocol": "chosen"}
        answer = await api.server.call("GET", "/api/v1/namespaces?watch=1", headers, b"", ADMIN)
        client, head, work = await _connected(answer)
        socket = WebSocket(client, client=True)
        found = [(orjson.loads(await socket.receive())["object"]["metadata"]["name"], socket.text) for _ in range(4)]
        await api.server.call("POST", "/api/v1/namespaces", {}, b'{"metadata":{"name":"later"}}', ADMIN)
        found.append((orjson.loads(await socket.receive())["object"]["metadata"]["name"], socket.text))
        socket.close()
        await work
        return head, found

    head, found = api.run(go)
    assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
    assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert "Sec-WebSocket-Protocol: chosen\r\n" in head
    names = ["default", "kube-node-lease", "kube-public", "kube-system", "later"]
    assert found == [(name, True) for name in names]


def test_a_server_that_ends_the_watch_closes_the_socket(api):
    async def go():
        path = "/api/v1/namespaces?watch=1&resourceVersion=1&timeoutSeconds=1"
        client, _, work = await _connected(await api.server.call("GET", path, HANDSHAKE, b"", ADMIN))
        socket = WebSocket(client, client=True)
        while await socket.receive() is not None:
            pass
        await work

    api.run(go)


def _protocols(*tokens, others=("v1",)):
    hidden = [
        f"base64url.bearer.authorization.k8s.io.{urlsafe_b64encode(t.encode()).decode().rstrip('=')}" for t in tokens
    ]
    return HANDSHAKE | {"sec-websocket-protocol": ", ".join((*hidden, *others))}


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        (_protocols("secret"), "bob"),
        (_protocols("wrong"), None),
        (_protocols("secret", "secret"), None),
        (_protocols("secret", others=()), None),
        (HANDSHAKE | {"sec-websocket-protocol": "base64url.bearer.authorization.k8s.io.!, v1"}, None),
        (HANDSHAKE, "system:anonymous"),
    ],
)
def test_tokens_among_subprotocols(headers, user):
    async def read():
        return b""

    request = Request("GET", "/", {}, headers, read, parse("GET", "/", {}))
    authenticator = Authenticator({"secret": User("bob")}, None, anonymous=True)
    if user is None:
        with pytest.raises(ApiError, match="Unauthorized"):
            asyncio.run(authenticator.authenticate(request))
    else:
        assert asyncio.run(authenticator.authenticate(request)).name == user
        assert request.headers.get("sec-websocket-protocol") == ("v1" if user == "bob" else None)
