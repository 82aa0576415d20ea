"""OpenAPI documents: what kubectl looks for in them."""

import json
import struct

import orjson
import pytest

from fakeapi.openapi import V2_JSON, V2_PROTOBUF, V3_PROTOBUF, Views, protobuf, protobuf3, serve
from fakeapi.openapi.custom import without_validations
from fakeapi.openapi.spelling import references
from fakeapi.resources.base import Resource, scale
from fakeapi.resources.table import builtin
from fakeapi.schema import definitions

SPEC = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}
SCHEMA = {"type": "object", "required": ["spec"], "properties": {"spec": SPEC}}


def views(minor=36, table=None):
    return Views(table or builtin(minor), f"v1.{minor}.0", lambda row, version: SCHEMA)


def document(path, minor=36, table=None):
    return orjson.loads(views(minor, table).document(path).body)


def custom_table():
    table = builtin(36)
    table.add(Resource(group="example.com", kind="Widget", plural="widgets", subresources=(scale(),)))
    return table


@pytest.mark.parametrize("minor", [25, 29, 36, 37])
def test_every_indexed_document_refers_only_to_what_it_holds(minor):
    made = views(minor)
    for path, entry in orjson.loads(made.index().body)["paths"].items():
        answer = made.document(path)
        held = orjson.loads(answer.body)
        assert set(references(held)) <= set(held["components"]["schemas"]), path
        assert entry["serverRelativeURL"] == f"/openapi/v3/{path}?hash={answer.hash}"


def test_index_names_what_upstream_does():
    paths = orjson.loads(views().index().body)["paths"]
    assert {
        ".well-known/openid-configuration",
        "api",
        "api/v1",
        "apis",
        "apis/apps",
        "openid/v1/jwks",
        "version",
    } <= set(paths)
    assert "apis/example.com" not in orjson.loads(views(table=custom_table()).index().body)["paths"]
    assert views().document("apis/nope/v1") is None


@pytest.mark.parametrize(
    ("path", "method", "operation", "action"),
    [
        ("/api/v1/pods", "get", "listCoreV1PodForAllNamespaces", "list"),
        ("/api/v1/namespaces/{namespace}/pods", "delete", "deleteCoreV1CollectionNamespacedPod", "deletecollection"),
        ("/api/v1/namespaces/{namespace}/pods/{name}/status", "patch", "patchCoreV1NamespacedPodStatus", "patch"),
        ("/api/v1/namespaces/{namespace}/pods/{name}/exec", "get", "connectCoreV1GetNamespacedPodExec", "connect"),
        (
            "/api/v1/namespaces/{namespace}/pods/{name}/proxy/{path}",
            "get",
            "connectCoreV1GetNamespacedPodProxyWithPath",
            "connect",
        ),
        ("/api/v1/namespaces/{namespace}/pods/{name}/eviction", "post", "createCoreV1NamespacedPodEviction", "post"),
        ("/api/v1/nodes/{name}", "put", "replaceCoreV1Node", "put"),
    ],
)
def test_operations(path, method, operation, action):
    found = document("api/v1")["paths"][path][method]
    assert (found["operationId"], found["x-kubernetes-action"]) == (operation, action)


def test_writes_have_the_parameters_that_kubectl_looks_for():
    patch = document("apis/apps/v1")["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    names = {parameter["name"] for parameter in patch["parameters"]}
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= names
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}


def test_parameters_younger_than_the_minor_are_left_out():
    def names(minor):
        return {entry["name"] for entry in document("api/v1", minor)["paths"]["/api/v1/pods"]["parameters"]}

    assert names(36) - names(25) == {"sendInitialEvents", "shardSelector"}


def test_options_of_connections_are_query_parameters():
    paths = document("api/v1")["paths"]
    base = "/api/v1/namespaces/{namespace}/pods/{name}"
    names = [entry["name"] for entry in paths[base + "/exec"]["parameters"]]
    assert names == ["command", "container", "name", "namespace", "stderr", "stdin", "stdout", "tty"]
    assert {"follow", "tailLines", "pretty"} <= {entry["name"] for entry in paths[base + "/log"]["parameters"]}
    proxied = [(entry["name"], entry["in"]) for entry in paths[base + "/proxy/{path}"]["parameters"]]
    assert ("path", "path") in proxied
    assert ("path", "query") in proxied


