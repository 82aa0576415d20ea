"""CRD sets of the size and shape that big operators install: made here, field by field, copied from nobody."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]

CONDITIONS: Obj = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {
        "type": "object",
        "required": ["type", "status"],
        "properties": {
            "type": {"type": "string", "maxLength": 316},
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": {"type": "string", "pattern": "^([A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?)?$"},
            "message": {"type": "string", "maxLength": 32768},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
        },
    },
}
QUANTITY: Obj = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
LEAVES: tuple[Obj, ...] = (
    {"type": "string"},
    {"type": "string", "maxLength": 253, "minLength": 1},
    {"type": "string", "enum": ["Always", "Never", "IfNotPresent"]},
    {"type": "string", "format": "date-time"},
    {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    {"type": "integer", "format": "int32", "minimum": 0, "maximum": 65535},
    {"type": "integer", "format": "int64"},
    {"type": "boolean", "default": False},
    {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    QUANTITY,
)
WORDS = (
    *("issuer", "secret", "endpoint", "key", "template", "policy", "target", "source", "selector", "account", "region"),
    *(
        "server",
        "token",
        "role",
        "path",
        "name",
        "volume",
        "network",
        "machine",
        "cluster",
        "health",
        "retry",
        "timeout",
    ),
)


def properties(rng: random.Random, count: int, depth: int) -> Obj:
    """So many described fields, some of them structures, down to that depth."""
    out: Obj = {}
    for number in range(count):
        first, second = rng.choices(WORDS, k=2)
        name = f"{first}{second.title()}{number}"
        if depth and rng.random() < 0.35:
            inner: Obj = {"type": "object", "properties": properties(rng, max(2, count // 2), depth - 1)}
            schema: Obj = {"type": "array", "items": inner} if rng.random() < 0.3 else inner
        else:
            schema = dict(rng.choice(LEAVES))
        out[name] = {
            "description": f"The {second} of the {first}, {'as its provider says. ' * rng.randint(1, 4)}",
            **schema,
        }
    return out


def crd(
    kind: str,
    group: str,
    spec: Obj,
    *,
    versions: tuple[str, ...] = ("v1",),
    rules: tuple[Obj, ...] = (),
    columns: tuple[Obj, ...] = (),
    scaled: bool = False,
    scope: str = "Namespaced",
    required: tuple[str, ...] = (),
) -> Obj:
    """A CRD with status, whose last version is the one that is stored; earlier ones are deprecated."""
    plural = f"{kind.lower()}s"
    subresources: Obj = {"status": {}}
    if scaled:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    status: Obj = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"conditions": CONDITIONS},
    }
    inside: Obj = {"type": "object", "description": f"What {kind} is wanted.", "properties": spec}
    if rules:
        inside["x-kubernetes-validations"] = list(rules)
    if required:
        inside["required"] = list(required)
    schema: Obj = {
        "description": f"{kind} is one of {group}.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": inside,
            "status": status,
        },
    }
    made = [
        {
            "name": name,
            "served": True,
            "storage": name == versions[-1],
            **({} if name == versions[-1] else {"deprecated": True}),
            "schema": {"openAPIV3Schema": schema},
            "subresources": subresources,
            "additionalPrinterColumns": [
                *columns,
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            ],
        }
        for name in versions
    ]
    names = {
        "plural": plural,
        "singular": kind.lower(),
        "kind": kind,
        "listKind": f"{kind}List",
        "categories": ["all-made"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": scope, "names": names, "versions": made},
    }


READY: Obj = {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'}


@dataclass(frozen=True, slots=True)
class CrdSet:
    """CRDs, and of the first one a sample spec, the columns it prints and what is refused (a spec, a message)."""

    crds: list[Obj]
    sample: Obj
    printed: dict[str, str]
    refused: list[tuple[Obj, str]]


def certificates() -> CrdSet:
    """Certificates and their issuers: deep alternatives, a rule between two fields."""
    rng, group = random.Random(1), "certs.example.com"
    spec = {
        "secretName": {"type": "string", "minLength": 1},
        "duration": {"type": "string"},
        "dnsNames": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 253}},
        "usages": {"type": "array", "maxItems": 9, "items": {"type": "string", "enum": ["server auth", "client auth"]}},
        "issuerRef": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "kind": {"type": "string", "default": "Issuer"}},
        },
        "revisionHistoryLimit": {"type": "integer", "format": "int32", "minimum": 1},
        **properties(rng, 20, 3),
    }
    rules = (
        {"rule": "has(self.dnsNames) && size(self.dnsNames) > 0", "message": "a name is needed"},
        {"rule": "self.secretName == oldSelf.secretName", "message": "secretName is immutable"},
    )
    columns = (READY, {"name": "Secret", "type": "string", "jsonPath": ".spec.secretName"})
    first = crd(
        "Cert",
        group,
        spec,
        rules=rules,
        columns=columns,
        versions=("v1beta1", "v1"),
        required=("secretName", "issuerRef"),
    )
    rest = [
        crd(kind, group, properties(rng, 24, 4), columns=(READY,)) for kind in ("Issuer", "CertRequest", "Challenge")
    ]
    rest.append(crd("ClusterIssuer", group, properties(rng, 24, 4), columns=(READY,), scope="Cluster"))
    good = {"secretName": "web-tls", "dnsNames": ["a.example"], "issuerRef": {"name": "ca"}}
    refused = [
        ({**good, "dnsNames": []}, "a name is needed"),
        (
            {**good, "usages": ["anything"]},
            'Unsupported value: "anything": supported values: "server auth", "client auth"',
        ),
        ({**good, "revisionHistoryLimit": 0}, "should be greater than or equal to 1"),
        ({k: v for k, v in good.items() if k != "secretName"}, "spec.secretName: Required value"),
        ({**good, "duraton": "1h"}, 'unknown field "spec.duraton"'),
    ]
    return CrdSet([first, *rest], good, {"SECRET": "web-tls"}, refused)


def applications() -> CrdSet:
    """Applications that are synchronised from repositories: unions of sources, free-form values."""
    rng, group = random.Random(2), "sync.example.com"
    source = {
        "type": "object",
        "required": ["repoURL"],
        "properties": {
            "repoURL": {"type": "string"},
            "path": {"type": "string"},
            "values": LEAVES[10],
            **properties(rng, 12, 3),
        },
    }
    spec = {
        "project": {"type": "string", "default": "default"},
        "source": source,
        "sources": {"type": "array", "maxItems": 20, "items": source},
        **properties(rng, 14, 3),
    }
    rules = ({"rule": "has(self.source) != has(self.sources)", "message": "exactly one of source and sources"},)
    columns = (
        {"name": "Project", "type": "string", "jsonPath": ".spec.project"},
        {"name": "Repo", "type": "string", "jsonPath": ".spec.source.repoURL", "priority": 0},
    )
    first = crd("App", group, spec, rules=rules, columns=columns, versions=("v1alpha1",))
    rest = [crd("AppSet", group, properties(rng, 40, 5)), crd("AppProject", group, properties(rng, 24, 3))]
    good = {"source": {"repoURL": "https://git.example/a", "values": {"a": [1, {"b": None}]}}}
    refused = [
        ({**good, "sources": []}, "exactly one of source and sources"),
        ({"source": {"path": "x"}}, "spec.source.repoURL: Required value"),
        ({"source": {"repoURL": 5}}, "must be of type string"),
    ]
    return CrdSet([first, *rest], good, {"PROJECT": "default", "REPO": "https://git.example/a"}, refused)


def machines() -> CrdSet:
    """Machines in sets that scale: several versions, quantities, references."""
    rng, group = random.Random(3), "infra.example.com"
    spec = {
        "clusterName": {"type": "string", "minLength": 1},
        "replicas": {"type": "integer", "format": "int32", "default": 1, "minimum": 0},
        "memory": QUANTITY,
        "selector": {"type": "object", "additionalProperties": {"type": "string"}},
        **properties(rng, 20, 4),
    }
    columns = (
        {"name": "Cluster", "type": "string", "jsonPath": ".spec.clusterName"},
        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
    )
    rules = ({"rule": "self.replicas <= 100", "messageExpression": '"no more than 100, not " + string(self.replicas)'},)
    versions = ("v1alpha4", "v1beta1", "v1beta2")
    first = crd(
        "MachineGroup",
        group,
        spec,
        versions=versions,
        columns=columns,
        rules=rules,
        scaled=True,
        required=("clusterName",),
    )
    kinds = ("Machine", "MachineClass", "MachineTemplate", "MachinePool", "HealthCheck", "ControlPlane", "Bootstrap")
    rest = [crd(kind, group, properties(rng, 24, 4), versions=versions) for kind in kinds]
    good = {"clusterName": "one", "replicas": 3, "memory": "1Gi"}
    refused = [
        ({**good, "replicas": 101}, "no more than 100, not 101"),
        ({**good, "replicas": -1}, "should be greater than or equal to 0"),
        ({**good, "memory": True}, "must be of type"),
    ]
    return CrdSet([first, *rest], good, {"CLUSTER": "one", "REPLICAS": "3"}, refused)


SETS = {"certificates": certificates, "applications": applications, "machines": machines}


def many(count: int) -> list[Obj]:
    """So many CRDs of middle size, each of a group of its own for ten."""
    rng = random.Random(4)
    return [crd(f"Made{n}", f"g{n // 10}.example.com", properties(rng, 20, 2), columns=(READY,)) for n in range(count)]
