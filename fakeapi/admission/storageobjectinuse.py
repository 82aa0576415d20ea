"""StorageObjectInUseProtection: new claims and volumes get the finalizer that keeps them while they are in use.

Stands for plugin/pkg/admission/storage/storageobjectinuseprotection.
"""

from __future__ import annotations

from fakeapi.admission.base import CREATE, Attributes, Host

NAME = "StorageObjectInUseProtection"
FINALIZERS = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
    "volumeattributesclasses": "kubernetes.io/vac-protection",
}


class StorageObjectInUseProtection:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        """Nothing to keep."""

    def handles(self, attributes: Attributes) -> bool:
        """Creation of the protected kinds."""
        return attributes.operation == CREATE and attributes.resource in FINALIZERS and not attributes.subresource

    async def admit(self, attributes: Attributes) -> None:
        """Add the finalizer."""
        assert attributes.obj is not None
        metadata = attributes.obj["metadata"]
        finalizer = FINALIZERS[attributes.resource]
        if finalizer not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), finalizer]

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""
