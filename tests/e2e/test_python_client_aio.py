"""The asyncio half of the official Python client: typed and dynamic CRUD, watches that resume."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kubernetes.aio import client, config, watch
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient

SECONDS = 90


def on_cluster(kubeconfig: Path, test: Callable[[client.ApiClient, str], Awaitable[None]]) -> None:
    """Run the test with a client and a namespace of its own."""

    async def main() -> None:
        async with await config.new_client_from_config(config_file=str(kubeconfig)) as api:
            core = client.CoreV1Api(api)
            name = f"aio-{uuid4().hex[:8]}"
            await core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
            await test(api, name)
            await core.delete_namespace(name)

    asyncio.run(asyncio.wait_for(main(), 180))


def config_map(name: str = "settings", **data: str) -> client.V1ConfigMap:
    """A typed ConfigMap."""
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)


def test_typed_crud(kubeconfig: Path) -> None:
    async def test(api: client.ApiClient, namespace: str) -> None:
        core = client.CoreV1Api(api)
        created = await core.create_namespaced_config_map(namespace, config_map(color="blue"))
        created.data["color"] = "red"
        await core.replace_namespaced_config_map("settings", namespace, created)
        with pytest.raises(ApiException) as stale:
            await core.replace_namespaced_config_map("settings", namespace, created)
        assert stale.value.status == 409
        patched = await core.patch_namespaced_config_map("settings", namespace, {"data": {"size": "small"}})
        assert patched.data == {"color": "red", "size": "small"}
        await core.delete_namespaced_config_map("settings", namespace)
        with pytest.raises(ApiException) as missing:
            await core.read_namespaced_config_map("settings", namespace)
        assert missing.value.status == 404

    on_cluster(kubeconfig, test)


def test_dynamic_client(kubeconfig: Path) -> None:
    async def test(api: client.ApiClient, namespace: str) -> None:
        maps = await (await DynamicClient(api)).resources.get(api_version="v1", kind="ConfigMap")
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"color": "blue"},
        }
        await maps.create(body=body, namespace=namespace)
        merge = "application/merge-patch+json"
        patched = await maps.patch(
            body={"data": {"size": "small"}}, namespace=namespace, name="settings", content_type=merge
        )
        assert patched.data.to_dict() == {"color": "blue", "size": "small"}
        assert (await maps.delete(name="settings", namespace=namespace)).status == "Success"

    on_cluster(kubeconfig, test)


def test_a_watch_resumes_from_a_resource_version(kubeconfig: Path) -> None:
    async def test(api: client.ApiClient, namespace: str) -> None:
        core = client.CoreV1Api(api)
        created = await core.create_namespaced_config_map(namespace, config_map(color="blue"))
        await core.patch_namespaced_config_map("settings", namespace, {"data": {"color": "red"}})
        await core.delete_namespaced_config_map("settings", namespace)
        start = created.metadata.resource_version
        only: dict[str, Any] = {
            "namespace": namespace,
            "field_selector": "metadata.name=settings",
            "timeout_seconds": SECONDS,
        }
        seen = []
        for count in (1, 2):  # the second watch goes on where the first one stopped
            async with watch.Watch() as stream:
                async for event in stream.stream(core.list_namespaced_config_map, resource_version=start, **only):
                    seen.append((event["type"], event["object"].data["color"]))
                    start = event["object"].metadata.resource_version
                    if len(seen) == count:
                        break
        assert seen == [("MODIFIED", "red"), ("DELETED", "red")]

    on_cluster(kubeconfig, test)


def test_a_watch_sees_pods_come_alive_while_others_ask(kubeconfig: Path) -> None:
    async def test(api: client.ApiClient, namespace: str) -> None:
        core = client.CoreV1Api(api)
        spec = client.V1PodSpec(
            containers=[client.V1Container(name="main", image="nginx")], termination_grace_period_seconds=0
        )

        async def running(name: str) -> str:
            async with watch.Watch() as stream:
                selector = f"metadata.name={name}"
                async for event in stream.stream(
                    core.list_namespaced_pod, namespace, field_selector=selector, timeout_seconds=SECONDS
                ):
                    if event["object"].status.phase == "Running":
                        return name
            return ""

        names = ["a", "b", "c"]
        watches = [asyncio.create_task(running(name)) for name in names]
        await asyncio.gather(
            *(
                core.create_namespaced_pod(namespace, client.V1Pod(metadata=client.V1ObjectMeta(name=name), spec=spec))
                for name in names
            )
        )
        assert await asyncio.gather(*watches) == names

    on_cluster(kubeconfig, test)
