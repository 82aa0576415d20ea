"""The machine for create, read, update, patch, apply, delete, lists, pages, watches; crudmodel.py is its reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from conformance.crudmodel import predict
from conformance.machine import Machine, Outcome, Step
from conformance.target import Reply, Session
from conformance.things import FINALIZER, GROUP, SELECTED, SENTINEL, ThingRun

APPLY = "application/apply-patch+yaml"
STEPS = 12
NAMES = st.sampled_from(["a", "b", "c"])
LABELS = st.sampled_from(["x", "y"])
MANAGERS = st.sampled_from(["m1", "m2"])
KEYS = st.lists(st.sampled_from(["k1", "k2"]), unique=True).map(lambda keys: tuple(sorted(keys)))
NUMBERS = st.integers(1, 3)

WRITES = (
    st.tuples(st.just("create"), NAMES, LABELS, st.booleans()),
    st.tuples(st.just("put"), NAMES, LABELS, NUMBERS, st.booleans()),
    st.tuples(st.just("label"), NAMES, LABELS),
    st.tuples(st.just("status"), NAMES, NUMBERS),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("release"), NAMES),
    st.tuples(st.just("apply"), NAMES, MANAGERS, KEYS, st.sampled_from(["1", "2"])),
)
READS = (
    st.tuples(st.just("list"), st.sampled_from(["", "x"])),
    st.tuples(st.just("page"), st.integers(1, 2), st.one_of(*WRITES)),
)
# Most sequences begin with something to work on; shrinking drops what is not needed.
SEQUENCES: st.SearchStrategy[list[Step]] = st.tuples(
    st.lists(WRITES[0], max_size=3), st.lists(st.one_of(*WRITES, *READS), max_size=STEPS - 3)
).map(lambda parts: [*parts[0], *parts[1]])


class CrudRun(ThingRun):
    """One sequence of steps on one server."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.first: dict[str, Any] = {}

    def project(self, obj: Any) -> dict[str, Any]:
        """What of an object the model knows: annotations come with those who applied them."""
        metadata = obj["metadata"]
        keys = metadata.get("annotations") or {}
        owners: dict[str, list[str]] = {key: [] for key in sorted(keys)}
        for entry in metadata.get("managedFields") or ():
            if entry.get("operation") == "Apply":
                for part in (entry.get("fieldsV1") or {}).get("f:metadata", {}).get("f:annotations", {}):
                    owners.setdefault(part.removeprefix("f:"), []).append(entry["manager"])
        owners.pop(".", None)
        return {
            "label": metadata["labels"].get("l"), "replicas": obj["spec"].get("replicas"),
            "seen": (obj.get("status") or {}).get("seen", 0), "generation": metadata.get("generation"),
            "finalizer": FINALIZER in (metadata.get("finalizers") or ()), "deleting": "deletionTimestamp" in metadata,
            "keys": dict(sorted(keys.items())), "owners": {key: sorted(found) for key, found in sorted(owners.items())},
        }  # fmt: skip

    def _create(self, name: str, label: str, finalizer: bool) -> Outcome:
        made = self.make(name, label, **({"finalizers": [FINALIZER]} if finalizer else {}))
        if made.status == 201:
            self.first[name] = made.body
        return self.moved(name, made)

    def _put(self, name: str, label: str, replicas: int, stale: bool) -> Outcome:
        found = self.session.ask("GET", self.path(name))
        if found.status != 200:
            return {"status": found.status}
        body = self.first[name] if stale else found.body
        metadata = {**body["metadata"], "labels": {**body["metadata"]["labels"], "l": label}}
        metadata.pop("managedFields", None)
        body = {**body, "metadata": metadata, "spec": {"replicas": replicas}}
        return self.moved(name, self.session.ask("PUT", self.path(name), body))

    def _label(self, name: str, label: str) -> Outcome:
        return self.moved(name, self.edit(name, {"metadata": {"labels": {"l": label}}}))

    def _status(self, name: str, seen: int) -> Outcome:
        return self.moved(name, self.edit(name, {"status": {"seen": seen}}, "/status"))

    def _delete(self, name: str) -> Outcome:
        return self._perhaps_gone(name, self.session.ask("DELETE", self.path(name)))

    def _release(self, name: str) -> Outcome:
        return self._perhaps_gone(name, self.edit(name, {"metadata": {"finalizers": None}}))

    def _apply(self, name: str, manager: str, keys: tuple[str, ...], value: str) -> Outcome:
        if self.session.ask("GET", self.path(name)).status != 200:
            return {"status": 404}
        metadata: dict[str, Any] = {"name": f"{name}-{self.token}"}
        if keys:
            metadata["annotations"] = dict.fromkeys(keys, value)
        body = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": metadata}
        path = f"{self.path(name)}?fieldManager={manager}&force=true"
        return self.moved(name, self.session.ask("PATCH", path, body, APPLY))

    def _list(self, label: str) -> Outcome:
        found = self.session.ask("GET", self.all(label))
        return {"status": found.status, "things": self._shown(found)}

    def _page(self, limit: int, between: Step) -> Outcome:
        found = self.session.ask("GET", self.all(more=f"&limit={limit}"))
        things = self._shown(found)
        token = found.body.get("metadata", {}).get("continue", "")
        done = self.step(between)
        while token:
            found = self.session.ask("GET", self.all(more=f"&limit={limit}&continue={quote(token)}"))
            things += self._shown(found)
            token = found.body.get("metadata", {}).get("continue", "")
        return {"status": found.status, "things": things, "between": done}

    def _shown(self, found: Reply) -> list[tuple[str, dict[str, Any]]]:
        items = ((self.name(item), self.project(item)) for item in found.body.get("items", []))
        return [item for item in items if not item[0].startswith(SENTINEL)]

    def _perhaps_gone(self, name: str, reply: Reply) -> Outcome:
        if reply.status == 200 and self.session.ask("GET", self.path(name)).status == 404:
            return {"status": 200, "gone": True}
        if reply.status == 200:
            reply = self.session.ask("GET", self.path(name))
        return self.moved(name, reply)


def observe(session: Session, steps: Sequence[Step]) -> list[Outcome]:
    """Do the steps; what each showed, and what two watches from the beginning have seen in the end."""
    run = CrudRun(session)
    outcomes = [run.step(step) for step in steps]
    return [*outcomes, run.watched(), run.watched(SELECTED)]


MACHINE = Machine("crud", SEQUENCES, predict, observe)
