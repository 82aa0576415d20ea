"""The functions of Kubernetes' CEL libraries as the type checker is told of them.

Stands for apiserver's pkg/cel/library. One line an overload; `Type.name(...)` is called on a value. Numbers of
different types can be ordered. What of CEL's own libraries Kubernetes has is in environment.py.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

from fakeapi.cel.library import authorizer
from fakeapi.patterns import lazy

OPAQUE = {
    "Quantity": "kubernetes.Quantity",
    "IP": "net.IP",
    "CIDR": "net.CIDR",
    "URL": "kubernetes.URL",
    "Semver": "kubernetes.Semver",
    "Format": "kubernetes.NamedFormat",
    **authorizer.OPAQUE,
}
_SCALARS = {
    "string": cel.Type.STRING,
    "int": cel.Type.INT,
    "bool": cel.Type.BOOL,
    "double": cel.Type.DOUBLE,
    "bytes": cel.Type.BYTES,
    "dyn": cel.Type.DYN,
    "duration": cel.Type.DURATION,
    "timestamp": cel.Type.TIMESTAMP,
}
_ORDERED = ("int", "double", "string", "bool", "duration", "timestamp", "bytes")
_SUMMED = ("int", "double", "duration")

LINES = (
    *(f"list({t}).isSorted() -> bool" for t in _ORDERED),
    *(f"list({t}).min() -> {t}" for t in _ORDERED),
    *(f"list({t}).max() -> {t}" for t in _ORDERED),
    *(f"list({t}).sum() -> {t}" for t in _SUMMED),
    "list(dyn).indexOf(dyn) -> int",
    "list(dyn).lastIndexOf(dyn) -> int",
    "string.find(string) -> string",
    "string.findAll(string) -> list(string)",
    "string.findAll(string, int) -> list(string)",
    "url(string) -> URL",
    "isURL(string) -> bool",
    "URL.getScheme() -> string",
    "URL.getHost() -> string",
    "URL.getHostname() -> string",
    "URL.getPort() -> string",
    "URL.getEscapedPath() -> string",
    "URL.getQuery() -> map(string, list(string))",
    "quantity(string) -> Quantity",
    "isQuantity(string) -> bool",
    "Quantity.sign() -> int",
    "Quantity.isInteger() -> bool",
    "Quantity.asInteger() -> int",
    "Quantity.asApproximateFloat() -> double",
    "Quantity.add(Quantity) -> Quantity",
    "Quantity.add(int) -> Quantity",
    "Quantity.sub(Quantity) -> Quantity",
    "Quantity.sub(int) -> Quantity",
    *(f"{t}.{name}({t}) -> bool" for t in ("Quantity", "Semver") for name in ("isGreaterThan", "isLessThan")),
    "Quantity.compareTo(Quantity) -> int",
    "ip(string) -> IP",
    "isIP(string) -> bool",
    "ip.isCanonical(string) -> bool",
    "IP.family() -> int",
    *(
        f"IP.{n}() -> bool"
        for n in ("isUnspecified", "isLoopback", "isLinkLocalMulticast", "isLinkLocalUnicast", "isGlobalUnicast")
    ),
    "string(IP) -> string",
    "cidr(string) -> CIDR",
    "isCIDR(string) -> bool",
    "CIDR.containsIP(string) -> bool",
    "CIDR.containsIP(IP) -> bool",
    "CIDR.containsCIDR(string) -> bool",
    "CIDR.containsCIDR(CIDR) -> bool",
    "CIDR.ip() -> IP",
    "CIDR.masked() -> CIDR",
    "CIDR.prefixLength() -> int",
    "string(CIDR) -> string",
    *(
        f"format.{name}() -> Format"
        for name in (
            "dns1123Label",
            "dns1123Subdomain",
            "dns1035Label",
            "qualifiedName",
            "dns1123LabelPrefix",
            "dns1123SubdomainPrefix",
            "dns1035LabelPrefix",
            "labelValue",
            "uri",
            "uuid",
            "byte",
            "date",
            "datetime",
        )
    ),
    "format.named(string) -> optional(dyn)",
    "Format.validate(string) -> optional(list(string))",
    "semver(string) -> Semver",
    "semver(string, bool) -> Semver",
    "isSemver(string) -> bool",
    "isSemver(string, bool) -> bool",
    "Semver.compareTo(Semver) -> int",
    *(f"Semver.{name}() -> int" for name in ("major", "minor", "patch")),
    "optional.unwrap(list(optional(dyn))) -> list(dyn)",
    "list(optional(dyn)).unwrapOpt() -> list(dyn)",
    "jsonpatch.escapeKey(string) -> string",
    *authorizer.LINES,
)

_LINE = lazy(r"(?:(?P<target>.+)\.)?(?P<name>\w+)\((?P<args>.*)\) -> (?P<result>.+)")
_NAMESPACES = ("format", "ip", "jsonpatch", "optional")
_NUMBERS = (cel.Type.INT, cel.Type.UINT, cel.Type.DOUBLE)


def type_of(text: str) -> Any:
    """A type by its name: `list(string)`, `Quantity`."""
    outer, paren, inner = text.partition("(")
    if not paren:
        return cel.Type(OPAQUE[text]) if text in OPAQUE else _SCALARS[text]
    parts = [type_of(part) for part in _split(inner[:-1])]
    if outer == "list":
        return cel.Type.List(parts[0])
    if outer == "map":
        return cel.Type.Map(parts[0], parts[1])
    return _optional_of(parts[0])


def _optional_of(inner: Any) -> Any:
    """optional_type(inner), which can only be had as the type of an expression."""
    env = cel.NewEnv(variables={"x": inner}, extensions=[ext_optional.ExtOptional()])
    return env.compile("optional.of(x)").return_type()


def _split(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for ch in text:
        depth += (ch == "(") - (ch == ")")
        if ch == "," and not depth:
            parts.append(current.strip())
            current = ""
        else:
            current += ch
    return [*parts, current.strip()] if current.strip() else parts


@cache
def extension() -> Any:
    """All of it as one extension."""
    functions: dict[str, list[Any]] = {}
    for number, line in enumerate(LINES):
        match = _LINE.fullmatch(line)
        assert match is not None, line
        target, name = match["target"] or "", match["name"]
        member = bool(target) and target not in _NAMESPACES
        arguments = _split(match["args"])
        if member:
            arguments = [target, *arguments]
        elif target:
            name = f"{target}.{name}"
        overload = cel.Overload(
            f"k8s_{number}",
            return_type=type_of(match["result"]),
            parameters=[type_of(text) for text in arguments],
            is_member=member,
        )
        functions.setdefault(name, []).append(overload)
    for operator in ("<", "<=", ">", ">="):
        functions[f"_{operator}_"] = [
            cel.Overload(f"k8s_{operator}_{number}", return_type=cel.Type.BOOL, parameters=list(pair), is_member=False)
            for number, pair in enumerate(permutations(_NUMBERS, 2))
        ]
    return cel.CelExtension("kubernetes", [cel.FunctionDecl(name, overloads) for name, overloads in functions.items()])
