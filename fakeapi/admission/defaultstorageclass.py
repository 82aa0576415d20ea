"""DefaultStorageClass: a claim that names no class gets the default one, the newest where there are several.

Stands for plugin/pkg/admission/storage/storageclass/setdefault.
"""

from __future__ import annotations

from fakeapi.admission.base import CREATE, Attributes, Host, Obj

NAME = "DefaultStorageClass"
_ANNOTATIONS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


class DefaultStorageClass:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Creation of claims."""
        return (
            attributes.operation == CREATE
            and attributes.resource == "persistentvolumeclaims"
            and not attributes.subresource
        )

    async def admit(self, attributes: Attributes) -> None:
        """Fill in spec.storageClassName."""
        assert attributes.obj is not None
        claim = attributes.obj
        annotated = _CLASS_ANNOTATION in (claim["metadata"].get("annotations") or {})
        if annotated or claim["spec"].get("storageClassName") is not None:
            return
        classes = [c for c in await self._reader.list("storage.k8s.io", "storageclasses") if is_default(c)]
        if classes:
            claim["spec"]["storageClassName"] = max(classes, key=_made)["metadata"]["name"]

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""


def _made(obj: Obj) -> tuple[str, int]:
    """When it was made; of those of one second (where upstream goes by name) the last to be written is the newest."""
    metadata = obj["metadata"]
    return metadata.get("creationTimestamp", ""), int(metadata.get("resourceVersion") or 0)


def is_default(storage_class: Obj) -> bool:
    """Whether the class is marked as the default."""
    annotations = storage_class["metadata"].get("annotations") or {}
    return any(annotations.get(key) == "true" for key in _ANNOTATIONS)
