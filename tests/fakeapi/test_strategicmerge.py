"""Strategic merge patches: golden pairs in the shapes of a Deployment, a Service and ObjectMeta."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeapi.errors import ApiError
from fakeapi.schema import definitions
from fakeapi.schema.restore import restore_error
from fakeapi.strategicmerge import strategic_merge
from tests.fakeapi.inprocess import in_process

Obj = dict[str, Any]

POD = definitions.load(36).type("io.k8s.api.core.v1.Pod")
DEPLOYMENT = definitions.load(36).type("io.k8s.api.apps.v1.Deployment")
ENVS = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]


def pod(*containers: Obj, **spec: Any) -> Obj:
    return {"metadata": {"name": "p"}, "spec": {"containers": list(containers), **spec}}


@pytest.mark.parametrize(
    ("doc", "patch", "want"),
    [
        # Items are found by merge key; what the patch does not name stays.
        (
            pod({"name": "a", "image": "x", "env": ENVS}),
            {"spec": {"containers": [{"name": "a", "env": [{"name": "B", "value": "3"}]}]}},
            pod({"name": "a", "image": "x", "env": [ENVS[0], {"name": "B", "value": "3"}]}),
        ),
        # New items go first.
        (pod({"name": "a"}), {"spec": {"containers": [{"name": "n"}]}}, pod({"name": "n"}, {"name": "a"})),
        # Deleting, and replacing the whole list by a directive in any item.
        (
            pod({"name": "a"}, {"name": "b"}),
            {"spec": {"containers": [{"$patch": "delete", "name": "a"}]}},
            pod({"name": "b"}),
        ),
        (
            pod({"name": "a"}, {"name": "b"}),
            {"spec": {"containers": [{"$patch": "replace"}, {"name": "c"}]}},
            pod({"name": "c"}),
        ),
        # Order directives: named items as asked, the others where they were.
        (
            pod({"name": "a"}, {"name": "s"}, {"name": "b"}),
            {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}},
            pod({"name": "s"}, {"name": "b"}, {"name": "a"}),
        ),
        # Maps: null deletes, an unmatched null is nothing, directives replace or empty.
        (
            pod(nodeSelector={"a": "1", "b": "2"}),
            {"spec": {"nodeSelector": {"a": None, "zz": None}}},
            pod(nodeSelector={"b": "2"}),
        ),
        (
            pod(nodeSelector={"a": "1"}),
            {"spec": {"nodeSelector": {"$patch": "replace", "c": "3"}}},
            pod(nodeSelector={"c": "3"}),
        ),
        (pod(nodeSelector={"a": "1"}), {"spec": {"nodeSelector": {"$patch": "delete"}}}, pod(nodeSelector={})),
        (pod(), {"spec": {"nodeSelector": {"$patch": "frob", "c": "3"}}}, pod()),
        (pod(), {"spec": {"nodeSelector": {"a": None, "b": "1"}}}, pod(nodeSelector={"b": "1"})),
        # Lists without a strategy are replaced.
        (pod(tolerations=[{"key": "a"}]), {"spec": {"tolerations": [{"key": "b"}]}}, pod(tolerations=[{"key": "b"}])),
        # Lists of scalars with strategy merge.
        (
            {"metadata": {"finalizers": ["x", "y"]}},
            {"metadata": {"finalizers": ["z", "y"]}},
            {"metadata": {"finalizers": ["z", "x", "y"]}},
        ),
        (
            {"metadata": {"finalizers": ["x", "y"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}},
            {"metadata": {"finalizers": ["y"]}},
        ),
        (
            {"metadata": {"finalizers": ["x", "y"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}},
            {"metadata": {"finalizers": ["x", "y"]}},
        ),
    ],
)
def test_merging(doc: Obj, patch: Obj, want: Obj) -> None:
    before = copy.deepcopy((doc, patch))
    assert strategic_merge(doc, patch, POD) == want
    assert (doc, patch) == before


def test_retain_keys_clears_the_rest_of_a_union() -> None:
    doc = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge(doc, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}


@pytest.mark.parametrize(
    ("doc", "patch", "code", "message"),
    [
        (
            pod({"name": "a"}),
            {"spec": {"containers": [{"image": "x"}]}},
            500,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        (
            pod({"name": "a"}),
            {"spec": {"containers": [{"name": "a", "$patch": "merge"}]}},
            500,
            "merging lists cannot yet be specified in the patch",
        ),
        (
            {"metadata": {"labels": {"a": "b"}}},
            {"metadata": {"labels": {"$patch": "frob"}}},
            500,
            "unknown patch type: frob in map: map[$patch:frob]",
        ),
        (
            {"metadata": {"finalizers": ["a"]}},
            {"metadata": {"finalizers": [{"$patch": "replace"}, "q"]}},
            500,
            "list element types are not identical: [[a] [map[$patch:replace] q]]",
        ),
        (pod(), {"spec": {"$retainKeys": "x"}}, 400, "invalid patch format of retainKeys"),
        (pod(), {"spec": {"$retainKeys": ["x"], "y": 1}}, 400, "invalid patch format of retainKeys"),
        (pod(), {"$deleteFromPrimitiveList": ["x"]}, 400, "invalid patch format of primitive list"),
        (pod(), {"$setElementOrder": ["x"]}, 400, "invalid patch format of setElementOrder list"),
        (pod(), {"$setElementOrderOf/x": ["x"]}, 400, "invalid patch format of setElementOrder list"),
        (
            pod(),
            {"spec": {"$setElementOrder/containers": "x"}},
            500,
            "expected a []interface {}, but received a string",
        ),
        (
            pod(),
            {"spec": {"$setElementOrder/bogus": []}},
            500,
            'unable to find api field in struct PodSpec for the json field "bogus"',
        ),
        (
            {"metadata": {"finalizers": [["x"]]}},
            {"metadata": {"finalizers": ["y"]}},
            422,
            "the server rejected our request due to an error in our request",
        ),
    ],
)
def test_errors(doc: Obj, patch: Obj, code: int, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        strategic_merge(doc, patch, POD)
    assert (caught.value.code, caught.value.status["message"]) == (code, message)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"spec": {"replicas": "three"}}, "unrecognized type: int32"),
        ({"metadata": {"labels": {"a": {"b": "c"}}}}, "unrecognized type: string"),
        ({"metadata": {"labels": ["a"]}}, "cannot restore map from slice"),
        ({"spec": {"template": {"spec": {"containers": {"name": "a"}}}}}, "cannot restore slice from map"),
        ({"spec": 1}, "cannot restore struct from: int64"),
        ({"spec": {"paused": "x"}}, "unrecognized type: bool"),
        ({"spec": {"replicas": 1, "bogus": 1, "paused": None}}, ""),
        (
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": True}}}},
            "json: cannot unmarshal bool into Go value of type int32",
        ),
        (
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1.5}}}},
            "json: cannot unmarshal number 1.5 into Go value of type int32",
        ),
        ({"metadata": {"creationTimestamp": 5}}, "json: cannot unmarshal number into Go value of type string"),
    ],
)
def test_what_does_not_fit_the_go_type(value: Obj, why: str) -> None:
    assert restore_error(value, DEPLOYMENT) == why


NAMES = st.lists(st.sampled_from("abcd"), unique=True, max_size=4)
DIRECTIVES = st.sampled_from(["replace", "delete", "merge", "x", 1])


@given(NAMES, NAMES)
def test_merging_a_list_keeps_each_item_once(mine: list[str], theirs: list[str]) -> None:
    doc, patch = (
        pod(*({"name": n} for n in mine)),
        {"spec": {"containers": [{"name": n, "image": "i"} for n in theirs]}},
    )
    found = strategic_merge(doc, patch, POD)["spec"]["containers"]
    assert sorted(c["name"] for c in found) == sorted({*mine, *theirs})
    assert {c["name"] for c in found if "image" in c} == set(theirs)
    assert [c["name"] for c in found if c["name"] in theirs] == theirs


@given(
    NAMES,
    st.recursive(
        st.none() | st.text("ab", max_size=1),
        lambda x: (
            st.lists(x, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "name",
                        "env",
                        "image",
                        "containers",
                        "$patch",
                        "$retainKeys",
                        "$setElementOrder/env",
                        "$deleteFromPrimitiveList/args",
                        "args",
                        "nodeSelector",
                    ]
                ),
                x | DIRECTIVES,
                max_size=3,
            )
        ),
        max_leaves=8,
    ),
)
def test_random_patches_succeed_or_are_refused(names: list[str], value: Any) -> None:
    doc = pod(*({"name": n, "env": ENVS, "args": ["a"]} for n in names))
    code = 200
    try:
        strategic_merge(doc, {"spec": value, "metadata": {}} if value is not None else {}, POD)
    except ApiError as error:
        code = error.code
    assert code in (200, 400, 422, 500)


def test_an_apply_that_does_not_fit_the_go_type_is_a_plain_500() -> None:
    with in_process() as api:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "binaryData": {"a": "!"}}
        path = "/api/v1/namespaces/default/configmaps/c?fieldManager=m"
        refused = api.ask("PATCH", path, body, content_type="application/apply-patch+yaml")
    assert (refused.status, refused.message) == (
        500,
        "failed to convert new object (/c; /v1, Kind=ConfigMap) to proper version: unable to convert unstructured"
        " object to /v1, Kind=ConfigMap: error decoding from json: illegal base64 data at input byte 0",
    )
