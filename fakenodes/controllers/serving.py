"""What a Service's pods offer: which pods count, their ports, and since when anything changed.

Stands for kube-controller-manager's endpoint util package and endpointslice's utils. Pure but for the remembered times.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from fakeapi.selectors import from_map
from fakenodes.client.base import Obj
from fakenodes.client.gvrs import SERVICES
from fakenodes.controllers.base import Watching
from fakenodes.controllers.pods import condition, is_terminated
from fakenodes.informer import key_of

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"
SERVICE_NAME = "kubernetes.io/service-name"


def selects(service: Obj, pod: Obj) -> bool:
    """Whether the service has a selector and the pod matches it."""
    selector = service["spec"].get("selector")
    return bool(selector) and from_map(selector).matches(pod["metadata"].get("labels") or {})


def maintained(service: Obj) -> bool:
    """Whether controllers keep endpoints for the service: it has a selector and is no mere DNS alias."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def is_headless(service: Obj) -> bool:
    """clusterIP None."""
    return bool(service["spec"].get("clusterIP") == "None")


def addresses(pod: Obj) -> list[str]:
    """The pod's IPs."""
    status = pod.get("status") or {}
    found = [x["ip"] for x in status.get("podIPs") or () if x.get("ip")]
    return found or ([status["podIP"]] if status.get("podIP") else [])


def counts(pod: Obj, terminating: bool) -> bool:
    """Whether the pod may be an endpoint: it has an IP, is not over, and is not going unless those are wanted."""
    if is_terminated(pod) or not addresses(pod):
        return False
    return terminating or not pod["metadata"].get("deletionTimestamp")


def hostname(service: Obj, pod: Obj) -> str:
    """The hostname under the service's name, for pods that ask for one."""
    spec = pod["spec"]
    return str(spec.get("hostname") or "") if spec.get("subdomain") == service["metadata"]["name"] else ""


def target_port(pod: Obj, port: Obj) -> int | None:
    """The number that a service port leads to on the pod; None when the pod names no such port."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target or int(port["port"])
    sidecars = [c for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*(pod["spec"].get("containers") or ()), *sidecars]:
        for each in container.get("ports") or ():
            if each.get("name") == target and each.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return int(each["containerPort"])
    return None


def target_ref(pod: Obj) -> Obj:
    """How an endpoint refers to its pod."""
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


class Triggers(Struct):
    """The times of the changes that a service's endpoints have taken in: by service key, (service, pod times)."""

    known: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def compute(self, key: str, service: Obj, pods: Iterable[Obj]) -> str:
        """The earliest change since last time, "" when there is none: a new service, a pod that became (un)ready."""
        before = self.known.get(key, {})
        now: dict[str, str] = {}
        for pod in pods:
            found = condition(pod, "Ready")
            if found is not None and found.get("lastTransitionTime"):
                now[pod["metadata"]["name"]] = found["lastTransitionTime"]
        changes = [stamp for name, stamp in now.items() if stamp > before.get(name, "")]
        if key not in self.seen:
            changes.append(service["metadata"]["creationTimestamp"])
            self.seen.add(key)
        self.known[key] = now
        return min(changes, default="")

    def forget(self, key: str) -> None:
        """The service is gone."""
        self.known.pop(key, None)
        self.seen.discard(key)


def services_of_pod(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The services that a changed pod is or was an endpoint of; none when nothing that endpoints show has changed."""
    if old is not None and new is not None and _shown(old) == _shown(new):
        return ()
    obj = new or old
    assert obj is not None
    services = watching.list(SERVICES, obj["metadata"]["namespace"])
    return [key_of(s) for s in services if any(x is not None and selects(s, x) for x in (old, new))]


def _shown(pod: Obj) -> object:
    meta, spec = pod["metadata"], pod["spec"]
    ready = condition(pod, "Ready") or {}
    return (
        meta["uid"],
        meta.get("labels"),
        bool(meta.get("deletionTimestamp")),
        addresses(pod),
        ready.get("status"),
        is_terminated(pod),
        spec.get("nodeName"),
        spec.get("hostname"),
        spec.get("subdomain"),
    )
