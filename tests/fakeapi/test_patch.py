"""JSON patches and merge patches against what the recordings show."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeapi.errors import ApiError
from fakeapi.patch import in_go_order, json_patch, merge_patch, merge_values, read_object, unknown_members
from fakeapi.schema import definitions

DOC = {"data": {"a": "1", "b": "2"}, "list": [1, 2, 3], "metadata": {"name": "c"}}


def op(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **more}


@pytest.mark.parametrize(
    ("operations", "changed"),
    [
        ([op("add", "/data/z", value="3")], {"data": {"a": "1", "b": "2", "z": "3"}}),
        ([op("add", "/data/z")], {"data": {"a": "1", "b": "2", "z": None}}),
        ([op("add", "/list/1", value=9)], {"list": [1, 9, 2, 3]}),
        ([op("add", "/list/-", value=9)], {"list": [1, 2, 3, 9]}),
        ([op("add", "/list/-1", value=9)], {"list": [1, 2, 3, 9]}),
        ([op("replace", "/list/-1", value=9)], {"list": [1, 2, 9]}),
        ([op("remove", "/list/-3")], {"list": [2, 3]}),
        ([op("replace", "/data/none", value="x")], {"data": {"a": "1", "b": "2", "none": "x"}}),
        ([{"op": "copy", "from": "/data/none", "path": "/data/z"}], {"data": {"a": "1", "b": "2", "z": None}}),
        ([{"op": "move", "from": "/data/a", "path": "/data/z"}], {"data": {"b": "2", "z": "1"}}),
        ([op("test", "/data/none", value=None)], {}),
        ([op("test", "/data", value={"b": "2", "a": "1"})], {}),
        ([op("add", "/x~1y~0z", value=1)], {"x/y~z": 1}),
        ([op("add", "ignored/top", value=1)], {"top": 1}),
        ([op("test", "", value=DOC)], {}),
        (None, {}),
    ],
)
def test_operations(operations: Any, changed: dict[str, Any]) -> None:
    before = orjson.dumps(DOC)
    assert json_patch(DOC, orjson.dumps(operations)) == {**DOC, **changed}
    assert orjson.dumps(DOC) == before


@pytest.mark.parametrize(
    "operation",
    [
        op("remove", "/data/none"),
        op("remove", "/list/-"),
        op("remove", "/list/3"),
        op("add", "/list/5", value=1),
        op("add", "/list/x", value=1),
        op("add", "/none/x", value=1),
        op("add", "/data/a/b", value=1),
        op("add", "", value={}),
        op("replace", "", value="x"),
        op("test", "", value={}),
        op("test", "/list/0", value=1.0),
        op("test", "/list", value=[1, 2]),
        op("move", "/data/z"),
        op("replace", "/list/7", value=1),
        {"op": "move", "from": "/data/none", "path": "/data/z"},
        {"path": "/data/a", "value": "1"},
        {"op": "frob", "path": "/data/a"},
        {"op": "replace", "value": "1"},
        None,
    ],
)
def test_refused_operations(operation: Any) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch(DOC, orjson.dumps([operation]))
    assert (caught.value.code, caught.value.status["details"]) == (422, {})
    assert caught.value.status["message"] == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("body", "validating", "message"),
    [
        (
            b"{}",
            True,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            b"[1]",
            True,
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        ),
        (
            b'[{"op":1}]',
            True,
            "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
        ),
        (b"[", True, "error decoding patch: unexpected end of JSON input"),
        (b"{}", False, "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
    ],
)
def test_bad_bodies(body: bytes, validating: bool, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch(DOC, body, validating=validating)
    assert (caught.value.code, caught.value.status["message"]) == (400, message)


def test_levels_that_a_patch_goes_through_come_out_sorted() -> None:
    doc = {"kind": "ConfigMap", "metadata": {"name": "c", "uid": "u", "labels": {"b": "1", "a": "1"}}, "data": {}}
    found = json_patch(doc, orjson.dumps([op("add", "/metadata/annotations", value={"b": 1, "a": 1})]))
    assert list(found) == ["data", "kind", "metadata"]
    assert list(found["metadata"]) == ["annotations", "labels", "name", "uid"]
    assert list(found["metadata"]["labels"]) == ["b", "a"]
    merged = merge_patch(doc, b'{"metadata":{"uid":"v"}}')
    assert [list(merged), list(merged["metadata"])] == [["data", "kind", "metadata"], ["labels", "name", "uid"]]


def test_go_order() -> None:
    pod = definitions.load(36).type("io.k8s.api.core.v1.Pod")
    value = {"spec": {}, "zz": 1, "metadata": {"uid": "u", "labels": {"b": "", "a": ""}, "name": "p"}, "kind": "Pod"}
    found = in_go_order(value, pod)
    assert [list(found), list(found["metadata"])] == [["kind", "metadata", "spec", "zz"], ["name", "uid", "labels"]]
    assert list(found["metadata"]["labels"]) == ["a", "b"]


def test_the_whole_document_can_be_replaced() -> None:
    operations = [op("replace", "", value={"b": 1, "a": {}}), op("add", "/a/c", value=2)]
    assert orjson.dumps(json_patch(DOC, orjson.dumps(operations))) == b'{"a":{"c":2},"b":1}'
    assert json_patch(DOC, orjson.dumps([op("replace", "", value=[1])])) == [1]


def test_too_many_operations() -> None:
    body = orjson.dumps([op("test", "/list/0", value=1)] * 10_001)
    with pytest.raises(ApiError) as caught:
        json_patch(DOC, body)
    assert caught.value.code == 413
    assert caught.value.status["message"].endswith("in a JSON patch is 10000, got 10001")


def test_unknown_members_of_operations() -> None:
    body = orjson.dumps([op("test", "/a"), op("test", "/a", valeu=1)])
    assert unknown_members(body) == ['json patch unknown field "[1].valeu"']


@pytest.mark.parametrize(
    ("doc", "patch", "want"),
    [
        ({"a": "b"}, {"a": None, "c": 1}, {"c": 1}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [2, 3]}),
        ({"a": {"b": 1}}, {"a": {"c": {"d": None, "e": 1}}}, {"a": {"b": 1, "c": {"e": 1}}}),
        ({"a": "text"}, {"a": {"b": None}}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
        ({"a": [1]}, {"a": [{"b": None, "c": 1}, None]}, {"a": [{"c": 1}, None]}),
        ({}, {"a": {"b": [[{"c": None}]]}}, {"a": {"b": [[{}]]}}),
        ({"a": {"b": 1}}, {"a": [{"b": None}]}, {"a": [{"b": None}]}),
    ],
)
def test_merge_patch(doc: dict[str, Any], patch: dict[str, Any], want: dict[str, Any]) -> None:
    assert merge_patch(doc, orjson.dumps(patch)) == want


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"null", "Invalid JSON Patch"),
        (b"[]", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (b"", "error decoding patch: unexpected end of JSON input"),
    ],
)
def test_bad_merge_patches(body: bytes, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        merge_patch({}, body)
    assert (caught.value.code, caught.value.status["message"]) == (400, message)


def test_strategic_bodies_are_read_without_a_prefix() -> None:
    assert read_object(b"null", prefix="") == {}
    with pytest.raises(ApiError) as caught:
        read_object(b'"x"', prefix="")
    assert (
        caught.value.status["message"] == "json: cannot unmarshal string into Go value of type map[string]interface {}"
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=1), VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_changes_only_what_it_names(doc: dict[str, Any], patch: dict[str, Any]) -> None:
    merged = merge_values(doc, patch)
    assert {k: v for k, v in merged.items() if k not in patch} == {k: v for k, v in doc.items() if k not in patch}
    again = merge_values(merged, patch)  # which may prune nulls of a list that stood where an object was
    assert merge_values(again, patch) == again


POINTERS = st.lists(st.sampled_from(["a", "b", "0", "-1", "-", "~1"]), max_size=3).map(
    lambda p: "".join(f"/{x}" for x in p)
)
OPERATION_NAMES = st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"])


@given(
    OBJECTS,
    st.lists(
        st.fixed_dictionaries({"op": OPERATION_NAMES, "path": POINTERS, "from": POINTERS, "value": VALUES}), max_size=4
    ),
)
def test_random_json_patches_succeed_or_are_refused(doc: dict[str, Any], operations: list[Any]) -> None:
    code = 200
    try:
        json_patch(doc, orjson.dumps(operations))
    except ApiError as error:
        code = error.code
    assert code in (200, 422)
