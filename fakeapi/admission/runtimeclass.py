"""RuntimeClass: a Pod gets its class's overhead, node selector and tolerations.

Stands for plugin/pkg/admission/runtimeclass.
"""

from __future__ import annotations

from typing import Any

from fakeapi import quantity
from fakeapi.admission.base import CREATE, Attributes, Host, Obj, forbidden

NAME = "RuntimeClass"


class RuntimeClass:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Creation of Pods."""
        return attributes.resource == "pods" and attributes.operation == CREATE and not attributes.subresource

    async def admit(self, attributes: Attributes) -> None:
        """Take over what the class says. ApiError 403 where it is not there or contradicts the Pod."""
        assert attributes.obj is not None
        spec = attributes.obj["spec"]
        found = await self._class_of(attributes, spec)
        if found is None:
            return
        fixed = (found.get("overhead") or {}).get("podFixed")
        if fixed:
            if spec.get("overhead") and not _same(spec["overhead"], fixed):
                text = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
                raise forbidden(attributes, text)
            spec["overhead"] = dict(fixed)
        self._schedule(attributes, spec, found.get("scheduling") or {})

    async def _class_of(self, attributes: Attributes, spec: Obj) -> Obj | None:
        name = spec.get("runtimeClassName")
        if not name:
            return None
        found = await self._reader.get("node.k8s.io", "runtimeclasses", "", name)
        if found is None:
            text = f'pod rejected: RuntimeClass "{name}" not found'
            raise forbidden(attributes, text)
        return found

    def _schedule(self, attributes: Attributes, spec: Obj, scheduling: Obj) -> None:
        selector = dict(spec.get("nodeSelector") or {})
        for key, value in sorted((scheduling.get("nodeSelector") or {}).items()):
            if key in selector and selector[key] != value:
                text = (
                    f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] ="
                    f" {selector[key]}"
                )
                raise forbidden(attributes, text)
            selector[key] = value
        if selector:
            spec["nodeSelector"] = selector
        given = list(spec.get("tolerations") or ())
        added = [t for t in scheduling.get("tolerations") or () if t not in given]
        if added:
            spec["tolerations"] = given + added

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403 for an overhead that no class defines, or another than the class's."""
        spec = (attributes.obj or {}).get("spec") or {}
        found = await self._class_of(attributes, spec)
        fixed = ((found or {}).get("overhead") or {}).get("podFixed")
        given = spec.get("overhead")
        if fixed and not _same(given or {}, fixed):
            text = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
            raise forbidden(attributes, text)
        if given and not fixed:
            text = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise forbidden(attributes, text)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(quantity.compare(str(one[k]), str(other[k])) == 0 for k in one)
