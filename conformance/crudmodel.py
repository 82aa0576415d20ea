"""What an API server has to answer to crud.py's steps, by a small dict: the reference that fuzzing compares with.

Objects are Things (a custom resource with a status and a generation). A step is a tuple of plain values; predict() says
what each step shows, in the same shape as crud.observe() reads it off a server. Resource versions themselves are not
predicted, only whether a step moves an object's.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from conformance.machine import Outcome, Step, Steps
from conformance.things import SELECTED


class Thing(Struct):
    """One object. keys: annotation -> (value, appliers that own it). versions: how many it has had."""

    label: str
    finalizer: bool
    replicas: int = 1
    seen: int = 0
    generation: int = 1
    deleting: bool = False
    keys: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    versions: int = 1

    def shown(self) -> dict[str, Any]:
        """What CrudRun.project() reads off the real object."""
        return {
            "label": self.label, "replicas": self.replicas, "seen": self.seen, "generation": self.generation,
            "finalizer": self.finalizer, "deleting": self.deleting,
            "keys": {key: value for key, (value, _) in sorted(self.keys.items())},
            "owners": {key: sorted(owners) for key, (_, owners) in sorted(self.keys.items())},
        }  # fmt: skip


class Model(Steps):
    """The things by name, and every event so far."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.first: dict[str, Thing] = {}
        self.events: list[tuple[str, str, dict[str, Any] | None, dict[str, Any] | None]] = []

    def watched(self, label: str = "") -> list[tuple[str, str, dict[str, Any] | None]]:
        """The events of a watch from the beginning (of the things with that label)."""
        found = []
        for name, before, after in ((n, b, a) for _, n, b, a in self.events):
            was = before is not None and label in ("", before["label"])
            now = after is not None and label in ("", after["label"])
            if now:
                found.append(("MODIFIED" if was else "ADDED", name, after))
            elif was:
                found.append(("DELETED", name, None))
        return found

    def _create(self, name: str, label: str, finalizer: bool) -> Outcome:
        if name in self.things:
            return {"status": 409}
        self.things[name] = Thing(label, finalizer)
        self.first[name] = copy.deepcopy(self.things[name])
        return self._moved(name, None, 201)

    def _put(self, name: str, label: str, replicas: int, stale: bool) -> Outcome:
        thing = self.things.get(name)
        if thing is None:
            return {"status": 404}
        if stale and thing.versions > 1:
            return {"status": 409}
        return self._changed(name, label=label, replicas=replicas)

    def _label(self, name: str, label: str) -> Outcome:
        return self._changed(name, label=label) if name in self.things else {"status": 404}

    def _status(self, name: str, seen: int) -> Outcome:
        return self._changed(name, seen=seen) if name in self.things else {"status": 404}

    def _changed(self, name: str, **fields: Any) -> Outcome:
        thing = self.things[name]
        before = thing.shown()
        if "replicas" in fields and fields["replicas"] != thing.replicas:
            thing.generation += 1
        for key, value in fields.items():
            setattr(thing, key, value)
        return self._moved(name, before, 200)

    def _delete(self, name: str) -> Outcome:
        thing = self.things.get(name)
        if thing is None:
            return {"status": 404}
        if not thing.finalizer:
            return self._gone(name)
        before = thing.shown()
        if not thing.deleting:
            thing.deleting = True
            thing.generation += 1
        return self._moved(name, before, 200)

    def _release(self, name: str) -> Outcome:
        thing = self.things.get(name)
        if thing is None:
            return {"status": 404}
        if thing.deleting:
            return self._gone(name)
        return self._changed(name, finalizer=False)

    def _apply(self, name: str, manager: str, keys: tuple[str, ...], value: str) -> Outcome:
        """Server-side apply of annotations, forced."""
        thing = self.things.get(name)
        if thing is None:
            return {"status": 404}
        before = thing.shown()
        for key, (held, owners) in list(thing.keys.items()):
            if manager in owners and key not in keys:
                left = owners - {manager}
                thing.keys[key] = (held, left)
                if not left:
                    del thing.keys[key]
        for key in keys:
            held, owners = thing.keys.get(key, (value, frozenset[str]()))
            thing.keys[key] = (value, owners | {manager} if held == value else frozenset({manager}))
        return self._moved(name, before, 200)

    def _list(self, label: str) -> Outcome:
        return {"status": 200, "things": self._shown(label)}

    def _page(self, limit: int, between: Step) -> Outcome:
        """Pages of one list, with a write after the first: all of them show the state before it."""
        things = self._shown("")
        return {"status": 200, "things": things, "between": self.step(between)}

    def _shown(self, label: str) -> list[tuple[str, dict[str, Any]]]:
        return [(n, t.shown()) for n, t in sorted(self.things.items()) if label in ("", t.label)]

    def _moved(self, name: str, before: dict[str, Any] | None, status: int) -> Outcome:
        thing = self.things[name]
        after = thing.shown()
        moved = before != after
        if moved:
            thing.versions += before is not None
            self.events.append(("", name, before, after))
        return {"status": status, "thing": after, "moved": moved}

    def _gone(self, name: str) -> Outcome:
        before = self.things.pop(name).shown()
        self.events.append(("", name, before, None))
        return {"status": 200, "gone": True}


def predict(steps: Sequence[Step]) -> list[Outcome]:
    """What the steps show, and in the end what two watches from the beginning have seen: of all, and of one label."""
    model = Model()
    outcomes = [model.step(step) for step in steps]
    return [*outcomes, {"watch": model.watched()}, {"watch": model.watched(SELECTED)}]
