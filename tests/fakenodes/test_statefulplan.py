"""What a StatefulSet does about its pods, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from fakeapi.clock import rfc3339
from fakenodes.client.base import Obj
from fakenodes.controllers.statefulclaims import owners_of
from fakenodes.controllers.statefulplan import plan

NOW = 1_800_000_000.0
OLD, NEW = "db-old", "db-new"
ROLLING: Obj = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def stateful(size: int = 3, status: Obj | None = None, **spec: Any) -> Obj:
    return {
        "metadata": {"name": "db", "namespace": "ns", "uid": "s", "generation": 2},
        "spec": {"replicas": size, "updateStrategy": ROLLING, **spec},
        "status": status or {},
    }


def pod(number: int, letter: str) -> Obj:
    """O, N: a ready pod of the old or the new revision; o, n: one that is not ready; f: a failed one; t: one going."""
    revision = NEW if letter in "Nn" else OLD
    name = f"db-{number}"
    labels = {
        "controller-revision-hash": revision,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(number),
    }
    found: Obj = {
        "metadata": {"name": name, "namespace": "ns", "uid": f"u{number}", "labels": labels},
        "spec": {"nodeName": "n"},
        "status": {"phase": "Failed" if letter == "f" else "Running"},
    }
    if letter == "t":
        found["metadata"]["deletionTimestamp"] = rfc3339(NOW)
    found["status"]["conditions"] = [{"type": "Ready", "status": "True" if letter in "ON" else "False"}]
    return found


def pods(letters: str) -> list[Obj]:
    """One letter a pod from ordinal 0 on, a dot for none."""
    return [pod(n, letter) for n, letter in enumerate(letters) if letter != "."]


@pytest.mark.parametrize(
    ("spec", "letters", "create", "delete"),
    [
        # one at a time, from the last
        ({}, "OOO", [], [2]),
        ({}, "OON", [], [1]),
        ({}, "OOn", [], []),
        ({}, "OO.", [(2, NEW)], []),
        ({}, "OOf", [], [2]),
        ({}, "OOt", [], []),
        ({}, "NNN", [], []),
        # what is of the old revision and not well is not waited for, unless the pods are ordered
        ({}, "OOo", [], []),
        ({"podManagementPolicy": "Parallel"}, "OOo", [], [2]),
        ({"podManagementPolicy": "Parallel"}, "oON", [], [1]),
        # the partition
        ({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, "OOO", [], [2]),
        ({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, "OON", [], []),
        ({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, "O.N", [(1, OLD)], []),
        # a pod that is deleted by hand comes back of the new revision
        ({"updateStrategy": {"type": "OnDelete"}}, "OOO", [], []),
        ({"updateStrategy": {"type": "OnDelete"}}, "O.O", [(1, NEW)], []),
        # without parameters, of the old one as long as an update has not come so far
        ({"updateStrategy": {"type": "RollingUpdate"}}, "O.N", [(1, OLD)], []),
        ({"updateStrategy": {"type": "RollingUpdate"}}, "OO.", [(2, NEW)], []),
        # several at a time
        ({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}}, "OOO", [], [2, 1]),
        (
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}, "podManagementPolicy": "Parallel"},
            "OOn",
            [],
            [1],
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}}, "podManagementPolicy": "Parallel"},
            "OOn",
            [],
            [],
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}}, "podManagementPolicy": "Parallel"},
            "ooo",
            [],
            [2, 1, 0],
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}}, "podManagementPolicy": "Parallel"},
            "OO.",
            [(2, NEW)],
            [],
        ),
        # beyond the size, from the last; nothing is replaced meanwhile
        ({"replicas": 1}, "NNN", [], [2]),
        ({"replicas": 1, "podManagementPolicy": "Parallel"}, "NNN", [], [2, 1]),
        ({"replicas": 1}, "NNn", [], [2]),
        ({"replicas": 1}, "NnN", [], [2]),
        ({"replicas": 1}, "Nnn", [], []),
        ({"replicas": 1}, "NNt", [], []),
        ({"replicas": 1}, "nNN", [], []),
    ],
)
def test_what_is_done(spec: Obj, letters: str, create: list[tuple[int, str]], delete: list[int]) -> None:
    found = plan(stateful(status={"currentReplicas": 2}, **spec), pods(letters), OLD, NEW, NOW)
    assert found.create == create
    assert [int(p["metadata"]["name"][3:]) for p in found.delete] == delete


@pytest.mark.parametrize(
    ("size", "letters", "counts", "current"),
    [
        # replicas, ready, current, updated; a pod that has only just been asked for does not count
        (3, "...", (0, 0, 0, 0), OLD),
        (3, "NN.", (2, 2, 0, 2), OLD),
        (3, "NNN", (3, 3, 3, 3), NEW),
        (3, "NNn", (3, 2, 0, 3), OLD),
        (2, "NNN", (3, 3, 0, 3), OLD),
        (3, "OOO", (3, 3, 2, 0), OLD),  # one is just being replaced
        (3, "OOt", (3, 2, 2, 0), OLD),
    ],
)
def test_the_status(size: int, letters: str, counts: tuple[int, ...], current: str) -> None:
    status = plan(stateful(size), pods(letters), OLD, NEW, NOW).status
    names = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas")
    assert tuple(status[n] for n in names) == counts
    assert status["currentRevision"] == current


def test_a_set_that_goes_only_counts() -> None:
    owner = stateful()
    owner["metadata"]["deletionTimestamp"] = rfc3339(NOW)
    found = plan(owner, pods("OO."), OLD, NEW, NOW)
    assert (found.create, found.delete, found.status["replicas"]) == ([], [], 2)


SET = {"kind": "StatefulSet", "uid": "s", "name": "db", "controller": True}
OTHER = {"kind": "Database", "uid": "x", "name": "x", "controller": True}
GUEST = {"kind": "Note", "uid": "y", "name": "y"}


@pytest.mark.parametrize(
    ("policy", "number", "present", "owners"),
    [
        ({}, 0, [], []),
        ({}, 0, [SET, GUEST], ["y"]),
        ({"whenDeleted": "Delete"}, 0, [], ["s"]),
        ({"whenDeleted": "Delete"}, 5, [], ["s"]),
        ({"whenScaled": "Delete"}, 0, [], []),
        ({"whenScaled": "Delete"}, 5, [GUEST], ["y", "u5"]),
        ({"whenScaled": "Delete", "whenDeleted": "Delete"}, 0, [], ["s"]),
        ({"whenScaled": "Delete", "whenDeleted": "Delete"}, 5, [SET], ["u5"]),
        # what something else controls is left to it
        ({"whenDeleted": "Delete"}, 0, [OTHER], ["x"]),
    ],
)
def test_what_claims_go_with(policy: Obj, number: int, present: list[Obj], owners: list[str]) -> None:
    claim = {"metadata": {"name": f"d-db-{number}", "ownerReferences": present}}
    owner = stateful(persistentVolumeClaimRetentionPolicy=policy)
    assert [r["uid"] for r in owners_of(owner, claim, pod(number, "N"))] == owners
