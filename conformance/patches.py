"""The machine for patches of a built-in type: strategic merge, JSON merge and JSON patch, on PodTemplates.

PodTemplates have lists with merge keys and of plain values, and no controller touches them. The reference works on a
small form of them: labels, finalizers, and containers with an image and variables, the containers in their order.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from conformance.machine import Machine, Outcome, Step, Steps
from conformance.target import Reply, Session
from conformance.things import GROUP, MERGE, NAMESPACE, token

BASE = f"/api/v1/namespaces/{NAMESPACE}/podtemplates"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
REFUSED: Outcome = {"status": 422}
Form = dict[str, Any]

CONTAINERS = st.sampled_from(["c1", "c2", "c3"])
IMAGES = st.sampled_from(["i1", "i2"])
VARIABLES = st.sampled_from(["A", "B"])
VALUES = st.sampled_from(["1", "2"])
KEYS = st.sampled_from(["k1", "k2"])
FINALIZERS = st.sampled_from(["f1", "f2"])
INDEXES = st.sampled_from(["0", "1", "2", "-", "-1", "01"])
LABEL = st.one_of(st.none(), VALUES)
STEPS = (
    *(st.tuples(st.just(f"{kind}_label"), KEYS, LABEL) for kind in ("strategic", "merge")),
    *(st.tuples(st.just(f"{kind}_container"), CONTAINERS, IMAGES) for kind in ("strategic", "merge")),
    st.tuples(st.just("strategic_variable"), CONTAINERS, IMAGES, VARIABLES, VALUES),
    st.tuples(st.just("strategic_order"), CONTAINERS, IMAGES, st.permutations(["c1", "c2", "c3"]).map(tuple)),
    st.tuples(st.just("strategic_without"), CONTAINERS),
    st.tuples(st.just("strategic_replace"), CONTAINERS, IMAGES),
    st.tuples(st.just("strategic_finalizer"), FINALIZERS),
    st.tuples(st.just("strategic_release"), FINALIZERS),
    st.tuples(st.just("merge_finalizer"), FINALIZERS),
    st.tuples(st.just("json_label"), st.sampled_from(["add", "replace", "remove", "test"]), KEYS, VALUES),
    st.tuples(st.just("json_container"), st.sampled_from(["add", "replace"]), INDEXES, CONTAINERS, IMAGES),
    st.tuples(st.just("json_image"), st.sampled_from(["test", "replace"]), INDEXES, IMAGES),
    st.tuples(st.just("json_remove"), INDEXES),
    st.tuples(st.just("json_label_from"), st.sampled_from(["move", "copy"]), KEYS, KEYS),
)
SEQUENCES: st.SearchStrategy[list[Step]] = st.lists(st.one_of(*STEPS), max_size=9)
START: Form = {"labels": {"k0": "0"}, "finalizers": [], "containers": [{"name": "c1", "image": "i1", "env": {}}]}


class Model(Steps):
    """The one object that there is, and how each patch changes it."""

    def __init__(self) -> None:
        self.form = copy.deepcopy(START)

    def step(self, step: Step) -> Outcome:
        """Take it whole or not at all: what fails, or leaves the object invalid, changes nothing."""
        before = copy.deepcopy(self.form)
        outcome = super().step(step)
        names = [container["name"] for container in self.form["containers"]]
        if outcome["status"] != 200 or not names or len(set(names)) < len(names):
            self.form = before
            return REFUSED
        return {"status": 200, "form": copy.deepcopy(self.form), "moved": self.form != before}

    def _find(self, name: str) -> dict[str, Any] | None:
        return next((c for c in self.form["containers"] if c["name"] == name), None)

    def _strategic_label(self, key: str, value: str | None) -> Outcome:
        self.form["labels"].pop(key, None)
        if value is not None:
            self.form["labels"][key] = value
        return {"status": 200}

    _merge_label = _strategic_label

    def _strategic_container(self, name: str, image: str) -> Outcome:
        """By its name; a new one comes before those that the patch does not name."""
        found = self._find(name)
        if found is None:
            self.form["containers"].insert(0, {"name": name, "image": image, "env": {}})
        else:
            found["image"] = image
        return {"status": 200}

    def _strategic_variable(self, name: str, image: str, variable: str, value: str) -> Outcome:
        self._strategic_container(name, image)
        found = self._find(name)
        assert found is not None
        old = found["env"]
        found["env"] = {**old, variable: value} if variable in old else {variable: value, **old}
        return {"status": 200}

    def _strategic_order(self, name: str, image: str, order: tuple[str, ...]) -> Outcome:
        self._strategic_container(name, image)
        self.form["containers"].sort(key=lambda container: order.index(container["name"]))
        return {"status": 200}

    def _strategic_without(self, name: str) -> Outcome:
        self.form["containers"] = [c for c in self.form["containers"] if c["name"] != name]
        return {"status": 200}

    def _strategic_replace(self, name: str, image: str) -> Outcome:
        self.form["containers"] = [{"name": name, "image": image, "env": {}}]
        return {"status": 200}

    _merge_container = _strategic_replace

    def _strategic_finalizer(self, finalizer: str) -> Outcome:
        found = self.form["finalizers"]
        self.form["finalizers"] = found if finalizer in found else [finalizer, *found]
        return {"status": 200}

    def _strategic_release(self, finalizer: str) -> Outcome:
        self.form["finalizers"] = [f for f in self.form["finalizers"] if f != finalizer]
        return {"status": 200}

    def _merge_finalizer(self, finalizer: str) -> Outcome:
        self.form["finalizers"] = [finalizer]
        return {"status": 200}

    def _json_label(self, operation: str, key: str, value: str) -> Outcome:
        labels = self.form["labels"]
        if operation == "test":
            return {"status": 200 if labels.get(key) == value else 422}
        if operation == "remove" and key not in labels:
            return REFUSED
        return self._strategic_label(key, None if operation == "remove" else value)

    def _at(self, index: str, places: int) -> int | None:
        """The place that an index of a JSON pointer means. Negative ones count from the end, upstream too."""
        try:
            place = int(index)
        except ValueError:
            return None
        place += places if place < 0 else 0
        return place if 0 <= place < places else None

    def _json_container(self, operation: str, index: str, name: str, image: str) -> Outcome:
        containers = self.form["containers"]
        made = {"name": name, "image": image, "env": {}}
        if operation == "add":
            place = len(containers) if index == "-" else self._at(index, len(containers) + 1)
            if place is None:
                return REFUSED
            containers.insert(place, made)
            return {"status": 200}
        place = self._at(index, len(containers))
        if place is None:
            return REFUSED
        containers[place] = made
        return {"status": 200}

    def _json_image(self, operation: str, index: str, image: str) -> Outcome:
        place = self._at(index, len(self.form["containers"]))
        if place is None:
            return REFUSED
        container = self.form["containers"][place]
        if operation == "test":
            return {"status": 200 if container["image"] == image else 422}
        container["image"] = image
        return {"status": 200}

    def _json_remove(self, index: str) -> Outcome:
        place = self._at(index, len(self.form["containers"]))
        if place is None:
            return REFUSED
        del self.form["containers"][place]
        return {"status": 200}

    def _json_label_from(self, operation: str, source: str, key: str) -> Outcome:
        """The copy of what is not there is null, and a label's null is the empty text."""
        labels = self.form["labels"]
        if operation == "copy":
            labels[key] = labels.get(source, "")
            return {"status": 200}
        if source not in labels:
            return REFUSED
        labels[key] = labels.pop(source)
        return {"status": 200}


