"""What is refused of Pods: creation, updates, status, ephemeral containers, resizes; and what is warned of."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fakeapi.strategies.base import Context
from fakeapi.strategies.pod import STRATEGY

Obj = dict[str, Any]
CTX = Context(now="2026-01-02T03:04:05Z")
UPDATE = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def pod(**spec: Any) -> Obj:
    """A Pod as the server stores it: one container unless told otherwise."""
    given = copy.deepcopy({"containers": [{"name": "c", "image": "nginx"}], **spec})  # spec is a table's
    obj: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "d"}, "spec": given}
    STRATEGY.default(obj)
    STRATEGY.prepare_create(obj, CTX)
    return copy.deepcopy(obj)


def container(**fields: Any) -> Obj:
    """A spec's containers with one of them, changed."""
    return {"containers": [{"name": "c", "image": "nginx", **fields}]}


def told(errors: list[Any]) -> list[str]:
    """Errors as the answer's message lists them."""
    return [str(e) for e in errors]


REFUSED: list[tuple[Obj, list[str]]] = [
    ({}, []),
    ({"containers": []}, ["spec.containers: Required value"]),
    (container(name=""), ["spec.containers[0].name: Required value"]),
    (container(name="A"), [f'spec.containers[0].name: Invalid value: "A": {LABEL}']),
    (container(image=""), ["spec.containers[0].image: Required value"]),
    (
        container(image=" nginx"),
        ['spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace'],
    ),
    (
        container(imagePullPolicy="No"),
        [
            'spec.containers[0].imagePullPolicy: Unsupported value: "No": supported values: "Always", "IfNotPresent", '
            '"Never"'
        ],
    ),
    (
        {"containers": [{"name": "c", "image": "a"}, {"name": "c", "image": "b"}]},
        ['spec.containers[1].name: Duplicate value: "c"'],
    ),
    (
        container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ),
    (
        {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]},
        ['spec.volumes[1].name: Duplicate value: "v"'],
    ),
    (
        {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    (
        container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
        ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ),
    (
        container(ports=[{"containerPort": 0}]),
        ["spec.containers[0].ports[0].containerPort: Required value"],
    ),
    (
        container(livenessProbe={}),
        ["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
    ),
    (
        {"restartPolicy": "Sometimes"},
        ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
    ),
    (
        {"ephemeralContainers": [{"name": "e", "image": "a", "targetContainerName": "c"}]},
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ),
    (
        {"nodeName": "n", "schedulingGates": [{"name": "g"}]},
        ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    ),
    (
        {"activeDeadlineSeconds": 0},
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
]


@pytest.mark.parametrize(("spec", "wanted"), REFUSED)
def test_create(spec: Obj, wanted: list[str]) -> None:
    assert told(STRATEGY.validate(pod(**spec), CTX)) == wanted


def _set(obj: Obj, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        obj = obj[int(step)] if isinstance(obj, list) else obj[step]
    obj[last] = value


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("containers.0.image", "other", []),
        ("activeDeadlineSeconds", 5, []),
        ("tolerations", [{"key": "a", "operator": "Exists"}], []),
        ("hostname", "h", [UPDATE]),
        ("containers.0.command", ["sh"], [UPDATE]),
        ("nodeName", "n", [UPDATE]),
        (
            "schedulingGates",
            [{"name": "g"}],
            ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'"],
        ),
    ],
)
def test_update(path: str, value: Any, wanted: list[str]) -> None:
    old = pod()
    new = copy.deepcopy(old)
    _set(new["spec"], path, value)
    # What follows the first line of an update's refusal is a diff of the whole spec.
    assert [text.split("\n")[0] for text in told(STRATEGY.validate_update(new, old, CTX))] == wanted


def test_an_update_shows_what_it_would_have_changed() -> None:
    old = pod()
    new = copy.deepcopy(old)
    new["spec"]["hostname"] = "h"
    text = told(STRATEGY.validate_update(new, old, CTX))[0]
    assert '\n- "Hostname": "",\n+ "Hostname": "h",\n' in text


def test_an_equal_update_is_allowed() -> None:
    old = pod()
    assert STRATEGY.validate_update(copy.deepcopy(old), old, CTX) == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"name": "e", "image": "a"}, []),
        ({"name": "c", "image": "a"}, ['spec.ephemeralContainers[0].name: Duplicate value: "c"']),
        ({"name": "e"}, ["spec.ephemeralContainers[0].image: Required value"]),
        (
            {"name": "e", "image": "a", "ports": [{"containerPort": 1, "protocol": "TCP"}]},
            ["spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"],
        ),
    ],
)
def test_ephemeral_containers(given: Obj, wanted: list[str]) -> None:
    rules, old = STRATEGY.subresources["ephemeralcontainers"], pod()
    new = copy.deepcopy(old)
    new["spec"] |= {"ephemeralContainers": [given], "hostname": "dropped"}
    STRATEGY.default(new)
    rules.prepare(new, old, CTX)
    assert told(rules.validate(new, old, CTX)) == wanted
    assert "hostname" not in new["spec"]


