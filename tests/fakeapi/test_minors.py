"""Every minor from 1.25 to 1.37: its resources, a create of each kind, and fields that it does not know yet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from fakeapi.app import ApiServer
from fakeapi.clock import rfc3339
from fakeapi.config import Config
from fakeapi.poststart import Facts
from fakeapi.request import Answer, User
from fakeapi.resources.base import Resource
from fakeapi.schema.definitions import MINORS
from fakeapi.storage.memory import MemoryStorage
from tests import objects

ADMIN = User("admin", ("system:masters", "system:authenticated"))
Call = Callable[..., Awaitable[Answer]]


async def _body(answer: Answer) -> Any:
    raw = answer.body if isinstance(answer.body, bytes) else b"".join([part async for part in answer.body])
    return json.loads(raw)


def serve(minor: int, test: Callable[[ApiServer, Call], Awaitable[None]]) -> None:
    """Run a test against a fresh server of that minor."""

    async def run() -> None:
        server = ApiServer(Config(minor=minor, disable_admission=frozenset({"ServiceAccount"})), MemoryStorage())
        await server.start(Facts(now=rfc3339(0)))

        async def call(method: str, path: str, body: Any = None) -> Answer:
            data = json.dumps(body).encode() if body is not None else b""
            return await server.call(method, path, {"content-type": "application/json"}, data, ADMIN)

        try:
            await test(server, call)
        finally:
            await server.stop()

    asyncio.run(run())


def path_of(row: Resource, version: str) -> str:
    """The collection's path, in the namespace default."""
    head = f"/apis/{row.group}/{version}" if row.group else f"/api/{version}"
    return f"{head}/namespaces/default/{row.plural}" if row.namespaced else f"{head}/{row.plural}"


def creatable(server: ApiServer) -> Iterator[tuple[Resource, str]]:
    """Every row that stores objects, in each version served."""
    for row in server.table.rows():
        if "create" in row.verbs and not row.virtual:
            for version in row.served(server.config.minor):
                yield row, version


@pytest.mark.parametrize("minor", MINORS)
def test_every_kind_of_a_minor_can_be_created_read_and_deleted(minor: int) -> None:
    async def test(server: ApiServer, call: Call) -> None:
        for row, version in creatable(server):
            path, body = path_of(row, version), objects.make(row.group, version, row.kind)
            made = await call("POST", path, body)
            found = await _body(made)
            assert made.status == 201, (row.group, version, row.kind, found)
            assert (found["kind"], found["apiVersion"]) == (row.kind, body["apiVersion"])
            name = found["metadata"]["name"]
            assert (await call("GET", f"{path}/{name}")).status == 200
            listed = await _body(await call("GET", path))
            assert name in [item["metadata"]["name"] for item in listed["items"]]
            assert (await call("DELETE", f"{path}/{name}")).status == 200

    serve(minor, test)


@pytest.mark.parametrize("minor", MINORS)
def test_discovery_lists_what_the_minor_serves(minor: int) -> None:
    async def test(server: ApiServer, call: Call) -> None:
        listed = await _body(await call("GET", "/apis"))
        versions = ["v1"] + [v["groupVersion"] for group in listed["groups"] for v in group["versions"]]
        told = set()
        for version in versions:
            answer = await _body(await call("GET", f"/apis/{version}" if "/" in version else f"/api/{version}"))
            assert answer["groupVersion"] == version
            told |= {(version, r["name"]) for r in answer["resources"] if "/" not in r["name"]}
        rows = server.table.rows()
        served = {(f"{r.group}/{v}" if r.group else v, r.plural) for r in rows for v in r.served(minor)}
        assert told == served
        assert (await _body(await call("GET", "/version")))["gitVersion"].startswith(f"v1.{minor}.")

    serve(minor, test)


# The minor that brought a field, its group, version and kind, and the path to it with a value.
YOUNG = [
    (26, "", "v1", "Pod", {"spec": {"schedulingGates": [{"name": "example.com/a"}]}}),
    (28, "batch", "v1", "Job", {"spec": {"podReplacementPolicy": "Failed"}}),
    (29, "", "v1", "PersistentVolumeClaim", {"spec": {"volumeAttributesClassName": "a"}}),
    (30, "", "v1", "Service", {"spec": {"trafficDistribution": "PreferClose"}}),
    (31, "", "v1", "Pod", {"spec": {"securityContext": {"supplementalGroupsPolicy": "Merge"}}}),
    (32, "", "v1", "Pod", {"spec": {"resources": {"limits": {"cpu": "1"}}}}),
    (33, "autoscaling", "v2", "HorizontalPodAutoscaler", {"spec": {"behavior": {"scaleUp": {"tolerance": "100m"}}}}),
    (34, "", "v1", "Pod", {"spec": {"hostnameOverride": "a"}}),
]


