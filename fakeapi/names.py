"""What names, keys, ports and paths may look like, in upstream's words.

Stands for apimachinery's util/validation, api/validate/content and the name functions of api/validation. Functions
named is_* take a value and return a list of messages (empty: fine); functions named check_* take the path of the field
too and return FieldErrors. Pure. Addresses are in ips.py, formats that only custom resources use in schema/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, required
from fakeapi.patterns import lazy

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + "(\\." + _LABEL + ")*"
_UNDERSCORE_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_UNDERSCORE_SUBDOMAIN = _UNDERSCORE_LABEL + "(\\." + _UNDERSCORE_LABEL + ")*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = "(" + _KEY + ")?"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HTTP_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"

NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"
_KEY_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_KEY_EXAMPLES = ("MyName", "my.name", "123-abc")


def regex_error(message: str, pattern: str, *examples: str) -> str:
    """validation.RegexError."""
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{e}', " for e in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def too_long_text(maximum: int) -> str:
    """util/validation's MaxLenError; label keys and values say bytes (content.MaxLenError)."""
    return f"must be no more than {maximum} characters"


def range_text(low: int, high: int) -> str:
    """InclusiveRangeError."""
    return f"must be between {low} and {high}, inclusive"


def _length(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode())


_LABEL_RE, _SUBDOMAIN_RE, _DNS1035_RE = lazy(_LABEL), lazy(_SUBDOMAIN), lazy(_DNS1035)
_KEY_RE, _VALUE_RE, _C_IDENTIFIER_RE = lazy(_KEY), lazy(_VALUE), lazy(_C_IDENTIFIER)
_CONFIG_KEY_RE, _UNDERSCORE_RE = lazy(_CONFIG_KEY), lazy(_UNDERSCORE_SUBDOMAIN)
_WILDCARD_RE = lazy("\\*\\." + _SUBDOMAIN)
_HTTP_PATH_RE, _HEADER_RE, _PERCENT_RE = lazy(_HTTP_PATH), lazy("[-A-Za-z0-9]+"), lazy("[0-9]+%")


def is_dns1123_label(value: str) -> list[str]:
    """A label of RFC 1123: at most 63 characters, no dots."""
    found = [too_long_text(63)] if _length(value) > 63 else []
    if not _LABEL_RE.fullmatch(value):
        if _SUBDOMAIN_RE.fullmatch(value):
            found.append("must not contain dots")
        else:
            text = (
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                "and must start and end with an alphanumeric character"
            )
            found.append(regex_error(text, _LABEL, "my-name", "123-abc"))
    return found


def is_dns1123_subdomain(value: str) -> list[str]:
    """A subdomain of RFC 1123: what most names are."""
    found = [too_long_text(253)] if _length(value) > 253 else []
    if not _SUBDOMAIN_RE.fullmatch(value):
        text = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        found.append(regex_error(text, _SUBDOMAIN, "example.com"))
    return found


def is_dns1123_subdomain_with_underscore(value: str) -> list[str]:
    """A subdomain whose labels may have underscores (search paths of dnsConfig)."""
    found = [too_long_text(253)] if _length(value) > 253 else []
    if not _UNDERSCORE_RE.fullmatch(value):
        text = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        found.append(regex_error(text, _UNDERSCORE_SUBDOMAIN, "example.com"))
    return found


def is_dns1035_label(value: str) -> list[str]:
    """A label of RFC 1035: starts with a letter."""
    found = [too_long_text(63)] if _length(value) > 63 else []
    if not _DNS1035_RE.fullmatch(value):
        text = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
            "start with an alphabetic character, and end with an alphanumeric character"
        )
        found.append(regex_error(text, _DNS1035, "my-name", "abc-123"))
    return found


def is_wildcard_subdomain(value: str) -> list[str]:
    """`*.` and a subdomain: hosts of Ingress rules."""
    found = [too_long_text(253)] if _length(value) > 253 else []
    if not _WILDCARD_RE.fullmatch(value):
        text = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist "
            "of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        found.append(regex_error(text, "\\*\\." + _SUBDOMAIN, "*.example.com"))
    return found


