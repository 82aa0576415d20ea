"""Definitions: Type trees, OpenAPI as served, every minor."""

import pytest

from fakeapi.schema import definitions
from fakeapi.schema.decode import decoder

CORE = "io.k8s.api.core.v1."
APPS = "io.k8s.api.apps.v1."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."


@pytest.mark.parametrize("minor", definitions.MINORS)
def test_every_minor_compiles(minor: int) -> None:
    found = definitions.load(minor)
    for name in found.names():
        t = found.type(name)
        decoder(t)
        assert t.kind != "object" or set(t.fields) == set(found.openapi(name).get("properties", {}))


def test_unsupported_minor() -> None:
    with pytest.raises(ValueError, match=r"1\.24 is not supported"):
        definitions.load(24)


@pytest.mark.parametrize(
    ("gvk", "name"),
    [
        (("", "v1", "Pod"), CORE + "Pod"),
        (("apps", "v1", "Deployment"), APPS + "Deployment"),
        (("", "v1", "DeleteOptions"), None),
        (("apps", "v1", "Nope"), None),
    ],
)
def test_by_gvk(gvk: tuple[str, str, str], name: str | None) -> None:
    assert definitions.load(36).by_gvk(*gvk) == name


@pytest.mark.parametrize(
    ("owner", "field", "facts"),
    [
        (APPS + "DeploymentSpec", "replicas", {"kind": "integer", "go": "int32", "pointer": True, "omitempty": True}),
        (APPS + "DeploymentSpec", "selector", {"kind": "object", "pointer": True, "omitempty": False}),
        (APPS + "DeploymentSpec", "strategy", {"pointer": False, "patch_strategy": frozenset({"retainKeys"})}),
        (APPS + "Deployment", "status", {"pointer": False, "omitempty": False}),
        (META + "ObjectMeta", "creationTimestamp", {"kind": "time", "pointer": False, "omitempty": True}),
        (META + "ObjectMeta", "uid", {"go": "types.UID"}),
        (META + "ObjectMeta", "finalizers", {"list_type": "set", "patch_strategy": frozenset({"merge"})}),
        (META + "LabelSelector", "matchLabels", {"kind": "map", "go": "map[string]string"}),
        (CORE + "Probe", "httpGet", {"via": "ProbeHandler", "go": "v1.HTTPGetAction", "pointer": True}),
        (CORE + "PodSpec", "restartPolicy", {"go": "v1.RestartPolicy", "pointer": False}),
        (CORE + "PodSpec", "containers", {"go": "[]v1.Container", "patch_merge_key": "name", "map_keys": ("name",)}),
        (CORE + "PodSpec", "volumes", {"patch_strategy": frozenset({"merge", "retainKeys"})}),
        (CORE + "Container", "ports", {"defaults": {"containerPort": 0, "protocol": "TCP"}, "list_type": "map"}),
        (CORE + "ObjectReference", "name", {"kind": "string"}),
        (CORE + "ServicePort", "targetPort", {"kind": "int-or-string", "pointer": False, "omitempty": False}),
        (CORE + "Secret", "data", {"kind": "map", "go": "map[string][]uint8"}),
    ],
)
def test_field_facts(owner: str, field: str, facts: dict[str, object]) -> None:
    found = definitions.load(36).type(owner).fields[field]
    assert {key: getattr(found, key) for key in facts} == facts


def test_fields_stand_in_go_order() -> None:
    fields = list(definitions.load(36).type(META + "ObjectMeta").fields)
    assert fields[:4] == ["name", "generateName", "namespace", "selfLink"]
    assert fields[-1] == "managedFields"


def test_map_type_of_a_definition_reaches_the_edge() -> None:
    found = definitions.load(36)
    assert found.type(APPS + "DeploymentSpec").fields["selector"].map_type == "atomic"
    assert found.type(CORE + "PodSpec").fields["nodeSelector"].map_type == "atomic"
    assert found.type(META + "ObjectMeta").fields["labels"].map_type == "granular"


def test_openapi_is_restored() -> None:
    found = definitions.load(36)
    pod = found.openapi(CORE + "Pod")["properties"]
    assert "enum" not in pod["apiVersion"]
    assert pod["apiVersion"]["type"] == "string"
    assert pod["spec"]["allOf"] == [{"$ref": "#/components/schemas/" + CORE + "PodSpec"}]
    assert pod["spec"]["default"] == {}
    spec = found.openapi(CORE + "PodSpec")["properties"]
    assert "default" not in spec["affinity"]
    assert spec["containers"]["items"] == {"$ref": "#/components/schemas/" + CORE + "Container"}
    assert "default" not in found.openapi(META + "Condition")["properties"]["lastTransitionTime"]
    assert found.openapi(META + "Condition")["properties"]["reason"]["default"] == ""
    assert found.openapi("io.k8s.apimachinery.pkg.api.resource.Quantity")["type"] == "string"
    whole = found.openapi("io.k8s.apimachinery.pkg.util.intstr.IntOrString")
    assert (whole["type"], whole["format"]) == ("string", "int-or-string")


def test_openapi_nested_defaults() -> None:
    spec = definitions.load(36).openapi(CORE + "PodSpec", nested_defaults=True)["properties"]
    assert spec["containers"]["items"]["default"] == {}
    assert spec["nodeSelector"]["additionalProperties"] == {"type": "string", "default": ""}
    assert "default" not in spec["overhead"]["additionalProperties"]
