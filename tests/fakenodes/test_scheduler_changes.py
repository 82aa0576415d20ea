"""What a Pod counts as while it is resized, and which changes are told to the queue."""

from __future__ import annotations

import pytest

from fakenodes.scheduler.changes import pod_events
from fakenodes.scheduler.resources import pod_requests
from tests.fakenodes.scheduling import pod

PENDING = {"type": "PodResizePending", "status": "True"}


def resized(wanted, allocated="", running="", reason=""):
    """A placed Pod: CPU that its spec wants, its node has allocated and its container runs with."""
    made = pod("p", requests={"cpu": wanted}, nodeName="n")
    one = {"name": "c"}
    if allocated:
        one["allocatedResources"] = {"cpu": allocated}
    if running:
        one["resources"] = {"requests": {"cpu": running}}
    conditions = [{**PENDING, "reason": reason}] if reason else []
    made["status"] = {"containerStatuses": [one], "conditions": conditions}
    return made


@pytest.mark.parametrize(
    ("found", "cpu"),
    [
        (resized("2"), 2000),
        (resized("1", "2"), 2000),
        (resized("1", "1", "3"), 3000),
        (resized("4", "2", "2", "Deferred"), 4000),
        (resized("4", "2", "2", "Infeasible"), 2000),
        (resized("4", reason="Infeasible"), 4000),
    ],
)
def test_the_largest_of_wanted_allocated_and_running_counts(found, cpu):
    assert pod_requests(found) == {"cpu": cpu}


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        (resized("2", "2"), resized("1", "2"), []),  # still in use
        (resized("1", "2"), resized("1", "1"), ["AssignedPod/ScaleDown"]),
        (resized("1", "1", "2"), resized("1", "1", "1"), ["AssignedPod/ScaleDown"]),
        (resized("4", "2", "2"), resized("4", "2", "2", "Infeasible"), ["AssignedPod/ScaleDown"]),
        (resized("1", "1"), resized("2", "1"), ["AssignedPod/ScaleUp"]),
        (resized("1"), resized("1", "1", "1"), []),  # the kubelet's first report
    ],
)
def test_a_resize_is_told_when_it_changes_what_counts(old, new, kinds):
    assert pod_events(old, new, "AssignedPod") == kinds