def is_qualified_name(value: str) -> list[str]:
    """A label key: an optional subdomain and `/`, then a name (content.IsLabelKey)."""
    found: list[str] = []
    parts = value.split("/")
    if len(parts) > 2:
        text = "a valid label key " + regex_error(_KEY_TEXT, _KEY, *_KEY_EXAMPLES)
        return [text + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    if len(parts) == 2:
        if not parts[0]:
            found.append("prefix part must be non-empty")
        else:
            # The prefix is checked by content.IsDNS1123Subdomain, whose length message counts bytes.
            texts = is_dns1123_subdomain(parts[0])
            found += ["prefix part " + t.replace("253 characters", "253 bytes") for t in texts]
    name = parts[-1]
    if not name:
        found.append("name part must be non-empty")
    elif _length(name) > 63:
        found.append("name part must be no more than 63 bytes")
    if not _KEY_RE.fullmatch(name):
        found.append("name part " + regex_error(_KEY_TEXT, _KEY, *_KEY_EXAMPLES))
    return found


def is_label_value(value: str) -> list[str]:
    """A label's value."""
    found = ["must be no more than 63 bytes"] if _length(value) > 63 else []
    if not _VALUE_RE.fullmatch(value):
        text = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character"
        )
        found.append(regex_error(text, _VALUE, "MyValue", "my_value", "12345"))
    return found


