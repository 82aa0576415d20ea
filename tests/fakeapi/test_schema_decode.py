"""Decoding: what a Go round trip makes of an object, and what it says when it fails."""

from typing import Any

import orjson
import pytest

from fakeapi.schema import definitions, gotext
from fakeapi.schema.decode import DecodeError, decode, strict_errors, through_storage
from fakeapi.schema.duplicates import duplicate_fields
from fakeapi.schema.types import Type

CORE = "io.k8s.api.core.v1."


def of(kind: str, group: str = "", version: str = "v1") -> Type:
    found = definitions.load(36)
    name = found.by_gvk(group, version, kind)
    assert name is not None
    return found.type(name)


def pod(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", **container}]}}


NORMALISED = [
    ("ConfigMap", {"data": None, "immutable": False}, {"metadata": {}, "immutable": False}),
    ("ConfigMap", {"data": {}, "metadata": {"labels": {}, "name": ""}}, {"metadata": {}}),
    ("ConfigMap", {"data": {"a": None}, "metadata": {}}, {"metadata": {}, "data": {"a": ""}}),
    ("Secret", {"data": {"a": "Y\nQ==", "b": None}}, {"metadata": {}, "data": {"a": "YQ==", "b": None}}),
    ("Pod", {"spec": {}}, {"metadata": {}, "spec": {"containers": None}, "status": {}}),
    # [] stays until storage blanks it (through_storage), since managedFields own it
    ("Pod", {"spec": {"containers": []}}, {"metadata": {}, "spec": {"containers": []}, "status": {}}),
    (
        "Service",
        {"spec": {"ports": [{"port": 80}, {"targetPort": "http", "port": 1, "nodePort": 0}]}},
        {
            "metadata": {},
            "spec": {"ports": [{"port": 80, "targetPort": 0}, {"port": 1, "targetPort": "http"}]},
            "status": {"loadBalancer": {}},
        },
    ),
    (
        "Event",
        {"count": 0},
        {
            "metadata": {},
            "involvedObject": {},
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "eventTime": None,
            "reportingComponent": "",
            "reportingInstance": "",
        },
    ),
    (
        "ResourceQuota",
        {"spec": {"hard": {"cpu": 1.5, "memory": "1024Mi", "pods": None, "x": "0.1m"}}},
        {"metadata": {}, "spec": {"hard": {"cpu": "1500m", "memory": "1Gi", "pods": "0", "x": "1m"}}, "status": {}},
    ),
]


@pytest.mark.parametrize(("kind", "given", "want"), NORMALISED)
def test_round_trip(kind: str, given: dict[str, Any], want: dict[str, Any]) -> None:
    decoded = decode(given, of(kind))
    assert decoded.value == want
    assert decoded.unknown == []


def test_defaults_of_structs_and_pointers() -> None:
    template = {"metadata": {"creationTimestamp": None}, "spec": pod(stdin=False)["spec"]}
    given = {"spec": {"template": template, "replicas": 0}}
    assert decode(given, of("Deployment", "apps")).value == {
        "metadata": {},
        "spec": {
            "replicas": 0,
            "selector": None,
            "template": {"metadata": {}, "spec": {"containers": [{"name": "c", "resources": {}}]}},
            "strategy": {},
        },
        "status": {},
    }


def test_keys_come_out_in_go_order() -> None:
    given = {
        "data": {"b": "1", "a": "2"},
        "metadata": {"labels": {"x": "y"}, "name": "n"},
        "apiVersion": "v1",
        "kind": "C",
    }
    value = decode(given, of("ConfigMap")).value
    assert list(value) == ["kind", "apiVersion", "metadata", "data"]
    assert list(value["metadata"]) == ["name", "labels"]


def test_unknown_fields_in_document_order() -> None:
    given = pod(imagePullPolcy="x", env=[{"name": "a"}, {"name": "b", 'we"ird': 1}])
    given = {"Metadata": {}, **given, "zzz": {"deep": 1}}
    assert decode(given, of("Pod")).unknown == [
        'unknown field "Metadata"',
        'unknown field "spec.containers[0].imagePullPolcy"',
        'unknown field "spec.containers[0].env[1].we\\"ird"',
        'unknown field "zzz"',
    ]


def test_no_more_than_100_unknown_fields() -> None:
    assert len(decode({str(n): 1 for n in range(200)}, of("ConfigMap")).unknown) == 100


J = "json: cannot unmarshal "

MESSAGES = [
    ("ConfigMap", {"data": 1}, f"{J}number into Go struct field ConfigMap.data of type map[string]string"),
    ("ConfigMap", {"data": {"a": {}}}, f"{J}object into Go struct field ConfigMap.data of type string"),
    ("ConfigMap", [], f"{J}array into Go value of type v1.ConfigMap"),
    ("ConfigMap", {"immutable": "x"}, f"{J}string into Go struct field ConfigMap.immutable of type bool"),
    ("ConfigMap", {"binaryData": {"a": "%"}}, "illegal base64 data at input byte 0"),
    (
        "ConfigMap",
        {"metadata": {"labels": {"a": 1}}},
        f"{J}number into Go struct field ObjectMeta.metadata.labels of type string",
    ),
    ("Pod", pod(args=[1]), f"{J}number into Go struct field Container.spec.containers.args of type string"),
    (
        "Pod",
        pod(livenessProbe={"httpGet": {"port": 1.5}}),
        f"{J}number 1.5 into Go struct field "
        "HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32",
    ),
    (
        "Pod",
        pod(resources=[]),
        f"{J}array into Go struct field Container.spec.containers.resources of type v1.ResourceRequirements",
    ),
    (
        "Pod",
        {"spec": {"restartPolicy": 1}},
        f"{J}number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
    ),
    (
        "Pod",
        {"spec": {"priority": 3000000000}},
        f"{J}number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
    ),
    (
        "Pod",
        pod(resources={"limits": {"cpu": True}}),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    # What a type's own UnmarshalJSON says beats type errors found before.
    ("Pod", {"spec": {"priority": "x", "overhead": {"cpu": "1kk"}}}, "unable to parse quantity's suffix"),
    (
        "Pod",
        {"metadata": {"name": 1, "creationTimestamp": 5}},
        f"{J}number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
    ),
]


@pytest.mark.parametrize(("kind", "given", "message"), MESSAGES)
def test_go_texts(kind: str, given: Any, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(given, of(kind))
    assert str(caught.value) == message


def test_numbers_are_quoted_as_written() -> None:
    source = b'{"spec":{"priority":1e3}}'
    with pytest.raises(DecodeError, match="number 1e3 into"):
        decode(orjson.loads(source), of("Pod"), source=source)


def test_unknown_and_duplicate_fields_mix_in_document_order() -> None:
    source = b'{"data":{"k":"a","k":"b","k":"c"},"metadata":{"zzz":1,"zzz":2},"data":{}}'
    value = orjson.loads(source)
    assert strict_errors(source, of("ConfigMap")) == [
        'duplicate field "data.k"',
        'unknown field "metadata.zzz"',
        'duplicate field "data"',
    ]
    assert duplicate_fields(source, value) == [
        'duplicate field "data.k"',
        'duplicate field "metadata.zzz"',
        'duplicate field "data"',
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (b'{"a":"x\\"y","b":[{"c":1},{"c":2}]}', []),
        (b'{"a":"\\u0022\\u0022","a":1}', ['duplicate field "a"']),
        (b'{"a":[{"c":1,"c":2}]}', ['duplicate field "a[0].c"']),
    ],
)
def test_duplicate_fields(source: bytes, found: list[str]) -> None:
    assert duplicate_fields(source, orjson.loads(source)) == found
    assert duplicate_fields(source) == found


def test_crd_schemas_inside_schemas() -> None:
    schema = {
        "properties": {
            "a": {"type": "object", "additionalProperties": {"type": "string", "no": 1}},
            "b": {"type": "array", "items": {"type": "object", "nullable": False}, "additionalProperties": False},
        }
    }
    found = definitions.load(36).type("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    decoded = decode(schema, found)
    assert decoded.unknown == []
    assert decoded.value["properties"] == {
        "a": {"type": "object", "additionalProperties": {"type": "string"}},
        "b": {"type": "array", "items": {"type": "object"}, "additionalProperties": False},
    }
    with pytest.raises(DecodeError, match=r"^boolean or JSON schema expected$"):
        decode({"additionalProperties": 1}, found)


TIMES = [
    ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
    ("2024-01-02T03:04:05.999+02:00", "2024-01-02T01:04:05Z"),
    ("2024-01-01T00:30:00+01:00", "2023-12-31T23:30:00Z"),
    ("0001-01-01T00:00:00Z", None),
    ("yesterday", ' as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"'),
    ("2024-01-02", ' as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"'),
    ("2024-1-02T03:04:05Z", ' as "2006-01-02T15:04:05Z07:00": cannot parse "1-02T03:04:05Z" as "01"'),
    ("2024-02-30T03:04:05Z", ": day out of range"),
    ("2024-02-03T24:04:05Z", ": hour out of range"),
    ("2024-02-03T03:04:05Zz", ': extra text: "z"'),
    ("2024-02-03T03:04:05", ' as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"'),
]


@pytest.mark.parametrize(("text", "want"), TIMES)
def test_times(text: str, want: str | None) -> None:
    if want is None or want.endswith("Z"):
        assert gotext.time(text) == want
        return
    with pytest.raises(ValueError) as caught:
        gotext.time(text)
    assert str(caught.value) == f'parsing time "{text}"{want}'


def test_micro_times() -> None:
    assert gotext.micro_time("2024-03-01T10:00:05.123456-01:00") == "2024-03-01T11:00:05.123456Z"
    with pytest.raises(ValueError, match=r'cannot parse "\.5Z" as "\.000000"$'):
        gotext.micro_time("2024-03-01T10:00:05.5Z")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", ""),
        ("YWJj", "YWJj"),
        ("YR==", "YQ=="),
        ("Y\r\nQ==\n", "YQ=="),
        ("%", 0),
        ("YQ", 0),
        ("YQ=", 3),
        ("YWJjZ", 4),
        ("YQ==YQ==", 4),
    ],
)
def test_base64(text: str, want: str | int) -> None:
    if isinstance(want, str):
        assert gotext.base64(text) == want
        return
    with pytest.raises(ValueError, match=f"^illegal base64 data at input byte {want}$"):
        gotext.base64(text)


def test_storage_blanks_empty_lists_that_are_always_encoded() -> None:
    slice_type = definitions.load(36).type("io.k8s.api.discovery.v1.EndpointSlice")
    given = {"metadata": {}, "addressType": "IPv4", "endpoints": [], "ports": None}
    through_storage(given, slice_type)
    assert given["endpoints"] is None
