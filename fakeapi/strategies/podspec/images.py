"""Image references as far as the API server reads them: which pull policy they default to.

Stands for pkg/util/parsers.ParseImageName over distribution/reference. Leaves out normalising of names.
"""

from __future__ import annotations

import functools
import re

from fakeapi.patterns import lazy

_ALNUM = "[a-z0-9]+"
_PART = rf"{_ALNUM}(?:(?:\.|_|__|-+){_ALNUM})*"
_LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = lazy(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)


@functools.lru_cache(maxsize=4096)
def pull_policy(image: str) -> str:
    """Always for the tag `latest` (and for no tag at all), else IfNotPresent; what is no reference counts as tagged."""
    found = _REFERENCE.fullmatch(image)
    if found is None:
        return "IfNotPresent"
    tag, digest = found.group("tag", "digest")
    return "Always" if tag == "latest" or (not tag and not digest) else "IfNotPresent"
