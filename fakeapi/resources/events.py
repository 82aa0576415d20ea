"""The resources of the API group events.k8s.io: the same stored events as the core group's, in another shape."""

from __future__ import annotations

from fakeapi.resources.base import Resource
from fakeapi.strategies import event

GROUP = "events.k8s.io"
DEFINITION = "io.k8s.api.events"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="Event",
        plural="events",
        short_names=("ev",),
        storage_group="",
        definition=DEFINITION,
        strategy_name="newevent",
        convert=event.CONVERT,
    ),
)
