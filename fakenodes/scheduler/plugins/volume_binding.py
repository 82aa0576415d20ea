"""VolumeBinding: nodes must reach the pod's volumes; claims that wait for their first consumer are bound with it.

Stands for plugins/volumebinding with its binder and assume cache. Leaves out CSIStorageCapacity (unlimited here).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from fakenodes.client.base import GVR, MERGE_PATCH, ClientError
from fakenodes.scheduler.framework import SKIP, Code, Event, Handle, State, Status
from fakenodes.scheduler.matching import label_selector, node_terms
from fakenodes.scheduler.resources import amount
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

NAME = "VolumeBinding"
CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
NOTHING = "node(s) didn't find available persistent volumes to bind"
NO_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND = Status(Code.UNRESOLVABLE, ("pod has unbound immediate PersistentVolumeClaims",), NAME)
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
BIND_SECONDS = 600.0
POLL_SECONDS = 0.1

CLAIMS = GVR("", "v1", "persistentvolumeclaims")
VOLUMES = GVR("", "v1", "persistentvolumes", namespaced=False)

Plan = tuple[list[tuple[Obj, Obj]], list[Obj]]  # claims with the volumes to bind them to, claims to provision


class Volumes(Struct):
    """A pod's claims: those bound already (with their volumes) and those to bind; per node what would be done."""

    bound: list[Obj] = field(default_factory=list)
    waiting: list[Obj] = field(default_factory=list)
    lost: bool = False
    plans: dict[str, Plan] = field(default_factory=dict)


def reaches(volume: Obj, node: NodeInfo) -> bool:
    """Does the volume's node affinity allow the node?"""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    if required is None:
        return True
    return any(term.matches(node.name, node.labels) for term in node_terms(required.get("nodeSelectorTerms")))


def fits(volume: Obj, claim: Obj) -> bool:
    """Could the volume be the claim's: class, modes, size, selector, and not another's."""
    wanted, offered = claim["spec"], volume["spec"]
    owner = offered.get("claimRef")
    if owner:
        meta = claim["metadata"]
        return bool(
            owner.get("name") == meta["name"]
            and owner.get("namespace") == meta["namespace"]
            and owner.get("uid", meta["uid"]) in ("", meta["uid"])
        )
    if (volume.get("status") or {}).get("phase") not in ("Available", None, ""):
        return False
    if (wanted.get("storageClassName") or "") != (offered.get("storageClassName") or ""):
        return False
    if not set(wanted.get("accessModes") or ()) <= set(offered.get("accessModes") or ()):
        return False
    if wanted.get("volumeMode", "Filesystem") != offered.get("volumeMode", "Filesystem"):
        return False
    selector = wanted.get("selector")
    if selector is not None and not label_selector(selector)(volume["metadata"].get("labels") or {}):
        return False
    return _size(offered.get("capacity")) >= _size((wanted.get("resources") or {}).get("requests"))


def _size(found: Obj | None) -> int:
    return amount("storage", str((found or {}).get("storage", "0")))


def smallest(volumes: Iterable[Obj], claim: Obj, node: NodeInfo, taken: set[str]) -> Obj | None:
    """The volume to bind: one that names the claim, else the smallest that does."""
    found = [v for v in volumes if v["metadata"]["name"] not in taken and fits(v, claim) and reaches(v, node)]
    found.sort(key=lambda v: (not v["spec"].get("claimRef"), _size(v["spec"].get("capacity")), v["metadata"]["name"]))
    return found[0] if found else None


