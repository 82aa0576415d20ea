"""DefaultTolerationSeconds: Pods tolerate a node's being not ready or unreachable for five minutes.

Stands for plugin/pkg/admission/defaulttolerationseconds.
"""

from __future__ import annotations

from fakeapi.admission.base import CREATE, UPDATE, Attributes, Host, Obj

NAME = "DefaultTolerationSeconds"
SECONDS = 300
_KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        """Nothing to keep."""

    def handles(self, attributes: Attributes) -> bool:
        """Pods as such, on create and update."""
        return attributes.resource == "pods" and not attributes.subresource and attributes.operation in (CREATE, UPDATE)

    async def admit(self, attributes: Attributes) -> None:
        """Add the tolerations that are missing."""
        assert attributes.obj is not None
        spec = attributes.obj["spec"]
        given = spec.get("tolerations") or []
        added = [_toleration(key) for key in _KEYS if not any(_covers(t, key) for t in given)]
        if added:
            spec["tolerations"] = [*given, *added]

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""


def _covers(toleration: Obj, key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")


def _toleration(key: str) -> Obj:
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
