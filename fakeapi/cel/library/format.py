"""Named formats of texts.

Stands for apiserver's pkg/cel/library/format.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from fakeapi import gourl, names
from fakeapi.cel.library.arguments import need_text
from fakeapi.cel.values import Optional
from fakeapi.schema.formats import FORMATS


class Format(Struct, frozen=True):
    """kubernetes.NamedFormat."""

    name: str
    TYPE = "kubernetes.NamedFormat"


def _strfmt(name: str, text: str) -> Callable[[str], list[str]]:
    return lambda value: [] if FORMATS[name](value) else [text]


_CHECKS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": lambda v: names.name_is_dns_label(v, False),
    "dns1123Subdomain": lambda v: names.name_is_dns_subdomain(v, False),
    "dns1035Label": lambda v: names.name_is_dns1035_label(v, False),
    "dns1123LabelPrefix": lambda v: names.name_is_dns_label(v, True),
    "dns1123SubdomainPrefix": lambda v: names.name_is_dns_subdomain(v, True),
    "dns1035LabelPrefix": lambda v: names.name_is_dns1035_label(v, True),
    "qualifiedName": names.is_qualified_name,
    "labelValue": names.is_label_value,
    "uri": lambda v: [text] if (text := gourl.request_problem(v)) else [],
    "uuid": _strfmt("uuid", "does not match the UUID format"),
    "byte": _strfmt("byte", "invalid base64"),
    "date": _strfmt("date", "invalid date"),
    "datetime": _strfmt("datetime", "invalid datetime"),
}


def _validate(value: Format, text: Any) -> Optional:
    found = _CHECKS[value.name](need_text(text))
    return Optional(found, True) if found else Optional()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "format.named": lambda name: Optional(Format(name), True) if name in _CHECKS else Optional(),
    "validate": _validate,
    **{f"format.{name}": (lambda name=name: Format(name)) for name in _CHECKS},
}
