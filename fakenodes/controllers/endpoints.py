"""Endpoints of Services with a selector.

Stands for kube-controller-manager's endpoints_controller.go. Truncates at 1,000 addresses; leaves out batching of pod
changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import ENDPOINTS, PODS, SERVICES
from fakenodes.controllers.base import Controller, Watch, Work, service_account
from fakenodes.controllers.pods import is_ready
from fakenodes.controllers.serving import (
    HEADLESS,
    TRIGGER,
    Triggers,
    addresses,
    counts,
    hostname,
    is_headless,
    maintained,
    selects,
    services_of_pod,
    target_port,
    target_ref,
)

MANAGED = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER = "endpoints.kubernetes.io/over-capacity"
CAPACITY = 1000


def plan(service: Obj, pods: Sequence[Obj]) -> tuple[list[Obj], bool]:
    """The subsets for the service's pods, grouped by the ports they share; and whether some had to be left out."""
    wanted_family = (service["spec"].get("ipFamilies") or ["IPv4"])[0]
    tolerate = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[tuple[tuple[str, str, int, str], ...], tuple[list[Obj], list[Obj]]] = {}
    for pod in sorted(pods, key=lambda p: p["metadata"]["name"]):
        ip = next((x for x in addresses(pod) if (":" in x) == (wanted_family == "IPv6")), "")
        if not ip or not counts(pod, tolerate):
            continue
        address: Obj = {"ip": ip}
        if host := hostname(service, pod):
            address["hostname"] = host
        if pod["spec"].get("nodeName"):
            address["nodeName"] = pod["spec"]["nodeName"]
        address["targetRef"] = target_ref(pod)
        numbers = tuple(
            (x.get("name", ""), x.get("protocol", "TCP"), number, x.get("appProtocol", ""))
            for x in service["spec"].get("ports") or ()
            if (number := target_port(pod, x)) is not None
        )
        if service["spec"].get("ports") and not numbers:
            continue
        ready, waiting = groups.setdefault(numbers, ([], []))
        (ready if tolerate or is_ready(pod) else waiting).append(address)
    subsets, left, cut = [], CAPACITY, False
    for numbers, (ready, waiting) in sorted(groups.items()):
        cut = cut or len(ready) + len(waiting) > left
        ready, waiting = ready[:left], waiting[: max(left - len(ready), 0)]
        left -= len(ready) + len(waiting)
        subsets.append(_subset(numbers, ready, waiting))
    return subsets, cut


def _subset(numbers: Sequence[tuple[str, str, int, str]], ready: list[Obj], waiting: list[Obj]) -> Obj:
    subset: Obj = {}
    if ready:
        subset["addresses"] = sorted(ready, key=lambda a: str(a["ip"]))
    if waiting:
        subset["notReadyAddresses"] = sorted(waiting, key=lambda a: str(a["ip"]))
    ports = [
        {
            **({"name": name} if name else {}),
            "port": number,
            "protocol": protocol,
            **({"appProtocol": app} if app else {}),
        }
        for name, protocol, number, app in numbers
    ]
    if ports:
        subset["ports"] = ports
    return subset


async def reconcile(work: Work) -> float | None:
    """Write the Endpoints when they differ from the plan; delete them with their Service."""
    service = work.get(SERVICES, work.key)
    found = work.get(ENDPOINTS, work.key)
    triggers: Triggers = work.state
    if service is None:
        triggers.forget(work.key)
        if found is not None:
            await work.delete(ENDPOINTS, found)
        return None
    if not maintained(service):
        return None
    meta = service["metadata"]
    pods = [p for p in work.list(PODS, meta["namespace"]) if selects(service, p)]
    subsets, cut = plan(service, pods)
    trigger = triggers.compute(work.key, service, pods)
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HEADLESS} | {MANAGED: MANAGER}
    if is_headless(service):
        labels[HEADLESS] = ""
    if found is not None and (found.get("subsets") or []) == subsets and found["metadata"].get("labels") == labels:
        return None
    await _write(work, service, found, subsets, labels, trigger, cut)
    return None


async def _write(
    work: Work, service: Obj, found: Obj | None, subsets: list[Obj], labels: dict[str, str], trigger: str, cut: bool
) -> None:
    meta = found["metadata"] if found else {k: service["metadata"][k] for k in ("name", "namespace")}
    marks = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in (TRIGGER, OVER)}
    if trigger:
        marks[TRIGGER] = trigger
    if cut:
        marks[OVER] = "truncated"
    changed: Obj = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {**{k: v for k, v in meta.items() if k != "annotations"}, "labels": labels},
    }
    if marks:
        changed["metadata"]["annotations"] = marks
    if subsets:
        changed["subsets"] = subsets
    try:
        await (work.create(ENDPOINTS, changed) if found is None else work.update(ENDPOINTS, changed))
    except ClientError as error:
        if found is None and _terminating(error):
            return
        where = f"{service['metadata']['namespace']}/{service['metadata']['name']}"
        if found is None:
            text = f"Failed to create endpoint for service {where}: {error}"
            work.event(changed, "Warning", "FailedToCreateEndpoint", text)
        else:
            text = f"Failed to update endpoint {where}: {error}"
            work.event(changed, "Warning", "FailedToUpdateEndpoint", text)
        raise


def _terminating(error: ClientError) -> bool:
    causes = (error.status.get("details") or {}).get("causes") or ()
    return any(c.get("reason") == "NamespaceTerminating" for c in causes)


ENDPOINTS_CONTROLLER = Controller(
    "endpoints-controller",
    "endpoint",
    service_account("endpoint-controller"),
    (Watch(SERVICES), Watch(PODS, services_of_pod), Watch(ENDPOINTS)),
    reconcile,
    "endpoint-controller",
    Triggers,
)