class VolumeBinding:
    """PreFilter, filter, reserve and pre-bind."""

    name = NAME
    events = (
        "PersistentVolumeClaim/Add", "PersistentVolumeClaim/Update", "PersistentVolume/Add", "PersistentVolume/Update",
        "StorageClass/Add", "StorageClass/Update", "CSINode/Add", "CSINode/Update", "Node/Add", "Node/UpdateLabel",
    )  # fmt: skip

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._assumed: dict[str, str] = {}  # volume name to the uid of the pod it is taken for

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Sort the claims; those that bind at once must be bound by now."""
        if not pod.claims:
            return SKIP
        claims = [
            (name, self._handle.listers["persistentvolumeclaims"].get(f"{pod.namespace}/{name}")) for name in pod.claims
        ]
        for name, claim in claims:
            problem = self._claim_problem(claim, name, pod)
            if problem:
                return Status(Code.UNRESOLVABLE, (problem,), NAME)
        volumes = state[NAME] = Volumes()
        unbound = False
        for _, claim in claims:
            assert claim is not None
            if claim["spec"].get("volumeName") and BIND_COMPLETED in (claim["metadata"].get("annotations") or {}):
                volume = self._handle.listers["persistentvolumes"].get(claim["spec"]["volumeName"])
                if volume is None:
                    volumes.lost = True
                else:
                    volumes.bound.append(volume)
            elif self._waits(claim):
                volumes.waiting.append(claim)
            else:
                unbound = True
        return UNBOUND if unbound else None

    def _claim_problem(self, claim: Obj | None, name: str, pod: PodInfo) -> str:
        ephemeral = any(f"{pod.name}-{v['name']}" == name and v.get("ephemeral") for v in pod.spec.get("volumes") or ())
        if claim is None:
            if ephemeral:
                return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
            return f'persistentvolumeclaim "{name}" not found'
        if (claim.get("status") or {}).get("phase") == "Lost":
            volume = claim["spec"].get("volumeName", "")
            return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
        if claim["metadata"].get("deletionTimestamp"):
            return f'persistentvolumeclaim "{name}" is being deleted'
        owners = claim["metadata"].get("ownerReferences") or ()
        if ephemeral and not any(o.get("controller") and o.get("uid") == pod.uid for o in owners):
            return f"PVC {pod.namespace}/{name} was not created for pod {pod.key} (pod is not owner)"
        return ""

    def _waits(self, claim: Obj) -> bool:
        """For its first consumer? One that names its volume does not."""
        if claim["spec"].get("volumeName"):
            return False
        storage_class = self._class(claim)
        return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"

    def _class(self, claim: Obj) -> Obj | None:
        return self._handle.listers["storageclasses"].get(claim["spec"].get("storageClassName") or "")

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """Of claims, the pod's own help."""
        return not event.kind.startswith("PersistentVolumeClaim/") or event.new is None or pod.uses(event.new)

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when every bound volume is reachable and every other claim can be bound or provisioned there."""
        volumes: Volumes = state[NAME]
        reasons = []
        if not all(reaches(volume, node) for volume in volumes.bound):
            reasons.append(CONFLICT)
        if volumes.waiting:
            plan = self._match(volumes.waiting, pod, node)
            if plan is None:
                reasons.append(NOTHING)
            else:
                volumes.plans[node.name] = plan
        if volumes.lost:
            reasons.append(NO_VOLUME)
        return Status(Code.UNRESOLVABLE, tuple(reasons), NAME) if reasons else None

    def _match(self, claims: Sequence[Obj], pod: PodInfo, node: NodeInfo) -> Plan | None:
        """What would be done for the claims on the node; None when it will not do."""
        matched: list[tuple[Obj, Obj]] = []
        provisioned: list[Obj] = []
        taken = {name for name, uid in self._assumed.items() if uid != pod.uid}
        available = self._handle.listers["persistentvolumes"].list()
        for claim in claims:
            selected = (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE)
            if selected and selected != node.name:
                return None
            volume = None if selected else smallest(available, claim, node, taken)
            if volume is not None:
                taken.add(volume["metadata"]["name"])
                matched.append((claim, volume))
            elif self._provisionable(claim, node):
                provisioned.append(claim)
            else:
                return None
        return matched, provisioned

    def _provisionable(self, claim: Obj, node: NodeInfo) -> bool:
        storage_class = self._class(claim)
        if storage_class is None or storage_class.get("provisioner") in ("", NO_PROVISIONER):
            return False
        topologies = storage_class.get("allowedTopologies")
        return not topologies or any(
            all(node.labels.get(e["key"]) in e["values"] for e in t.get("matchLabelExpressions") or ())
            for t in topologies
        )

    def reserve(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """Take the chosen volumes."""
        for _, volume in self._plan(state, node)[0]:
            self._assumed[volume["metadata"]["name"]] = pod.uid
        return None

    def unreserve(self, state: State, pod: PodInfo, node: str) -> None:
        """Give them back."""
        for name in [name for name, uid in self._assumed.items() if uid == pod.uid]:
            del self._assumed[name]

    def pre_flight(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """SKIP when all claims are bound."""
        return None if any(self._plan(state, node)) else SKIP

    def _plan(self, state: State, node: str) -> Plan:
        return state[NAME].plans.get(node, ([], [])) if NAME in state else ([], [])

    async def pre_bind(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """Write claimRefs and selected nodes, and wait until the claims are bound."""
        matched, provisioned = self._plan(state, node)
        if not matched and not provisioned:
            return None
        try:
            for claim, volume in matched:
                await self._handle.client.patch(
                    VOLUMES, volume["metadata"]["name"], _claim_ref(claim, volume), content_type=MERGE_PATCH
                )
            for claim in provisioned:
                body = {"metadata": {"annotations": {SELECTED_NODE: node}}}
                await self._handle.client.patch(
                    CLAIMS, claim["metadata"]["name"], body, pod.namespace, content_type=MERGE_PATCH
                )
        except (ClientError, OSError) as error:
            return Status(Code.ERROR, (str(error),), NAME)
        if not await self._bound([*(c for c, _ in matched), *provisioned]):
            return Status(Code.ERROR, ("binding volumes: context deadline exceeded",), NAME)
        self.unreserve(state, pod, node)
        return None

    async def _bound(self, claims: list[Obj]) -> bool:
        deadline = self._handle.clock.monotonic() + BIND_SECONDS
        keys = [f"{c['metadata']['namespace']}/{c['metadata']['name']}" for c in claims]
        while self._handle.clock.monotonic() < deadline:
            found = [self._handle.listers["persistentvolumeclaims"].get(key) for key in keys]
            if all(c and BIND_COMPLETED in (c["metadata"].get("annotations") or {}) for c in found):
                return True
            await self._handle.clock.sleep(POLL_SECONDS)
        return False


def _claim_ref(claim: Obj, volume: Obj) -> Obj:
    meta = claim["metadata"]
    ref = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": meta["name"], "namespace": meta["namespace"],
        "uid": meta["uid"], "resourceVersion": meta.get("resourceVersion"),
    }  # fmt: skip
    annotations = {} if volume["spec"].get("claimRef") else {BOUND_BY_CONTROLLER: "yes"}
    return {"metadata": {"annotations": annotations}, "spec": {"claimRef": ref}}
