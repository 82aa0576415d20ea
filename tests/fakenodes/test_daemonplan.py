"""What a DaemonSet does about its nodes, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from fakeapi.clock import rfc3339
from fakenodes.client.base import Obj
from fakenodes.controllers.daemonplan import plan
from fakenodes.controllers.history import superfluous

NOW = 1_800_000_000.0
NO_SCHEDULE = [{"key": "k", "effect": "NoSchedule"}]
NO_EXECUTE = [{"key": "k", "effect": "NoExecute"}]


def daemons(surge: int | str = 0, unavailable: int | str = 1, kind: str = "RollingUpdate") -> Obj:
    strategy: Obj = {"type": kind}
    if kind == "RollingUpdate":
        strategy["rollingUpdate"] = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {
        "metadata": {"name": "d", "uid": "d", "generation": 1},
        "spec": {"template": {"spec": {}}, "updateStrategy": strategy},
    }


def node(name: str, taints: list[Obj] | None = None) -> Obj:
    return {"metadata": {"name": name}, "spec": {"taints": taints or []}}


# letter -> (revision, phase, ready, going)
KINDS: dict[str, tuple[str, str, bool, bool]] = {
    "N": ("new", "Running", True, False),
    "n": ("new", "Running", False, False),
    "O": ("old", "Running", True, False),
    "o": ("old", "Running", False, False),
    "f": ("new", "Failed", False, False),
    "F": ("old", "Failed", False, False),
    "s": ("new", "Succeeded", False, False),
    "t": ("new", "Running", True, True),
    "T": ("old", "Running", True, True),
    "e": ("new", "Failed", False, True),
}


def pod(where: str, letter: str, serial: int) -> Obj:
    revision, phase, ready, going = KINDS[letter]
    meta: Obj = {"name": f"{where}{letter}{serial}", "labels": {"controller-revision-hash": revision}}
    meta["creationTimestamp"] = rfc3339(NOW - 100 + serial)
    if going:
        meta["deletionTimestamp"] = rfc3339(NOW)
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": rfc3339(NOW - 50)}]
    return {"metadata": meta, "spec": {"nodeName": where}, "status": {"phase": phase, "conditions": conditions}}


def pods(on: dict[str, str]) -> list[Obj]:
    return [pod(where, letter, i) for where, letters in on.items() for i, letter in enumerate(letters)]


def names(found: list[Obj]) -> list[str]:
    return [p["metadata"]["name"] for p in found]


@pytest.mark.parametrize(
    ("owner", "on", "create", "delete"),
    [
        (daemons(), {}, ["a", "b", "c"], []),
        (daemons(), {"a": "N", "b": "N", "c": "N"}, [], []),
        (daemons(), {"a": "NN", "b": "N", "c": "N"}, [], ["aN1"]),
        (daemons(), {"a": "nN", "b": "N", "c": "N"}, [], ["aN1"]),  # the oldest stays, ready or not
        (daemons(), {"a": "t", "b": "N", "c": "N"}, [], []),
        (daemons(), {"a": "e", "b": "N", "c": "N"}, ["a"], []),  # over, and only held by a finalizer
        # replacing
        (daemons(), {"a": "O", "b": "O", "c": "O"}, [], ["aO0"]),
        (daemons(unavailable=2), {"a": "O", "b": "O", "c": "O"}, [], ["aO0", "bO0"]),
        (daemons(unavailable="50%"), {"a": "O", "b": "O", "c": "O"}, [], ["aO0", "bO0"]),
        (daemons(), {"a": "n", "b": "O", "c": "O"}, [], []),
        (daemons(), {"a": "o", "b": "O", "c": "O"}, [], ["ao0"]),
        (daemons(), {"a": "O", "b": "o", "c": "o"}, [], ["bo0", "co0"]),
        (daemons(), {"a": "T", "b": "O", "c": "O"}, [], []),
        (daemons(kind="OnDelete"), {"a": "O", "b": "O", "c": "O"}, [], []),
        # surging: a new one beside the old one, which goes once that is available
        (daemons(1, 0), {"a": "O", "b": "O", "c": "O"}, ["a"], []),
        (daemons(2, 0), {"a": "O", "b": "O", "c": "O"}, ["a", "b"], []),
        (daemons(1, 0), {"a": "On", "b": "O", "c": "O"}, [], []),
        (daemons(1, 0), {"a": "ON", "b": "O", "c": "O"}, [], ["aO0"]),
        (daemons(1, 0), {"a": "on", "b": "O", "c": "O"}, [], ["ao0"]),
        (daemons(1, 0), {"a": "o", "b": "O", "c": "O"}, ["a", "b"], []),
        (daemons(1, 0), {"a": "t", "b": "N", "c": "N"}, ["a"], []),  # one that goes is none
        (daemons(1, 0), {"a": "OOn", "b": "N", "c": "N"}, [], ["aO1"]),
    ],
)
def test_three_nodes(owner: Obj, on: dict[str, str], create: list[str], delete: list[str]) -> None:
    found = plan(owner, [node(n) for n in "abc"], pods(on), "new", NOW)
    assert (found.create, names(found.delete)) == (create, delete)


@pytest.mark.parametrize(
    ("owner", "taints", "on", "delete"),
    [
        (daemons(), NO_SCHEDULE, {"a": "N", "b": "N"}, []),
        (daemons(), NO_EXECUTE, {"a": "N", "b": "N"}, ["aN0"]),
        (daemons(), NO_SCHEDULE, {"a": "O", "b": "N"}, ["aO0"]),  # replaced though none will follow
        # while surging, only when enough others are available
        (daemons(1, 0), NO_SCHEDULE, {"a": "O", "b": "O"}, ["aO0"]),
        (daemons(1, 0), NO_SCHEDULE, {"a": "O", "b": "n"}, []),
        (daemons(1, 0), NO_SCHEDULE, {"a": "o", "b": "n"}, ["ao0"]),
    ],
)
def test_a_node_that_should_have_none(owner: Obj, taints: list[Obj], on: dict[str, str], delete: list[str]) -> None:
    found = plan(owner, [node("a", taints), node("b")], pods(on), "new", NOW)
    assert names(found.delete) == delete


def test_pods_that_have_ended_are_told_of_and_failed_ones_may_have_to_wait() -> None:
    there = pods({"a": "f", "b": "s", "c": "ff"})
    found = plan(daemons(), [node(n) for n in "abc"], there, "new", NOW, {"a": 3.0})
    assert (names(found.failed), names(found.succeeded)) == (["cf0"], ["bs0"])
    # Nobody waits for a template that is no longer there.
    held = plan(daemons(), [node("a")], pods({"a": "F"}), "new", NOW, {"a": 3.0})
    assert (names(held.failed), names(held.delete)) == ([], ["aF0"])


@pytest.mark.parametrize(
    ("letters", "counts"),
    [
        # current, ready, available, updated: of the oldest pod
        ("N", (1, 1, 1, 1)),
        ("On", (1, 1, 1, 0)),
        ("oN", (1, 0, 0, 0)),
        ("t", (1, 1, 1, 1)),
        ("e", (0, 0, 0, 0)),
    ],
)
def test_the_oldest_pod_of_a_node_counts(letters: str, counts: tuple[int, ...]) -> None:
    status = plan(daemons(1, 0), [node("a")], pods({"a": letters}), "new", NOW).status
    keys = ("currentNumberScheduled", "numberReady", "numberAvailable", "updatedNumberScheduled")
    assert tuple(status.get(k, 0) for k in keys) == counts


def revisions(count: int) -> list[Any]:
    return [{"metadata": {"name": f"r{i}"}, "revision": i} for i in range(count)]


@pytest.mark.parametrize(
    ("live", "limit", "current", "gone"),
    [
        (set(), 2, "r4", ["r0", "r1"]),
        ({"r0"}, 2, "r4", ["r1", "r2"]),  # a DaemonSet's limit takes in old ones in use
        ({"r0", "r4"}, 2, "", ["r1"]),
        (set(), 9, "r4", []),
    ],
)
def test_which_revisions_are_superfluous(live: set[str], limit: int, current: str, gone: list[str]) -> None:
    assert [r["metadata"]["name"] for r in superfluous(revisions(5), live, limit, current)] == gone
