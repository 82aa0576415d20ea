"""/metrics, /livez?verbose and compression, through the ASGI application."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from fakeapi.app import ApiServer
from fakeapi.clock import rfc3339
from fakeapi.config import Config
from fakeapi.poststart import Facts
from fakeapi.storage.memory import MemoryStorage


async def _server(objects: int = 0) -> ApiServer:
    server = ApiServer(Config(), MemoryStorage())
    await server.start(Facts(now=rfc3339(0)))
    for number in range(objects):
        body = {"metadata": {"name": f"c-{number:04}"}, "data": {"text": "x" * 1000}}
        await _ask(server, "POST", "/api/v1/namespaces/default/configmaps", body=json.dumps(body).encode())
    return server


async def _ask(
    server: ApiServer, method: str, path: str, query: str = "", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []
    finished = asyncio.Event()

    async def receive() -> Any:
        if not finished.is_set():
            finished.set()
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw}
    await server(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    ("objects", "path", "accepts", "packed"),
    [
        (300, "/api/v1/namespaces/default/configmaps", "gzip", True),
        (150, "/api/v1/namespaces/default/configmaps", "deflate, gzip;q=0.5", True),
        (300, "/api/v1/namespaces/default/configmaps", "", False),
        (10, "/api/v1/namespaces/default/configmaps", "gzip", False),
        (300, "/api/v1/namespaces/default/configmaps/c-0001", "gzip", False),
    ],
)
def test_large_answers_are_compressed_for_those_who_take_it(
    objects: int, path: str, accepts: str, packed: bool
) -> None:
    async def test() -> None:
        server = await _server(objects)
        status, headers, body = await _ask(server, "GET", path, accept_encoding=accepts)
        assert (status, headers.get("content-encoding")) == (200, "gzip" if packed else None)
        value = json.loads(gzip.decompress(body) if packed else body)
        assert len(value.get("items", [])) == (objects if "items" in value else 0)
        await server.stop()

    asyncio.run(test())


def test_metrics_count_requests_and_objects() -> None:
    async def test() -> None:
        server = await _server(3)
        await _ask(server, "GET", "/api/v1/namespaces/default/configmaps/none")
        status, headers, body = await _ask(server, "GET", "/metrics")
        assert (status, headers["content-type"].split(";")[0]) == (200, "text/plain")
        lines = body.decode().splitlines()
        labels = (
            'component="apiserver",dry_run="",group="",resource="configmaps",scope="{}",subresource="",version="v1"'
        )
        labels += ',verb="{}"'
        assert f'apiserver_request_total{{code="201",{labels.format("namespace", "POST")}}} 3' in lines
        assert f'apiserver_request_total{{code="404",{labels.format("resource", "GET")}}} 1' in lines
        assert f"apiserver_request_duration_seconds_count{{{labels.format('namespace', 'POST')}}} 3" in lines
        assert 'apiserver_storage_objects{resource="namespaces"} 4' in lines
        assert any(line.startswith("process_start_time_seconds ") for line in lines)
        await server.stop()

    asyncio.run(test())


@pytest.mark.parametrize(
    ("path", "query", "lines"),
    [
        ("/livez", "", ["ok"]),
        ("/livez", "verbose", ["[+]ping ok", "[+]etcd ok", "livez check passed"]),
        ("/readyz", "verbose&exclude=etcd", ["[+]etcd excluded: ok", "[+]informer-sync ok", "readyz check passed"]),
        (
            "/healthz",
            "verbose&exclude=x",
            ['warn: some health checks cannot be excluded: no matches for "x"', "healthz check passed"],
        ),
        ("/livez/ping", "", ["ok"]),
    ],
)
def test_health(path: str, query: str, lines: list[str]) -> None:
    async def test() -> None:
        server = await _server()
        status, _, body = await _ask(server, "GET", path, query)
        assert status == 200
        assert set(lines) <= set(body.decode().splitlines())
        await server.stop()

    asyncio.run(test())
