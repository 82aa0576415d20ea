"""Storage and networking kinds: what is told of broken objects and of changes, word for word."""

import copy

import pytest

from fakeapi.strategies import (
    csidriver,
    csinode,
    csistoragecapacity,
    event,
    ingress,
    ingressclass,
    ipaddress,
    networkpolicy,
    persistentvolume,
    persistentvolumeclaim,
    resourcequota,
    service,
    servicecidr,
    storageclass,
    volumeattachment,
    volumeattributesclass,
)
from fakeapi.strategies.base import Context

CTX = Context(now="2026-01-01T00:00:00Z")
SPEC = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
ONE_SOURCE = "Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"
IMMUTABLE = "field is immutable"


def made(module, fields):
    obj = copy.deepcopy({"metadata": {"name": "x", "namespace": "n"}, **fields})  # fields may be of a table
    module.STRATEGY.default(obj)
    return obj


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            {"csi": {"driver": "a", "volumeHandle": "h", "nodePublishSecretRef": {"name": "s"}}},
            ["spec.csi.nodePublishSecretRef.namespace: Required value"],
        ),
        ({"gcePersistentDisk": {}}, ["spec.persistentDisk.pdName: Required value"]),
        (
            {"iscsi": {"targetPortal": "p", "iqn": "x", "secretRef": {}}},
            ['spec.iscsi.iqn: Invalid value: "x": must be valid format', "spec.iscsi.secretRef.name: Required value"],
        ),
        (
            {"azureFile": {"secretName": "a", "shareName": "b", "secretNamespace": ""}},
            ["spec.azureFile.secretNamespace: Required value"],
        ),
        (
            {"cinder": {"volumeID": "v", "secretRef": {"name": "s"}}},
            ["spec.cinder.secretRef.namespace: Required value"],
        ),
        (
            {"storageos": {"volumeName": "v", "secretRef": {}}},
            ["spec.storageos.secretRef.name: Required value", "spec.storageos.secretRef.namespace: Required value"],
        ),
        ({"nfs": {"server": "s", "path": "/"}, "flexVolume": {"driver": "d"}}, []),
        (
            {"hostPath": {"path": "/"}, "cephfs": {}},
            ["spec.cephFS: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            {"hostPath": {"path": "/"}, "volumeAttributesClassName": ""},
            [
                "spec.volumeAttributesClassName: Required value: an empty string is disallowed",
                "spec.csi: Required value: has to be specified when using volumeAttributesClassName",
            ],
        ),
    ],
)
def test_sources_of_volumes(source, told):
    obj = made(persistentvolume, {"spec": SPEC | source})
    assert [str(e) for e in persistentvolume.STRATEGY.validate(obj, CTX)] == told


