"""Custom resources: pruning, nulls, embedded metadata, defaults."""

from typing import Any

import pytest

from fakeapi.schema import definitions, structural
from fakeapi.schema.decode import DecodeError
from fakeapi.schema.types import Type

META = definitions.load(36).type("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
INT, TEXT = {"type": "integer"}, {"type": "string"}
PRESERVE = {"x-kubernetes-preserve-unknown-fields": True}


def compiled(**spec: Any) -> Type:
    return structural.compile({"type": "object", "properties": {"spec": {"type": "object", **spec}}}, META)


def coerced(t: Type, spec: Any, **more: Any) -> tuple[Any, list[str]]:
    obj = {"apiVersion": "g/v1", "kind": "W", "metadata": {"name": "a"}, "spec": spec, **more}
    unknown = structural.coerce(obj, t, META)
    return obj["spec"], unknown


@pytest.mark.parametrize(
    ("schema", "spec", "want", "unknown"),
    [
        ({"properties": {"a": INT}}, {"a": 1, "z": 1, "b": {"c": 1}}, {"a": 1}, ["spec.b", "spec.z"]),
        ({"properties": {"a": TEXT}}, {"a": {"b": 1}}, {"a": {}}, ["spec.a.b"]),
        (
            {"properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"b": INT}}}}},
            {"a": [{"b": 1, "c": 2}]},
            {"a": [{"b": 1}]},
            ["spec.a[0].c"],
        ),
        ({"additionalProperties": TEXT}, {"a": "b"}, {"a": "b"}, []),
        ({"additionalProperties": True}, {"a": 1, "b": {"c": 1}}, {"a": 1, "b": {}}, ["spec.b.c"]),
        (
            {**PRESERVE, "properties": {"a": {"type": "object"}}},
            {"a": {"x": 1}, "z": {"y": 1}},
            {"a": {}, "z": {"y": 1}},
            ["spec.a.x"],
        ),
        ({**PRESERVE}, {"a": [{"x": 1}]}, {"a": [{"x": 1}]}, []),
        (
            {"properties": {"a": {"type": "array", **PRESERVE, "items": {"type": "object"}}}},
            {"a": [{"x": 1}]},
            {"a": [{"x": 1}]},
            [],
        ),
        (
            {"properties": {"a": INT, "n": {**INT, "nullable": True}, "d": {**INT, "default": 1}}},
            {"a": None, "n": None, "d": None},
            {"n": None, "d": None},
            [],
        ),
        ({"properties": {"a": {"type": "number"}}}, {"a": 1.0}, {"a": 1}, []),
    ],
)
def test_coerce(schema: dict[str, Any], spec: Any, want: Any, unknown: list[str]) -> None:
    got, texts = coerced(compiled(**schema), spec)
    assert got == want
    assert texts == [f'unknown field "{path}"' for path in unknown]


def test_metadata_is_object_meta_wherever_a_resource_stands() -> None:
    t = compiled(properties={"tpl": {"type": "object", "x-kubernetes-embedded-resource": True, **PRESERVE}})
    spec, unknown = coerced(
        t,
        {"tpl": {"kind": "P", "metadata": {"name": "p", "bogus": 1, "creationTimestamp": None}, "spec": {"x": 1}}},
        metadata={"name": "a", "zz": 1, "labels": {}},
        other=1,
    )
    assert spec == {"tpl": {"kind": "P", "metadata": {"name": "p"}, "spec": {"x": 1}}}
    assert unknown == [f'unknown field "{x}"' for x in ("metadata.zz", "other", "spec.tpl.metadata.bogus")]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"metadata": "x"}, "json: cannot unmarshal string into Go value of type v1.ObjectMeta"),
        (
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string",
        ),
        ({"spec": {"tpl": {"kind": 5}}}, "spec.tpl.kind: Invalid value: 5: must be a string"),
    ],
)
def test_bad_metadata(more: dict[str, Any], message: str) -> None:
    t = compiled(properties={"tpl": {"type": "object", "x-kubernetes-embedded-resource": True}})
    with pytest.raises(DecodeError) as caught:
        structural.coerce({"apiVersion": "g/v1", "kind": "W", **more}, t, META)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("schema", "spec", "want"),
    [
        ({"properties": {"a": {**INT, "default": 3}}}, {}, {"a": 3}),
        ({"properties": {"a": {**INT, "default": 3}}}, {"a": None}, {"a": 3}),
        ({"properties": {"a": {**INT, "default": 3, "nullable": True}}}, {"a": None}, {"a": None}),
        (
            {"properties": {"o": {"type": "object", "default": {}, "properties": {"x": {**TEXT, "default": "d"}}}}},
            {},
            {"o": {"x": "d"}},
        ),
        ({"additionalProperties": {**INT, "default": 7}}, {"k": None}, {"k": 7}),
        (
            {
                "properties": {
                    "l": {"type": "array", "items": {"type": "object", "properties": {"x": {**INT, "default": 1}}}}
                }
            },
            {"l": [{}, {"x": 2}]},
            {"l": [{"x": 1}, {"x": 2}]},
        ),
    ],
)
def test_defaults(schema: dict[str, Any], spec: Any, want: Any) -> None:
    obj = {"metadata": {"name": "a"}, "spec": spec}
    structural.apply_defaults(obj, compiled(**schema))
    assert obj == {"metadata": {"name": "a"}, "spec": want}


def test_types() -> None:
    t = compiled(
        properties={
            "l": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k", "p"],
                "items": {"type": "object", "properties": {"k": TEXT, "p": {**TEXT, "default": "TCP"}}},
            },
            "m": {"type": "object", "additionalProperties": INT, "x-kubernetes-map-type": "atomic"},
            "i": {"x-kubernetes-int-or-string": True},
            "any": PRESERVE,
        },
        required=["m"],
    ).fields["spec"]
    fields = t.fields
    assert {name: f.kind for name, f in fields.items()} == {"l": "list", "m": "map", "i": "int-or-string", "any": "any"}
    assert (fields["l"].list_type, fields["l"].map_keys, fields["l"].defaults) == ("map", ("k", "p"), {"p": "TCP"})
    assert fields["m"].map_type == "atomic"
    assert fields["any"].preserve_unknown
    assert t.required == ("m",)
    root = compiled()
    assert root.embedded
    assert root.fields["metadata"].fields["ownerReferences"].map_keys == ("uid",)
