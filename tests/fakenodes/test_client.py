from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fakenodes.client.base import APPLY_PATCH, MERGE_PATCH, Client, ClientError
from fakenodes.client.gvrs import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES
from fakenodes.client.http import impersonating, load_target
from fakenodes.discovery import discover
from tests.fakenodes.servers import clients

Body = Callable[[Client], Awaitable[None]]
both = pytest.mark.parametrize("kind", ["inprocess", "http"])


def run(kind: str, body: Body) -> None:
    async def main() -> None:
        async with clients(kind) as client:
            await asyncio.wait_for(body(client), 90)

    asyncio.run(main())


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"n": name}}, "data": data}


@both
def test_objects_from_creation_to_deletion(kind: str) -> None:
    async def body(client: Client) -> None:
        made = await client.create(CONFIG_MAPS, config_map("a", x="1"), "default")
        assert made["metadata"]["managedFields"][0]["manager"] == "tester"
        made["data"] = {"x": "2"}
        changed = await client.update(CONFIG_MAPS, made)
        with pytest.raises(ClientError) as stale:
            await client.update(CONFIG_MAPS, made)
        assert (stale.value.code, stale.value.reason) == (409, "Conflict")
        patched = await client.patch(CONFIG_MAPS, "a", {"data": {"y": "3"}}, "default", content_type=MERGE_PATCH)
        assert patched["data"] == {"x": "2", "y": "3"}
        applied = await client.patch(
            CONFIG_MAPS,
            "b",
            config_map("b", z="1"),
            "default",
            content_type=APPLY_PATCH,
            field_manager="me",
            force=True,
        )
        assert applied["metadata"]["managedFields"][0]["manager"] == "me"
        with pytest.raises(ClientError) as other:
            await client.delete(CONFIG_MAPS, "a", "default", uid="not-this-one")
        assert other.value.code == 409
        await client.delete(CONFIG_MAPS, "a", "default", uid=changed["metadata"]["uid"])
        with pytest.raises(ClientError) as gone:
            await client.get(CONFIG_MAPS, "a", "default")
        assert gone.value.reason == "NotFound"
        await client.delete_collection(CONFIG_MAPS, "default", label_selector="n=b")
        assert (await client.list(CONFIG_MAPS, "default")).items == []

    run(kind, body)


@both
def test_lists_come_in_pages_and_items_know_their_kind(kind: str) -> None:
    async def body(client: Client) -> None:
        for i in range(5):
            await client.create(CONFIG_MAPS, config_map(f"c{i}"), "default")
        names, token = [], ""
        while True:
            page = await client.list(CONFIG_MAPS, "default", limit=2, continue_=token)
            assert all(x["kind"] == "ConfigMap" and x["apiVersion"] == "v1" for x in page.items)
            names += [x["metadata"]["name"] for x in page.items]
            token = page.continue_
            if not token:
                break
        assert names == ["c0", "c1", "c2", "c3", "c4"]
        chosen = await client.list(CONFIG_MAPS, label_selector="n in (c1,c3)")
        assert [x["metadata"]["name"] for x in chosen.items] == ["c1", "c3"]

    run(kind, body)


@both
def test_a_watch_goes_on_from_a_version(kind: str) -> None:
    async def body(client: Client) -> None:
        start = (await client.list(CONFIG_MAPS, "default")).resource_version
        await client.create(CONFIG_MAPS, config_map("a", text="line\nbreak"), "default")
        await client.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, "default")
        await client.delete(CONFIG_MAPS, "a", "default")
        seen = []
        async for event in client.watch(CONFIG_MAPS, "default", resource_version=start, timeout_seconds=60):
            seen.append((event.type, event.object["data"]))
            assert event.raw.startswith(b"{")
            assert b'"kind":"ConfigMap"' in event.raw
            if event.type == "DELETED":
                break
        text = {"text": "line\nbreak"}
        assert seen == [("ADDED", text), ("MODIFIED", {**text, "x": "1"}), ("DELETED", {**text, "x": "1"})]

    run(kind, body)


@both
def test_subresources_and_other_paths(kind: str) -> None:
    async def body(client: Client) -> None:
        await client.create(NAMESPACES, {"metadata": {"name": "n"}})
        spec = {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }
        made = await client.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec}, "n")
        made["status"] = {"replicas": 7}
        assert (await client.update(DEPLOYMENTS, made, subresource="status"))["status"] == {"replicas": 7}
        scale = await client.get(DEPLOYMENTS, "d", "n", subresource="scale")
        assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
        assert (await client.get_path("/version"))["major"] == "1"
        found = await discover(client)
        deployment = found.by_kind("apps/v1", "Deployment")
        assert deployment is not None
        assert deployment.gvr == DEPLOYMENTS
        assert "deletecollection" in deployment.verbs
        assert found.by_kind("apps/v1", "Nothing") is None

    run(kind, body)


def test_a_server_that_is_away_is_an_os_error() -> None:
    async def main() -> None:
        async with clients("http") as client:
            await client.get(NAMESPACES, "default")
            kept = client
        with pytest.raises(ConnectionError):
            await kept.get(NAMESPACES, "default")
        await kept.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("user", "authorization"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"tokenFile": "token"}, "Bearer from-file"),
        ({}, ""),
    ],
)
def test_a_kubeconfig_says_where_and_who(tmp_path: Path, user: dict[str, str], authorization: str) -> None:
    (tmp_path / "token").write_text("from-file\n")
    file = tmp_path / "config"
    file.write_text(
        str(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1/"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    target = load_target(file)
    assert target.server == "http://127.0.0.1:1"
    assert target.headers.get("Authorization", "") == authorization
    other = impersonating(target, "system:serviceaccount:kube-system:x")
    assert list(other.headers.items())[-3:] == [
        ("Impersonate-Group", g)
        for g in ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    ]
    with pytest.raises(ValueError, match="has no context 'y'"):
        load_target(file, "y")


def test_broken_client_certificate_data_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        str(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [
                    {"name": "c", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}}
                ],
                "users": [
                    {"name": "u", "user": {"client-certificate-data": "a", "client-key-data": base64.b64encode(b"k")}}
                ],
            }
        )
    )
    with pytest.raises(ValueError, match="client-certificate-data is not base64"):
        load_target(file)
