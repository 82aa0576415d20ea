"""Whether an object is where somebody waits for it to be, and if not, what is missing: pure functions on plain objects.

Stands for `kubectl rollout status` and `kubectl wait`. Used by Cluster.wait and the report of failed tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Obj = Mapping[str, Any]
# What is missing, "" when nothing is.
Missing = Callable[[Obj], str]


def condition(obj: Obj, type: str) -> Obj:
    """The condition of that type, empty when there is none."""
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((c for c in found if str(c.get("type", "")).lower() == type.lower()), {})


def condition_is(type: str, wanted: str = "True") -> Missing:
    """A condition with that status."""

    def missing(obj: Obj) -> str:
        found = condition(obj, type)
        if found.get("status") == wanted:
            return ""
        if not found:
            return f"it has no condition {type}"
        return f"condition {type} is {found.get('status')}" + _because(found)

    return missing


def _because(found: Obj) -> str:
    texts = [str(found[key]) for key in ("reason", "message") if found.get(key)]
    return f" ({': '.join(texts)})" if texts else ""


def field_is(path: str, wanted: str) -> Missing:
    """A field by its dotted path, with that value as text."""

    def missing(obj: Obj) -> str:
        value: Any = obj
        for part in path.strip("{}.").split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return "" if _text(value) == wanted else f"{path} is {_text(value) or 'not set'}, not {wanted}"

    return missing


def _text(value: Any) -> str:
    return (
        {None: "", True: "true", False: "false"}.get(value, str(value))
        if not isinstance(value, dict | list)
        else str(value)
    )


def exists(obj: Obj) -> str:
    """Being there is enough."""
    return ""


def _observed(obj: Obj) -> str:
    seen, generation = (obj.get("status") or {}).get("observedGeneration", 0), obj["metadata"].get("generation", 0)
    return "" if seen >= generation else "its controller has not seen its newest spec"


def _count(obj: Obj, wanted: int, *names: str) -> str:
    status = obj.get("status") or {}
    for name in names:
        if status.get(name, 0) != wanted:
            return f"{status.get(name, 0)} of {wanted} replicas in status.{name}"
    return ""


def deployment(obj: Obj) -> str:
    """Rolled out: every replica is new and available, and no old one is left."""
    return _observed(obj) or _count(
        obj, obj["spec"].get("replicas", 1), "updatedReplicas", "availableReplicas", "replicas"
    )


def statefulset(obj: Obj) -> str:
    """Every replica is ready, and new."""
    return _observed(obj) or _count(obj, obj["spec"].get("replicas", 1), "readyReplicas", "updatedReplicas")


def replicaset(obj: Obj) -> str:
    """Every replica is available."""
    return _observed(obj) or _count(obj, obj["spec"].get("replicas", 1), "availableReplicas")


def daemonset(obj: Obj) -> str:
    """A pod that is available on every node that is to have one."""
    status = obj.get("status") or {}
    return _observed(obj) or _count(
        obj, status.get("desiredNumberScheduled", 0), "numberAvailable", "updatedNumberScheduled"
    )


def pod(obj: Obj) -> str:
    """Ready, or ended well."""
    if (obj.get("status") or {}).get("phase") == "Succeeded" or condition(obj, "Ready").get("status") == "True":
        return ""
    return trouble(obj)


def job(obj: Obj) -> str:
    """Complete."""
    if condition(obj, "Complete").get("status") == "True":
        return ""
    failed = condition(obj, "Failed")
    if failed.get("status") == "True":
        return f"it failed{_because(failed)}"
    status = obj.get("status") or {}
    return f"{status.get('succeeded', 0)} of {obj['spec'].get('completions') or 1} completions"


# (group, plural) -> what "ready" means there; anything else only has to exist.
READY: dict[tuple[str, str], Missing] = {
    ("apps", "deployments"): deployment,
    ("apps", "statefulsets"): statefulset,
    ("apps", "replicasets"): replicaset,
    ("apps", "daemonsets"): daemonset,
    ("", "replicationcontrollers"): replicaset,
    ("", "pods"): pod,
    ("batch", "jobs"): job,
    ("", "nodes"): condition_is("Ready"),
    ("", "namespaces"): field_is("status.phase", "Active"),
    ("", "persistentvolumeclaims"): field_is("status.phase", "Bound"),
    ("apiextensions.k8s.io", "customresourcedefinitions"): condition_is("Established"),
}


def missing_of(group: str, plural: str, until: str) -> Missing:
    """What `until` asks for: "" or "ready" (by kind), "exists", "Condition[=Status]", or "dotted.path=value"."""
    if until in ("", "ready"):
        return READY.get((group, plural), exists)
    if until == "exists":
        return exists
    name, _, wanted = until.removeprefix("condition=").removeprefix("jsonpath=").partition("=")
    if "." in name or name.startswith("{"):
        return field_is(name, wanted.strip("'\""))
    return condition_is(name, wanted or "True")


def trouble(obj: Obj) -> str:
    """A pod's state in a few words: the first container that is not well, else what keeps the pod from a node."""
    status = obj.get("status") or {}
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for found in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        for state in ("waiting", "terminated"):
            detail = (found.get("state") or {}).get(state)
            if detail and detail.get("reason") != "Completed":
                code = f" (exit code {detail['exitCode']})" if "exitCode" in detail else ""
                return f"container {found['name']}: {detail.get('reason', state)}{code}" + (
                    f": {detail['message']}" if detail.get("message") else ""
                )
    scheduled = condition(obj, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"{status.get('phase', 'Pending')}{_because(scheduled)}"
    ready = condition(obj, "Ready")
    return f"{status.get('phase', 'Pending')}" + ("" if ready.get("status") == "True" else _because(ready))


def well(obj: Obj) -> bool:
    """Whether a pod needs no mention."""
    return not pod(obj)


def event_line(obj: Obj) -> str:
    """`Warning FailedScheduling pod/web-1 (x3): text`."""
    about = obj.get("involvedObject") or {}
    series = (obj.get("series") or {}).get("count") or obj.get("count") or 1
    times = f" (x{series})" if series > 1 else ""
    kind = str(about.get("kind", "")).lower()
    return f"{obj.get('type')} {obj.get('reason')} {kind}/{about.get('name')}{times}: {obj.get('message', '')}"


def summary(pods: Iterable[Obj], events: Iterable[Obj], limit: int = 20) -> list[str]:
    """Lines about pods that are not well, and the latest warnings."""
    lines = [f"pod {p['metadata']['namespace']}/{p['metadata']['name']}: {trouble(p)}" for p in pods if not well(p)]
    warnings = sorted((e for e in events if e.get("type") == "Warning"), key=_when)
    return lines[:limit] + [event_line(e) for e in warnings[-limit:]]


def _when(event: Obj) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
