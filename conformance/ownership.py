"""The machine for finalizers, owner references and deletion: policies, preconditions, dry runs, collections.

The reference says what the API server alone does, as upstream's registry/rest/delete.go and the garbage collection half
of registry/generic/registry/store.go: it adds and removes the finalizers orphan and foregroundDeletion, and never looks
at dependents. Where a garbage collector runs, that one goes on from there, so the machine is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from conformance.machine import Machine, Outcome, Step, Steps
from conformance.target import Reply, Session
from conformance.things import FINALIZER, GROUP, ThingRun

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
Owners = tuple[tuple[str, bool], ...]
# policy -> what is sent; the finalizer that it sets ("": none, None: what is there stays).
POLICIES: dict[str, tuple[dict[str, Any], str | None]] = {
    "": ({}, None),
    "Background": ({"propagationPolicy": "Background"}, ""),
    "Orphan": ({"propagationPolicy": "Orphan"}, ORPHAN),
    "Foreground": ({"propagationPolicy": "Foreground"}, FOREGROUND),
    "orphanDependents": ({"orphanDependents": True}, ORPHAN),
    "orphanDependents=false": ({"orphanDependents": False}, ""),
    "both": ({"orphanDependents": True, "propagationPolicy": "Orphan"}, None),
    "unknown": ({"propagationPolicy": "Sideways"}, None),
}
REFUSED = ("both", "unknown")
# What else a deletion says. None of these objects is deleted gracefully: grace periods change nothing.
HOWS = ("", "uid", "other uid", "version", "first version", "dry run", "grace 0", "grace 30", "grace -1")

NAMES = st.sampled_from(["a", "b", "c"])
LABELS = st.sampled_from(["x", "y"])
FINALIZERS = st.sampled_from([(), (FINALIZER,), (ORPHAN,), (FOREGROUND,), (FINALIZER, ORPHAN), (ORPHAN, FOREGROUND)])
OWNERS = st.lists(st.tuples(NAMES, st.booleans()), max_size=2, unique_by=lambda owner: owner[0]).map(tuple)
POLICY = st.sampled_from(list(POLICIES))
CREATE = st.tuples(st.just("create"), NAMES, LABELS, FINALIZERS, OWNERS)
OTHERS = (
    st.tuples(st.just("finalizers"), NAMES, FINALIZERS),
    st.tuples(st.just("own"), NAMES, OWNERS),
    st.tuples(st.just("delete"), NAMES, POLICY, st.sampled_from(HOWS)),
    st.tuples(st.just("delete"), NAMES, POLICY, st.just("")),
    st.tuples(st.just("collection"), st.sampled_from(["", "x"]), POLICY),
)
SEQUENCES: st.SearchStrategy[list[Step]] = st.tuples(
    st.lists(CREATE, max_size=3), st.lists(st.one_of(CREATE, *OTHERS), max_size=8)
).map(lambda parts: [*parts[0], *parts[1]])


class Owned(Struct):
    """One object. owners: name, whether it is the controller, and which of all that had the name (0: none had yet);
    versions: how many it has had."""

    label: str
    finalizers: tuple[str, ...]
    owners: tuple[tuple[str, bool, int], ...]
    deleting: bool = False
    generation: int = 1
    versions: int = 1

    def shown(self) -> dict[str, Any]:
        """What OwnershipRun.project() reads off the real object."""
        return {
            "label": self.label, "finalizers": list(self.finalizers), "owners": [list(owner) for owner in self.owners],
            "deleting": self.deleting, "grace": 0 if self.deleting else None, "generation": self.generation,
        }  # fmt: skip


def valid(finalizers: tuple[str, ...], owners: Owners) -> bool:
    """One finalizer of the garbage collector at most, and one controller."""
    return not {ORPHAN, FOREGROUND} <= set(finalizers) and sum(controller for _, controller in owners) < 2


class Model(Steps):
    """The objects by name, and every event so far."""

    def __init__(self) -> None:
        self.things: dict[str, Owned] = {}
        self.events: list[tuple[str, str, dict[str, Any] | None]] = []
        self.lives: Counter[str] = Counter()

    def _owners(self, owners: Owners) -> tuple[tuple[str, bool, int], ...]:
        return tuple((name, controller, self.lives[name]) for name, controller in owners)

    def _create(self, name: str, label: str, finalizers: tuple[str, ...], owners: Owners) -> Outcome:
        if not valid(finalizers, owners):
            return {"status": 422}
        if name in self.things:
            return {"status": 409}
        self.things[name] = Owned(label, finalizers, self._owners(owners))
        self.lives[name] += 1
        self.events.append(("ADDED", name, self.things[name].shown()))
        return {"status": 201, "thing": self.things[name].shown()}

    def _finalizers(self, name: str, finalizers: tuple[str, ...]) -> Outcome:
        thing = self.things.get(name)
        if thing is None:
            return {"status": 404}
        if not valid(finalizers, ()) or (thing.deleting and not set(finalizers) <= set(thing.finalizers)):
            return {"status": 422}
        if thing.deleting and not finalizers:
            return self._gone(name)
        return self._changed(name, finalizers=finalizers)

    def _own(self, name: str, owners: Owners) -> Outcome:
        if name not in self.things:
            return {"status": 404}
        return self._changed(name, owners=self._owners(owners)) if valid((), owners) else {"status": 422}

    def _delete(self, name: str, policy: str, how: str) -> Outcome:
        if policy in REFUSED:
            return {"status": 422}
        thing = self.things.get(name)
        if thing is None:
            return {"status": 404}
        if how == "other uid" or (how == "first version" and thing.versions > 1):
            return {"status": 409}
        wanted = POLICIES[policy][1]
        left = thing.finalizers
        if wanted is not None:
            left = tuple(f for f in left if f not in (ORPHAN, FOREGROUND)) + ((wanted,) if wanted else ())
        if how == "dry run":
            return {"status": self._accepted(policy, left), "thing": thing.shown()}
        if not left:
            return self._gone(name)
        generation = thing.generation + (not thing.deleting)
        done = self._changed(name, finalizers=left, deleting=True, generation=generation)
        return {**done, "status": self._accepted(policy, left)}

    def _accepted(self, policy: str, left: tuple[str, ...]) -> int:
        """202 is for those who ask with the old field for what takes its time."""
        return 202 if left and policy == "orphanDependents=false" else 200

    def _collection(self, label: str, policy: str) -> Outcome:
        if policy in REFUSED:
            return {"status": 422}
        for name in sorted(name for name, thing in self.things.items() if label in ("", thing.label)):
            self._delete(name, policy, "")
        return {"status": 200, "left": [(name, thing.shown()) for name, thing in sorted(self.things.items())]}

    def _changed(self, name: str, **fields: Any) -> Outcome:
        thing = self.things[name]
        before = thing.shown()
        for key, value in fields.items():
            setattr(thing, key, value)
        if thing.shown() != before:
            thing.versions += 1
            self.events.append(("MODIFIED", name, thing.shown()))
        return {"status": 200, "thing": thing.shown()}

    def _gone(self, name: str) -> Outcome:
        del self.things[name]
        self.events.append(("DELETED", name, None))
        return {"status": 200, "gone": True}


def predict(steps: Sequence[Step]) -> list[Outcome]:
    """What the steps show, and in the end what a watch from the beginning has seen."""
    model = Model()
    return [*map(model.step, steps), {"watch": model.events}]


class OwnershipRun(ThingRun):
    """One sequence of steps on one server."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.first: dict[str, Any] = {}
        self.lives: Counter[str] = Counter()
        self.uids: dict[str, int] = {}

    def project(self, obj: Any) -> dict[str, Any]:
        """What the model knows of an object."""
        metadata = obj["metadata"]
        owners = metadata.get("ownerReferences") or ()
        return {
            "label": metadata["labels"].get("l"), "finalizers": metadata.get("finalizers") or [],
            "owners": [
                [self.name({"metadata": o}), o.get("controller", False), self.uids.get(o["uid"], 0)] for o in owners
            ],
            "deleting": "deletionTimestamp" in metadata, "grace": metadata.get("deletionGracePeriodSeconds"),
            "generation": metadata.get("generation"),
        }  # fmt: skip

    def _references(self, owners: Owners) -> list[dict[str, Any]]:
        """The owners by the uids that they had last; some have never been there."""
        return [
            {
                "apiVersion": f"{GROUP}/v1", "kind": "Thing", "name": f"{name}-{self.token}",
                "uid": self.first[name]["uid"] if name in self.first else f"nobody-{name}",
                "controller": controller, "blockOwnerDeletion": True,
            }
            for name, controller in owners
        ]  # fmt: skip

    def _create(self, name: str, label: str, finalizers: tuple[str, ...], owners: Owners) -> Outcome:
        made = self.make(name, label, finalizers=list(finalizers), ownerReferences=self._references(owners))
        if made.status != 201:
            return {"status": made.status}
        self.first[name] = made.body["metadata"]
        self.lives[name] += 1
        self.uids[made.body["metadata"]["uid"]] = self.lives[name]
        return {"status": made.status, "thing": self.project(made.body)}

    def _finalizers(self, name: str, finalizers: tuple[str, ...]) -> Outcome:
        return self._after(name, self.edit(name, {"metadata": {"finalizers": list(finalizers)}}))

    def _own(self, name: str, owners: Owners) -> Outcome:
        return self._after(name, self.edit(name, {"metadata": {"ownerReferences": self._references(owners)}}))

    def _delete(self, name: str, policy: str, how: str) -> Outcome:
        first: dict[str, Any] = self.first.get(name) or {"uid": "none", "resourceVersion": "1"}
        said: dict[str, dict[str, Any]] = {
            "uid": {"preconditions": {"uid": first["uid"]}},
            "other uid": {"preconditions": {"uid": "another"}},
            "first version": {"preconditions": {"resourceVersion": first["resourceVersion"]}},
            "dry run": {"dryRun": ["All"]},
        }
        more = said.get(how, {})
        if how == "version":
            found = self.session.ask("GET", self.path(name)).body.get("metadata") or first
            more = {"preconditions": {"resourceVersion": found["resourceVersion"]}}
        if how.startswith("grace"):
            more = {"gracePeriodSeconds": int(how.split()[1])}
        return self._after(name, self.session.ask("DELETE", self.path(name), {**POLICIES[policy][0], **more}))

    def _collection(self, label: str, policy: str) -> Outcome:
        done = self.session.ask("DELETE", self.all(label), POLICIES[policy][0])
        if done.status != 200:
            return {"status": done.status}
        left = self.session.ask("GET", self.all()).body["items"]
        return {"status": 200, "left": [(self.name(item), self.project(item)) for item in left]}

    def _after(self, name: str, reply: Reply) -> Outcome:
        """The answer's status, and how the object is now."""
        if reply.status >= 300:
            return {"status": reply.status}
        found = self.session.ask("GET", self.path(name))
        if found.status == 404:
            return {"status": reply.status, "gone": True}
        return {"status": reply.status, "thing": self.project(found.body)}


def observe(session: Session, steps: Sequence[Step]) -> list[Outcome]:
    """Do the steps; what each showed, and what a watch from the beginning has seen in the end."""
    run = OwnershipRun(session)
    return [*map(run.step, steps), run.watched()]


MACHINE = Machine("ownership", SEQUENCES, predict, observe, controllers=False)