@pytest.mark.parametrize(
    ("module", "fields", "told"),
    [
        (
            persistentvolume,
            {"spec": SPEC | {"capacity": {"storage": "-1"}, "hostPath": {"path": "/"}}},
            [
                "spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
                'spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
            ],
        ),
        (
            storageclass,
            {"provisioner": "a", "allowedTopologies": [{}]},
            ['allowedTopologies[0].matchLabelExpressions: Duplicate value: ""'],
        ),
        (
            storageclass,
            {
                "provisioner": "a",
                "allowedTopologies": [
                    {"matchLabelExpressions": [{"key": "k", "values": ["no label"]}, {"key": "k", "values": ["v"]}]}
                ],
            },
            ['allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "k"'],
        ),
        (
            volumeattributesclass,
            {},
            ["driverName: Required value", "parameters: Required value: must contain at least one key/value pair"],
        ),
        (
            volumeattachment,
            {"spec": {"nodeName": "n"}},
            ["spec.attacher: Required value", f"spec.source: {ONE_SOURCE}", "spec.attacher: Required value"],
        ),
        (
            csidriver,
            {"spec": {"volumeLifecycleModes": ["x"]}},
            ['spec.volumeLifecycleModes: Unsupported value: "x": supported values: "Persistent", "Ephemeral"'],
        ),
        (
            csidriver,
            {"spec": {"tokenRequests": [{"audience": "a"}, {"audience": "a", "expirationSeconds": 1}]}},
            ['spec.tokenRequests[1].audience: Duplicate value: "a"'],
        ),
        (
            csinode,
            {"spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": ["k", "k"]}]}},
            ['spec.drivers[0]: Duplicate value: "k"'],
        ),
        (csistoragecapacity, {"storageClassName": "c", "maximumVolumeSize": "-1"}, []),
        (
            servicecidr,
            {"spec": {"cidrs": ["10.0.0.0/8", "11.0.0.0/8", "fd00::/64"]}},
            [
                'spec.cidrs: Invalid value: {"CIDRs":["10.0.0.0/8","11.0.0.0/8","fd00::/64"]}: '
                "may only hold up to 2 values"
            ],
        ),
        (
            ingressclass,
            {"spec": {"controller": "a.b/c", "parameters": {"kind": "A/B", "name": "n"}}},
            ["spec.parameters.kind: Invalid value: \"A/B\": may not contain '/'"],
        ),
        (
            networkpolicy,
            {"spec": {"policyTypes": ["x"]}},
            ['spec.policyTypes[0]: Unsupported value: "x": supported values: "Ingress", "Egress"'],
        ),
        (
            resourcequota,
            {
                "spec": {
                    "hard": {"pods": "1"},
                    "scopeSelector": {
                        "matchExpressions": [{"scopeName": "VolumeAttributesClass", "operator": "Exists"}]
                    },
                }
            },
            [
                'spec.scopeSelector.matchExpressions: Invalid value: {"MatchExpressions":[{"ScopeName":'
                '"VolumeAttributesClass","Operator":"Exists","Values":null}]}: unsupported scope applied to resource'
            ],
        ),
    ],
)
def test_what_is_broken(module, fields, told):
    assert [str(e) for e in module.STRATEGY.validate(made(module, fields), CTX)] == told


