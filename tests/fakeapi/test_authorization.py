"""RBAC, escalation, impersonation, nodes: tables of who may do what, and in which words others may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakeapi.authorization import escalation
from fakeapi.authorization.base import Attributes
from fakeapi.authorization.rbac import compile_rule
from fakeapi.config import Config
from fakeapi.request import User
from tests.fakeapi.inprocess import ADMIN, InProcess, in_process

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ALICE = User("alice", ("devs", "system:authenticated"))
PODS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with in_process() as made:
        yield made


def bind(
    server: InProcess, name: str, rules: list[dict[str, Any]], subject: dict[str, str], namespace: str = "default"
) -> None:
    path = f"{RBAC}/namespaces/{namespace}"
    assert server.ask("POST", f"{path}/roles", {"metadata": {"name": name}, "rules": rules}).status == 201
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    body = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    assert server.ask("POST", f"{path}/rolebindings", body).status == 201


def namespace(server: InProcess, name: str) -> str:
    assert server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
    return name


@pytest.mark.parametrize(
    ("rule", "asked", "allowed"),
    [
        (PODS, {"verb": "get", "resource": "pods"}, True),
        (PODS, {"verb": "watch", "resource": "pods"}, False),
        (PODS, {"verb": "get", "resource": "pods", "subresource": "log"}, False),
        ({**PODS, "resources": ["pods/log"]}, {"verb": "get", "resource": "pods", "subresource": "log"}, True),
        ({**PODS, "resources": ["*/log"]}, {"verb": "get", "resource": "pods", "subresource": "log"}, True),
        ({**PODS, "resources": ["*"]}, {"verb": "get", "resource": "pods", "subresource": "log"}, True),
        ({**PODS, "resourceNames": ["a"]}, {"verb": "get", "resource": "pods", "name": "a"}, True),
        ({**PODS, "resourceNames": ["a"]}, {"verb": "list", "resource": "pods"}, False),
        ({**PODS, "apiGroups": ["apps"]}, {"verb": "get", "resource": "pods"}, False),
        (
            {"verbs": ["get"], "nonResourceURLs": ["/livez/*"]},
            {"verb": "get", "path": "/livez/ping", "is_resource": False},
            True,
        ),
        (
            {"verbs": ["get"], "nonResourceURLs": ["/livez/*"]},
            {"verb": "get", "path": "/livez", "is_resource": False},
            False,
        ),
    ],
)
def test_what_a_rule_allows(rule: dict[str, Any], asked: dict[str, Any], allowed: bool) -> None:
    assert compile_rule(rule).allows(Attributes(ALICE, **asked)) is allowed


def test_a_group_s_role_and_the_reason_told(server: InProcess) -> None:
    where = namespace(server, "granted")
    bind(server, "r", [PODS], {"kind": "Group", "name": "devs"}, where)
    assert server.ask("GET", f"/api/v1/namespaces/{where}/pods", user=ALICE).status == 200
    refused = server.ask("POST", f"/api/v1/namespaces/{where}/pods", {}, user=ALICE)
    assert (
        refused.message
        == f'pods is forbidden: User "alice" cannot create resource "pods" in API group "" in the namespace "{where}"'
    )
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": where}}}
    answer = server.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, user=ALICE)
    assert answer.body["status"] == {
        "allowed": True,
        "reason": f'RBAC: allowed by RoleBinding "r/{where}" of Role "r" to Group "devs"',
    }


def test_rights_follow_bindings_at_once(server: InProcess) -> None:
    where = namespace(server, "revoked")
    bind(server, "r", [PODS], {"kind": "User", "name": "alice"}, where)
    path = f"/api/v1/namespaces/{where}/pods"
    assert server.ask("GET", path, user=ALICE).status == 200
    server.ask("DELETE", f"{RBAC}/namespaces/{where}/roles/r")
    assert server.ask("GET", path, user=ALICE).message.endswith('RBAC: role.rbac.authorization.k8s.io "r" not found')
    server.ask("DELETE", f"{RBAC}/namespaces/{where}/rolebindings/r")
    assert server.ask("GET", path, user=ALICE).message.endswith(f'in the namespace "{where}"')


def test_a_list_narrowed_to_a_name_counts_as_that_name(server: InProcess) -> None:
    where = namespace(server, "narrowed")
    bind(server, "r", [{**PODS, "resourceNames": ["a"]}], {"kind": "User", "name": "alice"}, where)
    path = f"/api/v1/namespaces/{where}/pods?fieldSelector=metadata.name%3D"
    assert server.ask("GET", path + "a", user=ALICE).status == 200
    assert server.ask("GET", path + "b", user=ALICE).body["details"] == {"name": "b", "kind": "pods"}


def test_an_apply_that_creates_needs_create(server: InProcess) -> None:
    where = namespace(server, "applied")
    bind(
        server,
        "r",
        [{"verbs": ["patch"], "apiGroups": [""], "resources": ["configmaps"]}],
        {"kind": "User", "name": "alice"},
        where,
    )
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    path = f"/api/v1/namespaces/{where}/configmaps/c?fieldManager=m"
    refused = server.ask("PATCH", path, body, user=ALICE, content_type="application/apply-patch+yaml")
    assert refused.status == 403
    assert 'cannot create resource "configmaps"' in refused.message


@pytest.mark.parametrize(
    ("held", "wanted", "lacking"),
    [
        ([PODS], [{**PODS, "verbs": ["get"]}], []),
        ([], [PODS], ['{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}']),
        ([{**PODS, "resourceNames": ["a"]}], [PODS], ['{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}']),
        ([PODS], [{**PODS, "resourceNames": ["a"]}], []),
        ([{**PODS, "resources": ["*/log"]}], [{**PODS, "verbs": ["get"], "resources": ["pods/log"]}], []),
        ([{"verbs": ["*"], "nonResourceURLs": ["/a/*"]}], [{"verbs": ["get"], "nonResourceURLs": ["/a/b"]}], []),
        ([PODS], [{"verbs": ["get"], "nonResourceURLs": ["/a"]}], ['{NonResourceURLs:["/a"], Verbs:["get"]}']),
    ],
)
def test_what_is_not_held(held: list[Any], wanted: list[Any], lacking: list[str]) -> None:
    found = escalation.compact(escalation.not_covered(held, wanted))
    assert [escalation.describe(rule) for rule in found] == lacking


def test_nobody_grants_what_they_lack(server: InProcess) -> None:
    where = namespace(server, "escalating")
    roles = {"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "resourceNames": []}
    bind(server, "r", [{**roles, "verbs": ["create", "update"]}], {"kind": "User", "name": "alice"}, where)
    refused = server.ask(
        "POST", f"{RBAC}/namespaces/{where}/roles", {"metadata": {"name": "x"}, "rules": [PODS]}, user=ALICE
    )
    assert (
        refused.message
        == 'roles.rbac.authorization.k8s.io "x" is forbidden: user "alice" (groups=["devs" "system:authenticated"]) is'
        ' attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"],'
        ' Verbs:["get" "list"]}'
    )
    assert (
        server.ask(
            "POST", f"{RBAC}/namespaces/{where}/roles", {"metadata": {"name": "x"}, "rules": [PODS]}, user=ADMIN
        ).status
        == 201
    )


WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.mark.parametrize(
    ("user", "headers", "status", "told"),
    [
        (ADMIN, {"impersonate_user": "bob"}, 201, {"username": "bob", "groups": ["system:authenticated"]}),
        (
            ADMIN,
            {"impersonate_user": "system:serviceaccount:ns:robot"},
            201,
            {
                "username": "system:serviceaccount:ns:robot",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"],
            },
        ),
        (
            ADMIN,
            {"impersonate_user": "bob", "impersonate_extra_example.com%2Fteam": "blue"},
            201,
            {"username": "bob", "groups": ["system:authenticated"], "extra": {"example.com/team": ["blue"]}},
        ),
        (
            ADMIN,
            {"impersonate_user": "system:node:n1"},
            201,
            {"username": "system:node:n1", "groups": ["system:nodes", "system:authenticated"]},
        ),
        (
            ADMIN,
            {"impersonate_group": "devs"},
            400,
            (
                'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"devs"}, Extra:map[string][]string(nil)} '
                "without impersonating a user name"
            ),
        ),
        (
            ALICE,
            {"impersonate_user": "bob"},
            403,
            (
                'selfsubjectreviews.authentication.k8s.io is forbidden: User "alice" cannot'
                ' impersonate-on:user-info:create resource "selfsubjectreviews" in API group "authentication.k8s.io" at'
                " the cluster scope"
            ),
        ),
    ],
)
def test_impersonation(server: InProcess, user: User, headers: dict[str, str], status: int, told: Any) -> None:
    answer = server.ask("POST", WHO, {}, user=user, **headers)
    assert (answer.status, answer.body["status"]["userInfo"] if status == 201 else answer.message) == (status, told)


def test_the_old_verb_is_told_once_it_has_worked(server: InProcess) -> None:
    carol = User("carol", ("system:authenticated",))
    rule = {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"]}
    server.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "as-bob"}, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "as-bob"}
    server.ask(
        "POST",
        f"{RBAC}/clusterrolebindings",
        {"metadata": {"name": "as-bob"}, "roleRef": role, "subjects": [{"kind": "User", "name": "carol"}]},
    )
    assert server.ask("POST", WHO, {}, user=carol, impersonate_user="bob").status == 201
    refused = server.ask("POST", WHO, {}, user=carol, impersonate_user="dave")
    assert refused.message.startswith('users "dave" is forbidden: User "carol" cannot impersonate resource "users"')


KUBELET = User("system:node:n1", ("system:nodes", "system:authenticated"))


def test_a_kubelet_reads_what_its_pods_need() -> None:
    pod = {"containers": [{"name": "c", "image": "i", "envFrom": [{"secretRef": {"name": "used"}}]}], "nodeName": "n1"}
    with in_process(authorization=("Node", "RBAC")) as server:
        server.ask("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": pod})
        base = "/api/v1/namespaces/default"
        for path, status in [
            (f"{base}/secrets/used", 404),
            (f"{base}/secrets/other", 403),
            (f"{base}/secrets", 403),
            (f"{base}/pods/p", 200),
            ("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", 200),
            ("/api/v1/pods", 403),
            ("/api/v1/nodes/n1", 404),
            ("/api/v1/nodes/n2", 403),
            ("/api/v1/services", 200),
        ]:
            assert server.ask("GET", path, user=KUBELET).status == status, path
        told = server.ask("GET", f"{base}/secrets/other", user=KUBELET).message
        assert told.endswith("no relationship found between node 'n1' and this object")


@pytest.mark.parametrize("modes", [("Webhook",), ("RBAC", "ABAC")])
def test_modes_that_there_are_not(modes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="is not supported; there are AlwaysAllow"), in_process(authorization=modes):
        pass


@pytest.mark.parametrize(("mode", "status"), [("AlwaysAllow", 200), ("AlwaysDeny", 403)])
def test_modes_without_rules(mode: str, status: int) -> None:
    assert Config().authorization == ("AlwaysAllow",)
    with in_process(authorization=(mode,)) as server:
        assert server.ask("GET", "/api/v1/pods", user=ALICE).status == status
