"""Events of the group events.k8s.io: the core group's, whose fields field selectors know by the group's own names.

Stands for ToSelectableFields in pkg/registry/core/event/strategy.go.
"""

from __future__ import annotations

from msgspec.structs import replace

from fakeapi.strategies import event
from fakeapi.strategies.cells import path

STRATEGY = replace(
    event.STRATEGY,
    fields={
        **{f"regarding.{f}": path("involvedObject", f) for f in event.INVOLVED},
        "reason": path("reason"),
        "reportingController": path("reportingComponent"),
        "type": path("type"),
    },
)