def test_custom_kinds():
    held = document("apis/example.com/v1", table=custom_table())
    assert held["info"] == {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}
    widget = held["components"]["schemas"]["com.example.v1.Widget"]
    assert list(widget["properties"]) == ["apiVersion", "kind", "metadata", "spec"]
    assert widget["required"] == ["spec"]
    path = held["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}/scale"]
    assert path["get"]["x-kubernetes-group-version-kind"]["kind"] == "Widget"
    assert "application/strategic-merge-patch+json" not in path["patch"]["requestBody"]["content"]


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        ({"type": "string", "pattern": "a", "description": "d"}, {"type": "string", "description": "d"}),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            {"x-kubernetes-preserve-unknown-fields": True},
        ),
        ({"x-kubernetes-int-or-string": True, "anyOf": []}, {"x-kubernetes-int-or-string": True}),
        ({"type": "string", "nullable": True}, {}),
        (SCHEMA, {**SCHEMA, "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}),
    ],
)
def test_v2_of_a_custom_kind_has_no_validations(schema, plain):
    assert without_validations(schema) == plain


def test_v2_is_one_consistent_document():
    held = orjson.loads(views(table=custom_table()).v2().body)
    assert set(references(held)) <= set(held["definitions"])
    patch = held["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    assert patch["parameters"][0]["schema"] == {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch"}
    metadata = held["definitions"]["io.k8s.api.core.v1.Pod"]["properties"]["metadata"]
    assert set(metadata) == {"$ref", "description"}
    assert "com.example.v1.Widget" in held["definitions"]


def wire(data):
    """Fields of a protobuf message: number -> values (bytes, or int for varints)."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if not data[at - 1] & 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 1:
            found.setdefault(key >> 3, []).append(data[at : at + 8])
            at += 8
            continue
        number = varint()
        if key & 7 == 2:
            found.setdefault(key >> 3, []).append(data[at : at + number])
            at += number
        else:
            found.setdefault(key >> 3, []).append(number)
    return found


def test_protobuf_says_what_json_says():
    made = views()
    plain, packed = orjson.loads(made.v2().body), wire(made.v2(as_protobuf=True).body)
    assert packed[1] == [b"2.0"]
    paths = {wire(entry)[1][0].decode(): wire(wire(entry)[2][0]) for entry in wire(packed[8][0])[2]}
    schemas = {wire(entry)[1][0].decode(): wire(wire(entry)[2][0]) for entry in wire(packed[9][0])[1]}
    assert (list(paths), list(schemas)) == (list(plain["paths"]), list(plain["definitions"]))
    patch = wire(paths["/api/v1/nodes/{name}"][8][0])
    assert patch[5] == [b"patchCoreV1Node"]
    extension = {wire(entry)[1][0].decode(): wire(wire(entry)[2][0])[2][0] for entry in patch[13]}
    assert json.loads(extension["x-kubernetes-group-version-kind"]) == {"group": "", "version": "v1", "kind": "Node"}
    port = wire(wire(schemas["io.k8s.api.core.v1.ServicePort"][25][0])[1][0])
    assert port[1] == [b"appProtocol"]


def test_protobuf_numbers_and_defaults():
    made = wire(
        wire(wire(wire(protobuf.encode_definitions([("a", {"maxLength": 300, "default": 0})]))[9][0])[1][0])[2][0]
    )
    assert made[11] == [300]
    assert wire(made[5][0])[2] == [b"0"]


def named(message, number):
    """The pairs of a map's message: name -> value."""
    return {wire(entry)[1][0].decode(): wire(entry)[2][0] for entry in wire(message).get(number, ())}


