"""Protobuf both ways: every built-in kind, lists, watches, Status, and what is not spoken in it."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from fakeapi import codec
from fakeapi.errors import ApiError
from fakeapi.faults import Faults, parse
from fakeapi.protobuf import decode, encode
from fakeapi.protobuf.layout import layout, message_of, numbers
from fakeapi.protobuf.wire import read_fields
from fakeapi.requestlog import RequestLog
from fakeapi.resources.table import builtin
from fakeapi.tap import Tap
from tests import objects
from tests.fakeapi.inprocess import ADMIN, in_process

PROTOBUF = codec.PROTOBUF


def decoded(data: bytes) -> Any:
    """What an answer in an envelope says."""
    return decode.decode(data, lambda version, kind: layout(message_of(version, kind))[0])


@pytest.fixture(scope="module")
def api():
    with in_process(authorization=("AlwaysAllow",)) as server:
        yield server


def ask(api, method, path, body=b"", **headers):
    given = {"content-type": PROTOBUF, "accept": PROTOBUF, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return api.run(lambda: api.server.call(method, path, given, body, ADMIN))


@pytest.mark.parametrize(
    ("obj", "fields"),
    [
        (
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 406},
            # A value that is empty is written, a pointer that is not set is not.
            b"\n\x06\n\x00\x12\x00\x1a\x00\x12\x07Failure\x1a\x00\x22\x00\x30\x96\x03",
        ),
        (
            {"kind": "Binding", "apiVersion": "v1", "metadata": {}, "target": {"name": "n"}},
            encode.encode_message("v1", "Binding", {"metadata": {}, "target": {"name": "n"}}),
        ),
    ],
)
def test_envelope(obj, fields):
    type_meta = b"\n\x02v1\x12" + bytes([len(obj["kind"])]) + obj["kind"].encode()
    made = b"k8s\0\n" + bytes([len(type_meta)]) + type_meta + b"\x12" + bytes([len(fields)]) + fields
    assert encode.encode(obj) == made + b"\x1a\x00\x22\x00"


@pytest.mark.parametrize(
    ("message", "value", "written"),
    [
        ("io.k8s.apimachinery.pkg.apis.meta.v1.Time", "1970-01-01T00:02:00Z", b"\x08\x78\x10\x00"),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "1970-01-01T00:00:01.000002Z", b"\x08\x01\x10\xd0\x0f"),
        ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", 80, b"\x08\x00\x10\x50\x1a\x00"),
        ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "http", b"\x08\x01\x10\x00\x1a\x04http"),
        ("io.k8s.apimachinery.pkg.api.resource.Quantity", "100m", b"\n\x04100m"),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", {"f:a": {}}, b'\n\x0a{"f:a":{}}'),
        ("io.k8s.api.authentication.v1.ExtraValue", ["a", "b"], b"\n\x01a\n\x01b"),
        # -1 in two's complement of 64 bits
        ("io.k8s.api.core.v1.TopologySpreadConstraint", {"minDomains": -1}, b"\x28" + b"\xff" * 9 + b"\x01"),
        # the fields of the embedded struct are the outer object's; maps are in order
        (
            "io.k8s.api.core.v1.Secret",
            {"data": {"b": "Yg==", "a": "YQ=="}},
            b"\x12\x06\n\x01a\x12\x01a\x12\x06\n\x01b\x12\x01b",
        ),
    ],
)
def test_values(message, value, written):
    made = encode._message(numbers()[message], value)
    assert made.endswith(written) or written in made
    assert json.dumps(value) in json.dumps(decode._message(made, numbers()[message])) or isinstance(value, dict)


def test_every_kind_has_a_message():
    missing = set()
    for row in builtin(36).rows():
        for version in row.served(36):
            api_version = f"{row.group}/{version}" if row.group else version
            if row.definition and message_of(api_version, row.kind) is None:
                missing.add((api_version, row.kind))
    assert missing == set()


def _kinds():
    for row in builtin(36).rows():
        if "create" in row.verbs and not row.virtual:
            for version in row.served(36):
                yield pytest.param(row, version, id=f"{row.group}/{version}/{row.kind}")


def _plain(obj: Any) -> Any:
    """What is the same whoever created it and whenever."""
    made = {key: value for key, value in obj.items() if key != "metadata"}
    unlike = ("creationTimestamp", "managedFields", "resourceVersion")
    made["metadata"] = {k: v for k, v in obj["metadata"].items() if k not in unlike}
    return json.loads(json.dumps(made).replace(obj["metadata"]["uid"], "UID"))


@pytest.mark.parametrize(("row", "version"), list(_kinds()))
def test_a_kind_means_the_same_in_protobuf(api, row, version):
    head = f"/apis/{row.group}/{version}" if row.group else f"/api/{version}"
    path = f"{head}/namespaces/default/{row.plural}" if row.namespaced else f"{head}/{row.plural}"
    body = objects.make(row.group, version, row.kind)
    given = api.ask("POST", f"{path}?dryRun=All", body)
    assert given.status == 201, given.body
    answer = ask(api, "POST", f"{path}?dryRun=All", encode.encode(body), accept="application/json")
    assert (answer.status, answer.content_type) == (201, "application/json")
    for one in (given.body, made := json.loads(answer.body)):
        for free in ("clusterIP", "clusterIPs"):  # from an allocator
            one.get("spec", {}).pop(free, None)
    assert _plain(made) == _plain(given.body)
    # and back: what the answer says in protobuf, sent again, is the same object
    answer = ask(api, "POST", f"{path}?dryRun=All", encode.encode(body))
    assert (answer.status, answer.content_type) == (201, PROTOBUF)
    found = decoded(answer.body)
    assert (found["kind"], found["apiVersion"]) == (body["kind"], body["apiVersion"])
    assert encode.encode(found) == answer.body


def test_the_name_of_any_object():
    made = encode.encode({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": {"containers": []}})
    assert decode.name_of(made) == "a"


def test_lists_and_errors(api):
    answer = ask(api, "GET", "/api/v1/namespaces")
    assert answer.content_type == PROTOBUF
    type_meta, message = ({n: v for n, _, v in read_fields(answer.body[4:])}[k] for k in (1, 2))
    assert [value for _, _, value in read_fields(type_meta)] == [b"v1", b"NamespaceList"]
    namespace = numbers()["io.k8s.api.core.v1.Namespace"]
    items = [decode._message(value, namespace) for number, _, value in read_fields(message) if number == 2]
    plain = api.ask("GET", "/api/v1/namespaces").body
    assert [item["metadata"]["name"] for item in items] == [item["metadata"]["name"] for item in plain["items"]]
    missing = ask(api, "GET", "/api/v1/namespaces/default/pods/none")
    assert (missing.status, missing.content_type) == (404, PROTOBUF)
    assert decoded(missing.body)["message"] == 'pods "none" not found'


def test_partial_metadata(api):
    accept = f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
    answer = ask(api, "GET", "/api/v1/namespaces", accept=accept)
    assert answer.content_type == PROTOBUF
    assert b"PartialObjectMetadataList" in answer.body[:60]
    one = ask(api, "GET", "/api/v1/namespaces/default", accept=accept.replace("List", ""))
    assert decoded(one.body)["metadata"]["name"] == "default"


@pytest.mark.parametrize("path", ["/apis", "/api/v1"])
def test_discovery(api, path):
    answer = ask(api, "GET", path)
    assert (answer.status, answer.content_type) == (200, PROTOBUF)
    assert decoded(answer.body)["kind"] in ("APIGroupList", "APIResourceList")


@pytest.mark.parametrize(
    ("accept", "custom", "media"),
    [
        (PROTOBUF, False, PROTOBUF),
        (f"{PROTOBUF},application/json", False, PROTOBUF),
        (f"{PROTOBUF},application/json", True, "application/json"),
        (f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1", True, PROTOBUF),
        (f"{PROTOBUF};as=Table;g=meta.k8s.io;v=v1,application/json", False, "application/json"),
        (PROTOBUF, True, None),
        (f"{PROTOBUF};as=Table;g=meta.k8s.io;v=v1", False, None),
    ],
)
def test_where_it_is_spoken(accept, custom, media):
    form = codec.negotiate(accept, custom=custom)
    if media is None:
        assert isinstance(form, ApiError)
        assert form.code == 406
        assert codec.error_form(accept).media == PROTOBUF
    else:
        assert form.media == media


def _events(data: bytes):
    """(type, object) of each frame."""
    while data:
        (size,) = struct.unpack(">I", data[:4])
        fields = {number: value for number, _, value in read_fields(data[4 : 4 + size])}
        raw = {number: value for number, _, value in read_fields(fields[2])}[1]
        yield fields[1].decode(), decoded(raw)
        data = data[4 + size :]


def test_watches(api):
    async def go():
        headers = {"accept": PROTOBUF, "content-type": "application/json"}
        path = "/api/v1/namespaces/default/configmaps"
        made = await api.server.call("POST", path, headers, b'{"metadata":{"name":"watched"}}', ADMIN)
        options = "watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        answer = await api.server.call("GET", f"{path}?{options}", headers, b"", ADMIN)
        assert (made.status, answer.status, answer.content_type) == (201, 200, f"{PROTOBUF};stream=watch")
        found = []
        while not found or found[-1][0] != "BOOKMARK":
            found += _events(await anext(answer.body))
        await answer.body.aclose()
        gone = await api.server.call("GET", f"{path}?watch=1&resourceVersion=1", headers, b"", ADMIN)
        found += _events(await anext(gone.body))
        return found

    found = api.run(go)
    assert ("ADDED", "watched") in [(kind, obj["metadata"].get("name")) for kind, obj in found]
    (_, bookmark), (kind, error) = found[-2:]
    assert (kind, error["code"]) == ("ERROR", 410)
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_frames_come_apart_again():
    frames = [b"".join(encode.frame(kind, bytes(size))) for kind, size in (("ADDED", 0), ("DELETED", 300))]
    assert list(encode.split(b"".join(frames))) == [frame[4:] for frame in frames]


def test_what_has_no_message():
    with pytest.raises(encode.NotMarshalable):
        encode.encode({"kind": "Widget", "apiVersion": "example.com/v1", "metadata": {}})


def test_faults_that_change_an_answer_speak_json(api):
    faults = Faults()
    newest = int(api.ask("GET", "/api/v1/namespaces").body["metadata"]["resourceVersion"])
    faults.revision = lambda: newest
    api.server.tap = Tap(faults, RequestLog(), api.server.refuse)
    try:
        faults.put(parse({"effect": "stale", "resource": "namespaces", "verb": "get"})[0])
        answer = ask(api, "GET", "/api/v1/namespaces/default")
    finally:
        api.server.tap = None
    assert answer.content_type == "application/json"
    assert json.loads(answer.body)["metadata"]["name"] == "default"
