"""ConfigMap: keys, size and immutability.

Stands for pkg/registry/core/configmap and ValidateConfigMap(Update).
"""

from __future__ import annotations

import base64

from fakeapi.errors import FieldError, forbidden, invalid, too_long
from fakeapi.names import check, is_config_key, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table

MAX_SIZE = 1024 * 1024
IMMUTABLE_TEXT = "field is immutable when `immutable` is set"


def frozen(new: Obj, old: Obj, bags: tuple[str, ...]) -> list[FieldError]:
    """What an immutable ConfigMap or Secret does not let change."""
    if not old.get("immutable"):
        return []
    found = [] if new.get("immutable") else [forbidden("immutable", IMMUTABLE_TEXT)]
    return found + [forbidden(b, IMMUTABLE_TEXT) for b in bags if (new.get(b) or {}) != (old.get(b) or {})]


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    found: list[FieldError] = []
    for field, bag in (("data", data), ("binaryData", binary)):
        for key in sorted(bag):
            found += check(f"{field}[{key}]", key, is_config_key(key))
            if field == "data" and key in binary:
                found.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    size = sum(len(v.encode()) for v in data.values()) + sum(len(base64.b64decode(v or "")) for v in binary.values())
    if size > MAX_SIZE:
        # field.NewPath("") prints as "[]": the error is of the whole object.
        found.append(too_long("[]", MAX_SIZE))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    return frozen(new, old, ("data", "binaryData")) + _validate(new, ctx)


def _size(obj: Obj) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


_ABOUT_DATA = (
    "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values "
    "with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the "
    "keys in the BinaryData field, this is enforced during validation process."
)

STRATEGY = Strategy(
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    printer=table(NAME, column("Data", _size, about=_ABOUT_DATA), AGE),
)
