"""Node: taints, pod CIDRs, provider id, capacity.

Stands for pkg/registry/core/node, ValidateNode(Update), SetDefaults_NodeStatus and the podCIDR conversion. The
not-ready taint of a new Node is admission's (TaintNodesByCondition). Dynamic kubelet configuration is gone.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from fakeapi.gofmt import GoText, go_value
from fakeapi.ips import check_cidr_legacy, is_ipv6
from fakeapi.names import check, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.limits import check_taint_value, check_value

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_CIDR_TEXT = 'node updates may not change podCIDR except from "" to valid'
_PROVIDER_TEXT = 'node updates may not change providerID except from "" to valid'
_ROLE = "node-role.kubernetes.io/"


def _default(obj: Obj) -> None:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    # core/v1's conversion: podCIDR and podCIDRs[0] are the same thing, podCIDRs wins only where podCIDR is not given.
    if spec.get("podCIDR"):
        given = spec.get("podCIDRs") or []
        if not given or given[0] != spec["podCIDR"]:
            spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def _prepare_create(obj: Obj, ctx: Context) -> None:
    (obj.get("spec") or {}).pop("configSource", None)


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}
    _prepare_create(new, ctx)


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old.get("spec") or {}


def check_taints(at: str, taints: list[Obj]) -> list[FieldError]:
    """validateNodeTaints."""
    found: list[FieldError] = []
    seen = set()
    for i, taint in enumerate(taints):
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        found += check(f"{at}[{i}].key", key, is_qualified_name(key))
        found += check_taint_value(f"{at}[{i}].value", value)
        if not effect:
            found.append(required(f"{at}[{i}].effect"))
        elif effect not in EFFECTS:
            found.append(not_supported(f"{at}[{i}].effect", effect, EFFECTS))
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            error = duplicate(f"{at}[{i}]", GoText(go_value(shown)))
            error.detail = "taints must be unique by key and effect pair"
            found.append(error)
        seen.add((key, effect))
    return found


def _resources(obj: Obj) -> list[FieldError]:
    found: list[FieldError] = []
    for field in ("capacity", "allocatable"):
        amounts = (obj.get("status") or {}).get(field) or {}
        for name in sorted(amounts):
            at = f"status.{field}.{name}"
            found += check_value(at, name, amounts[name])
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = check_taints("metadata.taints", spec.get("taints") or []) + _resources(obj)
    cidrs = spec.get("podCIDRs") or []
    for i, cidr in enumerate(cidrs):
        found += check_cidr_legacy(f"spec.podCIDRs[{i}]", cidr)
    families = {is_ipv6(c.partition("/")[0]) for c in cidrs}
    if len(cidrs) > 1 and (len(cidrs) > 2 or len(families) < 2):
        found.append(invalid("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family"))
    repeated = [(i, cidr) for i, cidr in enumerate(cidrs) if cidr in cidrs[:i]]
    return found + [duplicate(f"spec.podCIDRs[{i}]", cidr) for i, cidr in repeated]


def _common_update(new: Obj, old: Obj) -> list[FieldError]:
    found = _resources(new)
    seen: list[Any] = []
    for i, address in enumerate((new.get("status") or {}).get("addresses") or ()):
        if address in seen:
            shown = {"Type": address.get("type", ""), "Address": address.get("address", "")}
            found.append(duplicate(f"status.addresses[{i}]", GoText(go_value(shown))))
        seen.append(address)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if before.get("podCIDRs"):
        cidrs = spec.get("podCIDRs") or []
        if len(cidrs) != len(before["podCIDRs"]):
            found.append(forbidden("spec.podCIDRs", _CIDR_TEXT))
        else:
            pairs = zip(before["podCIDRs"], cidrs, strict=True)
            found += [forbidden("spec.podCIDRs", _CIDR_TEXT) for a, b in pairs if a != b]
    if before.get("providerID") and before["providerID"] != spec.get("providerID"):
        found.append(forbidden("spec.providerID", _PROVIDER_TEXT))
    found += check_taints("metadata.taints", spec.get("taints") or [])
    if spec.get("externalID", "") != before.get("externalID", ""):
        found.append(forbidden("spec.externalID", "may not be updated"))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    # Upstream checks taints and capacity twice on an update (ValidateNode, then ValidateNodeUpdate).
    return _validate(new, ctx) + _common_update(new, old)


def _state(obj: Obj) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    words = ["Ready" if c.get("status") == "True" else "NotReady" for c in conditions if c.get("type") == "Ready"][-1:]
    words = words or ["Unknown"]
    if (obj.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(obj: Obj) -> str:
    labels = obj["metadata"].get("labels") or {}
    found = {k[len(_ROLE) :] for k in labels if k.startswith(_ROLE)} | {labels.get("kubernetes.io/role", "")}
    return ",".join(sorted(found - {""})) or "<none>"


def _address(kind: str) -> Any:
    def cell(obj: Obj) -> str:
        addresses = (obj.get("status") or {}).get("addresses") or ()
        found: str = next((a.get("address", "") for a in addresses if a.get("type") == kind), "<none>")
        return found

    return cell


def _info(key: str) -> Any:
    return lambda obj: ((obj.get("status") or {}).get("nodeInfo") or {}).get(key) or "<unknown>"


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=lambda new, old, ctx: _common_update(new, old),
    name=name_is_dns_subdomain,
    keeps_status=True,
    fields={"spec.unschedulable": lambda o: "true" if (o.get("spec") or {}).get("unschedulable") else "false"},
    printer=table(
        NAME,
        column("Status", _state),
        column("Roles", _roles),
        AGE,
        column("Version", path("status", "nodeInfo", "kubeletVersion")),
        column("Internal-IP", _address("InternalIP"), wide=True),
        column("External-IP", _address("ExternalIP"), wide=True),
        column("OS-Image", _info("osImage"), wide=True),
        column("Kernel-Version", _info("kernelVersion"), wide=True),
        column("Container-Runtime", _info("containerRuntimeVersion"), wide=True),
    ),
)
