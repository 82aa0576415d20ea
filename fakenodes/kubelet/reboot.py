"""A node that loses power and comes back: what becomes of its pods' containers.

Stands for kuberuntime's computePodActions where a sandbox has to be made anew: a pod that goes on begins with its init
containers again.
"""

from __future__ import annotations

from fakenodes.kubelet.podstate import INIT, MAIN, SIDECAR, Pod
from fakenodes.kubelet.restartpolicy import restarts
from fakenodes.kubelet.termination import ended


def crash(pod: Pod, now: float) -> None:
    """The node has lost power: what ran is gone without a word."""
    pod.rebooted, pod.sandbox = pod.sandbox, False
    for container in pod.containers:
        if container.running:
            ended(container, now, 255)
            container.reason, container.message = "Unknown", ""


def begin_anew(pod: Pod) -> None:
    """The pod gets another sandbox: if any main container is to go on, init containers run again before it."""
    inits = pod.of(INIT, SIDECAR)
    again = [c for c in pod.of(MAIN) if not c.ended or restarts(pod.obj, c)]
    if not inits or not again:
        return
    for container in inits + again:
        if container.ended:
            container.last = container.outcome
        container.wait("idle", None)
