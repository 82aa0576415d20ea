"""ResourceClaim: devices that are wanted.

Stands for pkg/registry/resource/resourceclaim and ValidateResourceClaim*.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import check_immutable, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.conditions import check_conditions
from fakeapi.strategies.devicerules import (
    MAX_REQUESTS,
    Rule,
    bindings,
    check_set,
    check_slice,
    label,
    pool_name,
    raw_object,
    request_names,
    request_reference,
    toleration,
)
from fakeapi.strategies.devices import check_claim_config, check_claim_spec, claim_to_go, default_spec
from fakeapi.strategies.podspec.scheduling import validate_node_selector
from fakeapi.strategies.podspec.volumes import check_driver
from fakeapi.strategies.volumeattachment import keep_metadata

_SOURCES = ("FromClaim", "FromClass")
_MAX_RESERVED = 256
_MAX_DATA = 10 * 1024
_LATE = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"


def _default(obj: Obj) -> None:
    obj["spec"] = obj.get("spec") or {}
    default_spec(obj["spec"])


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    """The spec stays; and devices that are not allocated any more have no status."""
    new["spec"] = old["spec"]
    keep_metadata(new, old)
    status = new.get("status") or {}
    gone, kept = ({_device_id(result)[:3] for result in _results(x)} for x in (old, new))
    if status.get("devices"):
        status["devices"] = [d for d in status["devices"] if _device_id(d)[:3] not in gone - kept]


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    if new["spec"] != old["spec"]:
        found.append(invalid("spec", GoText(go_value(claim_to_go(new["spec"]))), "field is immutable"))
    return found


def _results(claim: Obj) -> list[Obj]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return (allocation.get("devices") or {}).get("results") or []


def _consumer(at: str, reference: Obj) -> list[FieldError]:
    return [required(f"{at}.{f}") for f in ("resource", "name", "uid") if not reference.get(f)]


def _device_id(device: Obj) -> tuple[Any, ...]:
    return tuple(device.get(f) or "" for f in ("driver", "pool", "device", "shareID"))


def _device_status(allocated: set[tuple[Any, ...]]) -> Rule:
    def rule(at: str, device: Obj) -> list[FieldError]:
        found = check_driver(f"{at}.driver", device.get("driver") or "")
        found += pool_name(f"{at}.pool", device.get("pool") or "") + label(f"{at}.device", device.get("device") or "")
        if _device_id(device) not in allocated:
            found.append(invalid(at, GoText(_shown(device)), "must be an allocated device in the claim"))
        found += check_conditions(f"{at}.conditions", device.get("conditions"))
        if device.get("data") is not None:
            found += raw_object(f"{at}.data", device["data"], _MAX_DATA)
        return found

    return rule


def _shown(device: Obj) -> str:
    shown = {f.capitalize(): device.get(f) or "" for f in ("driver", "pool", "device")}
    return go_value(shown | {"ShareID": device.get("shareID") or ""})


def _result(known: set[str]) -> Rule:
    reference = request_reference(known)

    def rule(at: str, result: Obj) -> list[FieldError]:
        found = reference(f"{at}.request", result.get("request") or "")
        found += check_driver(f"{at}.driver", result.get("driver") or "")
        found += pool_name(f"{at}.pool", result.get("pool") or "") + label(f"{at}.device", result.get("device") or "")
        found += bindings(at, result)
        given = enumerate(result.get("tolerations") or ())
        return found + [e for i, t in given for e in toleration(f"{at}.tolerations[{i}]", t)]

    return rule


def _source(known: set[str]) -> Rule:
    configured = check_claim_config(known)

    def rule(at: str, config: Obj) -> list[FieldError]:
        source = config.get("source") or ""
        found = [] if source in _SOURCES else [not_supported(f"{at}.source", source, _SOURCES)]
        return (found if source else [required(f"{at}.source")]) + configured(at, config)

    return rule


def _allocation(at: str, allocation: Obj, known: set[str]) -> list[FieldError]:
    devices, own = allocation.get("devices") or {}, f"{at}.devices"
    found = check_slice(f"{own}.results", devices.get("results") or [], _result(known))
    found += check_slice(f"{own}.config", devices.get("config") or [], _source(known), 2 * MAX_REQUESTS)
    selector = allocation.get("nodeSelector")
    return found + (validate_node_selector(selector, f"{at}.nodeSelector") if selector is not None else [])


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """validateResourceClaimStatusUpdate."""
    status, before = new.get("status") or {}, old.get("status") or {}
    reserved, allocation = status.get("reservedFor") or [], status.get("allocation")
    found = check_set(
        "status.reservedFor", reserved, _consumer, lambda consumer: consumer.get("uid") or "", _MAX_RESERVED
    )
    rule = _device_status({_device_id(result) for result in _results(new)})
    found += [e for i, d in enumerate(status.get("devices") or ()) for e in rule(f"status.devices[{i}]", d)]
    if reserved and allocation is None:
        found.append(forbidden("status.reservedFor", "may not be specified when `allocated` is not set"))
    elif new["metadata"].get("deletionTimestamp") and any(r not in (before.get("reservedFor") or ()) for r in reserved):
        found.append(forbidden("status.reservedFor", _LATE))
    if allocation is None:
        return found
    if before.get("allocation") is None:
        return found + _allocation("status.allocation", allocation, request_names(new["spec"].get("devices") or {}))
    return found + check_immutable("status.allocation", allocation, before["allocation"])


def _state(obj: Obj) -> str:
    status = obj.get("status") or {}
    words = []
    if obj["metadata"].get("deletionTimestamp"):
        words.append("deleted")
    if status.get("allocation") is None:
        return ",".join(words) or "pending"
    words.append("allocated")
    words.append("reserved" if status.get("reservedFor") else "")
    return ",".join(w for w in words if w)


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=lambda obj, ctx: check_claim_spec("spec", obj["spec"]),
    validate_update=_validate_update,
    validate_status=_validate_status,
    name=name_is_dns_subdomain,
    printer=table(NAME, column("State", _state), AGE),
    delete_returns_object=True,
)
