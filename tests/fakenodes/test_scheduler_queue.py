"""The scheduling queue: who is next, and after how long a pod that failed is tried again."""

from __future__ import annotations

import pytest

from fakenodes.scheduler.framework import Event
from fakenodes.scheduler.plugins.node_name import NodeName
from fakenodes.scheduler.plugins.priority_sort import PrioritySort
from fakenodes.scheduler.queue import SchedulingQueue
from fakenodes.scheduler.snapshot import PodInfo
from tests.fakenodes.scheduling import World, node, pod
from tests.fakenodes.servers import ManualClock

NODE = Event("Node/Add", None, node("n"))


class Queue:
    """A queue on a clock that stands still."""

    def __init__(self):
        self.clock = ManualClock()
        handle = World([]).handle
        self.queue = SchedulingQueue(
            self.clock, PrioritySort(handle).sort_key, {"NodeName": NodeName(handle)}, lambda pod: set()
        )

    def add(self, *names, priority=0):
        for name in names:
            self.queue.add(PodInfo(pod(name, priority=priority)))

    def next(self):
        """The pod to try now, or None."""
        return self.queue._next()

    def names(self):
        found = []
        while (queued := self.next()) is not None:
            found.append(queued.pod.name)
        return found


def test_a_pod_that_failed_goes_behind_those_that_came_meanwhile():
    queue = Queue()
    queue.add("a")
    first = queue.next()
    queue.clock.advance(1)
    queue.add("b")
    queue.clock.advance(1)
    queue.queue.rejected(first, {"NodeName"})
    queue.clock.advance(2)
    queue.queue.move(NODE)
    queue.add("c")
    assert queue.names() == ["b", "a", "c"]


def test_back_off_ends_at_whole_seconds_in_order_of_priority():
    queue = Queue()
    queue.clock.advance(0.2)
    queue.add("low", "high")
    low, high = queue.next(), queue.next()
    queue.queue.rejected(low, {"NodeName"})
    queue.clock.advance(0.5)
    high.pod = PodInfo(pod("high", priority=9))
    queue.queue.rejected(high, {"NodeName"})
    queue.queue.move(NODE)
    assert queue.queue.places() == {"backoff": 2}
    assert queue.names() == ["high", "low"]


@pytest.mark.parametrize("outcomes", ["rr", "ee", "rre", "eer", "reer", "rrrre"])
def test_how_long_a_pod_backs_off(outcomes):
    queue = Queue()
    queue.add("a")
    one = queue.next()
    for outcome in outcomes:
        if outcome == "r":
            queue.queue.rejected(one, {"NodeName"})
        else:
            queue.queue.failed(one)
    # Errors count from one again after a proper rejection, and then for themselves.
    errors = len(outcomes) - len(outcomes.rstrip("e"))
    count = errors or outcomes.count("r")
    assert one.backoff == min(2 ** (count - 1), 10)


def test_errors_wait_even_when_nothing_else_is_to_do():
    queue = Queue()
    queue.add("a")
    queue.queue.failed(queue.next())
    assert queue.names() == []
    queue.clock.advance(1)
    assert queue.names() == ["a"]


def test_a_pod_that_is_gone_does_not_come_back():
    queue = Queue()
    queue.add("a")
    one = queue.next()
    queue.queue.delete(one.pod.uid)
    queue.queue.failed(one)
    queue.clock.advance(10)
    assert queue.names() == []
    assert len(queue.queue) == 0