def test_v3_in_protobuf_says_what_json_says():
    made = views(table=custom_table())
    for path in ("apis/apps/v1", "apis/example.com/v1", "version"):
        plain, packed = orjson.loads(made.document(path).body), wire(made.document(path, as_protobuf=True).body)
        assert made.document(path).hash == made.document(path, as_protobuf=True).hash
        assert packed[1] == [b"3.0.0"]
        paths, components = named(packed[4][0], 1), wire(packed[5][0])
        schemas = named(components[1][0], 1)
        assert (list(paths), list(schemas)) == (list(plain["paths"]), list(plain["components"]["schemas"]))
        for name, schema in schemas.items():
            wanted = plain["components"]["schemas"][name]
            found = wire(wire(schema)[1][0])
            assert b"".join(found.get(34, ())).decode() == wanted.get("description", "")
            assert list(named(found[31][0], 1) if 31 in found else {}) == list(wanted.get("properties", {}))


def test_v3_in_protobuf_writes_an_operation():
    packed = wire(views().document("apis/apps/v1", as_protobuf=True).body)
    item = wire(named(packed[4][0], 1)["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"])
    patch = wire(item[10][0])
    assert patch[5] == [b"patchAppsV1NamespacedDeployment"]
    body = wire(wire(patch[7][0])[1][0])
    assert b"application/apply-patch+yaml" in [name.encode() for name in named(body[2][0], 1)]
    reply = wire(wire(named(patch[8][0], 2)["200"])[1][0])
    schema = wire(wire(named(reply[3][0], 1)["application/json"])[1][0])
    assert wire(schema[2][0])[1] == [b"#/components/schemas/io.k8s.api.apps.v1.Deployment"]
    kinds = {name: wire(value)[2][0] for name, value in named(item[10][0], 13).items()}
    assert json.loads(kinds["x-kubernetes-action"]) == "patch"
    names = {wire(wire(entry)[1][0])[1][0] for entry in item[13]}
    assert names == {b"name", b"namespace", b"pretty"}


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string", "nullable": True}, b"\xca\x01\x06string\x08\x01"),
        ({"maxLength": 300}, b"\x78\xac\x02"),
        ({"minimum": 1}, b"\x69" + struct.pack("<d", 1)),
        ({"items": {"type": "x"}}, b"\xf2\x01\x08\x0a\x06\x0a\x04\xca\x01\x01x"),
        ({"additionalProperties": True}, b"\x82\x02\x02\x10\x01"),
        ({"default": {}}, b"\x8a\x02\x00"),
        ({"default": "a"}, b"\x8a\x02\x03\x1a\x01a"),
        ({"default": False}, b"\x8a\x02\x02\x10\x00"),
        ({"enum": ["a"]}, b'\xc2\x01\x05\x12\x03"a"'),
        ({"x-kubernetes-preserve-unknown-fields": True}, b"\xa2\x02"),
    ],
)
def test_v3_schemas_in_protobuf(schema, written):
    packed = wire(protobuf3.encode({"components": {"schemas": {"a": schema}}}))
    made = wire(named(wire(packed[5][0])[1][0], 1)["a"])[1][0]
    assert made == written or (made.startswith(written) and written == b"\xa2\x02")


def test_unchanged_documents_survive_changes_elsewhere():
    table = builtin(36)
    made = views(table=table)
    before, index, swagger = made.document("apis/apps/v1"), made.index().hash, made.v2().hash
    table.add(Resource(group="example.com", kind="Widget", plural="widgets"))
    assert made.document("apis/apps/v1") is before
    assert made.index().hash != index
    assert made.v2().hash != swagger


