"""Which pods wait for room that is being made for them: the scheduler's backend/queue/nominator.go."""

from __future__ import annotations

from fakenodes.scheduler.snapshot import PodInfo


class Nominations:
    """Pods that wait for room being made on a node, counted there for pods of lower or equal priority."""

    def __init__(self) -> None:
        self._pods: dict[str, PodInfo] = {}
        self._nodes: dict[str, str] = {}

    def set(self, pod: PodInfo, node: str) -> None:
        """Nominate the node for the pod; "" takes the nomination away."""
        if node:
            self._pods[pod.uid], self._nodes[pod.uid] = pod, node
        else:
            self.remove(pod.uid)

    def remove(self, uid: str) -> None:
        """The pod is placed or gone."""
        self._pods.pop(uid, None)
        self._nodes.pop(uid, None)

    def node_of(self, uid: str) -> str:
        """The nominated node or ""."""
        return self._nodes.get(uid, "")

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def on(self, node: str, besides: PodInfo) -> list[PodInfo]:
        """Nominated pods that `besides` must leave room for."""
        return [
            pod
            for uid, pod in self._pods.items()
            if self._nodes[uid] == node and uid != besides.uid and pod.priority >= besides.priority
        ]

    def lower(self, node: str, priority: int) -> list[PodInfo]:
        """Nominated pods of lower priority than this."""
        return [pod for uid, pod in self._pods.items() if self._nodes[uid] == node and pod.priority < priority]
