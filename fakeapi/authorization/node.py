"""Node: what a kubelet may read and write follows from the Pods that are bound to its node.

Stands for plugin/pkg/auth/authorizer/node. What is related to a node is looked up on every question from the Pods of
the node instead of being kept in a graph. Leaves out resource claims, slices and Pod certificates.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from fakeapi.authorization.base import Attributes, Decision, Rules
from fakeapi.authorization.rbac import compile_rule
from fakeapi.bootstrap.policy import CLUSTER_ROLES
from fakeapi.bootstrap.rbac import rule as policy_rule
from fakeapi.reader import Obj, Reader
from fakeapi.request import User

PREFIX = "system:node:"
GROUP = "system:nodes"
LEASES = "kube-node-lease"
_YES = Decision(True)
_OWN_VERBS = frozenset(("get", "create", "update", "patch", "delete"))

Answer = Callable[["NodeAuthorizer", str, Attributes], Awaitable[Decision]]


def node_of(user: User) -> tuple[str, bool]:
    """NodeIdentity: the node's name, and whether the user is a kubelet at all."""
    if not user.name.startswith(PREFIX) or GROUP not in user.groups:
        return "", False
    return user.name.removeprefix(PREFIX), True


class NodeAuthorizer:
    """See the module's docstring."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rules = [compile_rule(policy_rule(text)) for text in CLUSTER_ROLES["system:node"]]

    async def authorize(self, attributes: Attributes) -> Decision:
        """A yes for what the node needs, else no opinion."""
        node, is_node = node_of(attributes.user)
        if not is_node:
            return Decision(False)
        if not node:
            return Decision(False, f'unknown node for user "{attributes.user.name}"')
        if attributes.is_resource:
            own = _TABLE.get((attributes.group, attributes.resource))
            if own is not None:
                return await own(self, node, attributes)
        return Decision(any(rule.allows(attributes) for rule in self._rules))

    async def rules_for(self, user: User, namespace: str) -> Rules:
        """Nodes' rights are not enumerable."""
        if node_of(user)[1]:
            return Rules(incomplete=True, errors=["node authorizer does not support user rule resolution"])
        return Rules()

    async def related(self, node: str, resource: str, namespace: str, name: str) -> bool:
        """Whether a Pod of the node uses the object."""
        for pod in await self._reader.select("", "pods", "spec.nodeName", node):
            if await self._uses(pod, resource, namespace, name):
                return True
        return False

    async def _uses(self, pod: Obj, resource: str, namespace: str, name: str) -> bool:
        own, spec = pod["metadata"]["namespace"], pod.get("spec", {})
        if resource in ("persistentvolumes", "volumeattachments"):
            return await self._bound(own, spec, name)
        if own != namespace:
            return False
        if resource == "serviceaccounts":
            return bool(spec.get("serviceAccountName") == name)
        return (resource, name) in set(references(spec))

    async def _bound(self, namespace: str, spec: Obj, name: str) -> bool:
        for resource, claim in references(spec):
            if resource == "persistentvolumeclaims":
                found = await self._reader.get("", resource, namespace, claim)
                if found and found.get("spec", {}).get("volumeName") == name:
                    return True
        return False

    async def pod(self, namespace: str, name: str) -> Obj | None:
        """A Pod."""
        return await self._reader.get("", "pods", namespace, name)

    async def attached(self, node: str, name: str) -> bool:
        """Whether a VolumeAttachment is the node's."""
        found = await self._reader.get("storage.k8s.io", "volumeattachments", "", name)
        return bool(found) and (found or {}).get("spec", {}).get("nodeName") == node


def references(spec: Obj) -> Iterator[tuple[str, str]]:
    """(resource, name) of every secret, config map and claim that a Pod's spec names."""
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", secret.get("name", "")
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            for env in container.get("env") or ():
                yield from _keyed(env.get("valueFrom") or {}, "secretKeyRef", "configMapKeyRef")
            for source in container.get("envFrom") or ():
                yield from _keyed(source, "secretRef", "configMapRef")
    for volume in spec.get("volumes") or ():
        yield from _volume(volume)


def _keyed(source: Obj, secret: str, config_map: str) -> Iterator[tuple[str, str]]:
    if source.get(secret):
        yield "secrets", source[secret].get("name", "")
    if source.get(config_map):
        yield "configmaps", source[config_map].get("name", "")


