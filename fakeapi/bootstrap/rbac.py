"""RBAC's default roles and bindings as objects, made from the tables of policy.py and controllers.py.

Stands for plugin/pkg/auth/authorizer/rbac/bootstrappolicy; as its rule builder does, lists are sorted. Roles that
somebody has changed are upkeep.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fakeapi.bootstrap.controllers import CONTROLLER_ROLES
from fakeapi.bootstrap.policy import BINDINGS, CLUSTER_BINDINGS, CLUSTER_ROLES, CONTROLLER, GROUP, ROLES

LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"

# Aggregated cluster roles -> the label value that they gather; the role is itself labelled for the next one.
AGGREGATED = {"admin": "", "edit": "admin", "view": "edit"}
_LABELLED = {"system:aggregate-to-" + name: name for name in AGGREGATED} | {"edit": "admin", "view": "edit"}


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """(plural, object without metadata but name, namespace, labels and annotations), roles before their bindings."""
    for name, rules in CLUSTER_ROLES.items():
        yield "clusterroles", _cluster_role(name, rules)
    for name, rules in CONTROLLER_ROLES.items():
        yield "clusterroles", _cluster_role(CONTROLLER + name, rules)
    for name, subjects in CLUSTER_BINDINGS.items():
        yield "clusterrolebindings", _binding("ClusterRoleBinding", name, "", "ClusterRole", name, subjects)
    for name in CONTROLLER_ROLES:
        role, subjects = CONTROLLER + name, (f"sa:kube-system/{name}",)
        yield "clusterrolebindings", _binding("ClusterRoleBinding", role, "", "ClusterRole", role, subjects)
    for (namespace, name), rules in ROLES.items():
        yield "roles", {**_base("Role", name, namespace), "rules": [rule(text) for text in rules]}
    for (namespace, name), (role, subjects) in BINDINGS.items():
        yield "rolebindings", _binding("RoleBinding", name, namespace, "Role", role, subjects)


def rule(text: str) -> dict[str, Any]:
    """A line of the tables above as a PolicyRule."""
    verbs, first, *rest = text.split(" ")
    if not rest:
        return {"verbs": sorted(verbs.split(",")), "nonResourceURLs": sorted(first.split(","))}
    groups = sorted("" if group == "core" else group for group in first.split(","))
    made = {"verbs": sorted(verbs.split(",")), "apiGroups": groups, "resources": sorted(rest[0].split(","))}
    if len(rest) > 1:
        made["resourceNames"] = sorted(rest[1].split(","))
    return made


def _base(kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    metadata = {"name": name, **where, "labels": dict(LABELS), "annotations": dict(ANNOTATIONS)}
    return {"kind": kind, "apiVersion": GROUP + "/v1", "metadata": metadata}


def _cluster_role(name: str, rules: tuple[str, ...]) -> dict[str, Any]:
    """Aggregated roles start without rules: a controller fills them in."""
    made = _base("ClusterRole", name)
    if name in _LABELLED:
        made["metadata"]["labels"][AGGREGATE + _LABELLED[name]] = "true"
    if name not in AGGREGATED:
        return {**made, "rules": [rule(text) for text in rules]}
    selectors = [{"matchLabels": {AGGREGATE + name: "true"}}]
    return {**made, "rules": None, "aggregationRule": {"clusterRoleSelectors": selectors}}


def _binding(
    kind: str, name: str, namespace: str, role_kind: str, role: str, subjects: tuple[str, ...]
) -> dict[str, Any]:
    made = _base(kind, name, namespace)
    if subjects:
        made["subjects"] = [_subject(text) for text in subjects]
    made["roleRef"] = {"apiGroup": GROUP, "kind": role_kind, "name": role}
    return made


def _subject(text: str) -> dict[str, str]:
    kind, name = text.split(":", 1)
    if kind == "sa":
        namespace, account = name.split("/")
        return {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return {"kind": kind, "apiGroup": GROUP, "name": name}
