"""The custom resource that two machines work on, Things, and what their runs on a server share.

A CustomResourceDefinition of its own is all that is needed of the server, so that no controller has a hand in it, on a
real cluster either. Each run has its own names and label: nothing is cleaned up between runs but by finish().
"""

from __future__ import annotations

import itertools
import secrets
import time
from typing import Any
from urllib.parse import quote

from conformance.machine import Outcome, SetupError, Steps
from conformance.target import Reply, Session, Target

GROUP = "conformance.fakekube.dev"
PLURAL = "things"
NAMESPACE = "default"
BASE = f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/{PLURAL}"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SELECTED = "x"
FINALIZER = f"{GROUP}/kept"
SENTINEL = "zz"
MERGE = "application/merge-patch+json"
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


def controllers_run(target: Target) -> bool:
    """Whether a kube-controller-manager (and its garbage collector) is at work: it makes the default ServiceAccount."""
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
    return Session(target).ask("GET", account).status == 200


_runs = itertools.count(1)


def token() -> str:
    """What no other run's names have in them."""
    return f"{secrets.token_hex(3)}{next(_runs)}"


class ThingRun(Steps):
    """One sequence of steps on one server. project() says what of an object the machine's model knows."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.token = token()
        self.newest = 0
        self.versions: dict[str, int] = {}
        self.start = self.session.ask("GET", self.all()).body["metadata"]["resourceVersion"]

    def project(self, obj: Any) -> dict[str, Any]:
        """What is compared of an object."""
        raise NotImplementedError

    def all(self, label: str = "", more: str = "") -> str:
        """The path of all things of this run (with that label)."""
        selector = f"run={self.token}" + (f",l={label}" if label else "")
        return f"{BASE}?labelSelector={quote(selector)}{more}"

    def path(self, name: str) -> str:
        """The path of one thing."""
        return f"{BASE}/{name}-{self.token}"

    def watched(self, label: str = "") -> Outcome:
        """Events from the beginning up to an object that is made now, of all or of one label, and whether their
        revisions only grow."""
        sentinel = f"{SENTINEL}{label}"
        made = self.make(sentinel, SELECTED)
        path = self.all(label, f"&watch=1&resourceVersion={self.start}&timeoutSeconds={WATCH_SECONDS}")
        status, events = self.session.watch(path, lambda e: self.name(e["object"]) == sentinel)
        if status != 200:
            return {"watch": f"status {status}"}
        self.session.ask("DELETE", self.path(sentinel))
        shown, last = [], int(self.start)
        for event in events:
            version = int(event["object"]["metadata"].get("resourceVersion", 0))
            if event["type"] == "ERROR" or version <= last:
                return {"watch": f"event {event['type']} at {version} after {last}"}
            last = version
            name = self.name(event["object"])
            if name.startswith(SENTINEL):
                continue
            shown.append((event["type"], name, None if event["type"] == "DELETED" else self.project(event["object"])))
        return {"watch": shown} if made.status == 201 else {"watch": "no sentinel"}

    def name(self, obj: Any) -> str:
        """Its name as the steps call it."""
        return str(obj.get("metadata", {}).get("name", "")).removesuffix(f"-{self.token}")

    def make(self, name: str, label: str, **metadata: Any) -> Reply:
        """Create one, with this metadata beside its name and labels."""
        labels = {"run": self.token, "l": label}
        metadata = {"name": f"{name}-{self.token}", "labels": labels, **metadata}
        body = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": metadata, "spec": {"replicas": 1}}
        made = self.session.ask("POST", BASE, body)
        if made.status == 201:
            self.versions.pop(name, None)
        return made

    def edit(self, name: str, body: Any, subresource: str = "") -> Reply:
        """Merge the body into it."""
        return self.session.ask("PATCH", f"{self.path(name)}{subresource}", body, MERGE)

    def moved(self, name: str, reply: Reply) -> Outcome:
        """The object after a write, and whether its version moved: if it did, beyond all that were seen."""
        if reply.status >= 300:
            return {"status": reply.status}
        version = int(reply.body["metadata"]["resourceVersion"])
        moved = version != self.versions.get(name)
        outcome: Outcome = {"status": reply.status, "thing": self.project(reply.body), "moved": moved}
        if moved and version <= self.newest:
            outcome["version"] = f"{version} is not newer than {self.newest}"
        self.newest = max(self.newest, version)
        self.versions[name] = version
        return outcome
