"""Endpoints that people write themselves are mirrored into EndpointSlices.

Stands for kube-controller-manager's pkg/controller/endpointslicemirroring: for Services without a selector, one
slice a port group and address family, up to 1,000 addresses a subset.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.serving import SERVICE_NAME, TRIGGER
from fakenodes.informer import key_of

MANAGED = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CAPACITY = 1000


def mirrored(endpoints: Obj) -> bool:
    """Whether such Endpoints are mirrored at all."""
    meta = endpoints["metadata"]
    return (meta.get("labels") or {}).get(SKIP) != "true" and LEADER not in (meta.get("annotations") or {})


def plan(endpoints: Obj) -> list[Obj]:
    """The slices for the Endpoints: addressType, endpoints, ports."""
    found: list[Obj] = []
    for subset in endpoints.get("subsets") or ():
        ports = [
            {
                "name": p.get("name", ""),
                "protocol": p.get("protocol", "TCP"),
                "port": p["port"],
                **({"appProtocol": p["appProtocol"]} if p.get("appProtocol") else {}),
            }
            for p in subset.get("ports") or ()
        ]
        both = [
            (a, ready)
            for name, ready in (("addresses", True), ("notReadyAddresses", False))
            for a in subset.get(name) or ()
        ][:CAPACITY]
        for family in ("IPv4", "IPv6"):
            chosen = [_endpoint(a, ready) for a, ready in both if (":" in a["ip"]) == (family == "IPv6")]
            if chosen:
                same = next((s for s in found if s["addressType"] == family and s["ports"] == (ports or None)), None)
                if same is None:
                    found.append({"addressType": family, "endpoints": chosen, "ports": ports or None})
                else:
                    same["endpoints"] = [*same["endpoints"], *chosen]
    return found


def skipped(endpoints: Obj) -> int:
    """How many addresses are not mirrored."""
    sizes = (
        sum(len(s.get(k) or ()) for k in ("addresses", "notReadyAddresses")) for s in endpoints.get("subsets") or ()
    )
    return sum(max(size - CAPACITY, 0) for size in sizes)


def _endpoint(address: Obj, ready: bool) -> Obj:
    found: Obj = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    if address.get("hostname"):
        found["hostname"] = address["hostname"]
    if address.get("targetRef"):
        found["targetRef"] = address["targetRef"]
    if address.get("nodeName"):
        found["nodeName"] = address["nodeName"]
    return found


def labels_of(endpoints: Obj) -> dict[str, str]:
    """The slices' labels: the Endpoints' own and who manages them."""
    meta = endpoints["metadata"]
    return {**(meta.get("labels") or {}), SERVICE_NAME: meta["name"], MANAGED: MANAGER}


def annotations_of(endpoints: Obj) -> dict[str, str]:
    """The slices' annotations."""
    marks = endpoints["metadata"].get("annotations") or {}
    return {k: v for k, v in marks.items() if k not in (LAST_APPLIED, TRIGGER)}


async def reconcile(work: Work) -> float | None:
    """Make, change and delete slices until they are as the Endpoints."""
    service, endpoints = work.get(SERVICES, work.key), work.get(ENDPOINTS, work.key)
    slices = list(work.find(ENDPOINT_SLICES, "mirrored", work.key))
    if service is None:
        return None  # the garbage collector removes the slices with the Endpoints
    wanted = plan(endpoints) if endpoints is not None and mirrored(endpoints) and not selected(service) else []
    if wanted and endpoints is not None and (more := skipped(endpoints)):
        text = (
            f"A max of {CAPACITY} addresses can be mirrored to EndpointSlices per Endpoints subset. {more} addresses "
            "were skipped"
        )
        work.event(endpoints, "Warning", "TooManyAddressesToMirror", text)
    for each, old in pairs(wanted, slices):
        if old is not None:
            slices.remove(old)
        assert endpoints is not None
        await _write(work, endpoints, old, each)
    for left in slices:
        await work.delete(ENDPOINT_SLICES, left)
    return None


def pairs(wanted: Sequence[Obj], slices: Sequence[Obj]) -> list[tuple[Obj, Obj | None]]:
    """Each with the slice to write it to: that of its ports, else one of its family that would go."""
    left = list(slices)
    found: list[tuple[Obj, Obj | None]] = []
    for name in ("ports", "addressType"):
        known = [each for each, _ in found]
        for each in wanted:
            old = next((s for s in left if all(s.get(k) == each[k] for k in {name, "addressType"})), None)
            if old is not None and each not in known:
                left.remove(old)
                found.append((each, old))
    known = [each for each, _ in found]
    return [*found, *((each, None) for each in wanted if each not in known)]


def selected(service: Obj) -> bool:
    """Whether the service's endpoints are the endpoint controller's business."""
    return service["spec"].get("selector") is not None


async def _write(work: Work, endpoints: Obj, old: Obj | None, wanted: Obj) -> None:
    meta = endpoints["metadata"]
    labels, marks = labels_of(endpoints), annotations_of(endpoints)
    if old is not None:
        same = _sorted(old.get("endpoints") or ()) == _sorted(wanted["endpoints"])
        mine = old["metadata"]
        same = same and old.get("ports") == wanted["ports"]
        if same and mine.get("labels") == labels and (mine.get("annotations") or {}) == marks:
            return
        rest = {k: v for k, v in mine.items() if k != "annotations"}
        changed = {**rest, "labels": labels, **({"annotations": marks} if marks else {})}
        await work.update(ENDPOINT_SLICES, {**old, **wanted, "metadata": changed})
        return
    owner = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    made = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        **wanted,
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
            **({"annotations": marks} if marks else {}),
        },
    }
    try:
        await work.create(ENDPOINT_SLICES, made, meta["namespace"])
    except ClientError as error:
        causes = (error.status.get("details") or {}).get("causes") or ()
        if not any(c.get("reason") == "NamespaceTerminating" for c in causes):
            raise


def _sorted(endpoints: Sequence[Obj]) -> list[str]:
    return sorted(repr(sorted(e.items())) for e in endpoints)


def _of_slice(found: Obj) -> Iterable[str]:
    labels = found["metadata"].get("labels") or {}
    if labels.get(MANAGED) != MANAGER or not labels.get(SERVICE_NAME):
        return ()
    return (f"{found['metadata']['namespace']}/{labels[SERVICE_NAME]}",)


def _slice_changed(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    return sorted({key for x in (old, new) if x is not None for key in _of_slice(x)}) if old is not None else ()


def _endpoints_changed(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    found = new or old
    assert found is not None
    return (key_of(found),) if any(x is not None and mirrored(x) for x in (old, new)) else ()


def _service_changed(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    found = new or old
    assert found is not None
    if old is not None and new is not None and selected(old) == selected(new):
        return ()
    return (key_of(found),)


MIRRORING = Controller(
    "endpointslice-mirroring-controller",
    "endpointslicemirroring",
    service_account("endpointslicemirroring-controller"),
    (
        Watch(ENDPOINTS, _endpoints_changed),
        Watch(SERVICES, _service_changed),
        Watch(ENDPOINT_SLICES, _slice_changed, {"mirrored": _of_slice}),
    ),
    reconcile,
    "endpoint-slice-mirroring-controller",
)