@pytest.mark.parametrize(
    ("path", "accept", "status", "content_type"),
    [
        ("/openapi/v2", "", 200, V2_JSON),
        ("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", 200, V2_PROTOBUF),
        ("/openapi/v2", "application/json, */*", 200, V2_JSON),
        ("/openapi/v2", "text/html", 406, None),
        ("/openapi/v3", "", 200, "text/plain; charset=utf-8"),
        ("/openapi/v3/", "application/json", 200, "text/plain; charset=utf-8"),
        ("/openapi/v3/apis/apps/v1", "application/json", 200, "application/json"),
        ("/openapi/v3/apis/apps/v1", V3_PROTOBUF, 200, V3_PROTOBUF),
        (
            "/openapi/v3/apis/apps/v1",
            "application/com.github.proto-openapi.spec.v3@v1.0+protobuf, application/json",
            200,
            V3_PROTOBUF,
        ),
        ("/openapi/v3/apis/apps/v1", V2_PROTOBUF, 406, None),
        ("/openapi/v3/apis/apps/v1", "image/png", 406, None),
        ("/openapi/v3/apis/nope/v1", "image/png", 404, None),
        ("/openapi/v4", "", 404, None),
    ],
)
def test_answers(path, accept, status, content_type):
    reply = serve(views(), path, accept)
    assert (reply.status, reply.headers.get("Content-Type")) == (status, content_type)
    assert bool(reply.body) is (status == 200)


def test_unchanged_documents_need_not_be_sent():
    made, path = views(), "/openapi/v3/apis/apps/v1"
    tag = serve(made, path).headers["ETag"]
    assert serve(made, path, if_none_match=tag).status == 304
    assert serve(made, path, if_none_match='"other"').status == 200
    assert serve(made, "/openapi/v2", if_none_match=serve(made, "/openapi/v2").headers["ETag"]).status == 304


def test_a_hash_in_the_url_is_the_documents_or_leads_there():
    made, path = views(), "/openapi/v3/apis/apps/v1"
    right = made.document("apis/apps/v1").hash
    assert serve(made, path, wanted_hash=right).headers["Cache-Control"] == "public, immutable"
    wrong = serve(made, path, wanted_hash="0")
    assert (wrong.status, wrong.headers["Location"]) == (301, f"{path}?hash={right}")


@pytest.mark.parametrize(
    ("definition", "path", "values"),
    [
        ("io.k8s.api.apps.v1.DeploymentStrategy", ("type",), ["Recreate", "RollingUpdate"]),
        ("io.k8s.api.core.v1.EphemeralContainer", ("imagePullPolicy",), ["Always", "IfNotPresent", "Never"]),
        ("io.k8s.api.networking.v1.NetworkPolicyPort", ("protocol",), ["SCTP", "TCP", "UDP"]),
        ("io.k8s.api.networking.v1.NetworkPolicySpec", ("policyTypes", "items"), ["Egress", "Ingress"]),
        ("io.k8s.api.core.v1.Container", ("name",), None),
    ],
)
def test_enumerated_strings_say_their_values(definition: str, path: tuple[str, ...], values: list[str] | None) -> None:
    node = definitions.load(36).openapi(definition)["properties"]
    for key in path:
        node = node[key]
    assert node.get("enum") == values


@pytest.mark.parametrize(
    ("path", "operation", "action"),
    [
        ("/api/v1/watch/pods", "watchCoreV1PodListForAllNamespaces", "watchlist"),
        ("/api/v1/watch/namespaces/{namespace}/pods", "watchCoreV1NamespacedPodList", "watchlist"),
        ("/api/v1/watch/namespaces/{namespace}/pods/{name}", "watchCoreV1NamespacedPod", "watch"),
        ("/api/v1/watch/nodes", "watchCoreV1NodeList", "watchlist"),
        ("/api/v1/watch/nodes/{name}", "watchCoreV1Node", "watch"),
    ],
)
def test_deprecated_watch_paths(path, operation, action):
    paths = document("api/v1")["paths"]
    made = paths[path]["get"]
    assert (made["operationId"], made["x-kubernetes-action"]) == (operation, action)
    event = {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"}
    assert made["responses"]["200"]["content"]["application/json;stream=watch"] == {"schema": event}
    assert {parameter["name"] for parameter in paths[path]["parameters"]} >= {"watch", "resourceVersion", "pretty"}


def test_what_has_no_watch_has_no_watch_path():
    assert not [path for path in document("api/v1")["paths"] if "/watch/" in path and "componentstatuses" in path]
    assert not [path for path in document("apis/example.com/v1", table=custom_table())["paths"] if "/watch/" in path]
