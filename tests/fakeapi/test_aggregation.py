"""An extension API server behind an APIService."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

from aiohttp import web

from kubeconfig import certificates
from tests.fakeapi.inprocess import in_process

SERVICES = "/api/v1/namespaces/default/services"
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def api_service(port: int) -> dict[str, Any]:
    service = {"name": "ext", "namespace": "default", "port": port}
    spec = {
        "group": "x.io",
        "version": "v1",
        "groupPriorityMinimum": 1,
        "versionPriority": 1,
        "insecureSkipTLSVerify": True,
    }
    return {"metadata": {"name": "v1.x.io"}, "spec": {**spec, "service": service}}


async def serve(directory: Path) -> tuple[web.AppRunner, int]:
    """A server that says who asked for what."""

    async def handle(request: web.Request) -> web.Response:
        found = {"user": request.headers.get("X-Remote-User"), "path": request.path_qs}
        return web.json_response(found, status=201 if request.method == "POST" else 200)

    certificates.ensure_pki(directory, ["localhost"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "apiserver.crt", directory / "apiserver.key")
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    return runner, runner.addresses[0][1]


def test_requests_are_passed_on_with_who_asks(tmp_path: Path) -> None:
    with in_process() as api:
        runner, port = api.run(lambda: serve(tmp_path))
        try:
            assert api.ask("POST", APISERVICES, api_service(port)).status == 201
            api.run(lambda: kept(api))
            assert api.run(lambda: call(api, "/apis/x.io/v1/things"))[:2] == (503, b"service unavailable\n")
            external = {"type": "ExternalName", "externalName": "127.0.0.1", "ports": [{"port": port}]}
            assert api.ask("POST", SERVICES, {"metadata": {"name": "ext"}, "spec": external}).status == 201
            api.run(lambda: kept(api))
            status, body = api.run(lambda: call(api, "/apis/x.io/v1/things?limit=5"))
            assert (status, body) == (200, b'{"user": "admin", "path": "/apis/x.io/v1/things?limit=5"}')
        finally:
            api.run(runner.cleanup)


async def kept(api: Any) -> None:
    """Return when the server's keepers have nothing left to do."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert all(keeper.drained for keeper in api.server.keepers)


async def call(api: Any, path: str) -> tuple[int, bytes]:
    """A GET whose answer may come in pieces."""
    from tests.fakeapi.inprocess import ADMIN

    answer = await api.server.call("GET", path, {}, b"", ADMIN)
    body = answer.body if isinstance(answer.body, bytes) else b"".join([chunk async for chunk in answer.body])
    return answer.status, body
