"""A pod whose clock is turned by hand, for tests of the state table."""

from __future__ import annotations

from fakenodes.kubelet import lifecycle, podstate, status
from fakenodes.kubelet.podstate import World
from fakenodes.kubelet.runtime.runtime import Runtime
from fakenodes.kubelet.runtime.script import Script

T0 = 1_750_000_000.0


def spec(*containers, init=(), **more):
    return {
        "metadata": {"name": "p", "namespace": "ns", "uid": "u", "generation": 1},
        "spec": {"containers": list(containers), "initContainers": list(init), **more},
        "status": {},
    }


def box(name="c", *command, **more):
    return {"name": name, "image": "nginx:1", **({"command": list(command)} if command else {}), **more}


class Life:
    """A pod whose clock is turned by hand."""

    def __init__(self, obj, runtime=None, missing=frozenset()):
        self.runtime = runtime or Runtime()
        self.pod = podstate.new_pod(obj, self.runtime, T0)
        self.images = set()
        self.missing = missing
        self.told = []
        self.asked = []
        self.wake = None

    def at(self, seconds):
        world = World(self.images, self.missing, "10.0.0.2")
        self.wake = lifecycle.advance(self.pod, world, T0 + seconds)
        self.told += [(h.reason, h.message) for h in world.happened]
        self.asked += [request for _, request in world.asked]
        return self.status(seconds)

    def status(self, seconds):
        return status.build(self.pod, {}, ("1.2.3.4", "10.0.0.2"), T0 + seconds)

    def run(self, until):
        """Visit every moment at which something happens; (seconds, phase, container reasons) at each."""
        seen, moment = [], 0.0
        while moment is not None and moment <= until:
            found = self.at(moment)
            states = [next(iter(s["state"].items())) for s in found.get("containerStatuses", [])]
            seen.append((round(moment, 3), found["phase"], tuple(v.get("reason", k) for k, v in states)))
            moment = None if self.wake is None else self.wake - T0
        return seen


def scripted(script: Script, *containers, **more):
    """A Life whose containers all follow the script."""
    runtime = Runtime()
    runtime.image("*", script)
    return Life(spec(*containers, **more), runtime)
