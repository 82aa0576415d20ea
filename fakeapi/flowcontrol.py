"""FlowSchemas' Dangling condition: whether the priority level that a schema names is there.

Stands for the status half of apiserver's util/flowcontrol (the config consumer). Requests are not queued: every one is
served at once, as on a server that has seats to spare.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from fakeapi.clock import rfc3339
from fakeapi.request import User

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

Obj = dict[str, Any]
GROUP = "flowcontrol.apiserver.k8s.io"
MANAGER = "api-priority-and-fairness-config-consumer-v1"
DELAY = 0.05
_USER = User("system:apiserver", ("system:masters",))


def dangling(schema: Obj, levels: set[str], now: str) -> Obj | None:
    """The condition that the schema lacks; None when it has it."""
    name = ((schema.get("spec") or {}).get("priorityLevelConfiguration") or {}).get("name", "")
    there = name in levels
    told = f'This FlowSchema references the PriorityLevelConfiguration object named "{name}" '
    wanted = {
        "type": "Dangling",
        "status": "False" if there else "True",
        "reason": "Found" if there else "NotFound",
        "message": told + ("and it exists" if there else "but there is no such object"),
    }
    conditions = (schema.get("status") or {}).get("conditions") or ()
    had = next((c for c in conditions if c.get("type") == "Dangling"), {})
    if all(had.get(k) == v for k, v in wanted.items()):
        return None
    same = had.get("status") == wanted["status"] and had.get("lastTransitionTime")
    return {**wanted, "lastTransitionTime": had["lastTransitionTime"] if same else now}


class Upkeep:
    """Looks at all schemas a moment after one of them, or a level, has changed."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._unlisten: list[Callable[[], None]] = []
        self._pending = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Follow schemas and levels from now on."""
        for plural in ("flowschemas", "prioritylevelconfigurations"):
            self._unlisten.append(self._server.storage.listen(f"/registry/{plural}/", self))

    async def stop(self) -> None:
        """Stop following."""
        for unlisten in self._unlisten:
            unlisten()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def changed(self, change: object) -> None:
        """A write of one of them (storage.base.Listener)."""
        if not self._pending:
            self._pending = True
            with contextlib.suppress(RuntimeError):
                self._server.clock.call_later(DELAY, self._begin)

    def replaced(self, entries: object, revision: int) -> None:
        """The store's contents were swapped."""
        self.changed(None)

    def _begin(self) -> None:
        self._pending = False
        task = asyncio.get_running_loop().create_task(self._reconcile())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reconcile(self) -> None:
        reader = self._server.reader
        levels = {o["metadata"]["name"] for o in await reader.list(GROUP, "prioritylevelconfigurations")}
        for schema in await reader.list(GROUP, "flowschemas"):
            condition = dangling(schema, levels, rfc3339(self._server.clock.now()))
            if condition is not None:
                await self._apply(schema, condition)

    async def _apply(self, schema: Obj, condition: Obj) -> None:
        name, version = schema["metadata"]["name"], schema["apiVersion"]
        body = {
            "kind": "FlowSchema",
            "apiVersion": version,
            "metadata": {"name": name, "uid": schema["metadata"]["uid"]},
            "status": {"conditions": [condition]},
        }
        path = f"/apis/{version}/flowschemas/{name}/status?fieldManager={MANAGER}&force=true"
        headers = {"content-type": "application/apply-patch+yaml"}
        await self._server.call("PATCH", path, headers, orjson.dumps(body), _USER)