def _volume(volume: Obj) -> Iterator[tuple[str, str]]:
    if volume.get("secret"):
        yield "secrets", volume["secret"].get("secretName", "")
    if volume.get("configMap"):
        yield "configmaps", volume["configMap"].get("name", "")
    if volume.get("persistentVolumeClaim"):
        yield "persistentvolumeclaims", volume["persistentVolumeClaim"].get("claimName", "")
    for part in (volume.get("projected") or {}).get("sources") or ():
        yield from _keyed(part, "secret", "configMap")
    for source in volume.values():
        if isinstance(source, dict):
            for key in ("secretRef", "nodePublishSecretRef"):
                if source.get(key):
                    yield "secrets", source[key].get("name", "")


async def _by_relation(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    if not a.name:
        return Decision(False, "No Object name found")
    if a.resource == "volumeattachments":
        found = await mode.attached(node, a.name)
    else:
        found = await mode.related(node, a.resource, a.namespace, a.name)
    return _YES if found else Decision(False, f"no relationship found between node '{node}' and this object")


async def _read(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    """get, list and watch of single namespaced objects."""
    if a.verb not in ("get", "list", "watch"):
        return Decision(False, "can only read resources of this type")
    if a.subresource:
        return Decision(False, "cannot read subresource")
    if not a.namespace:
        return Decision(False, "can only read namespaced object of this type")
    return await _by_relation(mode, node, a)


async def _get(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    if a.resource == "persistentvolumeclaims" and a.subresource == "status":
        if a.verb not in ("update", "patch"):
            return Decision(False, "can only get/update/patch this type")
        return await _by_relation(mode, node, a)
    if a.verb != "get":
        return Decision(False, "can only get individual resources of this type")
    if a.subresource:
        return Decision(False, "cannot get subresource")
    return await _by_relation(mode, node, a)


async def _account(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    if a.verb == "get" and not a.subresource:
        return await _by_relation(mode, node, a)
    if a.verb != "create" or not a.name:
        return Decision(False, "can only create tokens for individual service accounts")
    if a.subresource != "token":
        return Decision(False, "can only create token subresource of serviceaccount")
    return await _by_relation(mode, node, a)


async def _lease(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    if a.verb not in _OWN_VERBS:
        return Decision(False, "can only get, create, update, patch, or delete a node lease")
    if a.namespace != LEASES:
        return Decision(False, f'can only access leases in the "{LEASES}" system namespace')
    if a.verb != "create" and a.name != node:
        return Decision(False, "can only access node lease with the same name as the requesting node")
    return _YES


async def _csi_node(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    if a.verb not in _OWN_VERBS:
        return Decision(False, "can only get, create, update, patch, or delete a CSINode")
    if a.subresource:
        return Decision(False, "cannot authorize CSINode subresources")
    if a.verb != "create" and a.name != node:
        return Decision(False, "can only access CSINode with the same name as the requesting node")
    return _YES


async def _node(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    if a.subresource == "status":
        return Decision(a.verb in ("update", "patch"))
    if a.subresource:
        return Decision(False)
    if a.verb in ("create", "update", "patch"):
        return _YES
    if a.verb in ("get", "list", "watch"):
        if a.name == node:
            return _YES
        what = f"'{a.name}'" if a.name else "all nodes"
        return Decision(False, f"node '{node}' cannot read {what}, only its own Node object")
    return Decision(False)


async def _pod(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    if a.subresource == "status":
        return Decision(a.verb in ("update", "patch"))
    if a.subresource == "eviction":
        return Decision(a.verb == "create")
    if a.subresource:
        return Decision(False)
    if a.verb in ("create", "delete"):
        return _YES
    if a.verb == "get":
        return await _own_pod(mode, node, a)
    if a.verb in ("list", "watch"):
        if ("spec.nodeName", node) in a.fields:
            return _YES
        return Decision(False, "can only list/watch pods with spec.nodeName field selector")
    return Decision(False)


async def _own_pod(mode: NodeAuthorizer, node: str, a: Attributes) -> Decision:
    found = await mode.pod(a.namespace, a.name)
    if found is None or found.get("spec", {}).get("nodeName") == node:
        return _YES
    return Decision(False, f"no relationship found between node '{node}' and this object")


_TABLE: dict[tuple[str, str], Answer] = {
    ("", "secrets"): _read,
    ("", "configmaps"): _read,
    ("", "persistentvolumeclaims"): _get,
    ("", "persistentvolumes"): _get,
    ("storage.k8s.io", "volumeattachments"): _get,
    ("", "serviceaccounts"): _account,
    ("coordination.k8s.io", "leases"): _lease,
    ("storage.k8s.io", "csinodes"): _csi_node,
    ("", "nodes"): _node,
    ("", "pods"): _pod,
}
