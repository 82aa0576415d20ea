"""Priority: a Pod's priority and preemption policy follow from its PriorityClass; one class at most is the default.

Stands for plugin/pkg/admission/priority.
"""

from __future__ import annotations

from fakeapi.admission.base import CREATE, UPDATE, Attributes, Host, Obj, forbidden

NAME = "Priority"
DEFAULT_POLICY = "PreemptLowerPriority"


class Priority:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Pods and PriorityClasses."""
        return (
            attributes.resource in ("pods", "priorityclasses")
            and not attributes.subresource
            and attributes.operation in (CREATE, UPDATE)
        )

    async def admit(self, attributes: Attributes) -> None:
        """Fill in spec.priority, priorityClassName and preemptionPolicy. ApiError 403."""
        if attributes.resource != "pods":
            return
        assert attributes.obj is not None
        spec = attributes.obj["spec"]
        if attributes.operation == UPDATE:
            old = (attributes.old or {}).get("spec", {})
            if "priority" not in spec and "priority" in old:
                spec["priority"] = old["priority"]
            if "preemptionPolicy" not in spec and "preemptionPolicy" in old:
                spec["preemptionPolicy"] = old["preemptionPolicy"]
            return
        found = await self._class_of(attributes, spec)
        value, policy = (
            (found.get("value", 0), found.get("preemptionPolicy") or DEFAULT_POLICY) if found else (0, DEFAULT_POLICY)
        )
        if found and not spec.get("priorityClassName"):
            spec["priorityClassName"] = found["metadata"]["name"]
        if spec.get("priority") is not None and spec["priority"] != value:
            text = (
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; priority"
                f" admission controller computed {value} from the given PriorityClass name"
            )
            raise forbidden(attributes, text)
        if spec.get("preemptionPolicy") and spec["preemptionPolicy"] != policy:
            text = (
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec;"
                f" priority admission controller computed {policy} from the given PriorityClass name"
            )
            raise forbidden(attributes, text)
        spec["priority"] = value
        spec["preemptionPolicy"] = policy

    async def _class_of(self, attributes: Attributes, spec: Obj) -> Obj | None:
        name = spec.get("priorityClassName")
        if name:
            found = await self._reader.get("scheduling.k8s.io", "priorityclasses", "", name)
            if found is None:
                raise forbidden(attributes, f"no PriorityClass with name {name} was found")
            return found
        classes = await self._reader.parsed("scheduling.k8s.io", "priorityclasses", _whole)
        defaults = [c for c in classes.values() if c.get("globalDefault")]
        return min(defaults, key=lambda c: c.get("value", 0)) if defaults else None

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403 for a second default class."""
        if attributes.resource != "priorityclasses" or not (attributes.obj or {}).get("globalDefault"):
            return
        for other in await self._reader.list("scheduling.k8s.io", "priorityclasses"):
            if other.get("globalDefault") and other["metadata"]["name"] != attributes.name:
                text = (
                    f"PriorityClass {other['metadata']['name']} is already marked as default. Only one default can"
                    " exist"
                )
                raise forbidden(attributes, text)


def _whole(obj: Obj) -> Obj:
    return obj
