"""TaintNodesByCondition: a new Node is not ready until its kubelet says so, and no Pod is put on it before.

Stands for plugin/pkg/admission/nodetaint.
"""

from __future__ import annotations

from fakeapi.admission.base import CREATE, Attributes, Host

NAME = "TaintNodesByCondition"
TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        """Nothing to keep."""

    def handles(self, attributes: Attributes) -> bool:
        """Creation of Nodes."""
        return attributes.resource == "nodes" and attributes.operation == CREATE and not attributes.subresource

    async def admit(self, attributes: Attributes) -> None:
        """Add the taint."""
        assert attributes.obj is not None
        spec = attributes.obj.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any(t.get("key") == TAINT["key"] and t.get("effect") == TAINT["effect"] for t in taints):
            spec["taints"] = [*taints, dict(TAINT)]

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""