ATTACHED = {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
AFFINE = {
    "required": {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "beta.kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
        ]
    }
}
STABLE = {
    "required": {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
        ]
    }
}
LOCAL = SPEC | {"local": {"path": "/d"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
CLASS = "volume.beta.kubernetes.io/storage-class"


@pytest.mark.parametrize(
    ("module", "old", "new", "told"),
    [
        (
            volumeattachment,
            {"spec": ATTACHED},
            {"spec": ATTACHED | {"nodeName": "m"}},
            [
                'spec: Invalid value: {"Attacher":"a","Source":{"PersistentVolumeName":"v","InlineVolumeSpec":null},'
                f'"NodeName":"m"}}: {IMMUTABLE}'
            ],
        ),
        (persistentvolume, {"spec": LOCAL | {"nodeAffinity": AFFINE}}, {"spec": LOCAL | {"nodeAffinity": STABLE}}, []),
        (
            persistentvolume,
            {"spec": LOCAL | {"nodeAffinity": STABLE}},
            {"spec": LOCAL | {"nodeAffinity": AFFINE}},
            [
                'nodeAffinity: Invalid value: {"Required":{"NodeSelectorTerms":[{"MatchExpressions":[{"Key":'
                '"beta.kubernetes.io/os","Operator":"In","Values":["linux"]}],"MatchFields":null}]}}: '
                f"{IMMUTABLE}, except for updating from beta label to GA"
            ],
        ),
        (
            persistentvolumeclaim,
            {"metadata": {"annotations": {CLASS: "c"}}, "spec": CLAIM},
            {"metadata": {}, "spec": CLAIM | {"storageClassName": "c"}},
            [],
        ),
        (
            persistentvolumeclaim,
            {"metadata": {}, "spec": CLAIM},
            {"metadata": {"annotations": {CLASS: "c"}}, "spec": CLAIM},
            [f'metadata.annotations.{CLASS}: Invalid value: "c": {IMMUTABLE}'],
        ),
        (
            csidriver,
            {"spec": {}},
            {"spec": {"attachRequired": False}},
            [f"spec.attachedRequired: Invalid value: false: {IMMUTABLE}"],
        ),
        (
            csinode,
            {"spec": {"drivers": [{"name": "d", "nodeID": "n"}]}},
            {"spec": {"drivers": [{"name": "d", "nodeID": "n", "allocatable": {"count": 1}}]}},
            [],
        ),
        (
            servicecidr,
            {"spec": {"cidrs": ["10.0.0.0/8"]}},
            {"spec": {"cidrs": ["11.0.0.0/8"]}},
            [f'spec.cidrs[0]: Invalid value: "11.0.0.0/8": {IMMUTABLE}'],
        ),
        (
            ipaddress,
            {"spec": {"parentRef": {"resource": "services", "name": "a"}}},
            {"spec": {"parentRef": {"resource": "services", "name": "b"}}},
            [
                'spec.parentRef: Invalid value: {"Group":"","Resource":"services","Namespace":"","Name":"b"}: '
                f"{IMMUTABLE}"
            ],
        ),
        (
            ingress,
            {"spec": {"ingressClassName": "a", "defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}}},
            {
                "metadata": {"annotations": {"kubernetes.io/ingress.class": "b"}},
                "spec": {"ingressClassName": "a", "defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}},
            },
            [],
        ),
    ],
)
def test_what_may_not_change(module, old, new, told):
    errors = module.STRATEGY.validate_update(made(module, new), made(module, old), CTX)
    assert [str(e) for e in errors] == told


def test_a_changed_source_is_shown_as_a_diff():
    old, new = (made(persistentvolume, {"spec": SPEC | {"hostPath": {"path": p}}}) for p in ("/a", "/b"))
    (error,) = persistentvolume.STRATEGY.validate_update(new, old, CTX)
    assert error.detail.splitlines() == [
        "spec.persistentvolumesource is immutable after creation",
        "@@ -2,7 +2,7 @@",
        '  "GCEPersistentDisk": null,',
        '  "AWSElasticBlockStore": null,',
        '  "HostPath": {',
        '-  "Path": "/a",',
        '+  "Path": "/b",',
        '   "Type": ""',
        "  },",
        '  "Glusterfs": null,',
    ]


def test_a_changed_reason_of_an_event_is_told_twice():
    ctx = Context(now=CTX.now, api_version="events.k8s.io/v1")
    fields = {"eventTime": CTX.now, "reportingComponent": "c", "reportingInstance": "i", "action": "a"}
    old, new = (made(event, fields | {"involvedObject": {"namespace": "n"}, "reason": r}) for r in ("r", "s"))
    told = [str(e) for e in event.STRATEGY.validate_update(new, old, ctx)]
    assert told == [f'reason: Invalid value: "s": {IMMUTABLE}'] * 2


DEPRECATED = "spec.externalIPs is deprecated and may no longer be implemented in some clusters"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"type": "ClusterIP", "sessionAffinity": "None", "externalIPs": ["1.2.3.4"]}, [DEPRECATED]),
        (
            {
                "type": "ClusterIP",
                "clusterIPs": ["None"],
                "sessionAffinity": "ClientIP",
                "externalIPs": ["1.2.3.4"],
                "loadBalancerIP": "1.2.3.4",
            },
            [
                f"spec.{f} is ignored for headless services"
                for f in ("loadBalancerIP", "externalIPs", "SessionAffinity")
            ],
        ),
        (
            {"type": "ExternalName", "sessionAffinity": "None", "externalIPs": ["1.2.3.4"]},
            ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
        ),
        (
            {"type": "ClusterIP", "sessionAffinity": "None", "trafficDistribution": "PreferClose"},
            ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'],
        ),
    ],
)
def test_warnings_of_services(spec, told):
    assert service.STRATEGY.warnings({"metadata": {"name": "x"}, "spec": spec}, None, CTX) == told


def test_warnings_of_capacities():
    topology = {
        "matchLabels": {"beta.kubernetes.io/os": "linux"},
        "matchExpressions": [{"key": "beta.kubernetes.io/arch", "operator": "Exists"}],
    }
    assert csistoragecapacity.STRATEGY.warnings({"nodeTopology": topology}, None, CTX) == [
        "nodeTopology.matchExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; "
        'use "kubernetes.io/arch" instead',
        'nodeTopology.matchLabels.beta.kubernetes.io/os: deprecated since v1.14; use "kubernetes.io/os" instead',
    ]
