"""The kinds that run no pods: a table of objects with the errors, tables and warnings they get."""

import pytest

from fakeapi.strategies import (
    certificatesigningrequest,
    configmap,
    endpoints,
    event,
    horizontalpodautoscaler,
    ingress,
    limitrange,
    namespace,
    networkpolicy,
    node,
    persistentvolumeclaim,
    poddisruptionbudget,
    priorityclass,
    resourcequota,
    rolebinding,
    secret,
    storageclass,
    validatingwebhookconfiguration,
)
from fakeapi.strategies.base import Context
from fakeapi.strategies.hpa_v1 import from_hub, to_hub

NOW = "2026-01-01T00:00:00Z"
CTX = Context(now=NOW)
SECONDS = 1767225660.0  # a minute later


def made(module, **fields):
    obj = {"metadata": {"name": "x", "namespace": "n", "creationTimestamp": NOW}, **fields}
    module.STRATEGY.default(obj)
    module.STRATEGY.prepare_create(obj, CTX)
    return obj


@pytest.mark.parametrize(
    ("module", "fields", "paths"),
    [
        (configmap, {"data": {"a b": "v"}}, ["data[a b]"]),
        (configmap, {"data": {"a": ""}, "binaryData": {"a": ""}}, ["data[a]"]),
        (secret, {"type": "kubernetes.io/tls"}, ["data[tls.crt]", "data[tls.key]"]),
        (
            secret,
            {"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": "[]"}},
            ["data[.dockercfg]"],
        ),
        (namespace, {"spec": {"finalizers": ["nope"]}}, ["spec.finalizers"]),
        (node, {"spec": {"taints": [{"key": "k", "effect": "Nope"}]}}, ["metadata.taints[0].effect"]),
        (limitrange, {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}, []),
        (limitrange, {"spec": {"limits": [{"type": "Pod", "default": {"cpu": "1"}}]}}, ["spec.limits[0].default"]),
        (resourcequota, {"spec": {"hard": {"pods": "1500m"}}}, ["spec.hard[pods]"]),
        (resourcequota, {"spec": {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}}, ["spec.scopes"]),
        (endpoints, {"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]}, ["subsets[0].addresses[0].ip"]),
        (persistentvolumeclaim, {"spec": {}}, ["spec.accessModes", "spec.resources[storage]"]),
        (ingress, {"spec": {}}, ["spec"]),
        (networkpolicy, {"spec": {"podSelector": {}, "egress": [{"to": [{}]}]}}, ["spec.egress[0].to[0]"]),
        (poddisruptionbudget, {"spec": {"minAvailable": "101%"}}, ["spec.minAvailable"]),
        (priorityclass, {"value": 2000000000}, ["value"]),
        (rolebinding, {"roleRef": {"kind": "Pod", "name": "a"}}, ["roleRef.kind"]),
        (storageclass, {"provisioner": "a/b", "parameters": {"": "x"}}, ["parameters"]),
        (
            validatingwebhookconfiguration,
            {"webhooks": [{"name": "a", "clientConfig": {"url": "https://a"}, "admissionReviewVersions": ["v1"]}]},
            ["webhooks[0].name", "webhooks[0].sideEffects"],
        ),
        (
            certificatesigningrequest,
            {"spec": {"request": "bm90", "signerName": "nosigner", "usages": ["any"]}},
            ["spec.request", "spec.signerName"],
        ),
    ],
)
def test_validation(module, fields, paths):
    assert [e.field for e in module.STRATEGY.validate(made(module, **fields), CTX)] == paths


def test_the_string_data_of_a_secret_is_written_over_its_data():
    obj = made(secret, data={"a": "eA=="}, stringData={"a": "b", "c": "d"})
    assert (obj["data"], "stringData" in obj) == ({"a": "Yg==", "c": "ZA=="}, False)


@pytest.mark.parametrize("module", [configmap, secret])
def test_immutable_means_immutable(module):
    old = made(module, immutable=True, data={"a": "Yg=="})
    new = made(module, data={"a": "Yw=="})
    assert [e.field for e in module.STRATEGY.validate_update(new, old, CTX)] == ["immutable", "data"]


def test_a_limit_range_fills_in_what_follows_from_what():
    item = {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}}
    limits = made(limitrange, spec={"limits": [item]})["spec"]["limits"][0]
    assert limits["default"] == {"cpu": "2"}
    assert limits["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


def test_a_claim_that_is_not_bound_does_not_grow():
    def claim(size):
        return made(
            persistentvolumeclaim,
            spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
        )

    found = persistentvolumeclaim.STRATEGY.validate_update(claim("2Gi"), claim("1Gi"), CTX)
    assert [e.field for e in found] == ["spec"]
    assert '-   "storage": "1Gi"\n+   "storage": "2Gi"\n' in found[0].detail


@pytest.mark.parametrize(
    ("version", "eventTime", "paths"),
    [
        ("v1", None, ["involvedObject.namespace"]),
        ("events.k8s.io/v1", None, ["involvedObject.namespace", "eventTime", "type"]),
        ("events.k8s.io/v1", NOW, ["reportingController", "reportingController", "reportingController"]),
    ],
)
def test_each_group_has_its_own_idea_of_an_event(version, eventTime, paths):
    obj = made(event, involvedObject={"namespace": "other"}, eventTime=eventTime)
    found = event.STRATEGY.validate(obj, Context(now=NOW, api_version=version))
    assert [e.field for e in found][: len(paths)] == paths


def test_events_convert_there_and_back():
    stored = {"apiVersion": "v1", "kind": "Event", "metadata": {}, "message": "m", "involvedObject": {"name": "p"}}
    served = event.from_hub(stored)
    assert served["note"] == "m"
    assert served["regarding"] == {"name": "p"}
    assert event.to_hub(served) == stored | {"reportingComponent": "", "reportingInstance": ""}


METRICS = [
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
    {"type": "Pods", "pods": {"metric": {"name": "p"}, "target": {"type": "AverageValue", "averageValue": "1"}}},
    {
        "type": "Object",
        "object": {
            "describedObject": {"kind": "Service", "name": "s"},
            "metric": {"name": "r"},
            "target": {"type": "Value", "value": "10k"},
        },
    },
]


def test_what_autoscaling_v1_lacks_travels_in_annotations():
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3, "metrics": METRICS}
    hub = made(horizontalpodautoscaler, apiVersion="autoscaling/v2", spec={**spec, "behavior": {}})
    seen = from_hub(hub)
    assert seen["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "autoscaling.alpha.kubernetes.io/behavior" in seen["metadata"]["annotations"]
    assert to_hub(seen)["spec"] == hub["spec"]
    assert "annotations" not in to_hub(seen)["metadata"]


@pytest.mark.parametrize(
    ("module", "fields", "cells"),
    [
        (configmap, {"data": {"a": "1"}, "binaryData": {"b": ""}}, ["x", 2, "60s"]),
        (
            node,
            {
                "spec": {"unschedulable": True},
                "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1"}},
            },
            ["x", "Ready,SchedulingDisabled", "<none>", "60s", "v1", *["<none>"] * 2, *["<unknown>"] * 3],
        ),
        (
            endpoints,
            {"subsets": [{"addresses": [{"ip": f"10.0.0.{i}"} for i in range(5)], "ports": [{"port": 80}]}]},
            ["x", "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more...", "60s"],
        ),
        (
            ingress,
            {"spec": {"rules": [{"host": "a"}, {"host": "b"}], "tls": [{}]}},
            ["x", "<none>", "a,b", "", "80, 443", "60s"],
        ),
        (
            rolebinding,
            {
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "namespace": "n", "name": "s"}],
            },
            ["x", "Role/r", "60s", "u", "", "n/s"],
        ),
        (
            horizontalpodautoscaler,
            {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3, "metrics": METRICS}},
            ["x", "Deployment/d", "cpu: <unknown>/50%, <unknown>/1 + 1 more...", "1", 3, 0, "60s"],
        ),
    ],
)
def test_tables(module, fields, cells):
    printer = module.STRATEGY.printer
    found = printer.cells(made(module, **fields), SECONDS)
    assert len(found) == len(printer.columns)
    assert found == cells


@pytest.mark.parametrize(
    ("module", "fields", "start"),
    [
        (
            secret,
            {"type": "kubernetes.io/tls", "data": {"tls.crt": "YQ==", "tls.key": ""}},
            "tls: failed to find any PEM",
        ),
        (
            persistentvolumeclaim,
            {"spec": {"resources": {"requests": {"storage": "100m"}}}},
            "spec.resources.requests[storage]: fractional byte value",
        ),
    ],
)
def test_warnings(module, fields, start):
    found = module.STRATEGY.warnings(made(module, **fields), None, CTX)
    assert len(found) == 1
    assert found[0].startswith(start)
