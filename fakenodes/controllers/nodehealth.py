"""What a node's conditions and silence come to: taints, conditions nobody reports any more, a zone's state. Pure.

Stands for the decisions of kube-controller-manager's pkg/controller/nodelifecycle (node_lifecycle_controller.go) with
its default flags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fakeapi.clock import rfc3339
from fakenodes.client.base import Obj
from fakenodes.controllers.pods import condition

PREFIX = "node.kubernetes.io/"
NOT_READY, UNREACHABLE = f"{PREFIX}not-ready", f"{PREFIX}unreachable"
UNSCHEDULABLE = f"{PREFIX}unschedulable"
# nodeConditionToTaintKeyStatusMap: condition -> status -> taint
TAINTS: Mapping[str, Mapping[str, str]] = {
    "Ready": {"False": NOT_READY, "Unknown": UNREACHABLE},
    "MemoryPressure": {"True": f"{PREFIX}memory-pressure"},
    "DiskPressure": {"True": f"{PREFIX}disk-pressure"},
    "NetworkUnavailable": {"True": f"{PREFIX}network-unavailable"},
    "PIDPressure": {"True": f"{PREFIX}pid-pressure"},
}
MANAGED = frozenset(key for found in TAINTS.values() for key in found.values()) | {UNSCHEDULABLE}
EVICTING = {"False": NOT_READY, "Unknown": UNREACHABLE}
# --node-monitor-period, --node-monitor-grace-period, --node-startup-grace-period
MONITOR_SECONDS, GRACE_SECONDS, STARTUP_SECONDS = 5.0, 50.0, 60.0
# --node-eviction-rate, --secondary-node-eviction-rate, --unhealthy-zone-threshold, --large-cluster-size-threshold
EVICTION_RATE, SECONDARY_RATE, UNHEALTHY, LARGE = 0.1, 0.01, 0.55, 50
EXCLUDED = f"{PREFIX}exclude-disruption"
REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
# Labels that a node has under an old and a new name: the new one decides. new -> old
RENAMED = {"kubernetes.io/os": "beta.kubernetes.io/os", "kubernetes.io/arch": "beta.kubernetes.io/arch"}


def ready_status(node: Obj) -> str:
    """The status of the Ready condition, "" when there is none."""
    found = condition(node, "Ready")
    return str(found["status"]) if found else ""


def no_schedule(node: Obj) -> list[str]:
    """The keys of the NoSchedule taints that the node's conditions and spec ask for."""
    found = []
    for each in (node.get("status") or {}).get("conditions") or ():
        key = TAINTS.get(each["type"], {}).get(each["status"])
        if key:
            found.append(key)
    if node["spec"].get("unschedulable"):
        found.append(UNSCHEDULABLE)
    return found


def swapped(
    taints: Sequence[Obj], effect: str, managed: Iterable[str], wanted: Sequence[str], now: float
) -> list[Obj] | None:
    """The taints with, of the managed keys and that effect, exactly the wanted ones; None when they are so already."""
    known = set(managed)
    kept = [t for t in taints if not (t["effect"] == effect and t["key"] in known and t["key"] not in wanted)]
    have = {t["key"] for t in kept if t["effect"] == effect}
    added = [{"key": key, "effect": effect, "timeAdded": rfc3339(now)} for key in wanted if key not in have]
    return [*kept, *added] if added or len(kept) != len(taints) else None


def unknown(node: Obj, now: float) -> list[Obj]:
    """The conditions of a node that has been silent for too long."""
    status = node.get("status") or {}
    found: list[Obj] = []
    have = set()
    for each in status.get("conditions") or ():
        have.add(each["type"])
        if each["type"] in REPORTED and each["status"] != "Unknown":
            each = {
                **each,
                "status": "Unknown",
                "reason": "NodeStatusUnknown",
                "lastTransitionTime": rfc3339(now),
                "message": "Kubelet stopped posting node status.",
            }
        found.append(each)
    for name in REPORTED:
        if name not in have:
            found.append(
                {
                    "type": name,
                    "status": "Unknown",
                    "lastHeartbeatTime": node["metadata"]["creationTimestamp"],
                    "lastTransitionTime": rfc3339(now),
                    "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                }
            )
    return found


def zone_of(node: Obj) -> str:
    """The failure domain by the node's labels, "" when they name none."""
    labels = node["metadata"].get("labels") or {}
    region = labels.get("topology.kubernetes.io/region") or labels.get("failure-domain.beta.kubernetes.io/region", "")
    zone = labels.get("topology.kubernetes.io/zone") or labels.get("failure-domain.beta.kubernetes.io/zone", "")
    return f"{region}:\x00:{zone}" if region or zone else ""


def counted(node: Obj) -> bool:
    """Whether the node says something about the state of its zone."""
    return EXCLUDED not in (node["metadata"].get("labels") or {})


def zone_rates(nodes: Sequence[Obj]) -> dict[str, float]:
    """Nodes a second that may be evicted, by zone: fewer where most are down, none when everything is."""
    up: dict[str, int] = {}
    down: dict[str, int] = {}
    for node in nodes:
        counts = up if ready_status(node) == "True" else down
        counts[zone_of(node)] = counts.get(zone_of(node), 0) + 1
    rates = {}
    for zone in {*up, *down}:
        good, bad = up.get(zone, 0), down.get(zone, 0)
        partial = good > 0 and bad > 2 and bad / (good + bad) >= UNHEALTHY
        rates[zone] = (SECONDARY_RATE if good + bad > LARGE else 0.0) if partial else EVICTION_RATE
    return dict.fromkeys(rates, 0.0) if not up else rates


def renamed_labels(node: Obj) -> dict[str, str]:
    """Labels to set so that old names say what new ones do."""
    labels = node["metadata"].get("labels") or {}
    return {old: labels[new] for new, old in RENAMED.items() if new in labels and labels.get(old) != labels[new]}


def not_ready_pod(pod: Obj, now: float) -> Obj | None:
    """The pod's status with Ready False, as its node cannot say so; None when it is so already."""
    found = condition(pod, "Ready")
    if found is None or found["status"] == "False":
        return None
    changed = {**found, "status": "False", "lastTransitionTime": rfc3339(now)}
    if pod["metadata"].get("generation"):
        changed["observedGeneration"] = pod["metadata"]["generation"]
    status = pod["status"]
    return {**status, "conditions": [changed if c is found else c for c in status["conditions"]]}
