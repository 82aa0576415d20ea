"""managedFields: the set algebra, who owns what after which write, conflicts, and what upstream does besides."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeapi.errors import ApiError
from fakeapi.managedfields import fieldset as fs
from fakeapi.managedfields.entries import ANCIENT
from fakeapi.managedfields.manager import keep_times, keep_valid, manager_from_user_agent, on_apply, on_update
from fakeapi.managedfields.scale import to_parent, to_scale
from fakeapi.schema import definitions
from fakeapi.schema.types import Type

Obj = dict[str, Any]

TYPES = definitions.load(36)
CONFIGMAP = TYPES.type("io.k8s.api.core.v1.ConfigMap")
POD = TYPES.type("io.k8s.api.core.v1.Pod")
DEPLOYMENT = TYPES.type("io.k8s.api.apps.v1.Deployment")
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def configmap(data: Obj | None = None, **metadata: Any) -> Obj:
    found: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **metadata}}
    return found if data is None else {**found, "data": data}


def stored(obj: Obj) -> Obj:
    """As the registry would store it."""
    return {**obj, "metadata": {"uid": "u", "resourceVersion": "1", "creationTimestamp": NOW, **obj["metadata"]}}


def put(live: Obj | None, new: Obj, manager: str = "m", now: str = NOW, type: Type = CONFIGMAP, **more: Any) -> Obj:
    return stored(on_update(live, new, type=type, manager=manager, api_version=new["apiVersion"], now=now, **more))


def apply(live: Obj | None, body: Obj, manager: str = "a", now: str = NOW, type: Type = CONFIGMAP, **more: Any) -> Obj:
    force = more.pop("force", False)
    kind = body["kind"]
    version = body["apiVersion"]
    return stored(
        on_apply(live, body, type=type, kind=kind, manager=manager, force=force, api_version=version, now=now, **more)
    )


def edited(live: Obj, **parts: Any) -> Obj:
    return {**copy.deepcopy(live), **parts}


def owned(obj: Obj) -> dict[str, Any]:
    """By manager and operation, the fields."""
    entries = obj["metadata"].get("managedFields", [])
    return {f"{e['manager']} {e['operation']}{e.get('subresource', '')}": e["fieldsV1"] for e in entries}


def data(*keys: str, self: bool = False) -> Obj:
    return {"f:data": {**({".": {}} if self else {}), **{f"f:{k}": {} for k in keys}}}


def message(error: pytest.ExceptionInfo[ApiError]) -> str:
    found: str = error.value.status["message"]
    return found


class TestSets:
    A = fs.parse({"f:a": {".": {}, "f:b": {}}, "f:c": {}})
    B = fs.parse({"f:a": {"f:b": {}, "f:x": {}}})

    @pytest.mark.parametrize(
        ("found", "want"),
        [
            (fs.union(A, B), {"f:a": {".": {}, "f:b": {}, "f:x": {}}, "f:c": {}}),
            (fs.union(fs.parse({"f:a": {}}), B), {"f:a": {".": {}, "f:b": {}, "f:x": {}}}),
            (fs.intersection(A, B), {"f:a": {"f:b": {}}}),
            (fs.difference(A, B), {"f:a": {}, "f:c": {}}),
            (fs.difference(B, A), {"f:a": {"f:x": {}}}),
            (fs.difference(A, fs.parse({"f:a": {}})), {"f:a": {"f:b": {}}, "f:c": {}}),
            (fs.recursive_difference(A, fs.parse({"f:a": {}})), {"f:c": {}}),
            (fs.difference(A, A), {}),
            (fs.include(A, {"f:a": {"*": {}}}), {"f:a": {".": {}, "f:b": {}}}),
        ],
    )
    def test_algebra(self, found: Obj, want: Obj) -> None:
        assert found == want

    def test_parsing_puts_elements_in_normal_form(self) -> None:
        raw: Obj = {"f:a": {".": {}}, 'k:{"b": 1, "a": "x"}': {"f:z": {}}, "x:y": {}, 'v:"s"': {}}
        assert fs.parse(raw) == {"f:a": {}, 'k:{"a":"x","b":1}': {"f:z": {}}, 'v:"s"': {}}

    def test_order_is_upstreams(self) -> None:
        raw: Obj = {'v:"b"': {}, 'k:{"p":443}': {}, 'k:{"p":80}': {}, "f:b": {}, "f:a": {"f:x": {}, ".": {}}, "i:0": {}}
        assert list(fs.in_order(fs.parse(raw))) == ["f:a", "f:b", 'k:{"p":80}', 'k:{"p":443}', 'v:"b"', "i:0"]

    def test_paths_and_their_text(self) -> None:
        found = fs.parse({"f:a": {'k:{"name":"x","port":80}': {".": {}, "f:v": {}}}, "f:b": {'v:"s"': {}}, "f:c": {}})
        assert [fs.path_text(p) for p in fs.paths(found)] == [
            ".c",
            '.a[name="x",port=80]',
            '.a[name="x",port=80].v',
            '.b[="s"]',
        ]

    @pytest.mark.parametrize("raw", [[], {"f": {}}, {"fa": {}}, {"k:x": {}}, {"i:x": {}}, {"f:a": 1}])
    def test_what_cannot_be_read(self, raw: Any) -> None:
        with pytest.raises(fs.FieldSetError):
            fs.parse(raw)


class TestUpdate:
    def test_create_owns_what_was_given_but_not_identity(self) -> None:
        assert owned(put(None, configmap({"a": "1"}, labels={"x": "y"}))) == {
            "m Update": {**data("a", self=True), "f:metadata": {"f:labels": {".": {}, "f:x": {}}}}
        }

    def test_structs_by_value_are_no_fields_of_their_own(self) -> None:
        container = {"name": "a", "image": "i", "resources": {}, "ports": [{"containerPort": 80, "protocol": "TCP"}]}
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {
                "selector": {"matchLabels": {"app": "d"}},
                "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [container]}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            },
            "status": {},
        }
        port: Obj = {".": {}, "f:containerPort": {}, "f:protocol": {}}
        assert owned(put(None, body, type=DEPLOYMENT, reset=("status",)))["m Update"] == {
            "f:spec": {
                "f:selector": {},
                "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
                "f:template": {
                    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                    "f:spec": {
                        "f:containers": {
                            'k:{"name":"a"}': {
                                ".": {},
                                "f:image": {},
                                "f:name": {},
                                "f:ports": {".": {}, 'k:{"containerPort":80,"protocol":"TCP"}': port},
                                "f:resources": {},
                            }
                        }
                    },
                },
            }
        }

    def test_a_changed_field_changes_hands_and_a_removed_one_is_nobodys(self) -> None:
        live = put(None, configmap({"a": "1", "b": "1", "c": "1"}), "one")
        new = put(live, edited(live, data={"a": "2", "b": "1"}), "two", LATER)
        assert owned(new) == {"one Update": data("b", self=True), "two Update": data("a")}
        assert [e["time"] for e in new["metadata"]["managedFields"]] == [NOW, LATER]

    def test_a_write_that_changes_nothing_leaves_the_entries_alone(self) -> None:
        live = put(None, configmap({"a": "1"}))
        again = put(live, edited(live), "two", LATER)
        assert again["metadata"]["managedFields"] == live["metadata"]["managedFields"]

    def test_a_manager_without_fields_is_forgotten(self) -> None:
        live = put(None, configmap({"a": "1"}), "one")
        new = edited(live)
        del new["data"]
        assert "managedFields" not in put(live, new, "two")["metadata"]

    @pytest.mark.parametrize("given", [[], [{}]])
    def test_clearing_stops_tracking_until_an_apply(self, given: list[Any]) -> None:
        live = put(None, configmap({"a": "1"}), "one")
        cleared = put(live, edited(live, metadata={**live["metadata"], "managedFields": given}))
        assert "managedFields" not in cleared["metadata"]
        assert "managedFields" not in put(cleared, edited(cleared, data={"a": "2"}))["metadata"]
        assert owned(apply(cleared, configmap({"a": "1"}))) == {
            "a Apply": data("a"),
            "before-first-apply Update": data("a", self=True),
        }

    def test_entries_edited_by_the_client_count_unless_they_are_wrong(self) -> None:
        live = put(None, configmap({"a": "1"}), "one")
        entry = live["metadata"]["managedFields"][0]
        renamed = edited(live, metadata={**live["metadata"], "managedFields": [{**entry, "manager": "two"}]})
        assert owned(put(live, renamed)) == {"two Update": data("a", self=True)}
        wrong = edited(live, metadata={**live["metadata"], "managedFields": [{**entry, "operation": "Frob"}]})
        assert owned(put(live, wrong)) == {"one Update": data("a", self=True)}
        assert owned(put(live, renamed, subresource="status")) == {"one Update": data("a", self=True)}

    def test_reset_fields_are_never_owned(self) -> None:
        body: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "x"}}
        live = put(None, body, type=POD)
        assert list(owned(live)["m Update"]) == ["f:status"]
        metadata = {**live["metadata"], "labels": {"a": "b"}}
        new = edited(live, status={"phase": "y"}, spec={"nodeName": "n"}, metadata=metadata)
        reset = ("spec", "metadata.labels")
        found = owned(put(live, new, "k", type=POD, subresource="status", reset=reset))
        assert found == {"k Updatestatus": {"f:status": {"f:phase": {}}}}

    def test_old_update_entries_are_thrown_together(self) -> None:
        live = put(None, configmap({}), "m")
        for n in range(12):
            live = put(live, edited(live, data={**live["data"], f"k{n}": ""}), f"m{n}", f"2026-01-01T00:00:{n:02}Z")
        found = owned(live)
        assert len(found) == 10
        assert found[f"{ANCIENT} Update"] == data("k0", "k1", "k2", self=True)

    def test_order_of_entries(self) -> None:
        live = put(None, configmap({"a": "1"}), "z", NOW)
        live = put(live, edited(live, data={"a": "1", "b": "1"}), "b", LATER)
        live = put(live, edited(live, data={"a": "1", "b": "1", "c": "1"}), "a", LATER)
        live = apply(live, configmap({"d": "1"}), "y", "2026-01-01T00:02:00Z")
        assert list(owned(live)) == ["y Apply", "z Update", "a Update", "b Update"]

    def test_lists_with_equal_keys_are_owned_as_one(self) -> None:
        ports = [{"containerPort": 1, "protocol": "TCP", "name": x} for x in ("a", "b")]
        spec = {"containers": [{"name": "a", "ports": ports}]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": spec}
        container = owned(put(None, body, type=POD))["m Update"]["f:spec"]["f:containers"]['k:{"name":"a"}']
        assert container["f:ports"] == {".": {}, 'k:{"containerPort":1,"protocol":"TCP"}': {}}


class TestApply:
    def test_create_and_no_op(self) -> None:
        live = apply(None, configmap({"a": "1"}))
        assert owned(live) == {"a Apply": data("a")}
        again = apply(live, configmap({"a": "1"}), now=LATER)
        assert again == live

    def test_values_that_exist_are_co_owned_without_a_time(self) -> None:
        live = apply(None, configmap({"a": "1"}), "one")
        both = apply(live, configmap({"a": "1"}), "two")
        assert owned(both) == {"one Apply": data("a"), "two Apply": data("a")}
        assert "time" not in next(e for e in both["metadata"]["managedFields"] if e["manager"] == "two")

    def test_conflicts_and_force(self) -> None:
        live = apply(None, configmap({"a": "1", "b": "1"}), "one")
        live = put(live, edited(live, data={**live["data"], "c": "1"}), "two")
        with pytest.raises(ApiError) as caught:
            apply(live, configmap({"a": "2"}), "three")
        assert caught.value.code == 409
        assert message(caught) == 'Apply failed with 1 conflict: conflict with "one": .data.a'
        assert caught.value.status["details"]["causes"] == [
            {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
        ]
        with pytest.raises(ApiError) as caught:
            apply(live, configmap({"a": "2", "b": "2", "c": "2"}), "three")
        assert message(caught) == (
            'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\n'
            'conflicts with "two" using v1:\n- .data.c'
        )
        forced = apply(live, configmap({"a": "2"}), "three", force=True)
        assert owned(forced) == {"one Apply": data("b"), "three Apply": data("a"), "two Update": data("c")}

    def test_a_conflict_names_the_subresource(self) -> None:
        live = put(None, configmap({"a": "1"}), "hpa", subresource="scale")
        with pytest.raises(ApiError) as caught:
            apply(live, configmap({"a": "2"}))
        assert message(caught).endswith('conflict with "hpa" with subresource "scale" using v1: .data.a')

    def test_what_is_no_longer_applied_goes_unless_others_own_it(self) -> None:
        live = apply(None, configmap({"a": "1", "b": "1"}), "one")
        live = apply(live, configmap({"b": "1"}), "two")
        live = apply(live, configmap({}), "one")
        assert live["data"] == {"b": "1"}
        live = apply(live, configmap(), "two")
        assert not live.get("data")
        assert owned(live) == {"one Apply": {"f:data": {}}}
        assert "managedFields" not in apply(live, configmap(), "one")["metadata"]

    def test_a_list_item_goes_with_what_nobody_owns_in_it(self) -> None:
        def body(*names: str) -> Obj:
            containers = [{"name": n, "image": "i"} for n in names]
            return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}

        live = apply(None, body("a", "b"), type=POD)
        for container in live["spec"]["containers"]:
            container["imagePullPolicy"] = "Always"
        found = apply(live, body("a"), type=POD)
        assert found["spec"]["containers"] == [{"name": "a", "image": "i", "imagePullPolicy": "Always"}]

    @pytest.mark.parametrize(
        ("live", "applied", "want"),
        [
            ("ab", "ba", "ba"),
            ("abc", "x", "abcx"),
            ("abc", "cxa", "bcxa"),
            ("ab", "xa", "xab"),
            ("", "ba", "ba"),
            ("abcd", "db", "acdb"),
        ],
    )
    def test_order_of_merged_lists(self, live: str, applied: str, want: str) -> None:
        def finalizers(text: str) -> list[str]:
            return [f"x/{ch}" for ch in text]

        before = put(None, configmap(finalizers=finalizers(live)))
        found = apply(before, configmap(finalizers=finalizers(applied)))
        assert found["metadata"]["finalizers"] == finalizers(want)

    def test_defaults_are_not_the_appliers(self) -> None:
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}}
        live = apply(None, body, type=POD)
        live["spec"]["dnsPolicy"] = "ClusterFirst"
        again = apply(live, body, type=POD, now=LATER)
        assert again == live

    @pytest.mark.parametrize(
        ("body", "code", "text"),
        [
            (configmap() | {"kind": "Secret"}, 400, "invalid object type: /v1, Kind=Secret"),
            (configmap() | {"apiVersion": "a/b"}, 400, "invalid object type: a/b, Kind=ConfigMap"),
            (configmap(managedFields=[]), 400, "metadata.managedFields must be nil"),
            (configmap() | {"x": 1}, 500, ".x: field not declared in schema"),
            (configmap({"a": 1}), 500, ".data.a: expected string, got &value.valueUnstructured{Value:1}"),
            (configmap() | {"data": ["x"]}, 500, ".data: expected map, got &{[x]}"),
            (configmap() | {"immutable": "x"}, 500, ".immutable: expected boolean, got &{x}"),
            (configmap(generation="x"), 500, ".metadata.generation: expected numeric (int or float), got string"),
            (configmap(finalizers=["x", "x"]), 500, '.metadata.finalizers: duplicate entries for key [="x"]'),
        ],
    )
    def test_bad_bodies(self, body: Obj, code: int, text: str) -> None:
        with pytest.raises(ApiError) as caught:
            on_apply(None, body, type=CONFIGMAP, kind="ConfigMap", manager="a", force=False, api_version="v1", now=NOW)
        prefix = "" if code == 400 else "failed to create typed patch object (/c; /v1, Kind=ConfigMap): "
        assert (caught.value.code, message(caught)) == (code, prefix + text)

    def test_items_need_keys_but_for_their_defaults(self) -> None:
        fields = {"name": Type("string"), "port": Type("integer")}
        item = Type("object", field_source=lambda: fields)
        ports = Type("list", element=item, list_type="map", map_keys=("name", "port"), defaults={"port": 80})
        names = Type("list", element=item, list_type="map", map_keys=("name",))
        text = Type("string")
        parts = {"apiVersion": text, "kind": text, "metadata": Type("any"), "ports": ports, "names": names}
        root = Type("object", field_source=lambda: parts)
        body: Obj = {"apiVersion": "x/v1", "kind": "W", "metadata": {"name": "w"}, "ports": [{}]}
        assert owned(apply(None, body, type=root)) == {"a Apply": {"f:ports": {'k:{"port":80}': {}}}}
        with pytest.raises(ApiError) as caught:
            apply(None, {**body, "names": [{"port": 1}]}, type=root)
        assert message(caught).partition("): ")[2] == (
            ".names: element 0: associative list with keys has an element that omits all key fields "
            '["name"] (and doesn\'t have default values for any key fields)'
        )

    def test_two_faults_are_told_together(self) -> None:
        with pytest.raises(ApiError) as caught:
            apply(None, configmap({"a": 1, "b": True}))
        assert message(caught).partition("): ")[2] == (
            "errors:\n  .data.a: expected string, got &value.valueUnstructured{Value:1}\n"
            "  .data.b: expected string, got &value.valueUnstructured{Value:true}"
        )

    def test_other_versions_are_compared_in_their_own_terms(self) -> None:
        def convert(obj: Obj, version: str) -> tuple[Obj, Type] | None:
            return None if version == "gone" else ({**obj, "apiVersion": version}, CONFIGMAP)

        live = apply(None, configmap({"a": "1"}), "one")
        entry = live["metadata"]["managedFields"][0]
        gone = {**entry, "apiVersion": "gone", "manager": "g"}
        live["metadata"]["managedFields"] = [{**entry, "apiVersion": "v2"}, gone]
        with pytest.raises(ApiError) as caught:
            apply(live, configmap({"a": "2"}), "two", convert=convert)
        assert message(caught) == 'Apply failed with 1 conflict: conflict with "one": .data.a'
        assert owned(apply(live, configmap({"b": "2"}), "two", convert=convert)) == {
            "one Apply": data("a"),
            "two Apply": data("b"),
        }

    def test_without_types_lists_are_atomic(self) -> None:
        untyped = Type("any", preserve_unknown=True)
        spec = {"l": [{"name": "x"}], "m": {"a": 1}}
        body = {"apiVersion": "x/v1", "kind": "W", "metadata": {"name": "w"}, "spec": spec}
        live = apply(None, body, "one", type=untyped)
        assert owned(live)["one Apply"] == {"f:spec": {".": {}, "f:l": {}, "f:m": {".": {}, "f:a": {}}}}


class TestKubectl:
    def live(self, value: str = "1") -> Obj:
        text = orjson.dumps(configmap({"a": "1"})).decode()
        return put(None, configmap({"a": value}, annotations={LAST_APPLIED: text}), "kubectl-client-side-apply")

    def test_values_last_applied_are_no_conflicts_for_kubectl(self) -> None:
        assert owned(apply(self.live(), configmap({"a": "2"}), "kubectl"))["kubectl Apply"] == data("a")
        for live, manager in ((self.live(), "other"), (self.live("changed"), "kubectl")):
            with pytest.raises(ApiError):
                apply(live, configmap({"a": "2"}), manager)

    def test_the_annotation_follows(self) -> None:
        found = apply(self.live(), configmap({"a": "<2>"}), "kubectl")
        assert found["metadata"]["annotations"][LAST_APPLIED] == (
            '{"apiVersion":"v1","data":{"a":"\\u003c2\\u003e"},"kind":"ConfigMap","metadata":{"name":"c"}}\n'
        )


def test_times_are_kept_when_nothing_else_changes() -> None:
    live = put(None, configmap({"a": "1"}))
    entry = live["metadata"]["managedFields"][0]
    touched = edited(live, metadata={**live["metadata"], "managedFields": [{**entry, "time": LATER}]})
    assert keep_times(live, touched) == live
    changed = edited(touched, data={"a": "2"})
    assert keep_times(live, changed) is changed


def test_admission_cannot_break_managed_fields() -> None:
    live, warnings = put(None, configmap({"a": "1"})), list[str]()
    assert keep_valid(live, live, warnings) is live
    broken = edited(live, metadata={**live["metadata"], "managedFields": [{"operation": "x"}]})
    assert keep_valid(live, broken, warnings)["metadata"] == live["metadata"]
    assert warnings[0].endswith("please fix your requests: operation must be `Apply` or `Update`")


@pytest.mark.parametrize(
    ("user_agent", "want"),
    [("kubectl/v1.36", "kubectl"), ("plain", "plain"), ("", ""), ("a\x01b/c", "ab"), ("é" * 100, "é" * 64)],
)
def test_manager_from_user_agent(user_agent: str, want: str) -> None:
    assert manager_from_user_agent(user_agent) == want


def test_scale_entries_come_and_go() -> None:
    mappings = {"apps/v1": ("f:spec", "f:replicas")}
    base = {"operation": "Update", "apiVersion": "apps/v1", "time": NOW, "fieldsType": "FieldsV1"}
    parent = [
        {**base, "manager": "one", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:x": {}}}},
        {**base, "manager": "two", "fieldsV1": {"f:spec": {"f:y": {}}}},
    ]
    scale = to_scale(parent, mappings)
    assert [(e["manager"], e["apiVersion"], e["fieldsV1"]) for e in scale] == [
        ("one", "autoscaling/v1", {"f:spec": {"f:replicas": {}}})
    ]
    assert to_parent(parent, scale, "apps/v1", mappings) == parent
    taken = [{**scale[0], "manager": "hpa", "operation": "Update", "subresource": "scale"}]
    found = to_parent(parent, taken, "apps/v1", mappings)
    assert [(e["manager"], e.get("time"), e["fieldsV1"]["f:spec"]) for e in found] == [
        ("one", NOW, {"f:x": {}}),
        ("hpa", None, {"f:replicas": {}}),
        ("two", NOW, {"f:y": {}}),
    ]


KEYS = st.sampled_from("abc")
DATA = st.dictionaries(KEYS, st.sampled_from("12"), max_size=3)
BODIES = st.builds(lambda d, labels: configmap(d, **({"labels": labels} if labels else {})), DATA, DATA)
STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from(["one", "two"]), BODIES), max_size=6)


def replay(steps: list[tuple[bool, str, Obj]]) -> Obj:
    live = put(None, configmap({"a": "1"}))
    for applying, manager, body in steps:
        if applying:
            live = apply(live, body, manager, force=True)
        else:
            metadata = {**live["metadata"], "labels": body["metadata"].get("labels", {})}
            live = put(live, edited(live, data=body["data"], metadata=metadata), manager)
    return live


@given(STEPS, BODIES)
def test_applying_twice_is_applying_once(steps: list[tuple[bool, str, Obj]], body: Obj) -> None:
    once = apply(replay(steps), body, "x", force=True)
    assert apply(once, body, "x", now=LATER) == once


@given(STEPS)
def test_somebody_owns_every_field_and_nobody_more(steps: list[tuple[bool, str, Obj]]) -> None:
    live = replay(steps)
    everything: Obj = {}
    for fields in owned(live).values():
        everything = fs.union(everything, fields)
    maps = {("f:data",): live.get("data"), ("f:metadata", "f:labels"): live["metadata"].get("labels")}
    for parent, mapping in maps.items():
        keys = {p[-1] for p in fs.paths(everything) if p[:-1] == parent}
        assert keys == {f"f:{key}" for key in mapping or {}}


ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"n":1}'])
SETS = st.recursive(st.just({}), lambda nodes: st.dictionaries(ELEMENTS, nodes, max_size=3), max_leaves=6).map(fs.parse)


@given(SETS, SETS, SETS)
def test_set_laws(a: Obj, b: Obj, c: Obj) -> None:
    assert fs.union(a, b) == fs.union(b, a)
    assert fs.union(fs.difference(a, b), fs.intersection(a, b)) == a
    assert fs.difference(fs.union(a, b), b) == fs.difference(a, b)
    assert fs.intersection(a, fs.union(b, c)) == fs.union(fs.intersection(a, b), fs.intersection(a, c))
    assert set(fs.paths(fs.union(a, b))) == {*fs.paths(a), *fs.paths(b)}
    assert fs.of(*fs.paths(a)) == a
