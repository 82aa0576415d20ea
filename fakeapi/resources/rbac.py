"""The resources of the API group rbac.authorization.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource

GROUP = "rbac.authorization.k8s.io"
DEFINITION = "io.k8s.api.rbac"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="ClusterRoleBinding",
        plural="clusterrolebindings",
        namespaced=False,
        definition=DEFINITION,
        strategy_name="clusterrolebinding",
    ),
    Resource(
        group=GROUP,
        kind="ClusterRole",
        plural="clusterroles",
        namespaced=False,
        definition=DEFINITION,
        strategy_name="clusterrole",
    ),
    Resource(
        group=GROUP,
        kind="RoleBinding",
        plural="rolebindings",
        definition=DEFINITION,
        strategy_name="rolebinding",
    ),
    Resource(
        group=GROUP,
        kind="Role",
        plural="roles",
        definition=DEFINITION,
        strategy_name="role",
    ),
)
