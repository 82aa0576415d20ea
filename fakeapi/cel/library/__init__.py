"""What the functions of CEL and of Kubernetes' libraries do: name -> function of its arguments (a call's target first).

One module a library, as apiserver's pkg/cel/library has them; what the type checker is told of them stands in
declarations.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.cel.library import (
    authorizer,
    conversions,
    format,
    formatting,
    ip,
    lists,
    ordered,
    quantity,
    regex,
    semver,
    standard,
    strings,
    times,
    urls,
)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: function
    for library in (
        standard,
        conversions,
        times,
        strings,
        formatting,
        regex,
        lists,
        quantity,
        urls,
        ip,
        format,
        semver,
        ordered,
        authorizer,
    )
    for name, function in library.FUNCTIONS.items()
}
