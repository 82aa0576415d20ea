"""What holds of every apply and every patch, whatever they say: Hypothesis looks for one of which it does not."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakeapi.managedfields.typed import field_set
from fakeapi.resources.base import Resource
from fakeapi.schema.definitions import load
from fakeapi.schema.types import Type
from fakeapi.strategicmerge import strategic_merge
from tests import objects
from tests.fakeapi.garbage import PATCHES, mangled, patch_bodies
from tests.fakeapi.inprocess import ADMIN, InProcess, in_process

Obj = dict[str, Any]

DEPLOYMENT: Type = load(36).type("io.k8s.api.apps.v1.Deployment")
APPLY = "application/apply-patch+yaml"

slow = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=40)

names = st.sampled_from(["a", "b", "c", "d"])
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Obj]:
    """Objects with some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def by_key(
    key: str, items: st.SearchStrategy[Obj], keys: st.SearchStrategy[Any] = names
) -> st.SearchStrategy[list[Obj]]:
    """Lists of items, each with another key."""
    return st.dictionaries(keys, items, max_size=3).map(lambda found: [{key: k, **v} for k, v in found.items()])


env = by_key("name", some(value=texts))
containers = by_key(
    "name",
    some(
        image=st.sampled_from(["nginx:1", "nginx:2"]),
        command=st.lists(texts.filter(bool), min_size=1, max_size=2),
        env=env,
        ports=by_key("containerPort", some(hostIP=st.just("1.2.3.4")), st.integers(1, 4)),
        resources=some(requests=st.dictionaries(st.just("cpu"), st.sampled_from(["1", "2"]))),
    ),
).map(lambda found: [{"image": "nginx:1", **item} for item in found] or [{"name": "a", "image": "nginx:1"}])
labels = st.dictionaries(names, st.sampled_from(["", "1", "x"]), max_size=3)
template = st.builds(
    lambda extra, inside, more: {"metadata": {"labels": {**extra, "app": "a"}}, "spec": {"containers": inside, **more}},
    labels,
    containers,
    some(
        nodeSelector=labels,
        tolerations=st.lists(some(key=names, operator=st.just("Exists")).filter(bool), max_size=2),
        terminationGracePeriodSeconds=st.integers(0, 5),
        volumes=by_key("name", st.just({"emptyDir": {}})),
        hostNetwork=st.just(False),
    ),
)
deployments = st.builds(
    lambda inside, extra, metadata: {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", **metadata},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": inside, **extra},
    },
    template,
    some(replicas=st.integers(0, 9), paused=st.booleans(), minReadySeconds=st.integers(0, 9)),
    some(labels=labels, annotations=st.dictionaries(names, texts, max_size=2), finalizers=st.just(["x.example/y"])),
)


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with in_process() as started:
        yield started


def send(server: InProcess, method: str, path: str, kind: str, body: bytes) -> tuple[int, Obj]:
    """Status and body of a request with these bytes."""
    answer = server.run(lambda: server.server.call(method, path, {"content-type": kind}, body, ADMIN))
    assert isinstance(answer.body, bytes)
    found: Obj = json.loads(answer.body)
    return answer.status, found


COLLECTION = "/apis/apps/v1/namespaces/default/deployments"
WEB = f"{COLLECTION}/web"


def gone(server: InProcess) -> None:
    """No Deployment is there, even if it has finalizers."""
    send(server, "PATCH", WEB, "application/merge-patch+json", b'{"metadata":{"finalizers":null}}')
    send(server, "DELETE", WEB, "application/json", b'{"propagationPolicy":"Background"}')
    assert send(server, "GET", WEB, "", b"")[0] == 404


def apply(server: InProcess, manager: str, body: Obj, force: bool = True) -> tuple[int, Obj]:
    """Server-side apply."""
    query = f"?fieldManager={manager}&force={str(force).lower()}"
    return send(server, "PATCH", WEB + query, APPLY, json.dumps(body).encode())


