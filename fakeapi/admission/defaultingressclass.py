"""DefaultIngressClass: an Ingress that names no class gets the default one, the newest where there are several.

Stands for plugin/pkg/admission/network/defaultingressclass.
"""

from __future__ import annotations

from fakeapi.admission.base import CREATE, Attributes, Host, Obj

NAME = "DefaultIngressClass"
_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_GROUP = "networking.k8s.io"


class DefaultIngressClass:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Creation of Ingresses."""
        ingress = attributes.resource == "ingresses" and attributes.group == _GROUP
        return ingress and attributes.operation == CREATE and not attributes.subresource

    async def admit(self, attributes: Attributes) -> None:
        """Fill in spec.ingressClassName."""
        assert attributes.obj is not None
        ingress = attributes.obj
        spec = ingress.setdefault("spec", {})
        if spec.get("ingressClassName") is not None or _CLASS_ANNOTATION in (
            ingress["metadata"].get("annotations") or {}
        ):
            return
        classes = [c for c in await self._reader.list(_GROUP, "ingressclasses") if is_default(c)]
        if classes:
            by_name = sorted(classes, key=lambda c: str(c["metadata"]["name"]))
            newest = max(by_name, key=lambda c: str(c["metadata"].get("creationTimestamp", "")))
            spec["ingressClassName"] = newest["metadata"]["name"]

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""


def is_default(ingress_class: Obj) -> bool:
    """Whether the class is marked as the default."""
    return bool((ingress_class["metadata"].get("annotations") or {}).get(_DEFAULT) == "true")
