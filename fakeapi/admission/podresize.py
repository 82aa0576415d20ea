"""PodResize: a Pod grows only within what its node has to give, and not where the node is unknown.

Stands for the checks of pkg/registry/core/pod/rest's resize path in 1.36 (node lookup, allocatable resources).
"""

from __future__ import annotations

from fakeapi import quantity
from fakeapi.admission.base import UPDATE, Attributes, Host, Obj, forbidden

NAME = "PodResize"
_RESIZABLE = ("cpu", "memory")


class PodResize:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Writes to pods/resize."""
        return attributes.subresource == "resize" and attributes.resource == "pods" and attributes.operation == UPDATE

    async def admit(self, attributes: Attributes) -> None:
        """Nothing to fill in."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403 for an unknown node or one that is too small."""
        pod = attributes.obj or {}
        name = pod["spec"].get("nodeName", "")
        if not name:
            return
        node = await self._reader.get("", "nodes", "", name)
        if node is None:
            raise forbidden(attributes, f'node "{name}" not found')
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        for resource in _RESIZABLE:
            wanted, there = requested(pod, resource), quantity.parse(str(allocatable.get(resource, "0")))
            if resource in allocatable and wanted > there:
                self._refuse(attributes, resource, wanted, there)

    def _refuse(
        self, attributes: Attributes, resource: str, wanted: quantity.Quantity, there: quantity.Quantity
    ) -> None:
        count = quantity.milli_value if resource == "cpu" else quantity.value
        text = (
            f"node didn't have enough allocatable resources: {resource}, "
            f"requested: {count(str(wanted))}, allocatable: {count(str(there))}"
        )
        error = forbidden(attributes, text)
        error.status["details"]["causes"] = [{"reason": "NodeCapacity"}]
        raise error


def requested(pod: Obj, resource: str) -> quantity.Quantity:
    """What the Pod's containers ask for together."""
    total = quantity.ZERO
    for container in pod["spec"].get("containers") or ():
        asked = ((container.get("resources") or {}).get("requests") or {}).get(resource)
        if asked is not None:
            total = total + quantity.parse(str(asked))
    return total