def _merge(into: Any, more: Any) -> Any:
    if not isinstance(into, dict) or not isinstance(more, dict):
        return more
    return {**into, **{key: _merge(into.get(key), value) for key, value in more.items()}}


def _leaf(given: Any, path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The path down a dict of one key a level, to what is none."""
    if isinstance(given, dict) and len(given) == 1:
        ((key, below),) = given.items()
        return _leaf(below, (*path, key))
    return path


def _has(obj: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(obj, dict) or key not in obj:
            return False
        obj = obj[key]
    return True


@pytest.mark.parametrize(("minor", "group", "version", "kind", "field"), YOUNG)
@pytest.mark.parametrize("older", [1, 0])
def test_a_field_younger_than_the_minor_is_unknown(
    minor: int, group: str, version: str, kind: str, field: Any, older: int
) -> None:
    async def test(server: ApiServer, call: Call) -> None:
        row = server.table.by_kind(group, version, kind)
        assert row is not None
        body = _merge(objects.make(group, version, kind), field)
        answer = await call("POST", path_of(row, version), body)
        made = await _body(answer)
        assert answer.status == 201, made
        unknown = [text for text in answer.warnings if "unknown field" in text]
        assert bool(unknown) is bool(older), answer.warnings
        if older:
            assert not _has(made, _leaf(field))
        strict = await call("POST", path_of(row, version) + "?fieldValidation=Strict&dryRun=All", body)
        assert (strict.status == 400) is bool(older)

    serve(minor - older, test)


@pytest.mark.parametrize(
    ("minor", "path", "warning"),
    [
        (32, "/api/v1/namespaces/default/endpoints", ""),
        (
            33,
            "/api/v1/namespaces/default/endpoints",
            "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        ),
        (36, "/api/v1/componentstatuses", "v1 ComponentStatus is deprecated in v1.19+"),
        (
            25,
            "/apis/autoscaling/v2beta2/namespaces/default/horizontalpodautoscalers",
            "autoscaling/v2beta2 HorizontalPodAutoscaler is deprecated in v1.23+, unavailable in v1.26+; "
            "use autoscaling/v2 HorizontalPodAutoscaler",
        ),
        (
            30,
            "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas",
            "flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema is deprecated in v1.29+, unavailable in v1.32+; "
            "use flowcontrol.apiserver.k8s.io/v1 FlowSchema",
        ),
    ],
)
def test_requests_for_deprecated_versions_are_warned(minor: int, path: str, warning: str) -> None:
    async def test(server: ApiServer, call: Call) -> None:
        answer = await call("GET", path)
        assert (answer.status, answer.warnings) == (200, (f'299 - "{warning}"',) if warning else ())

    serve(minor, test)


def test_a_made_up_kind_takes_one_row() -> None:
    async def test(server: ApiServer, call: Call) -> None:
        server.table.add(Resource(group="toys.example.com", kind="Robot", plural="robots", short_names=("rb",)))
        path = "/apis/toys.example.com/v1/namespaces/default/robots"
        body = {"apiVersion": "toys.example.com/v1", "kind": "Robot", "metadata": {"name": "a"}, "spec": {"arms": 2}}
        made = await call("POST", path, body)
        assert (made.status, made.warnings) == (201, ())
        patched = await server.call(
            "PATCH",
            f"{path}/a?fieldManager=me",
            {"content-type": "application/apply-patch+yaml"},
            json.dumps({**body, "spec": {"legs": 4}}).encode(),
            ADMIN,
        )
        found = await _body(patched)
        assert found["spec"] == {"arms": 2, "legs": 4}
        assert {entry["operation"] for entry in found["metadata"]["managedFields"]} == {"Apply", "Update"}
        listed = await _body(await call("GET", path + "?labelSelector=!x"))
        assert (listed["kind"], len(listed["items"])) == ("RobotList", 1)
        group = await _body(await call("GET", "/apis/toys.example.com/v1"))
        assert [r["shortNames"] for r in group["resources"]] == [["rb"]]
        assert (await call("GET", "/openapi/v3/apis/toys.example.com/v1")).status == 200
        assert (await call("GET", "/openapi/v2")).status == 200
        table = await server.call("GET", path, {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}, b"", ADMIN)
        assert [column["name"] for column in (await _body(table))["columnDefinitions"]] == ["Name", "Created At"]
        assert (await call("DELETE", f"{path}/a")).status == 200

    serve(36, test)
