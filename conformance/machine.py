"""Takes generated steps to an API server and reads off what they show, in the shape of model.predict().

Needs nothing of the server but a CustomResourceDefinition of its own, so that no controller has a hand in it, on a real
cluster either. Each run has its own names and label: nothing is cleaned up between runs but by finish().
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from conformance.model import SELECTED, Outcome, Step
from conformance.target import Reply, Session, Target

GROUP = "conformance.fakekube.dev"
PLURAL = "things"
NAMESPACE = "default"
BASE = f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/{PLURAL}"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FINALIZER = f"{GROUP}/kept"
SENTINEL = "zz"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
WATCH_SECONDS = 10
_SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        "status": {"type": "object", "properties": {"seen": {"type": "integer"}}},
    },
}
_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": _SCHEMA},
            }
        ],
    },
}


class SetupError(Exception):
    """The server cannot be fuzzed; the message is one line for a person."""


def prepare(target: Target, seconds: float = 15.0) -> None:
    """Define the resource and wait until it is served. SetupError."""
    session = Session(target)
    made = session.ask("POST", DEFINITIONS, _DEFINITION)
    if made.status not in (201, 409):
        raise SetupError(f"cannot define {PLURAL}.{GROUP}: {made.body.get('message', made.status)}")
    deadline = time.monotonic() + seconds
    while session.ask("GET", BASE).status != 200:
        if time.monotonic() > deadline:
            raise SetupError(f"{PLURAL}.{GROUP} is not served after {seconds:g} s")
        time.sleep(0.02)


def finish(target: Target) -> None:
    """Take the resource and all its objects away."""
    session = Session(target)
    for item in session.ask("GET", BASE).body.get("items", []):
        if item["metadata"].get("finalizers"):
            session.ask("PATCH", f"{BASE}/{item['metadata']['name']}", {"metadata": {"finalizers": None}}, MERGE)
    session.ask("DELETE", f"{DEFINITIONS}/{PLURAL}.{GROUP}")


_runs = itertools.count(1)


class Run:
    """One sequence of steps on one server."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.token = f"{secrets.token_hex(3)}{next(_runs)}"
        self.newest = 0
        self.versions: dict[str, int] = {}
        self.first: dict[str, Any] = {}
        self.start = self.session.ask("GET", self._all()).body["metadata"]["resourceVersion"]

    def _all(self, label: str = "", more: str = "") -> str:
        selector = f"run={self.token}" + (f",l={label}" if label else "")
        return f"{BASE}?labelSelector={quote(selector)}{more}"

    def _path(self, name: str) -> str:
        return f"{BASE}/{name}-{self.token}"

    def step(self, step: Step) -> Outcome:
        """Do it; what it showed."""
        kind, *arguments = step
        outcome: Outcome = getattr(self, f"_{kind}")(*arguments)
        return outcome

    def watched(self, label: str = "") -> Outcome:
        """Events from the beginning up to an object that is made now, of all or of one label, and whether their
        revisions only grow."""
        sentinel = f"{SENTINEL}{label}"
        made = self._make(sentinel, SELECTED, False)
        path = self._all(label, f"&watch=1&resourceVersion={self.start}&timeoutSeconds={WATCH_SECONDS}")
        status, events = self.session.watch(path, lambda e: self._name(e["object"]) == sentinel)
        if status != 200:
            return {"watch": f"status {status}"}
        self.session.ask("DELETE", self._path(sentinel))
        shown, last = [], int(self.start)
        for event in events:
            version = int(event["object"]["metadata"].get("resourceVersion", 0))
            if event["type"] == "ERROR" or version <= last:
                return {"watch": f"event {event['type']} at {version} after {last}"}
            last = version
            name = self._name(event["object"])
            if name.startswith(SENTINEL):
                continue
            shown.append((event["type"], name, None if event["type"] == "DELETED" else project(event["object"])))
        return {"watch": shown} if made.status == 201 else {"watch": "no sentinel"}

    def _name(self, obj: Any) -> str:
        return str(obj.get("metadata", {}).get("name", "")).removesuffix(f"-{self.token}")

    def _make(self, name: str, label: str, finalizer: bool) -> Reply:
        metadata: dict[str, Any] = {"name": f"{name}-{self.token}", "labels": {"run": self.token, "l": label}}
        if finalizer:
            metadata["finalizers"] = [FINALIZER]
        body = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": metadata, "spec": {"replicas": 1}}
        return self.session.ask("POST", BASE, body)

    def _create(self, name: str, label: str, finalizer: bool) -> Outcome:
        made = self._make(name, label, finalizer)
        if made.status == 201:
            self.versions.pop(name, None)
            self.first[name] = made.body
        return self._moved(name, made)

    def _put(self, name: str, label: str, replicas: int, stale: bool) -> Outcome:
        found = self.session.ask("GET", self._path(name))
        if found.status != 200:
            return {"status": found.status}
        body = self.first[name] if stale else found.body
        metadata = {**body["metadata"], "labels": {**body["metadata"]["labels"], "l": label}}
        metadata.pop("managedFields", None)
        body = {**body, "metadata": metadata, "spec": {"replicas": replicas}}
        return self._moved(name, self.session.ask("PUT", self._path(name), body))

    def _label(self, name: str, label: str) -> Outcome:
        return self._moved(
            name, self.session.ask("PATCH", self._path(name), {"metadata": {"labels": {"l": label}}}, MERGE)
        )

    def _status(self, name: str, seen: int) -> Outcome:
        path = f"{self._path(name)}/status"
        return self._moved(name, self.session.ask("PATCH", path, {"status": {"seen": seen}}, MERGE))

    def _delete(self, name: str) -> Outcome:
        return self._perhaps_gone(name, self.session.ask("DELETE", self._path(name)))

    def _release(self, name: str) -> Outcome:
        body = {"metadata": {"finalizers": None}}
        return self._perhaps_gone(name, self.session.ask("PATCH", self._path(name), body, MERGE))

    def _apply(self, name: str, manager: str, keys: tuple[str, ...], value: str) -> Outcome:
        if self.session.ask("GET", self._path(name)).status != 200:
            return {"status": 404}
        metadata: dict[str, Any] = {"name": f"{name}-{self.token}"}
        if keys:
            metadata["annotations"] = dict.fromkeys(keys, value)
        body = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": metadata}
        path = f"{self._path(name)}?fieldManager={manager}&force=true"
        return self._moved(name, self.session.ask("PATCH", path, body, APPLY))

    def _list(self, label: str) -> Outcome:
        found = self.session.ask("GET", self._all(label))
        return {"status": found.status, "things": self._shown(found)}

    def _page(self, limit: int, between: Step) -> Outcome:
        found = self.session.ask("GET", self._all(more=f"&limit={limit}"))
        things = self._shown(found)
        token = found.body.get("metadata", {}).get("continue", "")
        done = self.step(between)
        while token:
            found = self.session.ask("GET", self._all(more=f"&limit={limit}&continue={quote(token)}"))
            things += self._shown(found)
            token = found.body.get("metadata", {}).get("continue", "")
        return {"status": found.status, "things": things, "between": done}

    def _shown(self, found: Reply) -> list[tuple[str, dict[str, Any]]]:
        items = ((self._name(item), project(item)) for item in found.body.get("items", []))
        return [item for item in items if not item[0].startswith(SENTINEL)]

    def _perhaps_gone(self, name: str, reply: Reply) -> Outcome:
        if reply.status == 200 and self.session.ask("GET", self._path(name)).status == 404:
            return {"status": 200, "gone": True}
        if reply.status == 200:
            reply = self.session.ask("GET", self._path(name))
        return self._moved(name, reply)

    def _moved(self, name: str, reply: Reply) -> Outcome:
        """The object after a write, and whether its version moved: if it did, beyond all that were seen."""
        if reply.status >= 300:
            return {"status": reply.status}
        version = int(reply.body["metadata"]["resourceVersion"])
        moved = version != self.versions.get(name)
        outcome: Outcome = {"status": reply.status, "thing": project(reply.body), "moved": moved}
        if moved and version <= self.newest:
            outcome["version"] = f"{version} is not newer than {self.newest}"
        self.newest = max(self.newest, version)
        self.versions[name] = version
        return outcome


def project(obj: Any) -> dict[str, Any]:
    """What of an object the model knows."""
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


def observe(session: Session, steps: Sequence[Step]) -> list[Outcome]:
    """Do the steps; what each showed, and what two watches from the beginning have seen in the end."""
    run = Run(session)
    outcomes = [run.step(step) for step in steps]
    return [*outcomes, run.watched(), run.watched(SELECTED)]
