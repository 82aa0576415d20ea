"""The resources of the API group policy, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, status

GROUP = "policy"
DEFINITION = "io.k8s.api.policy"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="PodDisruptionBudget",
        plural="poddisruptionbudgets",
        short_names=("pdb",),
        subresources=(status("PodDisruptionBudget"),),
        definition=DEFINITION,
        strategy_name="poddisruptionbudget",
    ),
)
