"""Event: one stored object (core/v1) that two groups serve, each with its own idea of what is valid.

Stands for pkg/registry/core/event, ValidateEventCreate and ValidateEventUpdate, and the conversion to events.k8s.io/v1.
Expiry (--event-ttl) is the storage's.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, invalid, required
from fakeapi.names import IMMUTABLE, check, is_dns1123_subdomain, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Obj, Printer, Strategy
from fakeapi.strategies.cells import path
from fakeapi.strategies.podspec.internal import go_struct
from fakeapi.strategies.podspec.printing import since

# field of events.k8s.io/v1 -> field of core/v1; all others have the same name.
_RENAMED = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_RENAMED_BACK = {v: k for k, v in _RENAMED.items()}


def to_hub(obj: Obj) -> Obj:
    """events.k8s.io/v1 to core/v1."""
    always = dict.fromkeys(_REPORTERS, "")
    return always | {_RENAMED.get(k, k): v for k, v in obj.items()} | {"apiVersion": "v1"}


def from_hub(obj: Obj) -> Obj:
    """core/v1 to events.k8s.io/v1."""
    shown = {k: v for k, v in obj.items() if v != "" or k not in _REPORTERS}  # omitempty in this group only
    return {_RENAMED_BACK.get(k, k): v for k, v in shown.items()} | {"apiVersion": "events.k8s.io/v1"}


CONVERT = {"v1": (to_hub, from_hub)}
_REPORTERS = ("reportingComponent", "reportingInstance")
_NAMESPACE_TEXT = "does not match event.namespace"


def _is_new(ctx: Context) -> bool:
    return ctx.api_version.startswith("events.k8s.io/") and ctx.api_version != "events.k8s.io/v1beta1"


def _limited(field: str, value: str, maximum: int, *, needed: bool) -> list[FieldError]:
    if not value and needed:
        return [required(field)]
    if len(value.encode()) > maximum:
        return [invalid(field, "", f"can have at most {maximum} characters")]
    return []


def _validate_legacy(obj: Obj, ctx: Context) -> list[FieldError]:
    namespace = obj["metadata"].get("namespace", "")
    involved = (obj.get("involvedObject") or {}).get("namespace", "")
    mismatch = invalid("involvedObject.namespace", involved, _NAMESPACE_TEXT)
    found: list[FieldError] = []
    if not obj.get("eventTime"):
        if involved != namespace and (involved or namespace != "default"):
            found.append(mismatch)
    else:
        if not involved and namespace not in ("default", "kube-system"):
            found.append(mismatch)
        controller, field = obj.get("reportingComponent", ""), "reportingController"
        if not ctx.api_version or ctx.api_version == "v1":
            field = "reportingComponent"
        if not controller:
            found.append(required(field))
        found += check(field, controller, is_qualified_name(controller))
        found += _limited("reportingInstance", obj.get("reportingInstance", ""), 128, needed=True)
        found += _limited("action", obj.get("action", ""), 128, needed=True)
        found += _limited("reason", obj.get("reason", ""), 128, needed=True)
        found += _limited("message", obj.get("message", ""), 1024, needed=False)
    return found + check("namespace", namespace, is_dns1123_subdomain(namespace))


def _validate_series(obj: Obj) -> list[FieldError]:
    series = obj.get("series")
    if series is None:
        return []
    found = []
    if series.get("count", 0) < 2:
        found.append(invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        found.append(required("series.lastObservedTime"))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    found = _validate_legacy(obj, ctx)
    if not _is_new(ctx):
        return found
    found += _validate_series(obj)
    if not obj.get("eventTime"):
        found.append(required("eventTime"))
    if obj.get("type") not in ("Normal", "Warning"):
        found.append(invalid("type", "", f"has invalid value: {obj.get('type', '')}"))
    source = obj.get("source") or {}
    unset = (obj.get("firstTimestamp"), obj.get("lastTimestamp"), obj.get("count"), any(source.values()))
    fields = ("firstTimestamp", "lastTimestamp", "count", "source")
    return found + [invalid(f, "", "needs to be unset") for f, v in zip(fields, unset, strict=True) if v]


_FIXED = (
    ("involvedObject", "involvedObject"),
    ("reason", "reason"),
    ("message", "message"),
    ("source", "source"),
    ("firstTimestamp", "firstTimestamp"),
    ("lastTimestamp", "lastTimestamp"),
    ("count", "count"),
    # Upstream looks at the reason twice, and tells of it twice.
    ("reason", "reason"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingComponent", "reportingController"),
    ("reportingInstance", "reportingInstance"),
)


_STRUCTS = {"involvedObject": "ObjectReference", "related": "ObjectReference", "source": "EventSource"}
# What Go prints for an absent value, where that is not null.
_ZEROS: dict[str, Any] = {"count": 0} | dict.fromkeys(
    ("reason", "message", "type", "action", "reportingComponent", "reportingInstance"), ""
)


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = _validate_legacy(new, ctx)
    if not _is_new(ctx):
        return found
    if new.get("series") != old.get("series"):
        found += _validate_series(new)
    for key, field in _FIXED:
        value, struct = new.get(key), _STRUCTS.get(key)
        if (value or None) != (old.get(key) or None):
            shown = go_struct(struct, value or {}) if struct and (value or key != "related") else value
            found.append(invalid(field, _ZEROS.get(key) if shown is None else shown, IMMUTABLE))
    return found


_COLUMNS = (
    Column("Last Seen", description="Time this event was last observed"),
    Column("Type", description="Type of event"),
    Column("Reason", description="Why the event happened"),
    Column("Object", description="What it is about"),
    Column("Subobject", priority=1, description="Part of that object"),
    Column("Source", priority=1, description="Who reports it"),
    Column("Message", description="What happened, for people"),
    Column("First Seen", priority=1, description="Time this event was first observed"),
    Column("Count", priority=1, description="How often it happened"),
    Column("Name", format="name", priority=1, description="Name of the object"),
)


def _cells(obj: Obj, now: float) -> list[Any]:
    if obj.get("apiVersion", "").startswith("events.k8s.io/"):
        obj = to_hub(obj)
    first = since(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = since(obj["lastTimestamp"], now) if obj.get("lastTimestamp") else first
    count, series = obj.get("count") or 1, obj.get("series")
    if series is not None:
        last, count = since(series.get("lastObservedTime"), now), series.get("count", 0)
    involved, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    target = involved.get("kind", "").lower()
    if involved.get("name"):
        target += "/" + involved["name"]
    component = source.get("component") or obj.get("reportingComponent") or ""
    instance = source.get("host") or obj.get("reportingInstance")
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        target,
        involved.get("fieldPath", ""),
        f"{component}, {instance}" if instance else component,
        obj.get("message", "").strip(),
        first,
        count,
        obj["metadata"].get("name", ""),
    ]


def _source(obj: Obj) -> str:
    return (obj.get("source") or {}).get("component") or obj.get("reportingComponent") or ""


INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

STRATEGY = Strategy(
    bare_finalizers=True,
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    fields={
        **{f"involvedObject.{f}": path("involvedObject", f) for f in INVOLVED},
        "reason": path("reason"),
        "reportingComponent": path("reportingComponent"),
        "source": _source,
        "type": path("type"),
    },
    printer=Printer(_COLUMNS, _cells),
    create_on_update=True,
    main_reset=(),
    status_reset=(),
)
