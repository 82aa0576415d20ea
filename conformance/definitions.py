"""The machine for CustomResourceDefinitions: schemas, served and stored versions, objects under changing definitions.

Every sequence has a definition of its own. A server takes definitions up by and by: after each change the run waits
until all versions show it. To see that, each change has a new default of the field `mark`, which a dry run reads off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct, field

from conformance.machine import Machine, Outcome, Step, Steps
from conformance.target import Reply, Session
from conformance.things import DEFINITIONS, MERGE, NAMESPACE, token

SECONDS = 15.0
INTEGER = {"type": "integer"}
# name -> what the schema of spec says beside the field mark.
SCHEMAS: dict[str, dict[str, Any]] = {
    "open": {"x-kubernetes-preserve-unknown-fields": True},
    "typed": {"properties": {"size": INTEGER}},
    "bounded": {"properties": {"size": {**INTEGER, "minimum": 1, "maximum": 3}}},
    "default": {"properties": {"size": {**INTEGER, "default": 2}}},
    "required": {"properties": {"size": INTEGER}, "required": ["size"]},
}
BODIES: dict[str, dict[str, Any]] = {
    "empty": {}, "small": {"size": 1}, "large": {"size": 9}, "text": {"size": "x"}, "extra": {"size": 1, "more": "e"},
}  # fmt: skip


class Shape(Struct, frozen=True):
    """The versions of a definition, those that are served, those that say that they are stored."""

    versions: tuple[str, ...]
    served: tuple[str, ...]
    storage: tuple[str, ...]


SHAPES = {
    "one": Shape(("v1",), ("v1",), ("v1",)),
    "both": Shape(("v1", "v2"), ("v1", "v2"), ("v1",)),
    "moved": Shape(("v1", "v2"), ("v1", "v2"), ("v2",)),
    "retired": Shape(("v1", "v2"), ("v2",), ("v2",)),
    "two": Shape(("v2",), ("v2",), ("v2",)),
    "nowhere stored": Shape(("v1", "v2"), ("v1",), ()),
    "stored twice": Shape(("v1", "v2"), ("v1",), ("v1", "v2")),
}
NAMES = st.sampled_from(["a", "b"])
VERSIONS = st.sampled_from(["v1", "v2"])
SCHEMA, BODY = st.sampled_from(list(SCHEMAS)), st.sampled_from(list(BODIES))
# Half of the changes are to the two shapes that are valid after all others.
SHAPE = st.one_of(st.sampled_from(["both", "moved"]), st.sampled_from(list(SHAPES)))
DEFINE = st.tuples(st.just("define"), SCHEMA, SHAPE)
CREATE = st.tuples(st.just("create"), NAMES, VERSIONS, BODY)
STEPS = (
    st.tuples(st.just("change"), SCHEMA, SHAPE),
    CREATE,
    st.tuples(st.just("read"), NAMES, VERSIONS),
    st.tuples(st.just("list"), VERSIONS),
    st.tuples(st.just("delete"), NAMES, VERSIONS),
    st.tuples(st.just("migrate")),
    st.tuples(st.just("drop")),
)
# One definition and an object or two to begin with, then anything.
SEQUENCES: st.SearchStrategy[list[Step]] = st.tuples(
    DEFINE, st.lists(CREATE, max_size=2), st.lists(st.one_of(DEFINE, *STEPS), max_size=6)
).map(lambda parts: [parts[0], *parts[1], *parts[2]])


class Definition(Struct):
    """A definition, and the specs of its objects as they were stored."""

    schema: str
    shape: Shape
    mark: int
    stored: list[str]
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)

    def pruned(self, spec: dict[str, Any]) -> dict[str, Any]:
        """What requests and the store give: without what the schema does not know, with its defaults."""
        if self.schema == "open":
            return {"mark": self.mark, **spec}
        known = {key: value for key, value in spec.items() if key in ("size", "mark")}
        defaults = {"mark": self.mark, **({"size": 2} if self.schema == "default" else {})}
        return {**defaults, **known}

    def valid(self, spec: dict[str, Any]) -> bool:
        """Whether a write with this spec passes."""
        size = spec.get("size")
        if self.schema == "open":
            return True
        if size is None:
            return self.schema != "required"
        return isinstance(size, int) and (self.schema != "bounded" or 1 <= size <= 3)


class Model(Steps):
    """The definition, if there is one."""

    def __init__(self) -> None:
        self.found: Definition | None = None
        self.marks = 0

    def _define(self, schema: str, shape: str) -> Outcome:
        self.marks += 1
        if len(SHAPES[shape].storage) != 1:
            return {"status": 422}
        if self.found is not None:
            return {"status": 409}
        self.found = Definition(schema, SHAPES[shape], self.marks, list(SHAPES[shape].storage))
        return self._taken_up(201)

    def _change(self, schema: str, shape: str) -> Outcome:
        self.marks += 1
        wanted, found = SHAPES[shape], self.found
        if found is None:
            return {"status": 404}
        stored = found.stored + [version for version in wanted.storage if version not in found.stored]
        if len(wanted.storage) != 1 or not set(stored) <= set(wanted.versions):
            return {"status": 422}
        found.schema, found.shape, found.mark, found.stored = schema, wanted, self.marks, stored
        return self._taken_up(200)

    def _taken_up(self, status: int) -> Outcome:
        assert self.found is not None
        objects = {version: self._list(version)["specs"] for version in self.found.shape.served}
        return {"status": status, "stored": list(self.found.stored), "settled": True, "objects": objects}

    def _migrate(self) -> Outcome:
        if self.found is None:
            return {"status": 404}
        self.found.stored = list(self.found.shape.storage)
        return {"status": 200, "stored": list(self.found.stored)}

    def _drop(self) -> Outcome:
        if self.found is None:
            return {"status": 404}
        self.found = None
        return {"status": 200, "gone": True}

    def _create(self, name: str, version: str, body: str) -> Outcome:
        found = self.found
        if found is None or version not in found.shape.served:
            return {"status": 404}
        spec = found.pruned(BODIES[body])
        if not found.valid(spec):
            return {"status": 422}
        if name in found.objects:
            return {"status": 409}
        found.objects[name] = spec
        return {"status": 201, "version": version, "spec": spec}

    def _read(self, name: str, version: str) -> Outcome:
        found = self.found
        if found is None or version not in found.shape.served or name not in found.objects:
            return {"status": 404}
        return {"status": 200, "version": version, "spec": found.pruned(found.objects[name])}

    def _delete(self, name: str, version: str) -> Outcome:
        outcome = self._read(name, version)
        if self.found is not None and outcome["status"] == 200:
            del self.found.objects[name]
        return {"status": outcome["status"]}

    def _list(self, version: str) -> Outcome:
        found = self.found
        if found is None or version not in found.shape.served:
            return {"status": 404}
        return {"status": 200, "specs": {name: found.pruned(spec) for name, spec in sorted(found.objects.items())}}


def predict(steps: Sequence[Step]) -> list[Outcome]:
    """What each step shows."""
    return list(map(Model().step, steps))


class DefinitionRun(Steps):
    """One sequence of steps on one server."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.group = f"x{token()}.fakekube.dev"
        self.definition = f"{DEFINITIONS}/widgets.{self.group}"
        self.marks = 0

    def _path(self, version: str, name: str = "") -> str:
        path = f"/apis/{self.group}/{version}/namespaces/{NAMESPACE}/widgets"
        return f"{path}/{name}" if name else path

    def _body(self, schema: str, shape: str) -> dict[str, Any]:
        self.marks += 1
        mark = {"mark": {**INTEGER, "default": self.marks}}
        extra = SCHEMAS[schema]
        spec = {"type": "object", **extra, "properties": {**extra.get("properties", {}), **mark}}
        tree = {"type": "object", "properties": {"spec": spec}}
        wanted = SHAPES[shape]
        versions = [
            {
                "name": version, "served": version in wanted.served, "storage": version in wanted.storage,
                "schema": {"openAPIV3Schema": tree},
            }
            for version in wanted.versions
        ]  # fmt: skip
        names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{self.group}"},
            "spec": {"group": self.group, "scope": "Namespaced", "names": names, "versions": versions},
        }

    def _define(self, schema: str, shape: str) -> Outcome:
        return self._taken_up(shape, self.session.ask("POST", DEFINITIONS, self._body(schema, shape)))

    def _change(self, schema: str, shape: str) -> Outcome:
        body = self._body(schema, shape)
        found = self.session.ask("GET", self.definition)
        if found.status != 200:
            return {"status": found.status}
        body["metadata"] = found.body["metadata"]
        return self._taken_up(shape, self.session.ask("PUT", self.definition, body))

    def _taken_up(self, shape: str, reply: Reply) -> Outcome:
        if reply.status >= 300:
            return {"status": reply.status}
        served = SHAPES[shape].served
        settled = wait(lambda: all(self._shows(version, version in served) for version in ("v1", "v2")))
        stored = self.session.ask("GET", self.definition).body["status"]["storedVersions"]
        objects = {version: self._list(version).get("specs") for version in served}
        return {"status": reply.status, "stored": stored, "settled": settled, "objects": objects}

    def _shows(self, version: str, served: bool) -> bool:
        if not served:
            return self.session.ask("GET", self._path(version)).status == 404
        probe = self._object("probe", version, {"size": 1})
        shown = self.session.ask("POST", f"{self._path(version)}?dryRun=All", probe)
        return shown.status == 201 and shown.body["spec"]["mark"] == self.marks

    def _object(self, name: str, version: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": f"{self.group}/{version}",
            "kind": "Widget",
            "metadata": {"name": name},
            "spec": spec,
        }

    def _migrate(self) -> Outcome:
        found = self.session.ask("GET", self.definition)
        if found.status != 200:
            return {"status": found.status}
        storage = [version["name"] for version in found.body["spec"]["versions"] if version["storage"]]
        done = self.session.ask("PATCH", f"{self.definition}/status", {"status": {"storedVersions": storage}}, MERGE)
        return {"status": done.status, "stored": done.body.get("status", {}).get("storedVersions")}

    def _drop(self) -> Outcome:
        status = self.session.ask("DELETE", self.definition).status
        if status != 200:
            return {"status": status}
        places = (self.definition, self._path("v1"), self._path("v2"))
        return {"status": 200, "gone": wait(lambda: all(self.session.ask("GET", p).status == 404 for p in places))}

    def _create(self, name: str, version: str, body: str) -> Outcome:
        return self._shown(self.session.ask("POST", self._path(version), self._object(name, version, BODIES[body])))

    def _read(self, name: str, version: str) -> Outcome:
        return self._shown(self.session.ask("GET", self._path(version, name)))

    def _shown(self, reply: Reply) -> Outcome:
        if reply.status >= 300:
            return {"status": reply.status}
        version = reply.body["apiVersion"].removeprefix(f"{self.group}/")
        return {"status": reply.status, "version": version, "spec": reply.body["spec"]}

    def _delete(self, name: str, version: str) -> Outcome:
        return {"status": self.session.ask("DELETE", self._path(version, name)).status}

    def _list(self, version: str) -> Outcome:
        found = self.session.ask("GET", self._path(version))
        if found.status != 200:
            return {"status": found.status}
        return {"status": 200, "specs": {item["metadata"]["name"]: item["spec"] for item in found.body["items"]}}


def wait(so: Callable[[], bool]) -> bool:
    """Whether it becomes so in time."""
    deadline = time.monotonic() + SECONDS
    while not so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def observe(session: Session, steps: Sequence[Step]) -> list[Outcome]:
    """Do the steps; what each showed."""
    run = DefinitionRun(session)
    try:
        return [run.step(step) for step in steps]
    finally:
        session.ask("DELETE", run.definition)


MACHINE = Machine("definitions", SEQUENCES, predict, observe)
