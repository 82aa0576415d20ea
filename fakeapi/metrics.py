"""What the server counts, in Prometheus' text form: requests by verb, resource and code, how long they took, objects.

Stands for apiserver's endpoints/metrics and storage metrics, of which it keeps the handful that dashboards and people
ask for first, under upstream's names and labels.
"""

from __future__ import annotations

import bisect
import resource
from collections import Counter
from collections.abc import Iterable, Mapping

from fakeapi.request import Request

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
# Seconds, of apiserver_request_duration_seconds.
BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
_LONG = frozenset(("WATCH", "CONNECT"))
_VERBS = {
    "get": "GET",
    "list": "LIST",
    "watch": "WATCH",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETECOLLECTION",
}
_CONNECT = frozenset(("exec", "attach", "portforward", "proxy", "log"))

Labels = tuple[tuple[str, str], ...]
Values = tuple[str, ...]
LABELS = ("component", "dry_run", "group", "resource", "scope", "subresource", "version", "verb")


class Metrics:
    """Counts of one server since it started."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[int, Values]] = Counter()
        self._seconds: dict[Values, float] = {}
        self._buckets: dict[Values, list[int]] = {}

    def observe(self, request: Request, code: int, seconds: float) -> None:
        """Count a request that was answered."""
        values = _values(request)
        self._requests[code, values] += 1
        if values[-1] not in _LONG:
            counts = self._buckets.get(values)
            if counts is None:
                counts = self._buckets[values] = [0] * (len(BUCKETS) + 1)
            counts[bisect.bisect_left(BUCKETS, seconds)] += 1
            self._seconds[values] = self._seconds.get(values, 0.0) + seconds

    def render(self, objects: Mapping[tuple[str, str], int], started: float, version: str) -> str:
        """The page. objects: how many there are by (group, plural); started: seconds since the epoch."""
        lines = [
            *_family(
                "apiserver_request_total",
                "counter",
                "Counter of apiserver requests.",
                (((("code", str(code)), *_labels(values)), n) for (code, values), n in self._requests.items()),
            ),
            *self._durations(),
            *_family(
                "apiserver_storage_objects",
                "gauge",
                "Number of stored objects at the time of last check split by kind.",
                (((("resource", f"{p}.{g}" if g else p),), n) for (g, p), n in sorted(objects.items())),
            ),
            *_family("kubernetes_build_info", "gauge", "A metric with a constant '1' value.", [(_build(version), 1)]),
            *_process(started),
        ]
        return "\n".join(lines) + "\n"

    def _durations(self) -> Iterable[str]:
        name = "apiserver_request_duration_seconds"
        yield from _head(name, "histogram", "Response latency distribution in seconds.")
        for values, counts in self._buckets.items():
            labels = _labels(values)
            total = 0
            for limit, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
                total += count
                yield f"{name}_bucket{_braces((*labels, ('le', str(limit))))} {total}"
            yield f"{name}_sum{_braces(labels)} {self._seconds[values]}"
            yield f"{name}_count{_braces(labels)} {total}"


def _values(request: Request) -> Values:
    """A request's values of LABELS."""
    info = request.info
    verb = _VERBS.get(info.verb, request.method)
    if info.subresource in _CONNECT:
        verb = "CONNECT"
    elif verb == "PATCH" and "apply-patch" in request.headers.get("content-type", ""):
        verb = "APPLY"
    dry_run = ",".join(request.query["dryRun"]) if "dryRun" in request.query else ""
    if not info.is_resource:
        return "apiserver", dry_run, info.group, info.resource, "", request.path, info.version, verb
    scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    return "apiserver", dry_run, info.group, info.resource, scope, info.subresource, info.version, verb


def _labels(values: Values) -> Labels:
    return tuple(zip(LABELS, values, strict=True))


def _build(version: str) -> Labels:
    minor = version.split(".")[1]
    return (("git_version", version), ("major", "1"), ("minor", minor), ("platform", "linux/amd64"))


def _process(started: float) -> Iterable[str]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    for name, kind, text, value in (
        ("process_cpu_seconds_total", "counter", "Total user and system CPU time.", usage.ru_utime + usage.ru_stime),
        ("process_resident_memory_bytes", "gauge", "Largest resident memory size.", usage.ru_maxrss * 1024),
        ("process_start_time_seconds", "gauge", "Start time since the epoch.", started),
    ):
        yield from _family(name, kind, text, [((), value)])


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _family(name: str, kind: str, text: str, values: Iterable[tuple[Labels, float]]) -> Iterable[str]:
    yield from _head(name, kind, text)
    for labels, value in values:
        yield f"{name}{_braces(labels)} {value}"


def _braces(labels: Labels) -> str:
    return f"{{{','.join(f'{key}={_quoted(value)}' for key, value in labels)}}}" if labels else ""


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
