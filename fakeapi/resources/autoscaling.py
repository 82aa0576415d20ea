"""The resources of the API group autoscaling: v2 is stored and preferred, v1 and (in 1.25) v2beta2 are converted."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served, status
from fakeapi.strategies import horizontalpodautoscaler

GROUP = "autoscaling"
DEFINITION = "io.k8s.api.autoscaling"

_V2BETA2 = Served("v2beta2", until=25, deprecated=23, replacement="autoscaling/v2 HorizontalPodAutoscaler")

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="HorizontalPodAutoscaler",
        plural="horizontalpodautoscalers",
        short_names=("hpa",),
        categories=("all",),
        versions=(Served("v2"), Served("v1"), _V2BETA2),
        storage_version="v2",
        subresources=(status("HorizontalPodAutoscaler"),),
        definition=DEFINITION,
        strategy_name="horizontalpodautoscaler",
        convert=horizontalpodautoscaler.CONVERT,
    ),
)
