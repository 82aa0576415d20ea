"""What admission makes of Pods, claims and nodes: limits, quotas, security standards, classes, taints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from fakeapi.admission.podsecurity import policy_of
from fakeapi.admission.podsecuritychecks import evaluate
from tests.fakeapi.inprocess import InProcess, Reply, in_process

NUMBERS = itertools.count()
POD = {"containers": [{"name": "c", "image": "nginx"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with in_process() as made:
        yield made


def namespace(server: InProcess, name: str, **labels: str) -> str:
    keys = {f"pod-security.kubernetes.io/{k}": v for k, v in labels.items()}
    server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": keys}})
    return f"/api/v1/namespaces/{name}"


def pod(server: InProcess, where: str, name: str, query: str = "", **spec: Any) -> Reply:
    return server.ask("POST", f"{where}/pods{query}", {"metadata": {"name": name}, "spec": {**POD, **spec}})


def sized(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> list[dict[str, Any]]:
    resources = {k: v for k, v in (("requests", requests), ("limits", limits)) if v}
    return [{"name": "c", "image": "nginx", "resources": resources}]


# -- LimitRanger -------------------------------------------------------------------------------------------------------


def limited(server: InProcess, name: str, *limits: dict[str, Any]) -> str:
    where = namespace(server, name)
    answer = server.ask("POST", f"{where}/limitranges", {"metadata": {"name": "lr"}, "spec": {"limits": list(limits)}})
    assert answer.status == 201
    return where


def test_defaults_are_filled_in_and_told(server: InProcess) -> None:
    where = limited(
        server,
        "defaults",
        {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m", "memory": "1Mi"}},
    )
    made = pod(server, where, "p", initContainers=[{"name": "i", "image": "nginx"}]).body
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m"},
        "requests": {"cpu": "100m", "memory": "1Mi"},
    }
    assert (
        made["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
        == "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c; "
        "cpu, memory request for init container i; cpu limit for init container i"
    )


@pytest.mark.parametrize(
    ("limit", "containers", "told"),
    [
        (
            {"type": "Container", "max": {"cpu": "1"}},
            sized(limits={"cpu": "2"}),
            "maximum cpu usage per Container is 1, but limit is 2",
        ),
        (
            {"type": "Container", "min": {"cpu": "1"}},
            sized({"cpu": "10m"}),
            "minimum cpu usage per Container is 1, but request is 10m",
        ),
        (
            {"type": "Pod", "max": {"memory": "1Gi"}},
            sized(),
            "maximum memory usage per Pod is 1Gi.  No limit is specified",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            sized({"cpu": "100m"}, {"cpu": "300m"}),
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"type": "Container", "min": {"cpu": "1"}, "max": {"memory": "1Mi"}},
            sized({"cpu": "10m"}, {"memory": "2Mi"}),
            (
                "[minimum cpu usage per Container is 1, but request is 10m, maximum memory usage per Container is 1Mi,"
                " but limit is 2Mi]"
            ),
        ),
    ],
)
def test_limits_are_kept(server: InProcess, limit: dict[str, Any], containers: list[Any], told: str) -> None:
    where = limited(server, f"limited-{next(NUMBERS)}", limit)
    assert pod(server, where, "p", containers=containers).message == f'pods "p" is forbidden: {told}'


# -- ResourceQuota -----------------------------------------------------------------------------------------------------


def quota(server: InProcess, name: str, hard: dict[str, str], **spec: Any) -> str:
    where = namespace(server, name)
    body = {"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}}
    server.ask("POST", f"{where}/resourcequotas", body)
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    assert server.ask("PUT", f"{where}/resourcequotas/q/status", {**body, "status": status}).status == 200
    return where


def used(server: InProcess, where: str) -> Any:
    return server.ask("GET", f"{where}/resourcequotas/q").body["status"]["used"]


def test_a_quota_counts_and_refuses(server: InProcess) -> None:
    where = quota(server, "counted", {"pods": "2", "requests.cpu": "1"})
    assert pod(server, where, "a", "?dryRun=All", containers=sized({"cpu": "600m"})).status == 201
    assert pod(server, where, "a", containers=sized({"cpu": "600m"})).status == 201
    assert used(server, where) == {"pods": "1", "requests.cpu": "600m"}
    assert (
        pod(server, where, "b", containers=sized({"cpu": "600m"})).message
        == 'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited:'
        " requests.cpu=1"
    )
    assert pod(server, where, "b").message == 'pods "b" is forbidden: failed quota: q: must specify requests.cpu for: c'
    managers = [m["manager"] for m in server.ask("GET", f"{where}/resourcequotas/q").body["metadata"]["managedFields"]]
    assert "kube-apiserver" in managers


def test_a_quota_without_status_counts_nothing(server: InProcess) -> None:
    where = namespace(server, "uncounted")
    server.ask("POST", f"{where}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}})
    assert pod(server, where, "a").status == 201


@pytest.mark.parametrize(
    ("hard", "path", "body"),
    [
        ({"count/configmaps": "1"}, "configmaps", {}),
        ({"secrets": "1"}, "secrets", {}),
        ({"services.nodeports": "1"}, "services", {"spec": {"type": "NodePort", "ports": [{"port": 80}]}}),
        (
            {"requests.storage": "1Gi"},
            "persistentvolumeclaims",
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
        ),
        (
            {"gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1"},
            "persistentvolumeclaims",
            {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "gold",
                    "resources": {"requests": {"storage": "1Gi"}},
                }
            },
        ),
    ],
)
def test_what_else_is_counted(server: InProcess, hard: dict[str, str], path: str, body: dict[str, Any]) -> None:
    where = quota(server, f"kinds-{next(NUMBERS)}", hard)
    answers = [server.ask("POST", f"{where}/{path}", {**body, "metadata": {"name": name}}) for name in ("a", "b")]
    assert [a.status for a in answers] == [201, 403]
    assert "exceeded quota: q, requested: " in answers[1].message


@pytest.mark.parametrize(
    ("scope", "plain", "other"),
    [
        ({"scopes": ["BestEffort"]}, 403, 201),
        ({"scopes": ["NotBestEffort"]}, 201, 403),
        ({"scopes": ["NotTerminating"]}, 403, 201),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}}, 201, 403),
    ],
)
def test_scopes(server: InProcess, scope: dict[str, Any], plain: int, other: int) -> None:
    where = quota(server, f"scoped-{next(NUMBERS)}", {"pods": "0"}, **scope)
    assert pod(server, where, "a").status == plain
    more = {"containers": sized({"cpu": "1m"}), "activeDeadlineSeconds": 5, "priorityClassName": "system-node-critical"}
    assert pod(server, where, "b", **more).status == other


# -- PodSecurity -------------------------------------------------------------------------------------------------------


def secured(**context: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i", "securityContext": context}]}


RESTRICTED = {
    **secured(allowPrivilegeEscalation=False, capabilities={"drop": ["ALL"]}),
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}


@pytest.mark.parametrize(
    ("level", "minor", "spec", "found"),
    [
        ("baseline", 36, POD, []),
        ("privileged", 36, {**POD, "hostPID": True}, []),
        ("restricted", 36, RESTRICTED, []),
        (
            "restricted",
            24,
            {**POD, "os": {"name": "windows"}, "securityContext": {"runAsNonRoot": True}},
            ["allowPrivilegeEscalation != false", "unrestricted capabilities", "seccompProfile"],
        ),
        ("restricted", 25, {**POD, "os": {"name": "windows"}, "securityContext": {"runAsNonRoot": True}}, []),
        (
            "restricted",
            36,
            {**POD, "hostPID": True, "volumes": [{"name": "v", "hostPath": {}}]},
            [
                "host namespaces",
                "allowPrivilegeEscalation != false",
                "unrestricted capabilities",
                "restricted volume types",
                "runAsNonRoot != true",
                "seccompProfile",
            ],
        ),
        ("baseline", 36, secured(procMount="Unmasked"), ["procMount"]),
        ("baseline", 36, {**secured(procMount="Unmasked"), "hostUsers": False}, []),
        (
            "restricted",
            36,
            {
                **RESTRICTED,
                **secured(procMount="Unmasked", allowPrivilegeEscalation=False, capabilities={"drop": ["ALL"]}),
                "hostUsers": False,
            },
            ["procMount"],
        ),
        ("baseline", 36, {**POD, "securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}}, []),
        (
            "baseline",
            31,
            {**POD, "securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}},
            ["forbidden sysctls"],
        ),
        ("baseline", 36, secured(windowsOptions={"hostProcess": True}), ["hostProcess"]),
        ("baseline", 36, secured(seccompProfile={"type": "Unconfined"}), ["seccompProfile"]),
        (
            "restricted",
            36,
            {**RESTRICTED, "securityContext": {**RESTRICTED["securityContext"], "runAsUser": 0}},
            ["runAsUser=0"],
        ),
    ],
)
def test_standards(level: str, minor: int, spec: dict[str, Any], found: list[str]) -> None:
    assert [reason for reason, _ in evaluate(level, minor, {}, spec)] == found


@pytest.mark.parametrize(
    ("spec", "detail"),
    [
        (
            secured(capabilities={"add": ["SYS_TIME", "CHOWN"]}),
            'container "c" must not include "SYS_TIME" in securityContext.capabilities.add',
        ),
        (
            {**POD, "securityContext": {"seLinuxOptions": {"type": "x", "role": "r"}}},
            'pod set forbidden securityContext.seLinuxOptions: type "x"; role may not be set',
        ),
        (
            {"containers": [{"name": n, "ports": [{"hostPort": 80}]} for n in "ab"]},
            'containers "a", "b" use hostPort 80',
        ),
        (
            {"containers": [{"name": "c", "livenessProbe": {"httpGet": {"host": "h"}}}]},
            'container "c" uses probe or lifecycle host "h"',
        ),
        ({**POD, "volumes": [{"name": "v", "hostPath": {}}]}, 'volume "v"'),
    ],
)
def test_violations_are_told(spec: dict[str, Any], detail: str) -> None:
    assert [told for _, told in evaluate("baseline", 36, {}, spec)] == [detail]


@pytest.mark.parametrize(
    ("labels", "policy", "errors"),
    [
        ({}, ("privileged:latest", "privileged:latest"), 0),
        ({"enforce": "baseline"}, ("baseline:latest", "baseline:latest"), 0),
        ({"enforce": "baseline", "enforce-version": "v1.25"}, ("baseline:v1.25", "baseline:v1.25"), 0),
        ({"enforce": "baseline", "warn": "restricted"}, ("baseline:latest", "restricted:latest"), 0),
        ({"enforce": "what", "warn": "what", "warn-version": "1.2"}, ("restricted:latest", "privileged:latest"), 3),
    ],
)
def test_policies_of_labels(labels: dict[str, str], policy: tuple[str, str], errors: int) -> None:
    found, bad = policy_of({f"pod-security.kubernetes.io/{k}": v for k, v in labels.items()})
    assert ((str(found.enforce), str(found.warn)), len(bad)) == (policy, errors)


def test_pods_are_refused_workloads_warned_and_namespaces_told(server: InProcess) -> None:
    where = namespace(server, "secured", enforce="baseline")
    refused = pod(server, where, "p", hostNetwork=True)
    told = 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    assert refused.message == f'pods "p" is forbidden: {told}'
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {**POD, "hostNetwork": True}}
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    made = server.ask("POST", "/apis/apps/v1/namespaces/secured/deployments", body)
    assert made.status == 201
    assert "would violate PodSecurity" in made.warnings[0]
    plain = namespace(server, "unsecured")
    pod(server, plain, "a", hostNetwork=True)
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    changed = server.ask("PATCH", plain, labels)
    assert changed.status == 200
    assert "a: host namespaces" in str(changed.warnings)


# -- the small ones ----------------------------------------------------------------------------------------------------


def test_a_runtime_class_brings_overhead_and_place(server: InProcess) -> None:
    body = {
        "metadata": {"name": "kata"},
        "handler": "kata",
        "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {"nodeSelector": {"kata": "yes"}, "tolerations": [{"key": "kata", "operator": "Exists"}]},
    }
    assert server.ask("POST", "/apis/node.k8s.io/v1/runtimeclasses", body).status == 201
    where = namespace(server, "classes")
    made = pod(server, where, "a", runtimeClassName="kata").body["spec"]
    assert (made["overhead"], made["nodeSelector"]) == ({"cpu": "250m"}, {"kata": "yes"})
    assert {"key": "kata", "operator": "Exists"} in made["tolerations"]
    for spec, told in [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        (
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "kata", "nodeSelector": {"kata": "no"}},
            "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no",
        ),
    ]:
        assert pod(server, where, "b", **spec).message == f'pods "b" is forbidden: {told}'


def test_new_nodes_are_tainted(server: InProcess) -> None:
    made = server.ask("POST", "/api/v1/nodes", {"metadata": {"name": "n"}}).body
    assert made["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


def test_binding_copies_the_node_s_place(server: InProcess) -> None:
    zone = {"topology.kubernetes.io/zone": "z", "other": "x"}
    server.ask("POST", "/api/v1/nodes", {"metadata": {"name": "zoned", "labels": zone}})
    where = namespace(server, "bound")
    pod(server, where, "p")
    target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "zoned"}}
    assert server.ask("POST", f"{where}/pods/p/binding", target).status == 201
    assert server.ask("GET", f"{where}/pods/p").body["metadata"]["labels"] == {"topology.kubernetes.io/zone": "z"}


def test_signers_are_asked_for(server: InProcess) -> None:
    from fakeapi.request import User
    from tests.objects import BODIES

    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    body = {**BODIES["certificates.k8s.io", "CertificateSigningRequest"], "metadata": {"name": "r"}}
    made = server.ask("POST", path, body).body
    made["status"]["conditions"] = [{"type": "Approved", "status": "True", "reason": "x"}]
    alice = User("alice", ("system:authenticated",))
    rule = {
        "verbs": ["update"],
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["certificatesigningrequests/approval"],
    }
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    server.ask("POST", f"{rbac}/clusterroles", {"metadata": {"name": "approver"}, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "approver"}
    server.ask(
        "POST",
        f"{rbac}/clusterrolebindings",
        {"metadata": {"name": "a"}, "roleRef": role, "subjects": [{"kind": "User", "name": "alice"}]},
    )
    refused = server.ask("PUT", f"{path}/r/approval", made, user=alice)
    signer = made["spec"]["signerName"]
    assert refused.message.endswith(f'is forbidden: user not permitted to approve requests with signerName "{signer}"')
    assert server.ask("PUT", f"{path}/r/approval", made).status == 200
