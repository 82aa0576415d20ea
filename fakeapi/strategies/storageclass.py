"""StorageClass: provisioner, parameters, binding mode; nearly all of it fixed once made.

Stands for pkg/registry/storage/storageclass, ValidateStorageClass* and the defaults of pkg/apis/storage/v1.
"""

from __future__ import annotations

from collections.abc import Mapping

from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required, too_long
from fakeapi.names import check, check_immutable, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, column, path, table
from fakeapi.strategies.cells import NAME as PLAIN_NAME
from fakeapi.strategies.nodelabels import DEPRECATED

_RECLAIM = ("Delete", "Retain")
_BINDING = ("Immediate", "WaitForFirstConsumer")
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_MAX_PARAMETERS = 512
_MAX_PARAMETERS_SIZE = 256 * 1024
_FIXED = ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")


def _default(obj: Obj) -> None:
    if not obj.get("reclaimPolicy"):
        obj["reclaimPolicy"] = "Delete"
    if not obj.get("volumeBindingMode"):
        obj["volumeBindingMode"] = "Immediate"


def check_parameters(at: str, parameters: Mapping[str, str] | None, *, needed: bool = False) -> list[FieldError]:
    """validateParameters: few, short and with keys."""
    given = parameters or {}
    if len(given) > _MAX_PARAMETERS:
        return [too_long(at, _MAX_PARAMETERS)]
    found = [invalid(at, k, "field can not be empty.") for k in given if not k]
    if sum(len(k.encode()) + len(v.encode()) for k, v in given.items()) > _MAX_PARAMETERS_SIZE:
        found.append(too_long(at, _MAX_PARAMETERS_SIZE))
    if needed and not given:
        found.append(required(at, "must contain at least one key/value pair"))
    return found


def _topologies(terms: list[Obj]) -> list[FieldError]:
    """validateAllowedTopologies. An empty term is its own double, as often as there are terms: upstream's slip."""
    found: list[FieldError] = []
    known: list[dict[str, set[str]]] = [{}] * len(terms)
    for i, term in enumerate(terms):
        asked: dict[str, set[str]] = {}
        for j, expression in enumerate(term.get("matchLabelExpressions") or ()):
            at, key = f"allowedTopologies[{i}].matchLabelExpressions[{j}]", expression.get("key") or ""
            values = expression.get("values") or []
            if not values:
                found.append(required(f"{at}.values"))
            found += [duplicate(f"{at}.values[{k}]", v) for k, v in enumerate(values) if v in values[:k]]
            found += check(f"{at}.key", key, is_qualified_name(key))
            if key in asked:
                found.append(duplicate(f"{at}.key", key))
            asked[key] = set(values)
        found += [duplicate(f"allowedTopologies[{i}].matchLabelExpressions", "")] * known.count(asked)
        known.append(asked)
    return found


def check_provisioner(at: str, name: str) -> list[FieldError]:
    """validateProvisioner."""
    lower = name.lower()
    return check(at, lower, is_qualified_name(lower)) if name else [required(at)]


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    provisioner, reclaim, binding = (obj.get(f) for f in ("provisioner", "reclaimPolicy", "volumeBindingMode"))
    found = check_provisioner("provisioner", provisioner or "")
    found += check_parameters("parameters", obj.get("parameters"))
    if reclaim and reclaim not in _RECLAIM:
        found.append(not_supported("reclaimPolicy", reclaim, _RECLAIM))
    if binding is None:
        found.append(required("volumeBindingMode"))
    elif binding not in _BINDING:
        found.append(not_supported("volumeBindingMode", binding, _BINDING))
    return found + _topologies(obj.get("allowedTopologies") or [])


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    return [e for f in _FIXED for e in check_immutable(f, new.get(f), old.get(f))] + _validate(new, ctx)


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    return [
        f"allowedTopologies[{i}].matchLabelExpressions[{j}].key: {DEPRECATED[e['key']]}"
        for i, term in enumerate(new.get("allowedTopologies") or ())
        for j, e in enumerate(term.get("matchLabelExpressions") or ())
        if e.get("key") in DEPRECATED
    ]


def _name(obj: Obj) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    mark = " (default)" if any(annotations.get(a) == "true" for a in _DEFAULT) else ""
    return f"{obj['metadata'].get('name', '')}{mark}"


STRATEGY = Strategy(
    default=_default,
    validate=_validate,
    validate_update=_validate_update,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    printer=table(
        (PLAIN_NAME[0], _name),
        column("Provisioner", path("provisioner")),
        column("ReclaimPolicy", path("reclaimPolicy")),
        column("VolumeBindingMode", path("volumeBindingMode")),
        column("AllowVolumeExpansion", path("allowVolumeExpansion", default=False)),
        AGE,
    ),
    delete_returns_object=True,
)
