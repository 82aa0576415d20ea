"""PersistentVolumeClaimResize: a bound claim grows only where its class allows it.

Stands for plugin/pkg/admission/storage/persistentvolume/resize.
"""

from __future__ import annotations

from fakeapi import quantity
from fakeapi.admission.base import UPDATE, Attributes, Host, Obj, forbidden

NAME = "PersistentVolumeClaimResize"
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


class PersistentVolumeClaimResize:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Updates of claims as such."""
        resource = attributes.resource == "persistentvolumeclaims" and not attributes.group
        return resource and attributes.operation == UPDATE and not attributes.subresource

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403."""
        new, old = attributes.obj or {}, attributes.old or {}
        wanted, before = _storage(new), _storage(old)
        if wanted is None or before is None or quantity.compare(wanted, before) <= 0:
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            text = "Only bound persistent volume claims can be expanded"
            raise forbidden(attributes, text)
        name = class_of(new)
        found = await self._reader.get("storage.k8s.io", "storageclasses", "", name) if name else None
        if found is None or not found.get("allowVolumeExpansion"):
            text = (
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must"
                " support resize"
            )
            raise forbidden(attributes, text)


def class_of(claim: Obj) -> str:
    """The claim's class by annotation or field."""
    annotations = claim["metadata"].get("annotations") or {}
    return str(annotations.get(_CLASS_ANNOTATION) or (claim.get("spec") or {}).get("storageClassName") or "")


def _storage(claim: Obj) -> str | None:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return str(requests["storage"]) if "storage" in requests else None
