"""ImageLocality: prefers nodes that already have the pod's images, the larger and the more widespread the better."""

from __future__ import annotations

from collections.abc import Sequence

from fakenodes.scheduler.framework import MAX_SCORE, SKIP, Handle, State, Status
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo

MEGABYTE = 1024 * 1024
SMALLEST = 23 * MEGABYTE  # of all images together
LARGEST = 1000 * MEGABYTE  # a container


def normalized_name(image: str) -> str:
    """The name with a tag: `nginx` is `nginx:latest`."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


class ImageLocality:
    """The score."""

    name = "ImageLocality"

    def __init__(self, handle: Handle) -> None:
        self._snapshot = handle.snapshot

    def pre_score(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo]) -> Status | None:
        """Images that no node has are of no interest."""
        containers = [*(pod.spec.get("initContainers") or ()), *(pod.spec.get("containers") or ())]
        wanted = [container.get("image", "") for container in containers]
        wanted += [v["image"].get("reference", "") for v in pod.spec.get("volumes") or () if v.get("image")]
        total, counts = max(len(self._snapshot.nodes), 1), self._snapshot.image_nodes
        known = [(image, counts[image] / total) for image in map(normalized_name, wanted) if image in counts]
        state[self.name] = (known, LARGEST * len(containers))  # image volumes do not raise the bound
        return None if known else SKIP

    def score(self, state: State, pod: PodInfo, node: NodeInfo) -> int:
        """0 below 23 MB, 100 from 1000 MB a container, where an image counts by the share of nodes that have it."""
        known, largest = state["ImageLocality"]
        size = 0
        for image, share in known:
            if image in node.images:
                size += int(node.images[image] * share)
        if size <= SMALLEST:
            return 0
        score: int = MAX_SCORE * (min(size, largest) - SMALLEST) // (largest - SMALLEST)
        return score
