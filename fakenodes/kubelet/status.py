"""A pod's status as its kubelet reports it: phase, conditions, container statuses, and the patch that brings it about.

Stands for pkg/kubelet/status (generate.go, status_manager.go) and kubelet_pods.go (generateAPIPodStatus, getPhase).
Container statuses have `started` only where a startup probe or a sidecar gives it a meaning, as hollow kubelets do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fakeapi.clock import rfc3339
from fakeapi.quantity import parse
from fakenodes.kubelet.podstate import (
    COMPLETED,
    DEADLINE,
    DELETED,
    DISRUPTIONS,
    EPHEMERAL,
    INIT,
    MAIN,
    SIDECAR,
    Container,
    Pod,
)
from fakenodes.kubelet.restartpolicy import restarts
from fakenodes.kubelet.runtime.imagenames import full_name, image_id

Obj = dict[str, Any]

CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
DISRUPTION = "DisruptionTarget"
TERMINAL = ("Succeeded", "Failed")
# What a container that was never seen to run is said to have come to when its pod ends (TerminatePod).
LOST = {
    "exitCode": 137,
    "reason": "ContainerStatusUnknown",
    "message": "The container could not be located when the pod was terminated",
    "startedAt": None,
    "finishedAt": None,
}


def phase(pod: Pod) -> str:
    """What the containers come to: Pending, Running, Succeeded or Failed (kubelet_pods.go's getPhase)."""
    if any(c.ended and c.exit_code and not restarts(pod.obj, c) for c in pod.of(INIT)):
        return "Failed"
    sidecars, mains = pod.of(SIDECAR), pod.of(MAIN)
    if any(_held_up(c) for c in pod.of(INIT)) or any(c.unborn for c in mains):
        return "Pending"
    if any(c.told_running for c in sidecars + mains):
        return "Running"
    if not pod.finished and any(not c.ended or restarts(pod.obj, c) for c in mains):
        return "Running"
    return "Failed" if any(c.exit_code for c in mains) else "Succeeded"


def _held_up(init: Container) -> bool:
    """Is this init container still to do its work?"""
    return init.told_running or init.unborn


def _cut_short(pod: Pod) -> bool:
    """Does its node end the pod, for a reason that the status names?"""
    return pod.ending not in ("", COMPLETED, DELETED)


def _reported(pod: Pod, found: str, old: Mapping[str, Any]) -> str:
    """The phase that is told. It is terminal once nothing runs any more, and at the end in any case
    (status_manager.go's mergePodStatus and TerminatePod)."""
    if pod.finished:
        return "Failed" if _cut_short(pod) or found not in TERMINAL else found
    return old.get("phase") or "Running" if found in TERMINAL else found


def build(pod: Pod, old: Mapping[str, Any], addresses: tuple[str, str], now: float) -> Obj:
    """The whole status. old: the one that the API server has; addresses: (host IP, pod IP or "")."""
    host, address = addresses
    found: Obj = {}
    generation = pod.obj["metadata"].get("generation")
    if generation:
        found["observedGeneration"] = generation
    come_to = phase(pod)
    found["phase"] = _reported(pod, come_to, old)
    if _cut_short(pod):
        come_to = "Failed" if pod.finished or pod.ending == DEADLINE else come_to
        if pod.finished:
            found["reason"], found["message"] = pod.ending, pod.message
    found["conditions"] = conditions(pod, come_to, old.get("conditions") or (), now)
    found["hostIP"], found["hostIPs"] = host, [{"ip": host}]
    if address:
        found["podIP"], found["podIPs"] = address, [{"ip": address}]
    found["startTime"] = old.get("startTime") or rfc3339(pod.started_at)
    for key, kinds in (("initContainerStatuses", (INIT, SIDECAR)), ("containerStatuses", (MAIN,)),
                       ("ephemeralContainerStatuses", (EPHEMERAL,))):  # fmt: skip
        chosen = pod.of(*kinds)
        if INIT not in kinds:
            chosen.sort(key=lambda c: c.name)
        statuses = [container_status(pod, c) for c in chosen]
        if statuses:
            found[key] = statuses
    found["qosClass"] = old.get("qosClass") or "BestEffort"
    resources = pod_resources(_allocated(pod))
    found["resources"] = resources
    if resources.get("requests"):
        found["allocatedResources"] = resources["requests"]
    return found


def rejected(pod: Obj, reason: str, message: str, old: Mapping[str, Any], now: float) -> Obj:
    """The status of a pod that the node does not take: of its conditions only those of others stay."""
    found: Obj = {
        "phase": "Failed",
        "conditions": [dict(c) for c in old.get("conditions") or () if c["type"] not in CONDITIONS],
        "reason": reason,
        "message": f"Pod was rejected: {message}",
        "startTime": old.get("startTime") or rfc3339(now),
    }
    generation = pod["metadata"].get("generation")
    if generation:
        found["observedGeneration"] = generation
    return found


# Containers


def container_status(pod: Pod, container: Container) -> Obj:
    """One ContainerStatus."""
    image = container.spec.get("image", "")
    ran = container.told_running or container.ended
    found: Obj = {
        "name": container.name,
        "state": _state(pod, container),
        "lastState": {"terminated": _terminated(*container.last)} if container.last and not _between(container) else {},
        "ready": _ready_for_use(container),
        "restartCount": container.restarts,
        "image": image if container.unborn else full_name(image),
        "imageID": "" if container.unborn else image_id(image),
    }
    identity = container.id if ran else container.last[5] if container.last else ""
    if identity:
        found["containerID"] = f"containerd://{identity}"
    if container.kind == SIDECAR or container.spec.get("startupProbe"):
        found["started"] = container.started
    if not container.unborn:
        given = container.resources if container.told_running else container.allocated
        if container.allocated.get("requests"):
            found["allocatedResources"] = dict(container.allocated["requests"])
        found["resources"] = {k: dict(given[k]) for k in ("limits", "requests") if given.get(k)}
    mounts = [_mount(m) for m in container.spec.get("volumeMounts") or ()]
    if mounts:
        found["volumeMounts"] = mounts
    return found


def _ready_for_use(container: Container) -> bool:
    """Ephemeral containers never are, whatever they do (prober_manager.go's UpdatePodStatus leaves them out)."""
    if container.kind == EPHEMERAL:
        return False
    return container.succeeded if container.kind == INIT else container.ready


def _mount(mount: Mapping[str, Any]) -> Obj:
    found: Obj = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        found["readOnly"] = True
        found["recursiveReadOnly"] = "Disabled"
    return found


def _state(pod: Pod, container: Container) -> Obj:
    if container.told_running:
        return {"running": {"startedAt": rfc3339(container.started_at)}}
    if container.ended:
        return {"terminated": _terminated(*container.outcome)}
    if container.reason:
        return {
            "waiting": {"reason": container.reason, **({"message": container.message} if container.message else {})}
        }
    if container.last and _between(container):
        return {"terminated": _terminated(*container.last)}
    if lost(pod, container):
        return {"terminated": dict(LOST)}
    return {"waiting": {"reason": waiting_reason(pod)}}


def _between(container: Container) -> bool:
    """Has it ended, and is about to start again? Until then it shows how it has ended."""
    return not container.told_running and not container.ended and not container.reason


def waiting_reason(pod: Pod) -> str:
    """What a container waits for that has no trouble of its own."""
    return "PodInitializing" if pod.of(INIT, SIDECAR) else "ContainerCreating"


def lost(pod: Pod, container: Container) -> bool:
    """Has the pod ended, and counts a container of it that never ran as failed? So do main containers once the init
    containers have done their work; of these all up to the last that ran, and the first."""
    if not pod.finished or not container.unborn:
        return False
    inits = pod.of(INIT, SIDECAR)
    if container.kind == MAIN:
        return all(c.succeeded or c.kind == SIDECAR for c in inits) or any(not c.unborn for c in pod.of(MAIN))
    return container in inits and (container is inits[0] or any(not c.unborn for c in inits[inits.index(container) :]))


def _terminated(started: float, finished: float, code: int, reason: str, message: str, identity: str) -> Obj:
    found: Obj = {"exitCode": code, "reason": reason, "startedAt": rfc3339(started), "finishedAt": rfc3339(finished)}
    if message:
        found["message"] = message
    found["containerID"] = f"containerd://{identity}"
    return found


def _allocated(pod: Pod) -> Mapping[str, Any]:
    """The Pod as far as its node has given it what it asks for."""
    if pod.pending is None:
        return pod.obj
    given = {c.name: {**c.spec, "resources": c.allocated} for c in pod.containers}
    spec = dict(pod.obj["spec"])
    for key in ("initContainers", "containers"):
        if spec.get(key):
            spec[key] = [given[c["name"]] for c in spec[key]]
    return {**pod.obj, "spec": spec}


def pod_resources(pod: Mapping[str, Any]) -> Obj:
    """Sums over the containers (init containers that end do not count), pod-level figures first."""
    spec = pod["spec"]
    containers = [*(spec.get("containers") or ())]
    containers += [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    found: Obj = {}
    for kind in ("limits", "requests"):
        sums: dict[str, Any] = {}
        for container in containers:
            for name, text in ((container.get("resources") or {}).get(kind) or {}).items():
                sums[name] = sums[name] + parse(str(text)) if name in sums else parse(str(text))
        total = {name: str(value) for name, value in sums.items()}
        total.update((spec.get("resources") or {}).get(kind) or {})
        if total:
            found[kind] = total
    return found


# Conditions


def conditions(pod: Pod, now_phase: str, old: Sequence[Mapping[str, Any]], now: float) -> list[Obj]:
    """Those of others as they are, resizes, why the pod is disrupted, then the kubelet's five in its order."""
    before = {c["type"]: c for c in old}
    generation = pod.obj["metadata"].get("generation")
    ready = _containers_ready(pod, now_phase)
    made = {
        "PodReadyToStartContainers": ("True" if pod.sandbox else "False", "", ""),
        "Initialized": _initialized(pod, now_phase),
        "Ready": _ready(pod, ready, before),
        "ContainersReady": ready,
        "PodScheduled": ("True", "", ""),
    }
    disrupted = pod.finished and pod.ending in DISRUPTIONS
    own = {*CONDITIONS, PENDING, IN_PROGRESS, *((DISRUPTION,) if disrupted else ())}
    found = [dict(c) for c in old if c["type"] not in own]
    more = {}
    if pod.pending is not None:
        more[PENDING] = ("True", *pod.pending)
    if pod.resizing:
        more[IN_PROGRESS] = ("True", "", "")
    if disrupted:
        more[DISRUPTION] = ("True", "TerminationByKubelet", DISRUPTIONS[pod.ending] or pod.message)
    return found + [_condition(n, v, before.get(n), generation, now) for n, v in {**more, **made}.items()]


def _condition(
    name: str, value: tuple[str, str, str], old: Mapping[str, Any] | None, generation: int | None, now: float
) -> Obj:
    status, reason, message = value
    found: Obj = {"type": name}
    if generation:
        found["observedGeneration"] = generation
    since = old.get("lastTransitionTime") if old and old.get("status") == status else None
    found |= {"status": status, "lastProbeTime": None, "lastTransitionTime": since or rfc3339(now)}
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    return found


def _containers_ready(pod: Pod, now_phase: str) -> tuple[str, str, str]:
    if now_phase == "Succeeded":
        return "False", "PodCompleted", ""
    if now_phase == "Failed":
        return "False", "PodFailed", ""
    unready = [c.name for c in pod.of(SIDECAR, MAIN) if not c.ready]
    if unready:
        return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "True", "", ""


def _ready(pod: Pod, containers: tuple[str, str, str], before: Mapping[str, Mapping[str, Any]]) -> tuple[str, str, str]:
    if containers[0] != "True":
        return containers
    problems = []
    for gate in pod.obj["spec"].get("readinessGates") or ():
        name = gate["conditionType"]
        if name not in before:
            problems.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif before[name]["status"] != "True":
            problems.append(f'the status of pod readiness gate "{name}" is not "True", but {before[name]["status"]}')
    return ("False", "ReadinessGatesNotReady", ", ".join(problems)) if problems else containers


def _initialized(pod: Pod, now_phase: str) -> tuple[str, str, str]:
    if now_phase == "Succeeded":
        return "True", "PodCompleted", ""
    if any(c.told_running or c.ended or (c.last and _between(c)) for c in pod.of(MAIN)):
        return "True", "", ""
    waiting = [c.name for c in pod.of(INIT, SIDECAR) if not (c.started if c.kind == SIDECAR else c.succeeded)]
    if waiting:
        return "False", "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(waiting)}]"
    return "True", "", ""


# The patch


def patch(old: Mapping[str, Any], new: Mapping[str, Any], uid: str) -> Obj | None:
    """A strategic merge patch of what differs, None for nothing."""
    changed: Obj = {k: v for k, v in new.items() if k != "conditions" and old.get(k) != v}
    for key in changed.keys() & {"podIPs", "hostIPs"}:  # lists that are merged by address
        former = [a for a in old.get(key) or () if a not in new[key]]
        changed[key] = [*new[key], *({"$patch": "delete", "ip": a["ip"]} for a in former)]
    gone = [k for k in ("reason", "message", "podIP") if k in old and k not in new]
    changed.update(dict.fromkeys(gone))
    if "conditions" in new:
        before = {c["type"]: c for c in old.get("conditions") or ()}
        differ = [_cleared(c, before.get(c["type"])) for c in new["conditions"] if not _same(c, before.get(c["type"]))]
        over = [{"$patch": "delete", "type": t} for t in before if t not in {c["type"] for c in new["conditions"]}]
        if differ or over:
            changed["$setElementOrder/conditions"] = [{"type": c["type"]} for c in new["conditions"]]
            changed["conditions"] = differ + over
    return {"metadata": {"uid": uid}, "status": changed} if changed else None


def _same(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> bool:
    return old is not None and {k: v for k, v in new.items() if v is not None} == {
        k: v for k, v in old.items() if v is not None
    }


def _cleared(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Obj:
    """With nulls for what the old condition has and the new one has not."""
    return {**{k: None for k in old or () if k not in new}, **new}
