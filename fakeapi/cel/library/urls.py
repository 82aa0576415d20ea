"""URLs.

Stands for apiserver's pkg/cel/library/urls.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from fakeapi import gourl
from fakeapi.cel.library.arguments import is_valid, need_text
from fakeapi.cel.values import CelError


class URL(Struct, frozen=True):
    """kubernetes.URL."""

    scheme: str
    host: str
    path: str
    query: str
    TYPE = "kubernetes.URL"


def _url(text: Any) -> URL:
    wrong = gourl.request_problem(need_text(text))
    if wrong:
        raise CelError(f"URL parse error during conversion from string: {wrong}")
    parts = urlsplit(text)
    return URL(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query)


def _hostname(value: URL) -> str:
    host = value.host
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _port(value: URL) -> str:
    after = value.host.rpartition("]")[2]
    return after.rpartition(":")[2] if ":" in after else ""


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "url": _url,
    "isURL": is_valid(_url),
    "getScheme": lambda v: v.scheme,
    "getHost": lambda v: v.host,
    "getHostname": _hostname,
    "getPort": _port,
    "getEscapedPath": lambda v: v.path,
    "getQuery": lambda v: parse_qs(v.query, keep_blank_values=True),
}
