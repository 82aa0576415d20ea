"""PodTopologyLabels: a Pod that is bound to a node gets the node's zone and region labels.

Stands for plugin/pkg/admission/podtopologylabels.
"""

from __future__ import annotations

from fakeapi.admission.base import CREATE, Attributes, Host, Obj

NAME = "PodTopologyLabels"
KEYS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Bindings, and Pods that are created on a node."""
        if attributes.group or attributes.operation != CREATE:
            return False
        if attributes.resource == "bindings":
            return True
        return attributes.resource == "pods" and attributes.subresource in ("", "binding")

    async def admit(self, attributes: Attributes) -> None:
        """Take over the labels."""
        assert attributes.obj is not None
        obj = attributes.obj
        target = obj.get("target") or {}
        node = target.get("name") if "target" in obj else (obj.get("spec") or {}).get("nodeName")
        if not node or target.get("kind", "Node") not in ("", "Node"):
            return
        labels = await self._labels(node)
        if labels:
            obj["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), **labels}

    async def _labels(self, node: str) -> Obj:
        found = await self._reader.get("", "nodes", "", node)
        labels = ((found or {}).get("metadata") or {}).get("labels") or {}
        return {key: labels[key] for key in KEYS if key in labels}

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""
