"""LimitRanger: containers get a namespace's default amounts, and nothing is smaller or larger than its LimitRanges say.

Stands for plugin/pkg/admission/limitranger. A Pod is looked at when it is created or resized, a claim on every write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fakeapi.admission.base import CREATE, UPDATE, Attributes, Host, Obj, forbidden
from fakeapi.quantity import Quantity
from fakeapi.strategies.podspec.amounts import aggregate, parse

NAME = "LimitRanger"
ANNOTATION = "kubernetes.io/limit-ranger"
_MAX_MILLI = (1 << 63) // 1000

Amounts = Mapping[str, Quantity]
# (type, resource, bound, requests, limits) -> text, "" when it is kept.
Constraint = Callable[[str, str, Quantity, Amounts, Amounts], str]


class LimitRanger:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Pods and claims."""
        if attributes.group or attributes.operation not in (CREATE, UPDATE):
            return False
        if attributes.resource == "pods":
            return attributes.subresource == ("" if attributes.operation == CREATE else "resize")
        return attributes.resource == "persistentvolumeclaims" and not attributes.subresource

    async def admit(self, attributes: Attributes) -> None:
        """Fill in what containers leave out."""
        assert attributes.obj is not None
        if attributes.resource != "pods" or _is_going(attributes):
            return
        for limits in await self._limits(attributes.namespace):
            fill(attributes.obj, limits)

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403."""
        if _is_going(attributes):
            return
        check = check_pod if attributes.resource == "pods" else check_claim
        for limits in await self._limits(attributes.namespace):
            found = check(attributes.obj or {}, limits)
            if found:
                text = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
                raise forbidden(attributes, text)

    async def _limits(self, namespace: str) -> list[list[Obj]]:
        """The limits of each LimitRange of the namespace."""
        parsed = await self._reader.parsed("", "limitranges", _limits_of)
        return [limits for (where, _), limits in parsed.items() if where == namespace]


def _limits_of(limit_range: Obj) -> list[Obj]:
    return list((limit_range.get("spec") or {}).get("limits") or ())


def _is_going(attributes: Attributes) -> bool:
    return bool(attributes.old and attributes.old["metadata"].get("deletionTimestamp"))


def fill(pod: Obj, limits: list[Obj]) -> None:
    """Give every container the default amounts it lacks, and say so in an annotation."""
    requests: Obj = {}
    maxima: Obj = {}
    for limit in limits:
        if limit.get("type") == "Container":
            requests |= limit.get("defaultRequest") or {}
            maxima |= limit.get("default") or {}
    told = []
    for kind, name in (("containers", "container"), ("initContainers", "init container")):
        for container in pod["spec"].get(kind) or ():
            for field, defaults in (("requests", requests), ("limits", maxima)):
                added = _add(container, field, defaults)
                if added:
                    told.append(f"{', '.join(added)} {field[:-1]} for {name} {container['name']}")
    if told:
        metadata = pod["metadata"]
        text = "LimitRanger plugin set: " + "; ".join(told)
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: text}


def _add(container: Obj, field: str, defaults: Obj) -> list[str]:
    resources = container.get("resources") or {}
    given = resources.get(field) or {}
    added = sorted(defaults.keys() - given.keys())
    if added:
        amounts = {**given, **{name: defaults[name] for name in added}}
        container["resources"] = {**resources, field: amounts}
    return added


def _values(*quantities: Quantity) -> list[int]:
    """Comparable whole numbers, of thousandths where none would overflow."""
    whole = [q.scaled(0) for q in quantities]
    return [q.scaled(-3) for q in quantities] if all(w <= _MAX_MILLI for w in whole) else whole


_ZERO = parse({"x": "0"})["x"]


def _minimum(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> str:
    told = f"minimum {name} usage per {kind} is {bound}"
    request, limit, least = _values(requests.get(name, _ZERO), limits.get(name, _ZERO), bound)
    if name not in requests:
        return f"{told}.  No request is specified"
    if request < least:
        return f"{told}, but request is {requests[name]}"
    return f"{told}, but limit is {limits[name]}" if name in limits and limit < least else ""


def _maximum(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> str:
    told = f"maximum {name} usage per {kind} is {bound}"
    request, limit, most = _values(requests.get(name, _ZERO), limits.get(name, _ZERO), bound)
    if name not in limits:
        return f"{told}.  No limit is specified"
    if limit > most:
        return f"{told}, but limit is {limits[name]}"
    return f"{told}, but request is {requests[name]}" if name in requests and request > most else ""


def _maximum_request(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> str:
    told = f"maximum {name} usage per {kind} is {bound}"
    request, most = _values(requests.get(name, _ZERO), bound)
    if name not in requests:
        return f"{told}.  No request is specified"
    return f"{told}, but request is {requests[name]}" if request > most else ""


def _ratio(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> str:
    told = f"{name} max limit to request ratio per {kind} is {bound}"
    request, limit, _ = _values(requests.get(name, _ZERO), limits.get(name, _ZERO), bound)
    if not request:
        return f"{told}, but no request is specified or request is 0"
    if not limit:
        return f"{told}, but no limit is specified or limit is 0"
    ratio = limit / request
    return f"{told}, but provided ratio is {ratio:f}" if ratio * 1000 > bound.scaled(-3) else ""


_CONSTRAINTS: tuple[tuple[str, Constraint], ...] = (
    ("min", _minimum),
    ("max", _maximum),
    ("maxLimitRequestRatio", _ratio),
)
_CLAIM_CONSTRAINTS: tuple[tuple[str, Constraint], ...] = (("min", _minimum), ("max", _maximum_request))


def _broken(
    limit: Obj, constraints: tuple[tuple[str, Constraint], ...], requests: Amounts, limits: Amounts
) -> Iterator[str]:
    for field, constraint in constraints:
        for name, bound in sorted(parse(limit.get(field)).items()):
            if text := constraint(limit.get("type", ""), name, bound, requests, limits):
                yield text


def check_pod(pod: Obj, limits: list[Obj]) -> list[str]:
    """What a Pod breaks."""
    spec = pod.get("spec") or {}
    found: list[str] = []
    for limit in limits:
        if limit.get("type") == "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources") or {}
                found += _broken(limit, _CONSTRAINTS, parse(resources.get("requests")), parse(resources.get("limits")))
        elif limit.get("type") == "Pod":
            own = spec.get("resources") or {}
            requests = {**aggregate(spec, "requests"), **parse(own.get("requests"))}
            maxima = {**aggregate(spec, "limits"), **parse(own.get("limits"))}
            found += _broken(limit, _CONSTRAINTS, requests, maxima)
    return found


def check_claim(claim: Obj, limits: list[Obj]) -> list[str]:
    """What a claim breaks."""
    requests = parse(((claim.get("spec") or {}).get("resources") or {}).get("requests"))
    found: list[str] = []
    for limit in limits:
        if limit.get("type") == "PersistentVolumeClaim":
            found += _broken(limit, _CLAIM_CONSTRAINTS, requests, {})
    return found
