"""CSIDriver: what a driver can do.

Stands for pkg/registry/storage/csidriver, ValidateCSIDriver* and SetDefaults_CSIDriver.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, not_supported
from fakeapi.names import IMMUTABLE, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table

_FLAGS = (
    ("attachRequired", True),
    ("podInfoOnMount", False),
    ("storageCapacity", False),
    ("requiresRepublish", False),
    ("seLinuxMount", False),
)
_MODES = ("Persistent", "Ephemeral")
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_UNSET = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible "
    "logging of tokens in volume attributes"
)


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    for field, value in _FLAGS:
        if spec.get(field) is None:
            spec[field] = value
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]
    if spec.get("fsGroupPolicy") is None:
        spec["fsGroupPolicy"] = "ReadWriteOnceWithFSType"


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    if new["spec"] != old["spec"]:
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _tokens(requests: list[Obj]) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for i, request in enumerate(requests):
        at, audience, seconds = (
            f"spec.tokenRequests[{i}]",
            request.get("audience") or "",
            request.get("expirationSeconds"),
        )
        if audience in seen:
            found.append(duplicate(f"{at}.audience", audience))
            continue
        seen.add(audience)
        if seconds is not None and seconds < 600:
            text = "may not specify a duration less than 10 minutes"
            found.append(invalid(f"{at}.expirationSeconds", seconds, text))
        if seconds is not None and seconds > 1 << 32:
            text = "may not specify a duration larger than 2^32 seconds"
            found.append(invalid(f"{at}.expirationSeconds", seconds, text))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj["spec"]
    policy, period = spec.get("fsGroupPolicy"), spec.get("nodeAllocatableUpdatePeriodSeconds")
    found: list[FieldError] = []
    if policy is not None and policy not in _GROUP_POLICIES:
        found.append(not_supported("spec.fsGroupPolicy", policy, _GROUP_POLICIES))
    found += _tokens(spec.get("tokenRequests") or [])
    modes = spec.get("volumeLifecycleModes") or ()
    found += [not_supported("spec.volumeLifecycleModes", m, _MODES) for m in modes if m not in _MODES]
    if period is not None and period < 10:
        text = "must be greater than or equal to 10 seconds"
        found.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, text))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = _validate(new, ctx)
    # The first path is upstream's slip.
    for path_, field in (("attachedRequired", "attachRequired"), ("volumeLifecycleModes",) * 2):
        if new["spec"].get(field) != old["spec"].get(field):
            found.append(invalid(f"spec.{path_}", new["spec"].get(field), IMMUTABLE))
    return found


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    unset = new["spec"].get("serviceAccountTokenInSecrets") is None
    return [_UNSET] if new["spec"].get("tokenRequests") and unset else []


def _audiences(obj: Obj) -> str:
    return ",".join(r.get("audience", "") for r in obj["spec"].get("tokenRequests") or ()) or "<unset>"


STRATEGY = Strategy(
    default=_default,
    prepare_update=_prepare_update,
    validate=_validate,
    validate_update=_validate_update,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    unconditional_update=False,
    printer=table(
        NAME,
        column("AttachRequired", path("spec", "attachRequired", default=True), "boolean"),
        column("PodInfoOnMount", path("spec", "podInfoOnMount", default=False), "boolean"),
        column("StorageCapacity", path("spec", "storageCapacity", default=False), "boolean"),
        column("TokenRequests", _audiences),
        column("RequiresRepublish", path("spec", "requiresRepublish", default=False), "boolean"),
        column("Modes", lambda o: ",".join(o["spec"].get("volumeLifecycleModes") or ()) or "<none>"),
        AGE,
    ),
    delete_returns_object=True,
)
