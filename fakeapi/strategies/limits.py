"""Names and amounts of resources: cpu, memory, hugepages-2Mi, example.com/gpu, and what quotas count.

Stands for validateResourceName and its kin in pkg/apis/core/validation, and pkg/apis/core/helper's sets of names.
"""

from __future__ import annotations

from fakeapi import quantity
from fakeapi.errors import FieldError, invalid
from fakeapi.names import NEGATIVE, check, is_label_value, is_qualified_name
from fakeapi.strategies.podspec.amounts import is_huge_page

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_OBJECTS = (
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
)
_PREFIXED = tuple(f"{p}.{r}" for p in ("requests", "limits") for r in _COMPUTE)
STANDARD = frozenset((*_COMPUTE, *_PREFIXED, *_OBJECTS, "storage", "requests.storage"))
QUOTA = frozenset((*_COMPUTE, *_PREFIXED, *_OBJECTS, "requests.storage"))
_INTEGER = frozenset(_OBJECTS)


def is_quota_name(name: str) -> bool:
    """IsStandardQuotaResourceName."""
    return name in QUOTA or name.startswith(("hugepages-", "requests.hugepages-"))


def is_native(name: str) -> bool:
    """IsNativeResource: without a domain, or with kubernetes.io's."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """IsExtendedResourceName: a foreign domain, and short enough for `requests.` to go before it."""
    return not is_native(name) and not name.startswith("requests.") and not is_qualified_name(f"requests.{name}")


def overcommit_allowed(name: str) -> bool:
    """IsOvercommitAllowed."""
    return is_native(name) and not is_huge_page(name)


def check_name(path: str, name: str) -> list[FieldError]:
    """validateResourceName."""
    found = check(path, name, is_qualified_name(name))
    if (
        not found
        and "/" not in name
        and name not in STANDARD
        and not name.startswith(("hugepages-", "requests.hugepages-"))
    ):
        found.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    return found


def check_container_name(path: str, name: str) -> list[FieldError]:
    """validateContainerResourceName."""
    found = check_name(path, name)
    if "/" not in name:
        if name not in _COMPUTE and not is_huge_page(name):
            found.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        found.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return found


def check_quota_name(path: str, name: str) -> list[FieldError]:
    """ValidateResourceQuotaResourceName."""
    found = check_name(path, name)
    if "/" not in name and not is_quota_name(name):
        found.append(invalid(path, name, "must be a standard resource for quota"))
    return found


def check_amount(path: str, value: str) -> list[FieldError]:
    """ValidateNonnegativeQuantity."""
    return [invalid(path, value, NEGATIVE)] if quantity.parse(value).nano < 0 else []


def check_basic_amount(path: str, value: str) -> list[FieldError]:
    """validateBasicResource: told of as a whole number, away from zero."""
    nano = quantity.parse(value).nano
    return [invalid(path, -(-nano // 10**9), "must be a valid resource quantity")] if -nano >= 10**9 else []


def check_value(path: str, name: str, value: str) -> list[FieldError]:
    """ValidateResourceQuantityValue: not negative, and whole where things are counted."""
    found = check_amount(path, value)
    if (name in _INTEGER or is_extended(name)) and quantity.parse(value).nano % 10**9:
        found.append(invalid(path, value, "must be an integer"))
    return found


def check_taint_value(path: str, value: str) -> list[FieldError]:
    """A taint's value: a label value, all messages in one."""
    messages = is_label_value(value)
    return [invalid(path, value, ";".join(messages))] if messages else []