def is_c_identifier(value: str) -> list[str]:
    """An identifier of the C language."""
    if _C_IDENTIFIER_RE.fullmatch(value):
        return []
    text = (
        "a valid C identifier must start with alphabetic character or '_', "
        "followed by a string of alphanumeric characters or '_'"
    )
    return [regex_error(text, _C_IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def _parent_directory(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def is_config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret."""
    found = [too_long_text(253)] if _length(value) > 253 else []
    if not _CONFIG_KEY_RE.fullmatch(value):
        text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        found.append(regex_error(text, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return found + _parent_directory(value)


def is_env_name(value: str) -> list[str]:
    """An environment variable's name, in the relaxed form that is the rule since 1.34."""
    found = [] if value else ["environment variable name must be non-empty"]
    if any(not " " <= ch <= "~" or ch == "=" for ch in value):
        found.append("a valid environment variable name must consist only of printable ASCII characters other than '='")
    return found


def is_http_header(value: str) -> list[str]:
    """A header's name in an HTTP probe."""
    if _HEADER_RE.fullmatch(value):
        return []
    text = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [regex_error(text, "[-A-Za-z0-9]+", "X-Header-Name")]


def is_percent(value: str) -> list[str]:
    """`93%`."""
    if _PERCENT_RE.fullmatch(value):
        return []
    text = "a valid percent string must be a numeric string followed by an ending '%'"
    return [regex_error(text, "[0-9]+%", "1%", "93%")]


def is_in_range(value: int, low: int, high: int) -> list[str]:
    """An inclusive range."""
    return [] if low <= value <= high else [range_text(low, high)]


def is_port_number(value: int) -> list[str]:
    """1 to 65535."""
    return is_in_range(value, 1, 65535)


def is_user_or_group_id(value: int) -> list[str]:
    """0 to 2^31-1: IsValidUserID and IsValidGroupID."""
    return is_in_range(value, 0, 2**31 - 1)


def is_port_name(value: str) -> list[str]:
    """The service name of a port (RFC 6335, lower case)."""
    rules = (
        (_length(value) > 15, too_long_text(15)),
        (
            not re.fullmatch("[-a-z0-9]+", value),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (not re.search("[a-z]", value), "must contain at least one letter (a-z)"),
        ("--" in value, "must not contain consecutive hyphens"),
        (value[:1] == "-" or value[-1:] == "-", "must not begin or end with a hyphen"),
    )
    return [text for broken, text in rules if broken]


def is_path_segment(value: str, prefix: bool = False) -> list[str]:
    """What any name must satisfy to be part of a URL (RBAC names, custom kinds' names of built-ins without a rule)."""
    if not prefix and value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{x}'" for x in "/%" if x in value]


def _masked(value: str) -> str:
    """maskTrailingDash, quirk included: it drops two characters and adds one (api/validation/generic.go)."""
    return value[:-2] + "a" if len(value) > 1 and value.endswith("-") else value


def name_is_dns_subdomain(value: str, prefix: bool) -> list[str]:
    """Names of most kinds. prefix: the text is a generateName."""
    return is_dns1123_subdomain(_masked(value) if prefix else value)


def name_is_dns_label(value: str, prefix: bool) -> list[str]:
    """Names of namespaces."""
    return is_dns1123_label(_masked(value) if prefix else value)


def name_is_dns1035_label(value: str, prefix: bool) -> list[str]:
    """Names of Services."""
    return is_dns1035_label(_masked(value) if prefix else value)


def name_is_path_segment(value: str, prefix: bool) -> list[str]:
    """Names of RBAC kinds."""
    return is_path_segment(value, prefix)


def name_is_anything(value: str, prefix: bool) -> list[str]:
    """Kinds that leave names alone but for what a path needs."""
    return []


def check(path: str, value: Any, messages: Iterable[str]) -> list[FieldError]:
    """Each message of an is_* function as `Invalid value`."""
    return [invalid(path, value, m) for m in messages]


def check_non_negative(path: str, value: int | None) -> list[FieldError]:
    """ValidateNonnegativeField; None is fine."""
    return [invalid(path, value, NEGATIVE)] if value is not None and value < 0 else []


def check_immutable(path: str, new: Any, old: Any) -> list[FieldError]:
    """ValidateImmutableField: absent and empty are the same (Semantic.DeepEqual)."""
    return [] if (new or None) == (old or None) else [invalid(path, new, IMMUTABLE)]


@lru_cache(maxsize=4096)
def _is_label(key: str, value: str) -> bool:
    """Whether nothing is wrong with a label: most objects carry the labels of many others."""
    return not is_qualified_name(key) and not is_label_value(value)


def check_labels(path: str, labels: Mapping[str, str] | None) -> list[FieldError]:
    """ValidateLabels: keys and values, all under the map's own path. Upstream walks a Go map; here sorted by key."""
    if not labels or all(_is_label(key, value) for key, value in labels.items()):
        return []
    found: list[FieldError] = []
    for key, value in sorted(labels.items()):
        found += check(path, key, is_qualified_name(key)) + check(path, value, is_label_value(value))
    return found


def check_annotations(path: str, annotations: Mapping[str, str] | None) -> list[FieldError]:
    """ValidateAnnotations: keys as label keys but in any case, 256 KiB in all."""
    found: list[FieldError] = []
    for key in sorted(annotations or ()):
        found += check(path, key, is_qualified_name(key.lower()))
    if sum(_length(k) + _length(v) for k, v in (annotations or {}).items()) > 256 * 1024:
        found.append(FieldError("FieldValueTooLong", path, "Too long", f"may not be more than {256 * 1024} bytes"))
    return found


_VALUES_OF_SELECTOR = {
    "In": (True, "must be specified when `operator` is 'In' or 'NotIn'"),
    "NotIn": (True, "must be specified when `operator` is 'In' or 'NotIn'"),
    "Exists": (False, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    "DoesNotExist": (False, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
}


def check_label_selector(path: str, selector: Mapping[str, Any] | None, *, values: bool = True) -> list[FieldError]:
    """ValidateLabelSelector. values=False: invalid label values pass (they did before)."""
    if selector is None:
        return []
    found = check_labels(f"{path}.matchLabels", selector.get("matchLabels"))
    for i, term in enumerate(selector.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{i}]"
        operator, given = term.get("operator", ""), term.get("values") or []
        wanted, text = _VALUES_OF_SELECTOR.get(operator, (None, ""))
        if wanted is None:
            found.append(invalid(f"{at}.operator", operator, "not a valid selector operator"))
        elif wanted and not given:
            found.append(required(f"{at}.values", text))
        elif not wanted and given:
            found.append(forbidden(f"{at}.values", text))
        found += check(f"{at}.key", term.get("key", ""), is_qualified_name(term.get("key", "")))
        for j, value in enumerate(given if values else ()):
            found += check(f"{at}.values[{j}]", value, is_label_value(value))
    return found


def check_fully_qualified_name(path: str, value: str) -> list[FieldError]:
    """IsFullyQualifiedName: at least three segments (webhook names)."""
    return _domain(path, value, 3, "three")


def check_fully_qualified_domain(path: str, value: str) -> list[FieldError]:
    """IsFullyQualifiedDomainName: at least two segments, a trailing dot allowed."""
    found = _domain(path, value.removesuffix(".") if value else value, 2, "two")
    if found:
        return found
    for label in value.removesuffix(".").split("."):
        messages = is_dns1123_label(label)
        if messages:
            return [invalid(path, label, ",".join(messages))]
    return []


def _domain(path: str, value: str, segments: int, word: str) -> list[FieldError]:
    if not value:
        return [required(path)]
    messages = is_dns1123_subdomain(value)
    if messages:
        return [invalid(path, value, ",".join(messages))]
    if len(value.split(".")) < segments:
        return [invalid(path, value, f"should be a domain with at least {word} segments separated by dots")]
    return []


def check_domain_prefixed_path(path: str, value: str) -> list[FieldError]:
    """IsDomainPrefixedPath: `acme.io/foo` (signer and controller names)."""
    if not value:
        return [required(path)]
    host, _, rest = value.partition("/")
    if not host or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    found = check(path, host, is_dns1123_subdomain(host))
    if not _HTTP_PATH_RE.fullmatch(rest):
        found.append(invalid(path, rest, regex_error("Invalid path", _HTTP_PATH)))
    return found


def check_domain_prefixed_key(path: str, value: str) -> list[FieldError]:
    """IsDomainPrefixedKey."""
    if not value:
        return [required(path)]
    found = check(path, value, is_qualified_name(value))
    if not found and "/" not in value:
        found.append(invalid(path, value, 'must be a domain-prefixed key (such as "acme.io/foo")'))
    return found