def predict(steps: Sequence[Step]) -> list[Outcome]:
    """What each step shows."""
    model = Model()
    return [model.step(step) for step in steps]


class PatchRun(Steps):
    """One sequence of patches of one PodTemplate on one server."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.name = f"fuzz-{token()}"
        template = {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "c1", "image": "i1"}]}}
        metadata = {"name": self.name, "labels": START["labels"]}
        body = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": metadata, "template": template}
        self.version = session.ask("POST", BASE, body).body["metadata"]["resourceVersion"]

    def end(self) -> None:
        """Take it away."""
        self._ask({"metadata": {"finalizers": None}}, MERGE)
        self.session.ask("DELETE", f"{BASE}/{self.name}")

    def _ask(self, body: Any, media: str) -> Reply:
        return self.session.ask("PATCH", f"{BASE}/{self.name}", body, media)

    def _patch(self, body: Any, media: str) -> Outcome:
        reply = self._ask(body, media)
        if reply.status != 200:
            return {"status": reply.status}
        version = reply.body["metadata"]["resourceVersion"]
        moved, self.version = version != self.version, version
        return {"status": 200, "form": form(reply.body), "moved": moved}

    def _containers(self, media: str, *containers: Form, **spec: Any) -> Outcome:
        return self._patch({"template": {"spec": {**spec, "containers": list(containers)}}}, media)

    def _json(self, operation: str, path: str, **more: Any) -> Outcome:
        return self._patch([{"op": operation, "path": path, **more}], JSON)

    def _strategic_label(self, key: str, value: str | None) -> Outcome:
        return self._patch({"metadata": {"labels": {key: value}}}, STRATEGIC)

    def _merge_label(self, key: str, value: str | None) -> Outcome:
        return self._patch({"metadata": {"labels": {key: value}}}, MERGE)

    def _strategic_container(self, name: str, image: str) -> Outcome:
        return self._containers(STRATEGIC, {"name": name, "image": image})

    def _merge_container(self, name: str, image: str) -> Outcome:
        return self._containers(MERGE, {"name": name, "image": image})

    def _strategic_variable(self, name: str, image: str, variable: str, value: str) -> Outcome:
        return self._containers(STRATEGIC, {"name": name, "image": image, "env": [{"name": variable, "value": value}]})

    def _strategic_order(self, name: str, image: str, order: tuple[str, ...]) -> Outcome:
        names = [{"name": each} for each in order]
        return self._containers(STRATEGIC, {"name": name, "image": image}, **{"$setElementOrder/containers": names})

    def _strategic_without(self, name: str) -> Outcome:
        return self._containers(STRATEGIC, {"name": name, "$patch": "delete"})

    def _strategic_replace(self, name: str, image: str) -> Outcome:
        return self._containers(STRATEGIC, {"name": name, "image": image}, {"$patch": "replace"})

    def _strategic_finalizer(self, finalizer: str) -> Outcome:
        return self._patch({"metadata": {"finalizers": [f"{GROUP}/{finalizer}"]}}, STRATEGIC)

    def _strategic_release(self, finalizer: str) -> Outcome:
        return self._patch({"metadata": {"$deleteFromPrimitiveList/finalizers": [f"{GROUP}/{finalizer}"]}}, STRATEGIC)

    def _merge_finalizer(self, finalizer: str) -> Outcome:
        return self._patch({"metadata": {"finalizers": [f"{GROUP}/{finalizer}"]}}, MERGE)

    def _json_label(self, operation: str, key: str, value: str) -> Outcome:
        more = {} if operation == "remove" else {"value": value}
        return self._json(operation, f"/metadata/labels/{key}", **more)

    def _json_container(self, operation: str, index: str, name: str, image: str) -> Outcome:
        return self._json(operation, f"/template/spec/containers/{index}", value={"name": name, "image": image})

    def _json_image(self, operation: str, index: str, image: str) -> Outcome:
        return self._json(operation, f"/template/spec/containers/{index}/image", value=image)

    def _json_remove(self, index: str) -> Outcome:
        return self._json("remove", f"/template/spec/containers/{index}")

    def _json_label_from(self, operation: str, source: str, key: str) -> Outcome:
        return self._json(operation, f"/metadata/labels/{key}", **{"from": f"/metadata/labels/{source}"})


def form(obj: Any) -> Form:
    """What the model knows of a PodTemplate."""
    metadata = obj["metadata"]
    return {
        "labels": metadata.get("labels") or {},
        "finalizers": [f.removeprefix(f"{GROUP}/") for f in metadata.get("finalizers") or ()],
        "containers": [
            {"name": c["name"], "image": c["image"], "env": {v["name"]: v["value"] for v in c.get("env") or ()}}
            for c in obj["template"]["spec"]["containers"]
        ],
    }


def observe(session: Session, steps: Sequence[Step]) -> list[Outcome]:
    """Do the steps; what each showed."""
    run = PatchRun(session)
    try:
        return [run.step(step) for step in steps]
    finally:
        run.end()


MACHINE = Machine("patches", SEQUENCES, predict, observe)