def test_a_resize_changes_resources_only() -> None:
    rules = STRATEGY.subresources["resize"]
    old = pod(**container(resources={"requests": {"cpu": "1"}}))
    new = copy.deepcopy(old)
    new["spec"]["containers"][0] |= {"image": "dropped", "resources": {"requests": {"cpu": "2"}}}
    rules.prepare(new, old, CTX)
    assert rules.validate(new, old, CTX) == []
    assert new["spec"]["containers"][0] == old["spec"]["containers"][0] | {"resources": {"requests": {"cpu": "2"}}}


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
    ],
)
def test_quality_of_service(resources: list[Obj], wanted: str) -> None:
    found = pod(containers=[{"name": f"c{i}", "image": "a", "resources": r} for i, r in enumerate(resources)])
    assert found["status"] == {"phase": "Pending", "qosClass": wanted}


@pytest.mark.parametrize(
    ("spec", "status", "seconds", "wanted"),
    [
        ({}, {}, None, 0),
        ({"nodeName": "n"}, {}, None, 30),
        ({"nodeName": "n"}, {}, 5, 5),
        ({"nodeName": "n"}, {}, 0, 0),
        ({"nodeName": "n"}, {}, -1, 1),
        ({"nodeName": "n"}, {"phase": "Succeeded"}, None, 0),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 0}, {}, None, 0),
    ],
)
def test_grace_period(spec: Obj, status: Obj, seconds: int | None, wanted: int) -> None:
    obj = pod(**spec)
    obj["status"] |= status
    assert STRATEGY.graceful is not None
    assert STRATEGY.graceful(obj, seconds) == wanted


def test_fields_to_select_by() -> None:
    obj = pod(nodeName="n", hostNetwork=True, serviceAccountName="s")
    found = {name: get(obj) for name, get in STRATEGY.fields.items()}
    assert found == {
        "spec.nodeName": "n",
        "spec.host": "n",
        "spec.restartPolicy": "Always",
        "spec.schedulerName": "default-scheduler",
        "spec.serviceAccountName": "s",
        "spec.hostNetwork": "true",
        "status.phase": "Pending",
        "status.podIP": "",
        "status.nominatedNodeName": "",
    }


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, []),
        (
            {"nodeSelector": {"beta.kubernetes.io/os": "linux"}},
            ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
        ),
        (
            container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
            ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
        ),
    ],
)
def test_warnings(spec: Obj, wanted: list[str]) -> None:
    assert STRATEGY.warnings(pod(**spec), None, CTX) == wanted


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"shareProcessNamespace": True, "hostPID": True}, ["spec.securityContext.shareProcessNamespace"]),
        ({"hostnameOverride": "a.b"}, []),
        ({"hostnameOverride": "a.b", "hostNetwork": True}, ["spec.hostnameOverride"]),
        ({"hostnameOverride": "A"}, ["spec.hostnameOverride"]),
        ({"schedulingGroup": {"podGroupName": "a"}}, []),
        ({"volumes": [{"name": "v", "projected": {"sources": [{"clusterTrustBundle": {"path": "x"}}]}}]}, []),
    ],
)
def test_fields_of_a_pod_that_exclude_each_other_or_are_dropped(spec, told):
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}
    STRATEGY.default(pod)
    assert [error.field for error in STRATEGY.validate(pod, Context(now=""))] == told
    assert "schedulingGroup" not in pod["spec"]
