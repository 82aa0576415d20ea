"""APIService: a group version and who serves it.

Stands for kube-aggregator's registry/apiservice and ValidateAPIService*.
"""

from __future__ import annotations

from base64 import b64decode

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.names import check, is_dns1035_label, is_dns1123_subdomain, is_port_number, name_is_path_segment
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.volumeattachment import keep_spec_and_metadata
from fakeapi.strategies.webhooks import default_service

_STATUSES = ("True", "False", "Unknown")


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    default_service(spec.get("service"))


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}
    if obj["spec"].get("service") is None:
        condition = {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": ctx.now,
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
        obj["status"] = {"conditions": [condition]}


def _service(service: Obj, spec: Obj) -> list[FieldError]:
    found = [required(f"spec.service.{f}") for f in ("namespace", "name") if not service.get(f)]
    port = service.get("port", 443)
    found += [invalid("spec.service.port", port, f"port is not valid: {m}") for m in is_port_number(port)]
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        found.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec, name = obj["spec"], obj["metadata"].get("name", "")
    group, version = spec.get("group", ""), spec.get("version", "")
    found: list[FieldError] = []
    if name != f"{version}.{group}":
        text = f'must be `spec.version+"."+spec.group`: "{version}.{group}"'
        found.append(invalid("metadata.name", name, text))
    if not group:
        if version != "v1":
            text = "only v1 may have an empty group and it better be legacy kube"
            found.append(required("spec.group", text))
    else:
        found += check("spec.group", group, is_dns1123_subdomain(group))
    found += check("spec.version", version, is_dns1035_label(version))
    for field, limit in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(field, 0)
        if not 0 < value <= limit:
            found.append(invalid(f"spec.{field}", value, f"must be positive and less than {limit}"))
    service = spec.get("service")
    if service is not None:
        return found + _service(service, spec)
    if spec.get("caBundle"):
        size = f"{len(b64decode(spec['caBundle']))} bytes"
        found.append(invalid("spec.caBundle", size, "local APIServices may not have a caBundle"))
    if spec.get("insecureSkipTLSVerify"):
        found.append(
            invalid("spec.insecureSkipTLSVerify", True, "local APIServices may not have insecureSkipTLSVerify")
        )
    return found


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    conditions = enumerate((new.get("status") or {}).get("conditions") or ())
    unknown = [(i, c.get("status") or "") for i, c in conditions if c.get("status") not in _STATUSES]
    return [not_supported(f"status.conditions[{i}].status", status, _STATUSES) for i, status in unknown]


def _reach(obj: Obj) -> str:
    service = obj["spec"].get("service")
    return f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"


def _available(obj: Obj) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    found = next((c for c in conditions if c.get("type") == "Available"), None)
    if found is None:
        return "Unknown"
    if found.get("status") == "True":
        return "True"
    return f"{found.get('status', '')} ({found.get('reason', '')})"


STRATEGY = Strategy(
    bare_finalizers=True,
    default=_default,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    prepare_status=keep_spec_and_metadata,
    validate_status=_validate_status,
    status_reset=("spec", "metadata"),
    name=name_is_path_segment,
    unconditional_update=False,
    printer=table(NAME, column("Service", _reach), column("Available", _available), AGE),
)