def leaves(fields: Obj, at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The paths of a FieldsV1 that have nothing below them."""
    inner = {key: below for key, below in fields.items() if key != "."}
    if not inner:
        return {at}
    return {path for key, below in inner.items() for path in leaves(below, (*at, key))}


def holds(fields: Obj, path: tuple[str, ...]) -> bool:
    """Whether the set has the path."""
    for element in path:
        if element not in fields:
            return False
        fields = fields[element]
    return True


def entries(obj: Obj) -> dict[tuple[str, str], Obj]:
    """fieldsV1 by manager and operation."""
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in obj["metadata"]["managedFields"]}


def owned_by_apply(body: Obj) -> set[tuple[str, ...]]:
    """The leaves that who applies the body owns: all it says but what nobody owns."""
    nobody = {("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name")}
    return leaves(field_set(body, DEPLOYMENT)) - nobody


@slow
@given(first=deployments, second=deployments)
def test_apply_is_idempotent_and_owns_what_it_says(server: InProcess, first: Obj, second: Obj) -> None:
    gone(server)
    for body in (first, second):
        status, done = apply(server, "me", body)
        assert status in (200, 201), done
        assert apply(server, "me", body) == (200, done)
        assert leaves(entries(done)["me", "Apply"]) == owned_by_apply(body)


@slow
@given(first=deployments, second=deployments)
def test_what_is_applied_no_more_goes(server: InProcess, first: Obj, second: Obj) -> None:
    gone(server)
    apply(server, "me", first)
    _, changed = apply(server, "me", second)
    gone(server)
    _, fresh = apply(server, "me", second)
    for volatile in ("uid", "creationTimestamp", "resourceVersion", "generation", "managedFields"):
        del changed["metadata"][volatile], fresh["metadata"][volatile]
    for spec in (changed["spec"], fresh["spec"]):  # items that stay keep their places
        inside = spec["template"]["spec"]
        for container in inside["containers"]:
            for name in ("env", "ports"):
                container[name] = sorted(container.get(name) or [], key=json.dumps)
        inside["containers"].sort(key=lambda item: item["name"])
        inside["volumes"] = sorted(inside.get("volumes") or [], key=json.dumps)
    assert changed == fresh


@slow
@given(first=deployments, second=deployments)
def test_two_appliers_own_together_what_either_says(server: InProcess, first: Obj, second: Obj) -> None:
    gone(server)
    apply(server, "one", first)
    status, done = apply(server, "two", second, force=False)
    if status == 409:
        assert {cause["reason"] for cause in done["details"]["causes"]} == {"FieldManagerConflict"}
        status, done = apply(server, "two", second)
    assert status == 200, done
    owned = entries(done)
    one, two = owned.get(("one", "Apply"), {}), field_set(second, DEPLOYMENT)
    assert leaves(owned["two", "Apply"]) == owned_by_apply(second)
    assert [path for path in leaves(one) if not holds(field_set(first, DEPLOYMENT), path)] in ([], [()])
    assert [path for path in owned_by_apply(first) if not holds(one, path) and not holds(two, path)] == []


@slow
@given(body=deployments)
def test_the_creator_owns_every_field_that_is_set(server: InProcess, body: Obj) -> None:
    gone(server)
    status, made = send(server, "POST", COLLECTION + "?fieldManager=me", "application/json", json.dumps(body).encode())
    assert status == 201, made
    server_made = {"uid", "creationTimestamp", "resourceVersion", "generation", "managedFields", "name", "namespace"}
    metadata = {k: v for k, v in made["metadata"].items() if k not in server_made}
    annotations = dict(metadata.get("annotations") or {})
    seen = {"spec": made["spec"], "metadata": {**metadata, "annotations": annotations}}
    wanted = {path for path in leaves(field_set(seen, DEPLOYMENT)) if path != ("f:metadata", "f:annotations")}
    assert leaves(entries(made)["me", "Update"]) - {("f:metadata", "f:annotations")} == wanted - {("f:metadata",)}


def three_way(original: Any, modified: Any, live: Any, kind: Type) -> Any:
    """What kubectl apply sends: the patch that makes live as modified says, without what only original said."""
    patch: Obj = {}
    for name in original.keys() - modified.keys():
        patch[name] = None
    for name, value in modified.items():
        below = kind.fields.get(name) if kind.kind == "object" else kind.element
        assert below is not None
        now = live.get(name)
        if isinstance(value, dict) and isinstance(now, dict):
            inner = three_way(original.get(name) or {}, value, now, below)
            if inner:
                patch[name] = inner
        elif isinstance(value, list) and below.patch_merge_key and isinstance(now, list):
            patch.update(_three_way_list(name, original.get(name) or [], value, now, below))
        elif value != now:
            patch[name] = value
    return patch


def _three_way_list(name: str, original: list[Obj], modified: list[Obj], live: list[Obj], kind: Type) -> Obj:
    key, element = kind.patch_merge_key, kind.element
    assert element is not None
    was, now = {item[key]: item for item in original}, {item[key]: item for item in live}
    wanted = [item[key] for item in modified]
    items: list[Obj] = []
    for item in modified:
        if item[key] not in now:
            items.append(item)
            continue
        inner = three_way(was.get(item[key], {}), item, now[item[key]], element)
        inner.pop(key, None)
        if inner:
            items.append({**inner, key: item[key]})
    items += [{"$patch": "delete", key: k} for k in was if k not in wanted]
    return {name: items, f"$setElementOrder/{name}": [{key: k} for k in wanted]} if items else {}


def contains(live: Any, manifest: Any, kind: Any) -> bool:
    """Whether all that the manifest says is so."""
    if isinstance(manifest, dict):
        types = {name: kind.fields[name] if kind.kind == "object" else kind.element for name in manifest}
        return all(
            name in live and contains(live[name], value, types[name]) for name, value in manifest.items() if value
        )
    if isinstance(manifest, list) and kind.patch_merge_key:
        key = kind.patch_merge_key
        found = {item[key]: item for item in live}
        return all(item[key] in found and contains(found[item[key]], item, kind.element) for item in manifest)
    return bool(live == manifest)


def named(obj: Obj) -> set[str]:
    """The containers' names."""
    return {item["name"] for item in obj["spec"]["template"]["spec"]["containers"]}


@settings(slow, max_examples=200)
@given(original=deployments, modified=deployments, theirs=deployments)
def test_a_three_way_strategic_merge_leads_to_the_manifest(original: Obj, modified: Obj, theirs: Obj) -> None:
    live = strategic_merge(theirs, three_way({}, original, theirs, DEPLOYMENT), DEPLOYMENT)
    before = copy.deepcopy(live)
    done = strategic_merge(live, three_way(original, modified, live, DEPLOYMENT), DEPLOYMENT)
    assert live == before
    assert contains(done, modified, DEPLOYMENT)
    assert three_way(original, modified, done, DEPLOYMENT).get("spec", {}).keys() <= {
        "replicas",
        "template",
        "paused",
    } | (original["spec"].keys() - modified["spec"].keys())
    assert named(done) == named(modified) | (named(live) - named(original))


@slow
@given(
    body=deployments, kind=st.sampled_from(["merge", "strategic-merge"]), label=names, value=st.sampled_from(["", "z"])
)
def test_a_patch_changes_only_what_it_names(server: InProcess, body: Obj, kind: str, label: str, value: str) -> None:
    gone(server)
    send(server, "POST", COLLECTION, "application/json", json.dumps(body).encode())
    _, before = send(server, "GET", WEB, "", b"")
    patch = {"metadata": {"labels": {label: value}}, "spec": {"replicas": 3}}
    status, done = send(server, "PATCH", WEB, f"application/{kind}-patch+json", json.dumps(patch).encode())
    assert status == 200, done
    assert (done["metadata"]["labels"][label], done["spec"]["replicas"]) == (value, 3)
    before["metadata"].setdefault("labels", {})[label] = value
    before["spec"]["replicas"] = 3
    for changing in ("resourceVersion", "generation", "managedFields"):
        del before["metadata"][changing], done["metadata"][changing]
    assert done == before


@pytest.fixture(scope="module")
def everything(server: InProcess) -> list[tuple[Obj, list[str]]]:
    """An object of every kind that can be patched, and the paths at which it can."""
    found = []
    for row in server.server.table.rows():
        if "patch" not in row.verbs or row.virtual or row.kind == "Deployment":
            continue
        made = objects.make(row.group, row.storage_version, row.kind)
        path = collection(row)
        server.ask("POST", path, made)
        path = f"{path}/{made['metadata']['name']}"
        found.append((made, [path, *(f"{path}/{sub.name}" for sub in row.subresources if "patch" in sub.verbs)]))
    return found


def collection(row: Resource) -> str:
    """Where the row's objects are, in the default namespace."""
    root = f"/apis/{row.group}/{row.storage_version}" if row.group else f"/api/{row.storage_version}"
    return f"{root}/namespaces/default/{row.plural}" if row.namespaced else f"{root}/{row.plural}"


@settings(slow, max_examples=600)
@given(data=st.data())
def test_no_patch_meets_an_unhandled_exception(
    server: InProcess, everything: list[tuple[Obj, list[str]]], caplog: pytest.LogCaptureFixture, data: st.DataObject
) -> None:
    caplog.clear()
    caplog.set_level(logging.WARNING)
    obj, paths = data.draw(st.sampled_from(everything), label="object")
    path, kind = data.draw(st.sampled_from(paths), label="path"), data.draw(st.sampled_from(PATCHES), label="type")
    query = data.draw(
        st.sampled_from(["", "?fieldManager=a&force=true", "?fieldManager=a", "?dryRun=All"]), label="query"
    )
    body = data.draw(patch_bodies(obj, kind), label="body")
    send(server, "PATCH", path + query, kind, body)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@settings(slow, max_examples=200)
@given(data=st.data())
def test_no_object_meets_an_unhandled_exception(
    server: InProcess, everything: list[tuple[Obj, list[str]]], caplog: pytest.LogCaptureFixture, data: st.DataObject
) -> None:
    caplog.clear()
    obj, paths = data.draw(st.sampled_from(everything), label="object")
    body = json.dumps(data.draw(mangled(obj), label="body")).encode()
    send(server, "PUT", data.draw(st.sampled_from(paths)), "application/json", body)
    send(server, "POST", paths[0].rpartition("/")[0], "application/json", body)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
