"""What every namespace gets: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`.

Stands for kube-controller-manager's serviceaccounts_controller.go and certificates/rootcacertpublisher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fakenodes.client.base import GVR, ClientError, Obj
from fakenodes.client.gvrs import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS
from fakenodes.controllers.base import Controller, Reconcile, Watch, Watching, Work, service_account

ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"
DESCRIPTION = "kubernetes.io/description"
ROOT_CA_TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def plan_account(_: Work, found: Obj | None) -> Obj | None:
    """The account to write: only when there is none."""
    return None if found is not None else {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}


def plan_root_ca(work: Work, found: Obj | None) -> Obj | None:
    """The ConfigMap to write: when there is none, or when it says something else."""
    data = {"ca.crt": work.options.root_ca}
    if found is None:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROOT_CA, "annotations": {DESCRIPTION: ROOT_CA_TEXT}},
            "data": data,
        }
    marks = found["metadata"].get("annotations") or {}
    if found.get("data") == data and marks.get(DESCRIPTION):
        return None
    meta = {**found["metadata"], "annotations": {**marks, DESCRIPTION: ROOT_CA_TEXT}}
    return {**found, "metadata": meta, "data": data}


def _reconciler(gvr: GVR, name: str, plan: Callable[[Work, Obj | None], Obj | None]) -> Reconcile:

    async def reconcile(work: Work) -> float | None:
        namespace = work.get(NAMESPACES, work.key)
        if namespace is None or (namespace.get("status") or {}).get("phase") == "Terminating":
            return None
        found = work.get(gvr, f"{work.key}/{name}")
        wanted = plan(work, found)
        if wanted is None:
            return None
        try:
            await (work.create(gvr, wanted, work.key) if found is None else work.update(gvr, wanted))
        except ClientError as error:
            # There already, or the namespace is going: both are fine.
            if error.reason != "AlreadyExists" and error.code != 404 and not _terminating(error):
                raise
        return None

    return reconcile


def _terminating(error: ClientError) -> bool:
    causes = (error.status.get("details") or {}).get("causes") or ()
    return any(c.get("reason") == "NamespaceTerminating" for c in causes)


def _named(name: str) -> Callable[[Watching, Obj | None, Obj | None], Iterable[str]]:

    def keys(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
        meta = (new or old or {}).get("metadata", {})
        # Its creation is nobody's business; its change and end are.
        return (meta["namespace"],) if old is not None and meta.get("name") == name else ()

    return keys


SERVICEACCOUNT = Controller(
    "serviceaccount-controller",
    "serviceaccount",
    service_account("service-account-controller"),
    (Watch(NAMESPACES), Watch(SERVICE_ACCOUNTS, _named(ACCOUNT))),
    _reconciler(SERVICE_ACCOUNTS, ACCOUNT, plan_account),
    workers=1,
)
ROOT_CA_PUBLISHER = Controller(
    "root-ca-certificate-publisher-controller",
    "root-ca-cert-publisher",
    service_account("root-ca-cert-publisher"),
    (Watch(NAMESPACES), Watch(CONFIG_MAPS, _named(ROOT_CA))),
    _reconciler(CONFIG_MAPS, ROOT_CA, plan_root_ca),
    workers=1,
)
