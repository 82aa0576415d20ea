"""ServiceAccount: Pods run as an account that exists, with its token mounted.

Stands for plugin/pkg/admission/serviceaccount.
"""

from __future__ import annotations

import random

from fakeapi import meta
from fakeapi.admission.base import CREATE, UPDATE, Attributes, Host, Obj, forbidden

NAME = "ServiceAccount"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_MIRROR = "kubernetes.io/config.mirror"
_EXPIRATION = 3607


class ServiceAccount:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader
        self._rng = random.Random(host.config.seed)

    def handles(self, attributes: Attributes) -> bool:
        """Creation of Pods."""
        wanted = (
            attributes.subresource == ""
            if attributes.operation == CREATE
            else attributes.subresource == "ephemeralcontainers"
        )
        return (
            attributes.resource == "pods"
            and attributes.operation in (CREATE, UPDATE)
            and wanted
            and not attributes.group
        )

    async def admit(self, attributes: Attributes) -> None:
        """Name the account, mount its token, take over its pull secrets. ApiError 403."""
        assert attributes.obj is not None
        if attributes.operation != CREATE or _MIRROR in (attributes.obj["metadata"].get("annotations") or {}):
            return
        spec = attributes.obj["spec"]
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = "default"
        spec["serviceAccount"] = spec["serviceAccountName"]
        name = spec["serviceAccountName"]
        account = await self._reader.get("", "serviceaccounts", attributes.namespace, name)
        if account is None:
            text = f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden(attributes, text)
        if _mounts(account, spec):
            self._mount(spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [{"name": s.get("name", "")} for s in account["imagePullSecrets"]]

    def _mount(self, spec: Obj) -> None:
        containers = [*(spec.get("initContainers") or ()), *spec.get("containers", ())]
        lacking = [c for c in containers if all(m.get("mountPath") != MOUNT_PATH for m in c.get("volumeMounts") or ())]
        if not lacking:
            return
        name = next((v["name"] for v in spec.get("volumes") or () if v["name"].startswith("kube-api-access-")), "")
        if not name:
            name = meta.generate_name("kube-api-access-", self._rng)
            spec["volumes"] = [*(spec.get("volumes") or ()), _volume(name)]
        for container in lacking:
            mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
            container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403 for a mirror Pod that names an account."""
        obj = attributes.obj or {}
        if (
            attributes.operation == CREATE
            and _MIRROR in (obj.get("metadata", {}).get("annotations") or {})
            and obj["spec"].get("serviceAccountName")
        ):
            raise forbidden(attributes, "a mirror pod may not reference service accounts")


def _mounts(account: Obj, spec: Obj) -> bool:
    if spec.get("automountServiceAccountToken") is not None:
        return bool(spec["automountServiceAccountToken"])
    return account.get("automountServiceAccountToken") is not False


def _volume(name: str) -> Obj:
    sources = [
        {"serviceAccountToken": {"expirationSeconds": _EXPIRATION, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
            }
        },
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
