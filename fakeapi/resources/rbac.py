"""The resources of the API group rbac.authorization.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource
from fakeapi.strategies import clusterrole, clusterrolebinding, role, rolebinding

GROUP = "rbac.authorization.k8s.io"
DEFINITION = "io.k8s.api.rbac"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="ClusterRoleBinding",
        plural="clusterrolebindings",
        namespaced=False,
        definition=DEFINITION,
        strategy=clusterrolebinding.STRATEGY,
    ),
    Resource(
        group=GROUP,
        kind="ClusterRole",
        plural="clusterroles",
        namespaced=False,
        definition=DEFINITION,
        strategy=clusterrole.STRATEGY,
    ),
    Resource(
        group=GROUP,
        kind="RoleBinding",
        plural="rolebindings",
        definition=DEFINITION,
        strategy=rolebinding.STRATEGY,
    ),
    Resource(
        group=GROUP,
        kind="Role",
        plural="roles",
        definition=DEFINITION,
        strategy=role.STRATEGY,
    ),
)
