"""DefaultBinder: POSTs the pod's binding."""

from __future__ import annotations

from fakenodes.client.base import GVR, ClientError
from fakenodes.scheduler.framework import Code, Handle, State, Status
from fakenodes.scheduler.snapshot import PodInfo

POD_RESOURCE = GVR("", "v1", "pods")


class DefaultBinder:
    """The Bind plugin."""

    name = "DefaultBinder"

    def __init__(self, handle: Handle) -> None:
        self._client = handle.client

    async def bind(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """None when the API server has taken it."""
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
            "target": {"kind": "Node", "name": node},
        }
        try:
            await self._client.create(POD_RESOURCE, body, pod.namespace, name=pod.name, subresource="binding")
        except (ClientError, OSError) as error:
            return Status(Code.ERROR, (str(error),), self.name)
        return None
