"""Webhooks: which requests they see, what they are asked, what their answers do. A real one listens on 127.0.0.1."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from fakeapi.admission.base import Attributes
from fakeapi.admission.matching import objects_match, rule_matches
from fakeapi.admission.webhooks import CallError, denial, verified
from fakeapi.request import User
from kubeconfig import certificates
from tests.fakeapi.inprocess import InProcess, Reply, in_process

GROUP = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
Answering = Callable[[dict[str, Any]], dict[str, Any]]


class Hook:
    """A webhook that answers as told and remembers what it was asked."""

    def __init__(self, port: int, bundle: str) -> None:
        self.port, self.bundle = port, bundle
        self.answers: dict[str, Answering] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        review = orjson.loads(await request.read())
        self.asked.append((request.path_qs, review["request"]))
        response = {"uid": review["request"]["uid"], **self.answers[request.path](review["request"])}
        return web.json_response({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response})


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with in_process() as made:
        yield made


@pytest.fixture(scope="module")
def listening(server: InProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hook]:
    folder: Path = tmp_path_factory.mktemp("pki")
    pki = certificates.ensure_pki(folder, ["127.0.0.1", "hook.default.svc"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
    hook = Hook(0, base64.b64encode(pki.ca.certificate).decode())
    app = web.Application()
    app.router.add_post("/{tail:.*}", hook.handle)
    runner = web.AppRunner(app)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        return int(runner.addresses[0][1])

    hook.port = server.run(start)
    yield hook
    server.run(runner.cleanup)
    server.run(lambda: asyncio.sleep(0))


@pytest.fixture
def hook(server: InProcess, listening: Hook) -> Iterator[Hook]:
    listening.asked.clear()
    yield listening
    for plural in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        server.ask("DELETE", f"{GROUP}/{plural}")
    server.ask("DELETE", MAPS)


def register(server: InProcess, hook: Hook, kind: str, *paths: str, **more: Any) -> None:
    rule = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    webhooks = [
        {
            "name": f"w{i}.example.com",
            "clientConfig": {"url": f"https://127.0.0.1:{hook.port}{path}", "caBundle": hook.bundle},
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }
        for i, path in enumerate(paths)
    ]
    answer = server.ask(
        "POST", f"{GROUP}/{kind}webhookconfigurations", {"metadata": {"name": kind}, "webhooks": webhooks}
    )
    assert answer.status == 201, answer.body


def create(server: InProcess, name: str = "c", query: str = "", **data: str) -> Reply:
    return server.ask("POST", MAPS + query, {"metadata": {"name": name}, "data": data})


def patching(*operations: dict[str, Any]) -> Answering:
    patch = base64.b64encode(orjson.dumps(operations)).decode()
    return lambda _: {"allowed": True, "patch": patch, "patchType": "JSONPatch"}


def test_what_a_webhook_is_asked(server: InProcess, hook: Hook) -> None:
    hook.answers["/ok"] = lambda _: {"allowed": True, "warnings": ["mind this"]}
    register(server, hook, "validating", "/ok", timeoutSeconds=3)
    made = create(server, a="1")
    assert (made.status, made.warnings) == (201, ('299 - "mind this"',))
    server.ask("PATCH", f"{MAPS}/c", {"data": {"a": "2"}})
    server.ask("DELETE", f"{MAPS}/c")
    (path, first), (_, second), (_, third) = hook.asked
    assert path == "/ok?timeout=3s"
    assert (first["operation"], first["name"], first["namespace"], first["oldObject"]) == (
        "CREATE",
        "c",
        "default",
        None,
    )
    assert first["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert first["userInfo"] == {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    assert (first["object"]["data"], first["dryRun"], first["options"]["kind"]) == ({"a": "1"}, False, "CreateOptions")
    assert (second["oldObject"]["data"], second["object"]["data"]) == ({"a": "1"}, {"a": "2"})
    assert (third["operation"], third["object"], third["oldObject"]["data"]) == ("DELETE", None, {"a": "2"})


def test_a_denial_is_the_webhook_s(server: InProcess, hook: Hook) -> None:
    hook.answers["/no"] = lambda _: {
        "allowed": False,
        "status": {"message": "not today", "code": 418, "reason": "Teapot"},
    }
    register(server, hook, "validating", "/no")
    refused = create(server)
    assert (refused.status, refused.message) == (
        418,
        'admission webhook "w0.example.com" denied the request: not today',
    )
    assert server.ask("GET", f"{MAPS}/c").status == 404


def test_patches_are_carried_out_in_order(server: InProcess, hook: Hook) -> None:
    hook.answers["/one"] = patching({"op": "add", "path": "/data/x", "value": "1"})
    hook.answers["/two"] = patching(
        {"op": "test", "path": "/data/x", "value": "1"}, {"op": "add", "path": "/data/y", "value": "2"}
    )
    register(server, hook, "mutating", "/one", "/two")
    assert create(server, a="0").body["data"] == {"a": "0", "x": "1", "y": "2"}
    assert len(hook.asked) == 2


def test_webhooks_that_may_be_run_again(server: InProcess, hook: Hook) -> None:
    def first(request: dict[str, Any]) -> dict[str, Any]:
        seen = ",".join(sorted(request["object"]["data"]))
        return patching({"op": "add", "path": "/data/seen", "value": seen})({})

    hook.answers["/first"], hook.answers["/second"] = first, patching({"op": "add", "path": "/data/late", "value": "1"})
    register(server, hook, "mutating", "/first", "/second", reinvocationPolicy="IfNeeded")
    assert create(server, a="0").body["data"]["seen"] == "a,late,seen"
    assert [path.partition("?")[0] for path, _ in hook.asked] == ["/first", "/second", "/first", "/second"]


@pytest.mark.parametrize(
    ("more", "query", "status", "told"),
    [
        (
            {},
            "",
            500,
            (
                'failed calling webhook "w0.example.com": failed to call webhook: Post'
                ' "https://127.0.0.1:9/?timeout=10s": dial tcp 127.0.0.1:9: connect: connection refused'
            ),
        ),
        ({"failurePolicy": "Ignore"}, "", 201, ""),
        ({"objectSelector": {"matchLabels": {"a": "b"}}}, "", 201, ""),
        ({"namespaceSelector": {"matchLabels": {"a": "b"}}}, "", 201, ""),
        (
            {"clientConfig": {"service": {"name": "s", "namespace": "default"}}},
            "",
            500,
            'failed calling webhook "w0.example.com": failed to call webhook: service "s" not found',
        ),
    ],
)
def test_webhooks_that_are_not_there(
    server: InProcess, hook: Hook, more: dict[str, Any], query: str, status: int, told: str
) -> None:
    register(server, hook, "validating", "/", **{"clientConfig": {"url": "https://127.0.0.1:9/"}, **more})
    answer = create(server, "c", query)
    assert (answer.status, answer.message) == (status, f"Internal error occurred: {told}" if told else "")


def test_strangers_certificates_are_not_trusted(server: InProcess, hook: Hook) -> None:
    register(server, hook, "validating", "/", clientConfig={"url": f"https://127.0.0.1:{hook.port}/"})
    assert create(server).message.endswith(
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    )


def test_a_service_is_dialled_at_its_endpoints(server: InProcess, hook: Hook) -> None:
    hook.answers["/here"] = lambda _: {"allowed": True}
    services, endpoints = "/api/v1/namespaces/default/services", "/api/v1/namespaces/default/endpoints"
    server.ask("POST", services, {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}})
    subset = {"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": hook.port}]}
    address = {"service": {"name": "hook", "namespace": "default", "path": "/here"}, "caBundle": hook.bundle}
    register(server, hook, "validating", "/", clientConfig=address)
    assert create(server).message.endswith('no endpoints available for service "hook"')
    # The API server's own rules against loopback addresses are not the subject here.
    body = {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {"name": "hook", "namespace": "default", "uid": "u"},
        "subsets": [subset],
    }
    server.run(lambda: server.server.storage.create("/registry/services/endpoints/default/hook", orjson.dumps(body)))
    assert create(server).status == 201
    server.ask("DELETE", f"{services}/hook")
    server.ask("DELETE", f"{endpoints}/hook")


def test_configurations_themselves_are_exempt(server: InProcess, hook: Hook) -> None:
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    register(server, hook, "validating", "/", clientConfig={"url": "https://127.0.0.1:9/"}, rules=[rule])
    assert create(server).status == 500
    assert server.ask("DELETE", f"{GROUP}/validatingwebhookconfigurations/validating").status == 200


def attributes(**more: Any) -> Attributes:
    usual: dict[str, Any] = {
        "operation": "CREATE", "group": "apps", "version": "v1", "resource": "deployments", "kind": "Deployment",
        "namespace": "ns", "name": "d", "subresource": "", "obj": {"metadata": {}}, "old": None, "user": User("u"),
    }  # fmt: skip
    return Attributes(**{**usual, **more})


RULE = {"operations": ["CREATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}


@pytest.mark.parametrize(
    ("rule", "request_", "matches"),
    [
        ({}, {}, True),
        ({"operations": ["UPDATE"]}, {}, False),
        ({"operations": ["*"]}, {"operation": "DELETE"}, True),
        ({"apiVersions": ["v2"]}, {}, False),
        ({"resources": ["*"]}, {}, True),
        ({"resources": ["*"]}, {"subresource": "scale"}, False),
        ({"resources": ["*/scale"]}, {"subresource": "scale"}, True),
        ({"resources": ["*/*"]}, {"subresource": "scale"}, True),
        ({"scope": "Cluster"}, {}, False),
        ({"scope": "Cluster"}, {"namespace": ""}, True),
        ({"scope": "Namespaced"}, {"namespace": ""}, False),
    ],
)
def test_rules(rule: dict[str, Any], request_: dict[str, Any], matches: bool) -> None:
    assert rule_matches({**RULE, **rule}, attributes(**request_)) is matches


def test_the_object_before_or_after_has_the_labels() -> None:
    selector = {"matchLabels": {"a": "b"}}
    labelled = {"metadata": {"labels": {"a": "b"}}}
    assert objects_match(selector, attributes(obj={"metadata": {}}, old=labelled))
    assert not objects_match(selector, attributes())


REVIEW = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}


@pytest.mark.parametrize(
    ("answer", "mutating", "told"),
    [
        ({}, False, "webhook response was absent"),
        ({**REVIEW, "response": {"uid": "other"}}, False, 'expected response.uid="u", got "other"'),
        (
            {"response": {"uid": "u"}},
            False,
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
        ),
        ({**REVIEW, "response": {"uid": "u", "patch": "x"}}, False, "validating webhook may not return response.patch"),
        (
            {**REVIEW, "response": {"uid": "u", "patch": "x"}},
            True,
            "webhook returned response.patch but not response.patchType",
        ),
        (
            {**REVIEW, "response": {"uid": "u", "patchType": "JSONPatch"}},
            True,
            "webhook returned response.patchType but not response.patch",
        ),
    ],
)
def test_answers_that_are_not_as_they_should_be(answer: dict[str, Any], mutating: bool, told: str) -> None:
    with pytest.raises(CallError) as error:
        verified(answer, "u", "v1", mutating=mutating)
    assert str(error.value) == f"received invalid webhook response: {told}"


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (None, 400, "without explanation"),
        ({"reason": "Because"}, 400, ": Because"),
        ({"message": "m", "reason": "r", "code": 200}, 400, ": m"),
        ({"message": "m", "code": 403}, 403, ": m"),
    ],
)
def test_denials(status: dict[str, Any] | None, code: int, told: str) -> None:
    error = denial("w", status)
    assert (error.code, str(error)) == (
        code,
        f'admission webhook "w" denied the request{told if told[0] == ":" else " " + told}',
    )
