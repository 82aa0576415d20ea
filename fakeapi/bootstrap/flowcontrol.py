"""API Priority and Fairness's default configuration, which every API server makes at its start.

Stands for apiserver's pkg/apis/flowcontrol/bootstrap. The fake queues nothing; the objects exist because clients
list them. Fields that older minors do not know (exempt, lendablePercent) are left out there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

GROUP = "flowcontrol.apiserver.k8s.io"
MANDATORY = frozenset(("exempt", "catch-all"))
ANNOTATIONS = {"apf.kubernetes.io/autoupdate-spec": "true"}

# name -> (nominal shares, lendable percent, (queues, hand size, queue length) or None for Reject).
LEVELS: dict[str, tuple[int, int, tuple[int, int, int] | None]] = {
    "catch-all": (5, 0, None),
    "system": (30, 33, (64, 6, 50)),
    "node-high": (40, 25, (64, 6, 50)),
    "leader-election": (10, 0, (16, 4, 50)),
    "workload-high": (40, 50, (128, 6, 50)),
    "workload-low": (100, 90, (128, 6, 50)),
    "global-default": (20, 50, (128, 6, 50)),
}

_ALL = (("*", "*", "*", True), ("*", "*"))
_EVERYONE = ("Group:system:unauthenticated", "Group:system:authenticated")
_LEASES = ("coordination.k8s.io", "leases", False)

# name, priority level, precedence, distinguisher, subjects, rules: (verbs, groups, resources, cluster scope) or
# (verbs, URLs); lists joined by commas, "core" is the group "".
SCHEMAS: tuple[tuple[str, str, int, str, tuple[str, ...], tuple[tuple[Any, ...], ...]], ...] = (
    ("exempt", "exempt", 1, "", ("Group:system:masters",), _ALL),
    ("probes", "exempt", 2, "", _EVERYONE, (("get", "/healthz,/readyz,/livez"),)),
    (
        "system-leader-election",
        "leader-election",
        100,
        "ByUser",
        ("User:system:kube-controller-manager", "User:system:kube-scheduler", "ServiceAccount:*"),
        (("get,create,update", *_LEASES),),
    ),
    (
        "system-node-high",
        "node-high",
        400,
        "ByUser",
        ("Group:system:nodes",),
        (("*", "core", "nodes,nodes/status", True), ("*", *_LEASES)),
    ),
    ("system-nodes", "system", 500, "ByUser", ("Group:system:nodes",), _ALL),
    ("kube-controller-manager", "workload-high", 800, "ByNamespace", ("User:system:kube-controller-manager",), _ALL),
    ("kube-scheduler", "workload-high", 800, "ByNamespace", ("User:system:kube-scheduler",), _ALL),
    ("kube-system-service-accounts", "workload-high", 900, "ByNamespace", ("ServiceAccount:*",), _ALL),
    ("service-accounts", "workload-low", 9000, "ByUser", ("Group:system:serviceaccounts",), _ALL),
    ("global-default", "global-default", 9900, "ByUser", _EVERYONE, _ALL),
    ("catch-all", "catch-all", 10000, "ByUser", _EVERYONE, _ALL),
)


def objects(minor: int, version: str, now: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(plural, object); version is the stored one, now the RFC 3339 time of the schemas' conditions."""
    shares = "assuredConcurrencyShares" if version in ("v1beta1", "v1beta2") else "nominalConcurrencyShares"
    exempt: dict[str, Any] = {"type": "Exempt"}
    if minor >= 28:
        exempt["exempt"] = {"nominalConcurrencyShares": 0, "lendablePercent": 0}
    yield "prioritylevelconfigurations", _level("exempt", exempt, version)
    for name, (number, lendable, queuing) in LEVELS.items():
        response: dict[str, Any] = {"type": "Reject"}
        if queuing is not None:
            response = {
                "type": "Queue",
                "queuing": dict(zip(("queues", "handSize", "queueLengthLimit"), queuing, strict=True)),
            }
        limited = {shares: number, "limitResponse": response}
        if minor >= 26:
            limited["lendablePercent"] = lendable
        yield "prioritylevelconfigurations", _level(name, {"type": "Limited", "limited": limited}, version)
    for schema in SCHEMAS:
        yield "flowschemas", _schema(*schema, version=version, now=now)


def _base(kind: str, name: str, version: str) -> dict[str, Any]:
    metadata = {"name": name, "generation": 1, "annotations": dict(ANNOTATIONS)}
    return {"kind": kind, "apiVersion": f"{GROUP}/{version}", "metadata": metadata}


def _level(name: str, spec: dict[str, Any], version: str) -> dict[str, Any]:
    return {**_base("PriorityLevelConfiguration", name, version), "spec": spec, "status": {}}


def _schema(
    name: str,
    level: str,
    precedence: int,
    distinguisher: str,
    subjects: tuple[str, ...],
    rules: tuple[tuple[Any, ...], ...],
    version: str,
    now: str,
) -> dict[str, Any]:
    policy: dict[str, Any] = {"subjects": [_subject(text) for text in subjects]}
    for rule in rules:
        if len(rule) == 2:
            made = {"verbs": rule[0].split(","), "nonResourceURLs": rule[1].split(",")}
            policy.setdefault("nonResourceRules", []).append(made)
        else:
            policy.setdefault("resourceRules", []).append(_resource_rule(*rule))
    spec: dict[str, Any] = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
    if distinguisher:
        spec["distinguisherMethod"] = {"type": distinguisher}
    spec["rules"] = [policy]
    found = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" and it exists'
    condition = {
        "type": "Dangling",
        "status": "False",
        "lastTransitionTime": now,
        "reason": "Found",
        "message": found,
    }
    return {**_base("FlowSchema", name, version), "spec": spec, "status": {"conditions": [condition]}}


def _resource_rule(verbs: str, groups: str, resources: str, cluster: bool) -> dict[str, Any]:
    return {
        "verbs": verbs.split(","),
        "apiGroups": ["" if group == "core" else group for group in groups.split(",")],
        "resources": resources.split(","),
        **({"clusterScope": True} if cluster else {}),
        "namespaces": ["*"],
    }


def _subject(text: str) -> dict[str, Any]:
    kind, name = text.split(":", 1)
    if kind == "ServiceAccount":
        return {"kind": kind, "serviceAccount": {"namespace": "kube-system", "name": name}}
    return {"kind": kind, kind.lower(): {"name": name}}
