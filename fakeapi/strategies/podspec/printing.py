"""Cells that several kinds' tables share: names and images of containers, selectors, label maps, ages.

Stands for the helpers of pkg/printers/internalversion, labels.FormatLabels and util/duration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi.clock import parse_rfc3339
from fakeapi.strategies.base import Column

Obj = dict[str, Any]

# ObjectMeta's own texts, as its OpenAPI definition has them.
_NAMES = "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
NAME_TEXT = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    f"idempotence and configuration definition. Cannot be updated. More info: {_NAMES}"
)
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
CREATED_TEXT = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    f"in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: {_CONVENTIONS}"
)
NAME = Column("Name", format="name", description=NAME_TEXT)
AGE = Column("Age", description=CREATED_TEXT)
CONTAINERS = Column("Containers", priority=1, description="Names of each container in the template.")
IMAGES = Column("Images", priority=1, description="Images referenced by each container in the template.")


def selector_column(description: str) -> Column:
    """The wide Selector column."""
    return Column("Selector", priority=1, description=description)


def names_and_images(spec: Obj) -> list[str]:
    """Two cells: containers' names and images, comma-separated."""
    containers = spec.get("containers") or ()
    return [",".join(c.get("name") or "" for c in containers), ",".join(c.get("image") or "" for c in containers)]


def label_map(labels: Mapping[str, str] | None) -> str:
    """labels.FormatLabels: `a=1,b=2` in the order of keys, `<none>` when empty."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else "<none>"


def age(obj: Obj, now: float) -> str:
    """The Age cell."""
    return since((obj.get("metadata") or {}).get("creationTimestamp"), now)


def since(timestamp: str | None, now: float) -> str:
    """translateTimestampSince: `5m3s`, `<unknown>` without a time."""
    return human_duration(now - parse_rfc3339(timestamp)) if timestamp else "<unknown>"


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400

# Up to (seconds): whole unit, its suffix, the finer unit shown after it (0: none), its suffix.
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def human_duration(seconds: float) -> str:
    """duration.HumanDuration: two units at most; a little in the future is 0s, more is <invalid>."""
    if seconds <= -2:
        return "<invalid>"
    whole = max(int(seconds), 0)
    for limit, unit, suffix, finer, finer_suffix in _STEPS:
        if whole < limit:
            rest = whole % unit // finer if finer else 0
            return f"{whole // unit}{suffix}" + (f"{rest}{finer_suffix}" if rest else "")
    return f"{whole // _YEAR}y"
