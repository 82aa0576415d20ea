"""Requests that are no requests: nothing may crash the server, hang it or leak a traceback."""

from __future__ import annotations

import logging
import random
import select
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from fakeapi import gojson
from fakeapi.cluster import Cluster
from tests.fakeapi.garbage import TEXTS
from tests.fakeapi.inprocess import ADMIN, InProcess, in_process

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 10)) for n in range(12)
)
HEAD = b'{"metadata":{"name":"garbage","annotations":{"a":'

# A slow machine's seconds are not these; whoever waits for a handshake that does not come waits for a minute.
HANGS = 30

BODIES: list[tuple[str, str, bytes, int]] = [
    ("empty", JSON, b"", 400),
    ("nested objects", JSON, HEAD + b'{"a":' * 100_000, 400),
    ("nested lists", JSON, b"[" * 100_000 + b"]" * 100_000, 400),
    ("nested lists in a field", JSON, HEAD + b"[" * 120 + b"]" * 120 + b"}}}", 400),
    ("nested lists in YAML", YAML, b"[" * 100_000, 400),
    ("indented lists in YAML", YAML, b"- " * 20_000, 400),
    ("an integer of 5,000 digits", JSON, HEAD + b"9" * 5000 + b"}}}", 400),
    ("a number beyond all", JSON, HEAD + b"1e999}}}", 400),
    ("an integer of 5,000 digits in YAML, a text", YAML, b"data: {a: " + b"9" * 5000 + b"}", 422),
    ("infinity in YAML", YAML, b"data: {a: .inf}", 400),
    ("a lone surrogate in a name", JSON, b'{"metadata":{"name":"\\ud800"}}', 422),
    ("a lone surrogate in a kind", JSON, b'{"kind":"\\ud800"}', 400),
    ("a lone surrogate in a field", JSON, b'{"\\ud800":1,"metadata":{"name":""}}', 422),
    ("invalid UTF-8", JSON, b'{"metadata":{"name":"\xff\xfe"}}', 422),
    ("a NUL in a name", JSON, b'{"metadata":{"name":"a\\u0000b"}}', 422),
    ("a NUL", JSON, b"\0", 400),
    ("digits of another script", JSON, '{"metadata":{"name":"a","generation":٣}}'.encode(), 400),
    ("an anchor that holds itself", YAML, b"a: &a [*a]", 400),
    ("a laughing billion", YAML, BOMB, 400),
    ("merge keys that double", YAML, BOMB.replace(b"[x,", b"[{x: y},").replace(b": &", b": {<<: &") + b"}" * 12, 400),
    ("tags of Python", YAML, b"a: !!python/object/apply:os.system [true]", 400),
    ("keys that are lists", YAML, b"? [a]\n: b", 400),
    ("protobuf that ends early", PROTOBUF, b"k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 400),
    ("protobuf of no kind", PROTOBUF, b"k8s\0" + b"\x12\x80" * 1000, 400),
]


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with in_process() as started:
        yield started


@pytest.mark.parametrize(("kind", "body", "status"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_bodies(server: InProcess, caplog: pytest.LogCaptureFixture, kind: str, body: bytes, status: int) -> None:
    start = time.monotonic()
    query = "?dryRun=All"
    answers = [ask(server, "POST", CONFIG_MAPS + query, kind, body)]
    answers += [ask(server, "PUT", f"{CONFIG_MAPS}/garbage{query}", kind, body)]
    answers += [
        ask(server, "PATCH", f"{CONFIG_MAPS}/garbage{query}&fieldManager=a", f"application/{patch}", body)
        for patch in ("apply-patch+yaml", "merge-patch+json", "json-patch+json", "strategic-merge-patch+json")
    ]
    answers += [ask(server, "DELETE", f"{CONFIG_MAPS}/garbage", kind, body)]
    assert answers[0].status == status, answers[0].body
    assert errors(caplog) == []
    assert time.monotonic() - start < HANGS


def ask(server: InProcess, method: str, path: str, kind: str, body: bytes = b"", **headers: str) -> Any:
    """A request with these bytes."""
    return server.run(lambda: server.server.call(method, path, {"content-type": kind, **headers}, body, ADMIN))


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the server did not expect."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


PARAMETERS = (
    *("limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector", "pretty"),
    *("timeoutSeconds", "dryRun", "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "includeObject"),
    *("fieldManager", "fieldValidation", "force", "sendInitialEvents", "container", "tailLines", "sinceTime", "x"),
)
ESCAPES = ("%", "%zz", "%00", "%ff", "%ED%A0%80", "%C2%B2", "+", "%0d%0aX-Evil:%201")


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_query_values(server: InProcess, caplog: pytest.LogCaptureFixture, parameter: str) -> None:
    ask(server, "POST", CONFIG_MAPS, JSON, b'{"metadata":{"name":"garbage"}}')
    for value in (*ESCAPES, *(quote(text.encode("utf-8", "replace")) for text in TEXTS)):
        for method, path in (
            ("GET", CONFIG_MAPS),
            ("GET", f"{CONFIG_MAPS}/x"),
            ("DELETE", f"{CONFIG_MAPS}/x"),
            ("POST", CONFIG_MAPS),
        ):
            ask(server, method, f"{path}?{parameter}={value}", JSON, b"{}")
        ask(server, "PATCH", f"{CONFIG_MAPS}/garbage?{parameter}={value}", "application/merge-patch+json", b"{}")
        ask(server, "GET", f"/api/v1/namespaces/default/pods/{value}/log?{parameter}={value}", JSON)
    assert errors(caplog) == []


@pytest.mark.parametrize(
    "header", ["accept", "content-type", "accept-encoding", "user-agent", "if-none-match", "x-forwarded-for"]
)
def test_header_values(server: InProcess, caplog: pytest.LogCaptureFixture, header: str) -> None:
    for value in (
        *TEXTS,
        ";;;",
        "*/*;q=x",
        "a/b;q=²",
        "application/json;as=",
        "application/json;as=Table;v=²;g=",
        ",,,",
        "a" * 70_000,
    ):
        text = value.encode("utf-8", "replace").decode("latin-1")
        for method, path in (("GET", CONFIG_MAPS), ("POST", CONFIG_MAPS), ("GET", "/openapi/v2"), ("GET", "/apis")):
            ask(server, method, path, **{"kind": JSON, "body": b"{}", header: text})
    assert errors(caplog) == []


def test_paths(server: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(1)
    parts = [
        "api",
        "apis",
        "v1",
        "apps",
        "namespaces",
        "default",
        "pods",
        "a",
        "status",
        "proxy",
        "watch",
        "",
        "..",
        *ESCAPES,
    ]
    parts += [quote(text.encode("utf-8", "replace"), safe="") for text in TEXTS]
    for _ in range(2000):
        path = "/" + "/".join(rng.choices(parts, k=rng.randint(0, 8)))
        ask(
            server,
            rng.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW", ""]),
            path,
            JSON,
            b"{}",
        )
    assert errors(caplog) == []


@pytest.mark.parametrize("depth", [gojson.MAX_DEPTH - 8, gojson.MAX_DEPTH, gojson.MAX_DEPTH + 1])
def test_free_form_objects_as_deep_as_can_be(server: InProcess, caplog: pytest.LogCaptureFixture, depth: int) -> None:
    """A CRD's schema nests, and so may its objects; one level too many is an answer, not an exception."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "deeps", "kind": "Deep", "singular": "deep", "listKind": "DeepList"}
    spec = {"group": "example.com", "names": names, "scope": "Cluster", "versions": [version]}
    server.ask("POST", DEFINITIONS, {"metadata": {"name": "deeps.example.com"}, "spec": spec})
    value = b'{"a":' * (depth - 1) + b"1" + b"}" * (depth - 1)  # inside of the object itself
    body = b'{"apiVersion":"example.com/v1","kind":"Deep","metadata":{"name":"%d"},"spec":%s}' % (depth, value)
    path = "/apis/example.com/v1/deeps"
    status = ask(server, "POST", path, JSON, body).status
    assert status == (201 if depth <= gojson.MAX_DEPTH else 400)
    for patch in ("merge-patch+json", "apply-patch+yaml?fieldManager=a&force=true"):
        media, _, query = patch.partition("?")
        changed = ask(server, "PATCH", f"{path}/{depth}?{query}", f"application/{media}", body)
        assert changed.status in ((200,) if depth <= gojson.MAX_DEPTH else (400, 404))
    operations = (
        b'[{"op":"copy","from":"/spec","path":"/spec/a/a/a/b"},{"op":"copy","from":"/spec","path":"/spec/a/a/a/b/c"}]'
    )
    assert ask(server, "PATCH", f"{path}/{depth}", "application/json-patch+json", operations).status in (404, 422)
    ask(server, "DELETE", f"{path}/{depth}", JSON)
    assert errors(caplog) == []


def test_copies_do_not_multiply_without_end(server: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    ask(server, "POST", CONFIG_MAPS, JSON, b'{"metadata":{"name":"copied"},"data":{"a":"b"}}')
    doubling = b",".join(b'{"op":"copy","from":"/data","path":"/data/x%d"}' % n for n in range(60))
    answer = ask(server, "PATCH", f"{CONFIG_MAPS}/copied", "application/json-patch+json", b"[%s]" % doubling)
    assert answer.status == 422
    assert errors(caplog) == []


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(nodes=0) as running:
        yield running


LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
GET, POST = (b"%s /api HTTP/1.1\r\nHost: x\r\n" % method for method in (b"GET", b"POST"))
REQUESTS: dict[str, bytes] = {
    "no request": b"\x16\x03\x01\x00\xff" * 20,
    "zeros": b"\0" * 2000,
    "half a request line": b"GET /api",
    "half the headers": GET + b"Acc",
    "half a body": b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    "a giant header": GET + b"X-Much: " + b"a" * 2_000_000 + b"\r\n\r\n",
    "many headers": GET + b"" + b"X: y\r\n" * 50_000 + b"\r\n",
    "a giant path": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a chunk of no size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk of negative size": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "a chunk of giant size": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n{}",
    "a negative length": POST + b"Content-Length: -5\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another protocol": b"GET /api HTTP/9.9\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET /api HTTP/1.1\r\n\r\n",
    "an upgrade to nothing": GET + b"Connection: Upgrade\r\nUpgrade: \xff\r\n\r\n",
    "odd bytes in headers": GET + b"Authorization: Bearer \xff\xfe\x01\r\nAccept: \xff\r\n\r\n",
    "odd escapes": b"GET /api/%00/%ff/%/%zz?%00=%ff&%&=%ED%A0%80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw bytes in the path": b"GET /api/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a whole URL": b"GET http://evil.example/api HTTP/1.1\r\nHost: x\r\n\r\n",
    "pipelined": (GET + b"\r\n") * 200,
}


@pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS)
def test_raw_bytes(cluster: Cluster, caplog: pytest.LogCaptureFixture, data: bytes) -> None:
    """Sent, read to the end: an answer or none, and the next client is served."""
    answer = exchange(cluster, data)
    assert b"Traceback" not in answer
    assert b'File "' not in answer
    assert answer == b"" or answer.startswith(b"HTTP/1.1 "), answer[:200]
    assert exchange(cluster, LIVEZ, HANGS).endswith(b"ok")
    assert errors(caplog) == []


def exchange(cluster: Cluster, data: bytes, seconds: float = 0.3) -> bytes:
    """What the server answers, each part within so many seconds. One thread: OpenSSL's connections bear no two."""
    port = int(cluster.url.rpartition(":")[2])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    parts: list[bytes] = []
    with (
        socket.create_connection(("127.0.0.1", port), HANGS) as bare,
        context.wrap_socket(bare) as connection,
    ):
        connection.setblocking(False)
        unsent = memoryview(data)
        while not parts or (b"ok" not in parts[-1][-2:] and len(parts) <= 1000):
            try:
                unsent = unsent[connection.send(unsent) :] if unsent else unsent
            except ssl.SSLWantWriteError:
                pass
            except OSError:  # the server has heard enough, and may still say why
                unsent = memoryview(b"")
            try:
                part = connection.recv(65536)
            except ssl.SSLWantReadError:
                if not any(select.select([connection], [connection] if unsent else [], [], seconds)):
                    break
            except OSError:
                break
            else:
                if not part:
                    break
                parts.append(part)
    return b"".join(parts)


def test_connections_that_say_nothing_keep_nobody_waiting(cluster: Cluster) -> None:
    port = int(cluster.url.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    try:
        for connection in silent[::2]:
            connection.sendall(b"\x16\x03\x01")
        start = time.monotonic()
        assert exchange(cluster, LIVEZ, HANGS).endswith(b"ok")
        assert time.monotonic() - start < HANGS
    finally:
        for connection in silent:
            connection.close()
