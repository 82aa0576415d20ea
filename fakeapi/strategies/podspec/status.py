"""A Pod's status as its kubelet (or anybody) writes it: ValidatePodStatusUpdate of pkg/apis/core/validation."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid
from fakeapi.ips import check_ip_legacy, is_ipv6
from fakeapi.names import check, check_immutable, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.podspec.amounts import is_sidecar

Obj = dict[str, Any]
Errors = list[FieldError]

_OWN_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
_BACK_TO_LIFE = "may not be transitioned to non-terminated state"
_ONE_PER_FAMILY = "may specify no more than one IP for each IP family"


def validate_pod_status(new: Obj, old: Obj) -> Errors:
    """new, old: whole Pods with the same spec."""
    status, before, spec = new.get("status") or {}, old.get("status") or {}, old.get("spec") or {}
    errors = _conditions(status.get("conditions") or [])
    nominated = status.get("nominatedNodeName")
    if nominated and nominated != before.get("nominatedNodeName"):
        errors += check("status.nominatedNodeName", nominated, name_is_dns_subdomain(nominated, False))
    errors += check_immutable("status.qosClass", status.get("qosClass") or "", before.get("qosClass") or "")
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if is_sidecar(c)}
    policy = spec.get("restartPolicy") or ""
    for field, own_policy, exempt in (
        ("containerStatuses", policy, set()),
        ("initContainerStatuses", policy, sidecars),
        ("ephemeralContainerStatuses", "Never", set()),
    ):
        errors += _transitions(status.get(field) or [], before.get(field) or [], f"status.{field}", own_policy, exempt)
    errors += _claims(status.get("resourceClaimStatuses") or [], spec, "status.resourceClaimStatuses")
    errors += _addresses(status.get("podIPs") or [], "status.podIPs")
    hosts = status.get("hostIPs") or []
    if hosts and (status.get("hostIP") or "") != hosts[0].get("ip"):
        errors.append(invalid("status.hostIPs[0].ip", hosts[0].get("ip") or "", "must be equal to `hostIP`"))
    return errors + _addresses(hosts, "status.hostIPs")


def _conditions(conditions: list[Obj]) -> Errors:
    errors: Errors = []
    for index, condition in enumerate(conditions):
        kind = condition.get("type") or ""
        if kind not in _OWN_CONDITIONS:
            errors += check(f"metadata.conditions[{index}].Type", kind, is_qualified_name(kind))
    return errors


def _terminated(status: Obj) -> Obj | None:
    found: Obj | None = (status.get("state") or {}).get("terminated")
    return found


def _transitions(new: list[Obj], old: list[Obj], path: str, policy: str, exempt: set[Any]) -> Errors:
    """Containers that are not restarted stay dead."""
    if policy == "Always":
        return []
    errors: Errors = []
    for index, before in enumerate(old):
        end = _terminated(before)
        if end is None or (end.get("exitCode") and policy == "OnFailure") or before.get("name") in exempt:
            continue
        alive = [s for s in new if s.get("name") == before.get("name") and _terminated(s) is None]
        errors += [forbidden(f"{path}[{index}].state", _BACK_TO_LIFE) for _ in alive]
    return errors


def _claims(statuses: list[Obj], spec: Obj, path: str) -> Errors:
    known = {claim.get("name") for claim in spec.get("resourceClaims") or ()}
    errors: Errors = []
    seen: set[str] = set()
    for index, status in enumerate(statuses):
        own, name = f"{path}[{index}].name", status.get("name") or ""
        if name not in known:
            errors.append(invalid(own, name, "must match the name of an entry in `spec.resourceClaims`"))
        if name in seen:
            errors.append(duplicate(own, name))
        seen.add(name)
        claim = status.get("resourceClaimName")
        if claim is not None:
            errors += check(own, claim, name_is_dns_subdomain(claim, False))
    return errors


def _addresses(items: list[Obj], path: str) -> Errors:
    addresses = [item.get("ip") or "" for item in items]
    errors: Errors = []
    for index, address in enumerate(addresses):
        errors += check_ip_legacy(f"{path}[{index}]", address)
    if len(addresses) > 1:
        if len(addresses) > 2 or len({is_ipv6(address) for address in addresses}) != len(addresses):
            errors.append(invalid(path, [{"IP": address} for address in addresses], _ONE_PER_FAMILY))
        repeated = [i for i, address in enumerate(addresses) if address in addresses[:i]]
        errors += [duplicate(f"{path}[{i}]", {"IP": addresses[i]}) for i in repeated]
    return errors
